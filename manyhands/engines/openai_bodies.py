"""The parameters of a chat call to a server that speaks as OpenAI does. Pure.

Such a server holds one window for all calls and keeps its models loaded, so neither `num_ctx` nor
runner options are sent. What its dialects share stands in the named parameters; what only local
servers know (`top_k`, `min_p`, `chat_template_kwargs`) goes into the body beside them, where vLLM,
SGLang and llama-server read it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from manyhands.engines.contracts import ChatRequest, Message
from manyhands.settings import JsonMode

__all__ = ["chat_parameters"]

#: Leaning to too many tokens: English text has about four bytes a token, code about three.
_BYTES_A_TOKEN = 3
_MESSAGE_TOKENS = 8
_LEAST_ANSWER = 256
_SHARED = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop")


def chat_parameters(request: ChatRequest, json_mode: JsonMode) -> dict[str, Any]:
    """The keyword arguments of `chat.completions.create`, streamed."""
    extra: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for name, value in request.sampling.items():
        if name in _SHARED:
            shared[name] = value
        elif name == "repeat_penalty":
            # llama-server keeps llama.cpp's name, vLLM and SGLang the one of Transformers.
            extra["repeat_penalty"] = extra["repetition_penalty"] = value
        else:
            extra[name] = value
    messages = [_message(message) for message in request.messages]
    if request.format is not None:
        match json_mode:
            case JsonMode.SCHEMA:
                shared["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": request.format, "strict": True},
                }
            case JsonMode.OBJECT:
                shared["response_format"] = {"type": "json_object", "schema": request.format}
            case JsonMode.STRUCTURED_OUTPUTS:
                extra["structured_outputs"] = {"json": request.format}
            case JsonMode.NONE:
                messages = _asked_in_words(messages, request.format)
    if request.think is not None:
        extra["chat_template_kwargs"] = {"enable_thinking": bool(request.think)}
    if request.num_predict is not None:
        shared["max_tokens"] = _room(request, request.num_predict)
    # As with Ollama: where a schema binds the answer no call can be made, so no tools are sent.
    if request.tools and request.format is None:
        shared["tools"] = list(request.tools)
    return {
        "model": request.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **shared,
        "extra_body": extra,
    }


def _room(request: ChatRequest, wanted: int) -> int:
    """Tokens that the answer may have: vLLM refuses a limit that does not fit beside the prompt."""
    prompt = request.estimate_tokens or sum(
        len(message.content.encode()) // _BYTES_A_TOKEN + _MESSAGE_TOKENS
        for message in request.messages
    )
    return min(wanted, max(_LEAST_ANSWER, request.num_ctx - prompt))


def _asked_in_words(messages: list[dict[str, Any]], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """For a server that binds no answer to a schema: the schema goes into the last message."""
    *before, last = messages
    wish = f"Answer with one JSON object and nothing else. Its schema:\n{json.dumps(schema)}"
    content = last["content"]
    if isinstance(content, list):
        asked: Any = [*content, {"type": "text", "text": wish}]
    else:
        asked = f"{content}\n\n{wish}"
    return [*before, {**last, "content": asked}]


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        body["content"] = [
            {"type": "text", "text": message.content},
            *_pictures(message.images),
        ]
    if message.tool_calls:
        body["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def _pictures(images: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": _data_url(one)}} for one in images]


def _data_url(picture: str) -> str:
    """Base64 text as a data URL; JPEG is told by the first bytes of its encoding."""
    kind = "jpeg" if picture.startswith("/9j/") else "png"
    return f"data:image/{kind};base64,{picture}"
