"""Reading a stream of server-sent events as OpenAI-compatible servers write it.

An answer is whole only when a `finish_reason` said so: a stream that just ends, or that ends with
`[DONE]` alone, was cut.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio

from manyhands.engines.clocks import Clocks
from manyhands.engines.contracts import Delta, DoneReason, Reply, ToolCall, Usage
from manyhands.engines.lines import malformed, read_lines
from manyhands.engines.openai_faults import compatible_fault
from manyhands.errors import EngineError, StreamCut

__all__ = ["read_events"]

#: After the reason the usage follows at once; one that does not come is not waited for longer.
_GOODBYE_S = 1.0
#: `eos` is SGLang's, `tool_calls` and `function_call` end a whole answer too.
_ENDS = {
    "stop": DoneReason.STOP,
    "eos": DoneReason.STOP,
    "tool_calls": DoneReason.STOP,
    "function_call": DoneReason.STOP,
    "length": DoneReason.LENGTH,
}


@dataclass(slots=True)
class _Call:
    """A tool call that comes in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class _Answer:
    """What was read so far; times by the monotonic clock."""

    started: float
    first_token: float | None = None
    content: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    pieces: int = 0
    reason: DoneReason | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""


async def read_events(
    chunks: AsyncGenerator[bytes], *, clocks: Clocks, host: str, model: str
) -> AsyncGenerator[Delta | Reply]:
    """Turn the body of a chat response into deltas and, last, the reply.

    The server tells no times, so those of the reply are measured here: until the first token, and
    from there to the last.

    Raises:
        StreamCut: it ended without a `finish_reason`, or with one that no whole answer has.
        MalformedLine: a line is no event, holds wrong types, or is too long.
        DeadlineExceeded: a clock ran out.
        EngineError: the server reported a fault inside the stream.
    """
    answer = _Answer(started=time.monotonic(), model=model)
    async with aclosing(read_lines(chunks, clocks, host=host, model=model)) as lines:
        while answer.reason is None:
            line = await anext(lines, None)
            if line is None:
                break
            event = _event(line, host, model)
            if event == "[DONE]":
                break
            if isinstance(event, dict):
                delta = _take(answer, event, host, model)
                if delta is not None:
                    clocks.token()
                    yield delta
        if answer.reason is not None:
            await _goodbye(answer, lines, host, model)
    if answer.reason is None:
        raise StreamCut(
            f"The answer of {model!r} stopped before its end.",
            hint="Ask again; if it repeats, look at the server's log.",
            host=host,
            model=model,
        )
    yield _reply(answer, answer.reason, host, model)


async def _goodbye(answer: _Answer, lines: AsyncGenerator[bytes], host: str, model: str) -> None:
    """Read the usage that follows a whole answer; whatever else is there does not touch it."""
    try:
        with anyio.move_on_after(_GOODBYE_S):
            async for line in lines:
                event = _event(line, host, model)
                if event == "[DONE]":
                    await anext(lines, None)  # the body's end: the connection can be kept
                    return
                if isinstance(event, dict) and isinstance(event.get("usage"), dict):
                    answer.usage = event["usage"]
    except EngineError:
        return


def _event(line: bytes, host: str, model: str) -> dict[str, Any] | str | None:
    """An event's object, `[DONE]`, or None for a line that carries none."""
    name, colon, value = line.partition(b":")
    name, value = name.strip(), value.strip()
    if not colon or name not in (b"", b"data", b"event", b"id", b"retry", b"error"):
        raise malformed(line, host, model)
    if name == b"error":  # llama-server's older way to end a stream
        raise compatible_fault(200, value.decode("utf-8", "replace"), host=host, model=model)
    if name != b"data":
        return None
    if value == b"[DONE]":
        return "[DONE]"
    try:
        found = json.loads(value.decode("utf-8"), strict=False)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise malformed(line, host, model)
    if found.get("error"):
        raise compatible_fault(200, json.dumps(found), host=host, model=model)
    return found


def _take(answer: _Answer, event: dict[str, Any], host: str, model: str) -> Delta | None:
    """Add one event to the answer; what of it is new for the reader."""
    if isinstance(event.get("usage"), dict):
        answer.usage = event["usage"]
    choices = event.get("choices")
    if not isinstance(choices, list):
        raise malformed(event, host, model)
    if not choices:
        return None
    choice = choices[0]
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(delta, dict):
        raise malformed(event, host, model)
    said = _text(delta, "content", host, model)
    thought = _text(delta, "reasoning_content", host, model) or _text(
        delta, "reasoning", host, model
    )
    called = _calls(answer, delta.get("tool_calls") or [], host, model)
    answer.content.append(said)
    answer.thinking.append(thought)
    reason = choice.get("finish_reason")
    if reason is not None:
        if reason not in _ENDS:
            raise StreamCut(
                f"The answer of {model!r} ended with {reason!r}, which no whole answer does.",
                hint="Ask again; if it repeats, look at the server's log.",
                host=host,
                model=model,
            )
        answer.reason = _ENDS[reason]
    answer.model = str(event.get("model") or answer.model)
    if not (said or thought or called):
        return None
    answer.pieces += 1
    if answer.first_token is None:
        answer.first_token = time.monotonic()
    return Delta(content=said, thinking=thought, tokens=1)


def _text(delta: dict[str, Any], key: str, host: str, model: str) -> str:
    value = delta.get(key) or ""
    if not isinstance(value, str):
        raise malformed(delta, host, model)
    return value


def _calls(answer: _Answer, pieces: Any, host: str, model: str) -> bool:
    if not isinstance(pieces, list):
        raise malformed(pieces, host, model)
    for piece in pieces:
        function = piece.get("function") if isinstance(piece, dict) else None
        if not isinstance(function, dict) or not isinstance(piece.get("index", 0), int):
            raise malformed(piece, host, model)
        call = answer.calls.setdefault(piece.get("index", 0), _Call())
        call.id = str(piece.get("id") or call.id)
        call.name += str(function.get("name") or "")
        call.arguments += str(function.get("arguments") or "")
    return bool(pieces)


def _reply(answer: _Answer, reason: DoneReason, host: str, model: str) -> Reply:
    calls = []
    for _, call in sorted(answer.calls.items()):
        try:
            arguments = json.loads(call.arguments or "{}", strict=False)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise malformed(f"arguments of {call.name!r}: {call.arguments}", host, model)
        calls.append(ToolCall(id=call.id, name=call.name, arguments=arguments))
    now = time.monotonic()
    first = answer.first_token or now
    return Reply(
        content="".join(answer.content),
        thinking="".join(answer.thinking),
        tool_calls=tuple(calls),
        done_reason=reason,
        usage=Usage(
            prompt_tokens=_count(answer.usage, "prompt_tokens"),
            completion_tokens=_count(answer.usage, "completion_tokens") or answer.pieces,
            prompt_s=first - answer.started,
            eval_s=now - first,
            total_s=now - answer.started,
        ),
        model=answer.model,
    )


def _count(usage: dict[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) else 0
