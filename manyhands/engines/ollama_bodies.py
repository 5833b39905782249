"""The bodies of Ollama's requests, with the rules that keep roles from reloading models. Pure.

Runner options (`num_ctx`, `num_gpu`, `num_batch`, `num_thread`) and `shift` are part of the key by
which the server finds a loaded model, so every request for a model carries the same ones. A
`keep_alive` stands in load and unload requests only: in a chat it can hang the server's scheduler
(ollama#17408).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyhands.engines.contracts import ChatRequest, Message

__all__ = ["chat_body", "embed_body", "load_body", "unload_body"]


def chat_body(request: ChatRequest) -> dict[str, Any]:
    """The body of `/api/chat`, streamed."""
    options = {**request.sampling, **_runner(request.runner, request.num_ctx)}
    if request.num_predict is not None:
        options["num_predict"] = request.num_predict
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": options,
    }
    if request.format is not None:
        body["format"] = request.format
    if request.think is not None:
        body["think"] = request.think
    # With `format` the grammar wins and no call is ever made, so tools are not sent along.
    if request.tools and request.format is None:
        body["tools"] = list(request.tools)
    return body


def load_body(
    model: str, *, num_ctx: int, keep_alive: str | int, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of `/api/generate` that only loads: it has no prompt."""
    return {
        "model": model,
        "stream": False,
        "keep_alive": keep_alive,
        "truncate": False,
        "shift": False,
        "options": _runner(options, num_ctx),
    }


def unload_body(model: str) -> dict[str, Any]:
    """The body of `/api/generate` that only unloads."""
    return {"model": model, "keep_alive": 0, "stream": False}


def embed_body(
    model: str, texts: Sequence[str], *, num_ctx: int, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of `/api/embed`, which knows no `shift`."""
    return {
        "model": model,
        "input": list(texts),
        "truncate": False,
        "options": _runner(options, num_ctx),
    }


def load_to_embed_body(
    model: str, *, num_ctx: int, keep_alive: str | int, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The body of `/api/embed` that only loads: no text. `/api/generate` refuses an embedder
    (ollama#12182), and its `shift` would make another runner of it."""
    body = embed_body(model, (), num_ctx=num_ctx, options=options)
    return {**body, "keep_alive": keep_alive}


def _runner(options: Mapping[str, Any] | None, num_ctx: int) -> dict[str, Any]:
    return {**(options or {}), "num_ctx": num_ctx}


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        body["thinking"] = message.thinking
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_name:
        body["tool_name"] = message.tool_name
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    if message.images:
        body["images"] = list(message.images)
    return body
