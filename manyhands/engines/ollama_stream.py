"""Reading Ollama's streams: lines, clocks, and when an answer or a download is whole."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import anyio

from manyhands.engines.clocks import Clocks
from manyhands.engines.contracts import Delta, DoneReason, Progress, Reply, ToolCall, Usage
from manyhands.engines.lines import malformed, read_lines
from manyhands.engines.ollama_faults import fault_of
from manyhands.errors import EngineError, ModelMissing, StreamCut

__all__ = ["count_of", "read_progress", "read_reply"]

#: What follows an answer's last line is waited for this long, so that the connection can be kept.
_GOODBYE_S = 0.05


async def read_reply(
    chunks: AsyncGenerator[bytes], *, clocks: Clocks, host: str, model: str
) -> AsyncGenerator[Delta | Reply]:
    """Turn the body of a chat response into deltas and, last, the reply.

    Raises:
        StreamCut: it ended without a normal last line.
        MalformedLine: a line is no JSON object, holds wrong types, or is too long.
        DeadlineExceeded: a clock ran out.
        EngineError: the server reported a fault inside the stream.
    """
    content: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    async with aclosing(read_lines(chunks, clocks, host=host, model=model)) as lines:
        async for line in lines:
            part = _object(line, host=host, model=model)
            if "error" in part:
                raise fault_of(200, json.dumps(part), host=host, model=model)
            message = part.get("message") or {}
            said = _text(message, "content", host, model)
            thought = _text(message, "thinking", host, model)
            new_calls = _calls(message, host, model)
            calls.extend(new_calls)
            content.append(said)
            thinking.append(thought)
            if said or thought or new_calls:
                clocks.token()
                yield Delta(content=said, thinking=thought, tokens=1)
            if part.get("done") is True:
                reply = Reply(
                    content="".join(content),
                    thinking="".join(thinking),
                    tool_calls=tuple(calls),
                    done_reason=_done_reason(part, host, model),
                    usage=_usage(part),
                    model=str(part.get("model", model)),
                )
                await _goodbye(chunks)
                yield reply
                return
    raise StreamCut(
        f"The answer of {model!r} stopped before its end.",
        hint="Ask again; if it repeats, look at the server's log.",
        host=host,
        model=model,
    )


async def _goodbye(chunks: AsyncGenerator[bytes]) -> None:
    """Read the end that follows a whole answer; whatever else is there does not touch it."""
    try:
        with anyio.move_on_after(_GOODBYE_S):
            await anext(chunks, None)
    except EngineError:
        return


async def read_progress(
    chunks: AsyncGenerator[bytes], *, what: str, host: str, model: str
) -> AsyncGenerator[Progress]:
    """The steps of a download or a creation; the last is `success`.

    Args:
        what: the call, for messages.

    Raises:
        StreamCut: it ended before `success`.
        ModelMissing: the registry has no such model.
        EngineError: the server reported another fault.
    """
    last = ""
    async with aclosing(read_lines(chunks, None, host=host, model=model)) as lines:
        async for line in lines:
            part = _object(line, host=host, model=model)
            if "error" in part:
                raise _administration_fault(json.dumps(part), host, model)
            last = str(part.get("status", ""))
            yield Progress(last, count_of(part, "completed"), count_of(part, "total"))
    if last != "success":
        raise StreamCut(
            f"{what} for {model!r} stopped after {last!r}.",
            hint="Run it again; what is there already is kept.",
            host=host,
            model=model,
        )


def _administration_fault(line: str, host: str, model: str) -> EngineError:
    fault = fault_of(200, line, host=host, model=model)
    if "file does not exist" in fault.message:
        return ModelMissing(
            f"The registry has no model {model!r}.",
            hint="Check the name on ollama.com/library.",
            host=host,
            model=model,
        )
    return fault


def _object(line: bytes, *, host: str, model: str) -> dict[str, Any]:
    try:
        # Raw control characters inside strings were seen from small models: not strict.
        value = json.loads(line.decode("utf-8"), strict=False)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise malformed(line, host, model)
    return value


def _text(message: Any, key: str, host: str, model: str) -> str:
    if not isinstance(message, dict):
        raise malformed(message, host, model)
    value = message.get(key) or ""
    if not isinstance(value, str):
        raise malformed(value, host, model)
    return value


def _calls(message: dict[str, Any], host: str, model: str) -> list[ToolCall]:
    calls = []
    found = message.get("tool_calls") or []
    if not isinstance(found, list):
        raise malformed(found, host, model)
    for item in found:
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("arguments", {}), dict):
            raise malformed(item, host, model)
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

    return Usage(
        prompt_tokens=count_of(part, "prompt_eval_count"),
        completion_tokens=count_of(part, "eval_count"),
        load_s=seconds("load_duration"),
        prompt_s=seconds("prompt_eval_duration"),
        eval_s=seconds("eval_duration"),
        total_s=seconds("total_duration"),
    )


def count_of(part: dict[str, Any], key: str) -> int:
    """A whole number that the server tells; 0 where it tells none."""
    value = part.get(key)
    return value if isinstance(value, int) else 0
