"""Scripted models: what they are asked and what they answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from manyhands.rehearsal.seeing import SentImage, images_in

__all__ = [
    "Fault",
    "Reply",
    "ReplyFn",
    "ScriptedModel",
    "ScriptedRequest",
    "echo",
    "pieces_of",
]

GB = 1000**3


class Fault(StrEnum):
    """What may go wrong with one answer, on demand."""

    HTTP_404 = "http_404"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_503 = "http_503"
    OUT_OF_MEMORY = "out_of_memory"
    RUNNER_CRASH = "runner_crash"
    RESET_BEFORE_HEADERS = "reset_before_headers"
    HANG_BEFORE_HEADERS = "hang_before_headers"
    RESET_MID_STREAM = "reset_mid_stream"
    CLOSE_MID_CHUNK = "close_mid_chunk"
    END_WITHOUT_DONE = "end_without_done"
    EOF_WITHOUT_LENGTH = "eof_without_length"
    HALF_LINE = "half_line"
    GARBAGE_LINE = "garbage_line"
    ERROR_LINE = "error_line"
    HANG_MID_STREAM = "hang_mid_stream"
    SLOW_LORIS = "slow_loris"
    KEEP_ALIVE_CHUNKS = "keep_alive_chunks"
    DONE_LENGTH = "done_length"
    DONE_UNLOAD = "done_unload"
    DONE_TWICE = "done_twice"
    SPLIT_UTF8 = "split_utf8"
    HUGE_LINE = "huge_line"
    WRONG_SHAPES = "wrong_shapes"


@dataclass(frozen=True, slots=True)
class ScriptedRequest:
    """One chat request as a script sees it.

    Attributes:
        number: counts the calls of the base model from 1.
        own_system: the system prompt that a role's model was made with.
    """

    model: str
    messages: list[dict[str, Any]]
    number: int
    format: Any = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    think: bool | str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    own_system: str = ""

    @property
    def last(self) -> str:
        """The text of the last message."""
        return str(self.messages[-1].get("content", "")) if self.messages else ""

    @property
    def images(self) -> tuple[SentImage, ...]:
        """The pictures that came with the messages: how many, how large, their hashes."""
        return images_in(self.messages)

    @property
    def system(self) -> str:
        """The system prompt: the request's own, else the one that the model was made with."""
        for message in self.messages:
            if message.get("role") == "system":
                return str(message.get("content", ""))
        return self.own_system


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    Attributes:
        tool_calls: `(name, arguments)` pairs; they are sent in the last line, as Ollama does.
        pieces: how the content is cut for streaming; words when empty.
        pace_s: seconds between two pieces, on top of the profile's speed.
        done_reason: of the last line, unless `num_predict` cuts the answer.
    """

    content: str
    thinking: str = ""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    pieces: tuple[str, ...] = ()
    pace_s: float = 0.0
    done_reason: str = "stop"
    fault: Fault | None = None


ReplyFn = Callable[[ScriptedRequest], "Reply | str"]


def echo(request: ScriptedRequest) -> str:
    """The script of a model that has none."""
    return f"You said: {request.last}"


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """A base model that the server has from the start.

    Attributes:
        size: bytes of its weights, which decide loading time and what fits.
        dimensions: length of its vectors if it embeds.
    """

    name: str
    reply: ReplyFn = echo
    size: int = 2_000_000
    capabilities: tuple[str, ...] = ("completion", "tools", "thinking")
    context_length: int = 262_144
    dimensions: int = 0
    family: str = "qwen3"


def pieces_of(text: str) -> list[str]:
    """A text in token-like pieces: words with the blank before them, and line ends."""
    return re.findall(r"\s*\S{1,12}|\s+", text)
