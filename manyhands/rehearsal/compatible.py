"""The endpoints under `/v1`, as vLLM serves them: OpenAI's forms, and models that stay loaded.

No runner is involved: what is rehearsed here is a server that never loads on request.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manyhands.rehearsal.answering import (
    UNREADABLE,
    Refusal,
    Spoken,
    count_tokens,
    prompt_of,
    speak,
)
from manyhands.rehearsal.breaking import Dialect, break_it
from manyhands.rehearsal.embedding import embed_text
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.seeing import NotAPicture, image_tokens, plain_message
from manyhands.rehearsal.store import Store, StoredModel
from manyhands.web.listener import Connection

if TYPE_CHECKING:
    from manyhands.rehearsal.server import Exchange

__all__ = ["Compatible"]

_EVENTS = "text/event-stream"
_DONE = b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _with_reason(lines: Sequence[bytes], reason: str) -> list[bytes]:
    """vLLM says `abort` where Ollama's runner was unloaded under an answer."""
    named = {"unload": "abort"}.get(reason, reason)
    said = f'"finish_reason": "{named}"'.encode()
    return [
        line.replace(b'"finish_reason": "stop"', said).replace(
            b'"finish_reason": "tool_calls"', said
        )
        for line in lines
    ]


_DIALECT = Dialect(
    kind=_EVENTS,
    nothing=b": still here\n\n",
    error=_event({"error": {"message": "the model stopped unexpectedly", "code": 500}}),
    wrong=_event({"choices": "perhaps"}),
    huge=(b'data: {"choices":[{"delta":{"content":"', b'"}}]}\n\n'),
    with_reason=_with_reason,
)


class Compatible:
    """OpenAI's endpoints over the models of a store."""

    def __init__(self, store: Store, profile: Profile) -> None:
        self._store = store
        self._profile = profile
        self._calls: dict[str, int] = {}

    async def models(self, _: dict[str, Any], connection: Connection, __: Exchange) -> None:
        listed = [
            {
                "id": model.name.removesuffix(":latest"),
                "object": "model",
                "owned_by": "rehearsal",
                "max_model_len": model.base.context_length,
            }
            for model in self._store.all()
        ]
        await connection.json({"object": "list", "data": listed})

    async def embed(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        model = self._wanted(body)
        given = body.get("input", [])
        texts = [given] if isinstance(given, str) else list(given)
        data = [
            {"object": "embedding", "index": at, "embedding": embed_text(text, _dimensions(model))}
            for at, text in enumerate(texts)
        ]
        tokens = sum(map(count_tokens, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        await connection.json(
            {"object": "list", "model": body["model"], "data": data, "usage": usage}
        )

    async def chat(self, body: dict[str, Any], connection: Connection, exchange: Exchange) -> None:
        model = self._wanted(body)
        messages = [plain_message(one) for one in body.get("messages") or []]
        tools = json.dumps(body.get("tools")) if body.get("tools") else ""
        tokens = count_tokens(prompt_of(model, messages)) + count_tokens(tools)
        tokens += _picture_tokens(model, messages)
        window = model.base.context_length
        if tokens > window:
            raise _too_long(window, tokens)
        self._calls[model.base.name] = self._calls.get(model.base.name, 0) + 1
        spoken = speak(model, _asked(body, messages, self._calls[model.base.name]), window - tokens)
        await self._pause(self._profile.prefill_s(tokens))
        events = [_event(one) for one in _chunks(str(body["model"]), spoken, tokens)]
        if spoken.reply.fault is not None:
            await break_it(spoken.reply.fault, [*events, _DONE], connection, _DIALECT)
            return
        await connection.begin(_EVENTS)
        for event in events:
            await self._pause(self._profile.decode_s(1) + spoken.reply.pace_s)
            await connection.chunk(event)
            exchange.tokens += 1
        await connection.chunk(_DONE)
        await connection.end()

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds * self._profile.clock_scale)

    def _wanted(self, body: dict[str, Any]) -> StoredModel:
        name = str(body.get("model") or "")
        model = self._store.find(name) if name else None
        if model is None:
            message = f"The model `{name}` does not exist."
            raise _refusal(404, message, "NotFoundError")
        return model


def _dimensions(model: StoredModel) -> int:
    if not model.base.dimensions:
        message = "The model does not support Embeddings API"
        raise _refusal(400, message)
    return model.base.dimensions


def _picture_tokens(model: StoredModel, messages: list[dict[str, Any]]) -> int:
    """What the pictures count; refused, as vLLM does, where there are any and it cannot see."""
    try:
        tokens = image_tokens(messages)
    except (binascii.Error, NotAPicture):
        raise _refusal(400, UNREADABLE) from None
    if tokens and "vision" not in model.base.capabilities:
        raise _refusal(400, f"{model.name.removesuffix(':latest')} is not a multimodal model")
    return tokens


def _refusal(code: int, message: str, kind: str = "BadRequestError") -> Refusal:
    told = {"message": message, "type": kind, "param": None, "code": code}
    return Refusal(code, told, "application/json")


def _too_long(window: int, tokens: int) -> Refusal:
    message = (
        f"This model's maximum context length is {window} tokens. However, your request has "
        f"{tokens} input tokens. Please reduce the length of the input messages."
    )
    return _refusal(400, message)


def _asked(body: dict[str, Any], messages: list[dict[str, Any]], number: int) -> ScriptedRequest:
    wanted = body.get("response_format") or {}
    schema = (wanted.get("json_schema") or {}).get("schema") or wanted.get("schema")
    own = body.get("structured_outputs") or {}
    options = {key: value for key, value in body.items() if key not in ("messages", "tools")}
    options["num_predict"] = body.get("max_tokens")
    return ScriptedRequest(
        model=str(body["model"]),
        messages=messages,
        number=number,
        format=schema or own.get("json"),
        tools=body.get("tools") or [],
        think=(body.get("chat_template_kwargs") or {}).get("enable_thinking"),
        options=options,
    )


def _chunks(name: str, spoken: Spoken, tokens: int) -> list[dict[str, Any]]:
    """The events of an answer: thinking, content, calls, the reason, the usage."""
    head = {
        "id": "chatcmpl-rehearsal",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": name,
    }

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {**head, "choices": [choice], "usage": None}

    events = [chunk({"reasoning_content": piece}) for piece in spoken.thinking]
    events += [chunk({"content": piece}) for piece in spoken.content]
    calls = spoken.tool_calls()
    for call in calls:
        function = call["function"]
        arguments = json.dumps(function["arguments"])
        named = {"name": function["name"], "arguments": ""}
        at = {"index": function["index"]}
        events.append(
            chunk({"tool_calls": [{**at, "id": call["id"], "type": "function", "function": named}]})
        )
        events.append(chunk({"tool_calls": [{**at, "function": {"arguments": arguments}}]}))
    reason = "tool_calls" if calls and spoken.done_reason == "stop" else spoken.done_reason
    events.append(chunk({}, reason))
    said = len(spoken.thinking) + len(spoken.content) + 1
    usage = {
        "prompt_tokens": tokens,
        "completion_tokens": said,
        "total_tokens": tokens + said,
    }
    return [*events, {**head, "choices": [], "usage": usage}]
