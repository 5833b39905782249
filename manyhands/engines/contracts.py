"""What every engine is asked and what it gives back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

__all__ = [
    "ChatRequest",
    "Deadlines",
    "Delta",
    "DoneReason",
    "Engine",
    "Message",
    "ModelInfo",
    "Progress",
    "Reply",
    "Resident",
    "ToolCall",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `images` are base64 texts."""

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The clocks of a call, in seconds.

    Attributes:
        first_token_s: from the request to the first token, the load not counted.
        gap_s: between two tokens; bytes without tokens do not count.
        total_s: of the whole call, the load not counted.
    """

    connect_s: float = 5.0
    load_s: float = 600.0
    first_token_s: float = 120.0
    gap_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat call.

    Attributes:
        num_ctx: the tier's window; the same in every request, or the server reloads the model.
        format: JSON schema that the answer is held to by grammar.
        think: None leaves it out, as a model that cannot think demands.
        sampling: sampler options; these never reload a model.
        runner: further runner options of the tier (`TierSettings.runner_options`); the same in
            every request for its model, or the server reloads it.
        num_predict: at most this many tokens of thinking and answer together.
        estimate_tokens: our own estimate of the prompt, compared with the server's count.
    """

    model: str
    messages: tuple[Message, ...]
    num_ctx: int
    format: dict[str, Any] | None = None
    think: bool | str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    sampling: dict[str, Any] = field(default_factory=dict)
    num_predict: int | None = None
    deadlines: Deadlines | None = None
    estimate_tokens: int | None = None
    runner: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer."""

    content: str = ""
    thinking: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call cost, by the server's own count; times in seconds."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    load_s: float = 0.0
    prompt_s: float = 0.0
    eval_s: float = 0.0
    total_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.load_s + other.load_s,
            self.prompt_s + other.prompt_s,
            self.eval_s + other.eval_s,
            self.total_s + other.total_s,
        )


class DoneReason(StrEnum):
    """The two ways in which an answer may end and still be the model's own."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, with what it cost."""

    content: str
    thinking: str
    tool_calls: tuple[ToolCall, ...]
    done_reason: DoneReason
    usage: Usage
    model: str


@dataclass(frozen=True, slots=True)
class Resident:
    """A loaded model as the server tells it. Sizes in bytes; `size_vram` is the part on GPUs."""

    name: str
    size: int
    size_vram: int
    context_length: int
    expires_at: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the server knows of a model.

    Attributes:
        capabilities: for example `completion`, `tools`, `thinking`, `vision`, `embedding`.
        modelfile: its text; the `FROM` line names the weights blob.
    """

    capabilities: tuple[str, ...]
    modelfile: str
    system: str
    parameters: str
    details: dict[str, Any]
    info: dict[str, Any]
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a long administrative call; bytes where the server tells them."""

    status: str
    completed: int = 0
    total: int = 0


class Engine(Protocol):
    """A server that runs models."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Delta | Reply]:
        """The answer piece by piece; the `Reply` comes last and once."""
        ...

    async def chat(self, request: ChatRequest, *, whole: bool = True) -> Reply:
        """The whole answer; raises `AnswerTruncated` where it is cut and `whole` is wanted."""
        ...

    async def embed(
        self,
        model: str,
        texts: list[str],
        *,
        num_ctx: int,
        options: Mapping[str, Any] | None = None,
    ) -> list[list[float]]:
        """One vector for each text; `options` are the tier's runner options."""
        ...

    async def load(
        self,
        model: str,
        *,
        num_ctx: int,
        keep_alive: str | int = -1,
        options: Mapping[str, Any] | None = None,
    ) -> float:
        """Load a model with its tier's runner options; the seconds that it took."""
        ...

    async def unload(self, model: str) -> None: ...

    async def ps(self) -> list[Resident]: ...

    async def show(self, model: str) -> ModelInfo: ...

    async def tags(self) -> list[str]: ...

    async def version(self) -> str: ...

    async def aclose(self) -> None: ...
