"""Reading a chat stream of Ollama: lines, clocks, and when an answer is whole."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio

from manyhands.engines.contracts import Deadlines, Delta, DoneReason, Reply, ToolCall, Usage
from manyhands.engines.ollama_faults import fault_of
from manyhands.errors import DeadlineExceeded, MalformedLine, StreamCut

__all__ = ["LINE_LIMIT", "read_reply"]

#: No honest line comes near this; a larger one is a fault, not data.
LINE_LIMIT = 8 * 1024 * 1024


class _Clocks:
    """First token, gap between tokens, and total. Only tokens wind the gap clock up again."""

    def __init__(self, deadlines: Deadlines, host: str, model: str) -> None:
        self._deadlines = deadlines
        self._where = {"host": host, "model": model}
        self._started = time.monotonic()
        self._last_token: float | None = None

    def token(self) -> None:
        self._last_token = time.monotonic()

    def left(self) -> tuple[float, str]:
        """Seconds until the next clock runs out, and which it is."""
        now = time.monotonic()
        total = self._started + self._deadlines.total_s - now
        if self._last_token is None:
            first = self._started + self._deadlines.first_token_s - now
            return min((first, "first_token"), (total, "total"))
        gap = self._last_token + self._deadlines.gap_s - now
        return min((gap, "gap"), (total, "total"))

    def ran_out(self, clock: str) -> DeadlineExceeded:
        limit = getattr(self._deadlines, f"{clock}_s")
        words = {
            "first_token": "sent no token",
            "gap": "sent no further token",
            "total": "did not finish",
        }[clock]
        return DeadlineExceeded(
            f"{self._where['model']!r} {words} within {limit:g} s.",
            clock=clock,
            hint=f"Raise deadlines.{clock}_s if the model is only slow.",
            **self._where,
        )


async def read_reply(
    chunks: AsyncIterator[bytes], *, deadlines: Deadlines, host: str, model: str
) -> AsyncGenerator[Delta | Reply]:
    """Turn the body of a chat response into deltas and, last, the reply.

    Raises:
        StreamCut: it ended without a normal last line.
        MalformedLine: a line is no JSON object, holds wrong types, or is too long.
        DeadlineExceeded: a clock ran out.
        EngineError: the server reported a fault inside the stream.
    """
    clocks = _Clocks(deadlines, host, model)
    content: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    async for line in _lines(chunks, clocks, host=host, model=model):
        part = _object(line, host=host, model=model)
        if "error" in part:
            raise fault_of(200, json.dumps(part), host=host, model=model)
        message = part.get("message") or {}
        said = _text(message, "content", host, model)
        thought = _text(message, "thinking", host, model)
        calls.extend(_calls(message, host, model))
        content.append(said)
        thinking.append(thought)
        if said or thought or message.get("tool_calls"):
            clocks.token()
            yield Delta(content=said, thinking=thought, tokens=1)
        if part.get("done"):
            yield Reply(
                content="".join(content),
                thinking="".join(thinking),
                tool_calls=tuple(calls),
                done_reason=_done_reason(part, host, model),
                usage=_usage(part),
                model=str(part.get("model", model)),
            )
            return
    raise StreamCut(
        f"The answer of {model!r} stopped before its end.",
        hint="Ask again; if it repeats, look at the server's log.",
        host=host,
        model=model,
    )


async def _lines(
    chunks: AsyncIterator[bytes], clocks: _Clocks, *, host: str, model: str
) -> AsyncIterator[bytes]:
    buffer = bytearray()
    iterator = aiter(chunks)
    while True:
        left, clock = clocks.left()
        with anyio.move_on_after(max(0.0, left)) as scope:
            chunk = await anext(iterator, None)
        if scope.cancelled_caught:
            raise clocks.ran_out(clock)
        if chunk is None:
            break
        buffer += chunk
        while (at := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:at])
            del buffer[: at + 1]
            if line.strip():
                yield line
        if len(buffer) > LINE_LIMIT:
            raise MalformedLine(
                f"A line in the answer of {model!r} is longer than {LINE_LIMIT} bytes.",
                hint="Something other than Ollama may answer at this address.",
                host=host,
                model=model,
            )
    if buffer.strip():
        yield bytes(buffer)


def _object(line: bytes, *, host: str, model: str) -> dict[str, Any]:
    try:
        # Raw control characters inside strings were seen from small models: not strict.
        value = json.loads(line.decode("utf-8"), strict=False)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _malformed(line, host, model)
    return value


def _malformed(line: object, host: str, model: str) -> MalformedLine:
    shown = line[:80] if isinstance(line, bytes) else str(line)[:80]
    return MalformedLine(
        f"A line in the answer of {model!r} is not what the protocol says: {shown!r}.",
        hint="Ask again; if it repeats, look for a proxy between here and the server.",
        host=host,
        model=model,
    )


def _text(message: Any, key: str, host: str, model: str) -> str:
    if not isinstance(message, dict):
        raise _malformed(message, host, model)
    value = message.get(key) or ""
    if not isinstance(value, str):
        raise _malformed(value, host, model)
    return value


def _calls(message: dict[str, Any], host: str, model: str) -> list[ToolCall]:
    calls = []
    for item in message.get("tool_calls") or []:
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("arguments", {}), dict):
            raise _malformed(item, host, model)
        calls.append(
            ToolCall(
                id=str(item.get("id", "")),
                name=str(function.get("name", "")),
                arguments=function.get("arguments", {}),
            )
        )
    return calls


def _done_reason(part: dict[str, Any], host: str, model: str) -> DoneReason:
    reason = part.get("done_reason")
    try:
        return DoneReason(str(reason))
    except ValueError:
        raise StreamCut(
            f"The answer of {model!r} ended with {reason!r}, which no whole answer does.",
            hint="The model may have been unloaded meanwhile; ask again.",
            host=host,
            model=model,
        ) from None


def _usage(part: dict[str, Any]) -> Usage:
    def seconds(key: str) -> float:
        value = part.get(key)
        return value / 1e9 if isinstance(value, int | float) else 0.0

    def count(key: str) -> int:
        value = part.get(key)
        return value if isinstance(value, int) else 0

    return Usage(
        prompt_tokens=count("prompt_eval_count"),
        completion_tokens=count("eval_count"),
        load_s=seconds("load_duration"),
        prompt_s=seconds("prompt_eval_duration"),
        eval_s=seconds("eval_duration"),
        total_s=seconds("total_duration"),
    )
