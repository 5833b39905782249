"""Telling apart what an Ollama server complains of: its words become our exceptions."""

from __future__ import annotations

import json
import re
from typing import Any

from manyhands.errors import (
    ContextOverflow,
    EngineError,
    ModelMissing,
    OutOfMemory,
    RequestRefused,
    RunnerCrashed,
    ServerBusy,
    ServerFault,
)

__all__ = ["fault_of"]

#: Out of memory has no code of its own; Ollama itself looks for these words (llm/status.go).
_OUT_OF_MEMORY = re.compile(
    r"out of memory|cudamalloc failed|failed to allocate|allocation failed|not enough memory"
    r"|requires more system memory",
    re.IGNORECASE,
)
_CRASHED = re.compile(
    r"runner (has unexpectedly stopped|process (has terminated|no longer running))"
    r"|llama-?server.*(exited|terminated)|signal: (killed|aborted|segmentation)",
    re.IGNORECASE,
)


def fault_of(status: int, body: str, *, host: str, model: str, num_ctx: int = 0) -> EngineError:
    """The exception for an error response, or for an error line inside a stream (status 200)."""
    text, inner = _unwrap(body)
    where = {"host": host, "model": model}
    if inner.get("type") == "exceed_context_size_error":
        tokens, window = int(inner.get("n_prompt_tokens", 0)), int(inner.get("n_ctx", num_ctx))
        return ContextOverflow(
            f"The prompt for {model!r} has {tokens} tokens, its window holds {window}.",
            prompt_tokens=tokens,
            num_ctx=window,
            hint="Give less data, or raise the tier's num_ctx.",
            **where,
        )
    if _OUT_OF_MEMORY.search(text):
        return OutOfMemory(
            f"{model!r} does not fit into the memory of {host}: {text}",
            hint="Use a smaller model or num_ctx for the tier (`manyhands doctor`).",
            **where,
        )
    if _CRASHED.search(text):
        return RunnerCrashed(
            f"The process that runs {model!r} died: {text}",
            hint="Ask again; if it repeats, look at the server's log.",
            **where,
        )
    if status == 404 and "not found" in text and model:
        return ModelMissing(
            f"{host} has no model {model!r}.", hint=f"Get it with: ollama pull {model}", **where
        )
    if status in (429, 503):
        return ServerBusy(
            f"{host} is busy: {text or status}.", hint="Try again in a moment.", **where
        )
    if 400 <= status < 500:
        return RequestRefused(
            f"{host} refuses the request for {model!r} ({status}): {text}",
            hint="`manyhands doctor` shows what the model can do.",
            **where,
        )
    return ServerFault(
        f"{host} failed on {model!r} ({status}): {text or 'no reason given'}",
        hint="Look at the server's log.",
        **where,
    )


def _unwrap(body: str) -> tuple[str, dict[str, Any]]:
    """The message and the inner error object; llama-server's JSON comes as text inside JSON."""
    text: object = body
    inner: dict[str, Any] = {}
    for _ in range(3):
        if isinstance(text, str):
            try:
                text = json.loads(text, strict=False)
            except ValueError:
                break
        if isinstance(text, dict) and "error" in text:
            text = text["error"]
            continue
        if isinstance(text, dict):
            inner = text
            text = str(text.get("message", text))
        break
    if isinstance(text, dict):
        inner, text = text, str(text.get("message", text))
    return str(text).strip()[:2000], inner
