"""The lines of a streamed body as they come in, each wait held to a clock, none without bound."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import nullcontext

from manyhands.engines.clocks import Clocks
from manyhands.errors import MalformedLine

__all__ = ["LINE_LIMIT", "malformed", "read_lines"]

#: No honest line comes near this; a larger one is a fault, not data.
LINE_LIMIT = 8 * 1024 * 1024


async def read_lines(
    chunks: AsyncGenerator[bytes], clocks: Clocks | None, *, host: str, model: str
) -> AsyncGenerator[bytes]:
    """Each line that is not blank; what stands after the last line end comes too.

    Raises:
        MalformedLine: a line is too long.
        DeadlineExceeded: a clock ran out.
    """
    buffer = bytearray()
    while True:
        with clocks.running() if clocks is not None else nullcontext():
            chunk = await anext(chunks, None)
        if chunk is None:
            break
        seen = len(buffer)
        buffer += chunk
        start = 0
        while (at := buffer.find(b"\n", max(start, seen))) >= 0:
            line = bytes(buffer[start:at])
            start = at + 1
            if line.strip():
                yield line
        del buffer[:start]
        if len(buffer) > LINE_LIMIT:
            raise MalformedLine(
                f"A line in the answer of {model!r} is longer than {LINE_LIMIT} bytes.",
                hint="Something other than a model server may answer at this address.",
                host=host,
                model=model,
            )
    if buffer.strip():
        yield bytes(buffer)


def malformed(line: object, host: str, model: str) -> MalformedLine:
    """The error for a line that the protocol does not know."""
    shown = line[:80] if isinstance(line, bytes) else str(line)[:80]
    return MalformedLine(
        f"A line in the answer of {model!r} is not what the protocol says: {shown!r}.",
        hint="Ask again; if it repeats, look for a proxy between here and the server.",
        host=host,
        model=model,
    )
