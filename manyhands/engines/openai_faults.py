"""Telling apart what servers that speak as OpenAI does complain of: each has words of its own."""

from __future__ import annotations

import re
from typing import Any

from manyhands.engines.ollama_faults import fault_of
from manyhands.errors import ContextOverflow, EngineError, ModelMissing, RequestRefused

__all__ = ["compatible_fault"]

#: vLLM, SGLang, LiteLLM and OpenAI; llama-server has a type of its own, which `fault_of` reads.
_TOO_LONG = re.compile(
    r"maximum context length|longer than the (model's|maximum) context length"
    r"|maximum input length|context_length_exceeded|context window|exceed.{0,20}context",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d[\d,]*) (?:input )?tokens?\b|\((\d[\d,]*) tokens?\)", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model.{0,120}(does not exist|not found|is not served)|invalid model name|unknown model",
    re.IGNORECASE | re.DOTALL,
)


def compatible_fault(
    status: int, body: str, *, host: str, model: str, num_ctx: int = 0
) -> EngineError:
    """The exception for an error response, or for an error inside a stream (status 200)."""
    where: dict[str, Any] = {"host": host, "model": model}
    fault = fault_of(status, body, host=host, model=model, num_ctx=num_ctx)
    if isinstance(fault, ContextOverflow):
        return fault
    if status in (401, 403):
        return RequestRefused(
            f"{host} refuses the key ({status}).",
            hint="Name the variable that holds it in hosts.<name>.api_key_env, and set that.",
            **where,
        )
    # Some gateways answer a too long prompt with 500, so the words decide and not the status.
    if _TOO_LONG.search(body) and status != 429:
        return ContextOverflow(
            f"The prompt for {model!r} is longer than the window of {host}: {body[:300]}",
            prompt_tokens=_tokens(body),
            num_ctx=num_ctx,
            hint="Give less data, or start the server with a larger window (vLLM: "
            "--max-model-len, llama-server: -c).",
            **where,
        )
    if status in (400, 404, 422) and _NO_MODEL.search(body):
        return ModelMissing(
            f"{host} does not serve {model!r}.",
            hint="Start the server with --served-model-name (vLLM) or --alias (llama-server), or "
            "say under hosts.<name>.models what it is called there.",
            **where,
        )
    return fault


def _tokens(body: str) -> int:
    """The largest number of tokens that the message names; 0 when it names none."""
    found = [first or second for first, second in _NUMBER.findall(body)]
    return max((int(one.replace(",", "")) for one in found), default=0)
