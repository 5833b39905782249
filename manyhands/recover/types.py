"""What the ladder takes and gives back: a sent message, calls, reasons and the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Call", "Candidate", "JSONSchema", "Kind", "Outcome", "Reason", "SentMessage"]

JSONSchema = Mapping[str, Any]
"""One tool's parameters as JSON Schema; `x-side-effect: true` marks a tool that acts."""


class Kind(StrEnum):
    """What a message turned out to be."""

    CALL = "call"
    RETRY = "retry"
    TEXT = "text"


class Reason(StrEnum):
    """Why the model must be asked once more."""

    CALL_IN_THINKING = "call_in_thinking"
    SERVER_PARSE_ERROR = "server_parse_error"
    SERVER_ERROR = "server_error"
    TRUNCATED = "truncated"
    MALFORMED_CALL = "malformed_call"
    MISSING_REQUIRED = "missing_required"
    WRONG_TYPE = "wrong_type"
    UNEXPECTED_ARGUMENT = "unexpected_argument"
    UNSAFE_REPAIR = "unsafe_repair"
    UNKNOWN_TOOL = "unknown_tool"
    ANNOUNCED_NO_CALL = "announced_no_call"
    BUDGET_SPENT_THINKING = "budget_spent_thinking"
    ANSWER_IN_THINKING = "answer_in_thinking"
    EMPTY = "empty"
    DEGENERATE_REPETITION = "degenerate_repetition"
    NOT_STRUCTURED = "not_structured"
    BAD_INPUT = "bad_input"


@dataclass(frozen=True)
class SentMessage:
    """One assistant message as the server gave it; `error` is the body of a failed request."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[Any, ...] = ()
    done_reason: str | None = None
    error: str | None = None

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> SentMessage:
        """Reads the wire's mapping; every field may be missing, null or of the wrong type."""
        calls = raw.get("tool_calls")
        if isinstance(calls, Mapping):
            calls = [calls]
        elif not isinstance(calls, (list, tuple)):
            calls = []
        error = raw.get("error")
        if isinstance(error, Mapping):
            error = error.get("message") or str(dict(error))
        return cls(
            content=_text(raw.get("content")),
            thinking=_text(raw.get("thinking") or raw.get("reasoning_content")),
            tool_calls=tuple(calls),
            done_reason=_text(raw.get("done_reason")) or None,
            error=_text(error) or None,
        )


def _text(value: Any) -> str:
    """A string as it is; a list of `{"text": …}` parts joined; anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(
            part if isinstance(part, str) else _text(part.get("text"))
            for part in value
            if isinstance(part, (str, Mapping))
        )
    return ""


@dataclass(frozen=True)
class Call:
    """A call that passed every rung: a known tool and arguments that fit its schema."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """What an envelope held, before names and arguments are checked.

    `name` is None when only arguments are known (the server's error text);
    `repaired` says that the text was changed with loss on the way; `cut` that it ends early.
    """

    name: str | None
    arguments: Any
    repaired: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Outcome:
    """The ladder's answer. `notes` name the rungs that acted; `text` is the cleaned content."""

    kind: Kind
    calls: tuple[Call, ...] = ()
    reason: Reason | None = None
    repaired: bool = False
    notes: tuple[str, ...] = field(default=())
    text: str = ""
    detail: str = ""
