"""A role: a named way to think or work, as one file under `roles/` says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from manyhands.configuration.model import Tier

__all__ = ["NOT_A_ROLES", "Example", "HandOf", "Role", "RoleBudget", "Sampling", "model_name"]

#: Keys that people look for in a role, and why they are elsewhere.
NOT_A_ROLES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "num_ctx",
            "num_batch",
            "num_gpu",
            "main_gpu",
            "num_thread",
            "use_mmap",
            "draft_num_predict",
            "shift",
        ),
        "it is an option of the runner, and roles that differ in one reload the weights: "
        "set it for the whole tier, under [tiers.…] in the settings",
    ),
    **dict.fromkeys(
        ("template", "renderer", "parser"),
        "it changes how the server starts the model and breaks tool calls of the other roles on "
        "the same base: leave it to the base model",
    ),
    "num_predict": "write budget.answer_tokens and budget.think_tokens",
    "keep_alive": "it is set when a model is loaded, never by a role",
    "model": "a role names a tier; the tier's model is in the settings",
}


def model_name(role: str) -> str:
    """The name of a role's model on a server."""
    return f"mh-{role}"


class HandOf(StrEnum):
    """A hand that a role works for or may call."""

    CODE = "code"
    MATH = "math"
    VISUALIZE = "visualize"
    VERIFY = "verify"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(_Part):
    """How the next token is drawn. What is not set stays as the base model has it."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Field(ge=0, le=2)] | None = None
    repeat_last_n: Annotated[int, Field(ge=-1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None


class RoleBudget(_Part):
    """Tokens of one call; a role that does not think has only its answer."""

    answer_tokens: Annotated[int, Field(ge=1)] = 2048
    think_tokens: Annotated[int, Field(ge=1)] = 4096


def _for_modelfile(text: str) -> str:
    """Text that a Modelfile can hold unchanged, stripped at both ends."""
    text = text.strip()
    if '"""' in text:
        raise PydanticCustomError("quotes", 'text without """, which a Modelfile cannot hold')
    if text.endswith('"'):
        raise PydanticCustomError("quotes", "text that does not end with a quotation mark")
    if any((ord(mark) < 32 and mark not in "\t\n") or ord(mark) == 127 for mark in text):
        raise PydanticCustomError("control", "text without control characters")
    return text


class Example(_Part):
    """One turn of a worked example that stands before every conversation of the role."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1)]

    _plain = field_validator("content")(_for_modelfile)


class Role(_Part):
    """A named way to think or work.

    Attributes:
        name: lower-case, also the name of its file.
        summary: one sentence for lists.
        tier: whose base model serves it. Options of that model's runner belong to the tier.
        hand: the hand whose work the role does; None for a role of the mind.
        hands: the hands that the role may call.
        think: whether it thinks before it answers, where the tier's model can.
        adapter: a LoRA adapter in GGUF; a relative path counts from the role's file.
        prompt: the system prompt.
        messages: worked examples.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    summary: Annotated[str, Field(min_length=1, max_length=200)]
    tier: Tier
    hand: HandOf | None = None
    hands: tuple[HandOf, ...] = ()
    think: bool = False
    sampling: Sampling = Sampling()
    budget: RoleBudget = RoleBudget()
    adapter: str = ""
    prompt: Annotated[str, Field(min_length=1)]
    messages: tuple[Example, ...] = ()

    _plain = field_validator("prompt")(_for_modelfile)

    @property
    def num_predict(self) -> int:
        """The most tokens of one call: those of the answer, and of the thinking if it thinks."""
        thinking = self.budget.think_tokens if self.think else 0
        return self.budget.answer_tokens + thinking

    @property
    def adapter_model(self) -> str:
        """The server's model that must be asked: empty unless the role has an adapter."""
        return model_name(self.name) if self.adapter else ""

    def sampling_options(self) -> dict[str, Any]:
        """The sampler's options as Ollama names them, only those that are set."""
        options = self.sampling.model_dump(exclude_none=True)
        if "stop" in options:
            options["stop"] = list(options["stop"])
        return options

    def examples(self) -> list[tuple[str, str]]:
        """The worked examples as (role, text)."""
        return [(turn.role, turn.content) for turn in self.messages]
