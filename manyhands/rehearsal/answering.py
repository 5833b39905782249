"""From a chat request to the lines of its answer, by Ollama's rules. Pure but for the script."""

from __future__ import annotations

import binascii
import json
import math
import random
import string
from dataclasses import dataclass, replace
from typing import Any

from manyhands.rehearsal.script import Reply, ScriptedRequest, pieces_of
from manyhands.rehearsal.seeing import NotAPicture, image_tokens, images_in
from manyhands.rehearsal.store import StoredModel

__all__ = [
    "UNREADABLE",
    "Refusal",
    "Spoken",
    "count_tokens",
    "fit_messages",
    "prompt_of",
    "refusal_of",
    "speak",
]

_CONSTRAINED = {"object", "array", "string", "number", "integer", "boolean", "null"}
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty")
_INTS = ("num_ctx", "num_predict", "top_k", "seed", "num_keep", "num_gpu", "num_batch")


class Refusal(Exception):
    """An error response: its status, and its message or the object that OpenAI's form has."""

    def __init__(
        self,
        status: int,
        message: str | dict[str, Any],
        kind: str = "application/json; charset=utf-8",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def count_tokens(text: str) -> int:
    """A deterministic stand-in for a tokenizer: a token for four bytes, at least one a word."""
    return max(math.ceil(len(text.encode()) / 4), len(text.split()))


def prompt_of(model: StoredModel, messages: list[dict[str, Any]]) -> str:
    """The prompt in ChatML, the way the model's own template renders it."""
    all_messages = [*model.messages, *messages]
    if model.system and not any(item.get("role") == "system" for item in messages):
        all_messages.insert(0, {"role": "system", "content": model.system})
    turns = "".join(
        f"<|im_start|>{item.get('role')}\n{item.get('content') or ''}<|im_end|>\n"
        for item in all_messages
    )
    return f"{turns}<|im_start|>assistant\n"


def _inner(code: int, message: str, kind: str, **more: Any) -> str:
    error = {"code": code, "message": message, "type": kind, **more}
    return json.dumps({"error": error}, separators=(",", ":"))


def refusal_of(model: StoredModel, name: str, body: dict[str, Any]) -> Refusal | None:
    """Why a chat request is refused before any model runs; None when it is not."""
    think = body.get("think")
    if think is not None and not isinstance(think, bool) and think not in _LEVELS:
        return Refusal(
            400,
            f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, '
            "or false)",
        )
    if "completion" not in model.base.capabilities:
        return Refusal(400, f'"{name}" does not support chat')
    if think and "thinking" not in model.base.capabilities:
        return Refusal(400, f'"{name}" does not support thinking')
    if body.get("tools") and "tools" not in model.base.capabilities:
        return Refusal(400, f'"{name}" does not support tools')
    options = body.get("options") or {}
    for option in (*_FLOATS, *_INTS):
        value = options.get(option)
        wanted = "float32" if option in _FLOATS else "integer"
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return Refusal(500, f'option "{option}" must be of type {wanted}')
    if refused := _picture_refusal(model, body):
        return refused
    schema = body.get("format")
    if isinstance(schema, dict) and schema.get("type", "object") not in _CONSTRAINED:
        message = (
            "Unable to generate parser for this template. Automatic parser generation failed: "
            f"JSON schema error at #: unrecognized type {schema['type']}"
        )
        return Refusal(400, _inner(400, message, "invalid_request_error"))
    return None


_LEVELS = ("low", "medium", "high", "max")


def _picture_refusal(model: StoredModel, body: dict[str, Any]) -> Refusal | None:
    """Base64 is read before the model is asked for, the picture itself by the model's process."""
    unread = None
    try:
        pictures = images_in(body.get("messages") or [])
    except binascii.Error:
        return Refusal(400, "illegal base64 data at input byte 0")
    except NotAPicture:
        pictures, unread = (), _inner(400, UNREADABLE, "invalid_request_error")
    if (pictures or unread) and "vision" not in model.base.capabilities:
        hint = "if this is unexpected, you may need to provide the mmproj"
        message = f"image input is not supported - hint: {hint}"
        return Refusal(500, _inner(500, message, "server_error"))
    return Refusal(400, unread) if unread else None


#: llama-server's words for a picture that its decoder does not know.
UNREADABLE = "Failed to load image or audio file"


def fit_messages(
    model: StoredModel, body: dict[str, Any], num_ctx: int
) -> tuple[list[dict[str, Any]], int]:
    """The messages that reach the model, and their tokens.

    With `truncate: false`, or when a single message is too long, the request is refused; else the
    oldest messages are dropped without a sign, the system's and the last excepted.
    """
    messages = list(body.get("messages") or [])
    tools = json.dumps(body.get("tools")) if body.get("tools") else ""
    tokens = _prompt_tokens(model, messages, tools)
    while tokens > num_ctx:
        droppable = [at for at, item in enumerate(messages[:-1]) if item.get("role") != "system"]
        if body.get("truncate") is False or not droppable:
            message = (
                f"request ({tokens} tokens) exceeds the available context size "
                f"({num_ctx} tokens), try increasing it"
            )
            raise Refusal(
                400,
                _inner(
                    400,
                    message,
                    "exceed_context_size_error",
                    n_prompt_tokens=tokens,
                    n_ctx=num_ctx,
                ),
            )
        del messages[droppable[0]]
        tokens = _prompt_tokens(model, messages, tools)
    return messages, tokens


def _prompt_tokens(model: StoredModel, messages: list[dict[str, Any]], tools: str) -> int:
    return count_tokens(prompt_of(model, messages)) + count_tokens(tools) + image_tokens(messages)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer ready to be sent: pieces of thinking, then of content."""

    reply: Reply
    thinking: tuple[str, ...]
    content: tuple[str, ...]
    done_reason: str

    @property
    def tokens(self) -> int:
        return len(self.thinking) + len(self.content) + 1

    def tool_calls(self) -> list[dict[str, Any]]:
        letters = string.ascii_letters + string.digits
        return [
            {
                "id": "".join(random.choices(letters, k=32)),  # noqa: S311 - an id, no secret
                "function": {"index": at, "name": name, "arguments": arguments},
            }
            for at, (name, arguments) in enumerate(self.reply.tool_calls)
        ]


def speak(model: StoredModel, request: ScriptedRequest, num_ctx_left: int) -> Spoken:
    """Ask the script and apply the server's rules to what it says.

    `format` wins over tools; thinking is only told apart where the model can think and thinking
    is not switched off; `num_predict` and the rest of the window cut the answer.
    """
    said = model.base.reply(request)
    reply = Reply(said) if isinstance(said, str) else said
    if request.format:
        reply = replace(reply, tool_calls=())
    thinks = "thinking" in model.base.capabilities and request.think is not False
    thinking = tuple(pieces_of(reply.thinking)) if thinks else ()
    content = reply.pieces or tuple(pieces_of(reply.content))
    limit = request.options.get("num_predict")
    room = num_ctx_left if limit is None or limit < 0 else min(int(limit), num_ctx_left)
    reason = reply.done_reason
    if len(thinking) + len(content) > room:
        reason = "length"
        thinking = thinking[:room]
        content = content[: room - len(thinking)]
        reply = replace(reply, tool_calls=())
    return Spoken(reply, thinking, content, reason)
