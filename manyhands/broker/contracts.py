"""The words of the broker: effects, where text came from, rules, decisions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue

from manyhands.settings import ApprovalRule as Rule

__all__ = [
    "Approver",
    "Choice",
    "Decision",
    "Effect",
    "EffectState",
    "Origin",
    "Outcome",
    "Rule",
    "Verdict",
    "deny_all",
]


class Origin(StrEnum):
    """Where a piece of text in the context came from.

    `outside` is everything that neither the user typed now nor our own machinery made: files,
    notebook cells and outputs, memory of documents, other servers, tool descriptions.
    """

    USER = "user"
    MODEL = "model"
    OUTSIDE = "outside"


class Verdict(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Choice(StrEnum):
    """What a person answers: this once, this tool for the session, or no."""

    ONCE = "once"
    SESSION = "session"
    NO = "no"


class EffectState(StrEnum):
    """How an effect ended. `uncertain`: a crash came between its intent and its end."""

    DONE = "done"
    DENIED = "denied"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that would change the world outside the run.

    Attributes:
        tool: what does it: `save_file`, `remember`, `run_cell`, `mcp:server/tool`.
        arguments: exactly what it would be done with; JSON values.
        summary: one line for the person who is asked.
        preview: more to look at: a diff, a program; shown, never interpreted.
    """

    tool: str
    arguments: dict[str, JsonValue] = field(default_factory=dict)
    summary: str = ""
    preview: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over tool and arguments: an approval is good for these and nothing else."""
        canonical = json.dumps(
            {"tool": self.tool, "arguments": self.arguments},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=True,
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say about an effect, and why, in words for a person."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended, and what is known about it."""

    state: EffectState
    detail: str
    result: JsonValue = None


#: Asks a person about an effect; told why it asks. A door without a person uses `deny_all`.
Approver = Callable[[Effect, str], Awaitable[Choice]]


async def deny_all(effect: Effect, why: str) -> Choice:  # noqa: ARG001
    """Where nobody can be asked, nothing is approved."""
    return Choice.NO
