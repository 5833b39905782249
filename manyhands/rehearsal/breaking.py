"""Playing a fault: how each one looks on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manyhands.rehearsal.script import Fault
from manyhands.web.listener import NDJSON, Connection

__all__ = ["Dialect", "break_it"]

#: Answers that are an error from the first byte: status and message.
_STATUS = {
    Fault.HTTP_404: (404, "model 'gone' not found"),
    Fault.HTTP_429: (429, "too many requests"),
    Fault.HTTP_500: (500, "internal error"),
    Fault.HTTP_503: (503, "server busy, please try again.  maximum pending requests exceeded"),
    Fault.OUT_OF_MEMORY: (500, "llama-server: cudaMalloc failed: out of memory"),
    Fault.RUNNER_CRASH: (
        500,
        "model runner has unexpectedly stopped",
    ),
}
_HUGE = 64 * 1024 * 1024
_DRIP_S = 0.05


def _last_with_reason(lines: Sequence[bytes], reason: str) -> list[bytes]:
    *before, last = lines
    return [*before, json.dumps({**json.loads(last), "done_reason": reason}).encode() + b"\n"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a stream writes what faults need; by default as Ollama does.

    Attributes:
        nothing: bytes that carry no token.
        huge: the beginning and the end of a line without bound.
        with_reason: an answer's lines with another reason for its end.
    """

    kind: str = NDJSON
    nothing: bytes = b"\n"
    error: bytes = b'{"error":"the model stopped unexpectedly"}\n'
    wrong: bytes = b'{"message": ["content"], "done": "perhaps"}\n'
    huge: tuple[bytes, bytes] = (b'{"message":{"content":"', b'"}}\n')
    with_reason: Callable[[Sequence[bytes], str], list[bytes]] = _last_with_reason


OLLAMA = Dialect()


async def break_it(
    fault: Fault, lines: Sequence[bytes], connection: Connection, dialect: Dialect = OLLAMA
) -> None:
    """Send an answer's lines with a fault in them; the connection may be unusable afterwards.

    Args:
        lines: the whole answer as it should have been, the line that ends it last.
    """
    if fault in _STATUS:
        status, message = _STATUS[fault]
        await connection.json({"error": message}, status)
        return
    if fault is Fault.RESET_BEFORE_HEADERS:
        connection.reset()
        return
    if fault is Fault.HANG_BEFORE_HEADERS:
        await _hang()
        return
    chunked = fault is not Fault.EOF_WITHOUT_LENGTH
    await connection.begin(dialect.kind, chunked=chunked)
    half = max(1, (len(lines) - 1) // 2)
    match fault:
        case Fault.DONE_LENGTH | Fault.DONE_UNLOAD:
            reason = fault.value.removeprefix("done_")
            await _chunks(connection, dialect.with_reason(lines, reason))
            await connection.end()
        case Fault.DONE_TWICE:
            await _chunks(connection, [*lines, lines[-1]])
            await connection.end()
        case Fault.SPLIT_UTF8:
            for byte in b"".join(lines):
                await connection.chunk(bytes([byte]))
            await connection.end()
        case Fault.SLOW_LORIS:
            for byte in b"".join(lines):
                await connection.chunk(bytes([byte]))
                await asyncio.sleep(_DRIP_S)
            await connection.end()
        case Fault.EOF_WITHOUT_LENGTH:
            await connection.raw(b"".join(lines[:half]))
            connection.close()
        case _:
            await _chunks(connection, lines[:half])
            await _break_in_the_middle(fault, lines[half], connection, dialect)


async def _break_in_the_middle(
    fault: Fault, line: bytes, connection: Connection, dialect: Dialect
) -> None:
    match fault:
        case Fault.RESET_MID_STREAM:
            connection.reset()
        case Fault.CLOSE_MID_CHUNK:
            await connection.raw(b"%x\r\n" % len(line) + line[: len(line) // 2])
            connection.close()
        case Fault.END_WITHOUT_DONE:
            await connection.end()
        case Fault.HALF_LINE:
            await connection.chunk(line[: len(line) // 2])
            await connection.end()
        case Fault.GARBAGE_LINE:
            await connection.chunk(b"<html>502 Bad Gateway</html>\n")
            await connection.end()
        case Fault.ERROR_LINE:
            await connection.chunk(dialect.error)
            await connection.end()
        case Fault.WRONG_SHAPES:
            await connection.chunk(dialect.wrong)
            await connection.end()
        case Fault.HUGE_LINE:
            await connection.chunk(dialect.huge[0])
            for _ in range(_HUGE // (1 << 20)):
                await connection.chunk(b"x" * (1 << 20))
            await connection.chunk(dialect.huge[1])
            await connection.end()
        case Fault.KEEP_ALIVE_CHUNKS:
            while True:
                await connection.chunk(dialect.nothing)
                await asyncio.sleep(_DRIP_S)
        case _:
            assert fault is Fault.HANG_MID_STREAM, fault
            await _hang()


async def _hang() -> None:
    """For ever: a client that leaves cancels its handler, and is recorded as having left."""
    await asyncio.Event().wait()


async def _chunks(connection: Connection, lines: Sequence[bytes]) -> None:
    for line in lines:
        await connection.chunk(line)
