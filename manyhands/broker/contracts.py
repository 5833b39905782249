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
    "MOST_SHOWN",
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


#: What a person is asked to approve is never cut; what is longer than this is refused instead.
MOST_SHOWN = 20_000


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
    def whole(self) -> str:
        """All that a person must see to approve it: each argument in full, then the preview."""
        told = [
            f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            for name, value in self.arguments.items()
        ]
        return "\n".join([*told, self.preview] if self.preview else told)

    @property
    def too_long(self) -> str:
        """Why nobody can be asked about it; "" when all of it can be shown."""
        if len(self.whole) <= MOST_SHOWN:
            return ""
        return (
            f"{self.tool} is not asked about: it has {len(self.whole):,} characters, and at most "
            f"{MOST_SHOWN:,} can be shown to approve. Ask for a smaller piece."
        )

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
    """What the rules say about an effect.

    Attributes:
        why: in words for a person.
        session: whether an approval for the session would count; with text from outside in the
            context each effect is asked about.
    """

    verdict: Verdict
    why: str
    session: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an effect ended, and what is known about it."""

    state: EffectState
    detail: str
    result: JsonValue = None


#: Asks a person about an effect, by a decision to ask. A door without a person uses `deny_all`.
Approver = Callable[[Effect, Decision], Awaitable[Choice]]


async def deny_all(effect: Effect, decision: Decision) -> Choice:  # noqa: ARG001
    """Where nobody can be asked, nothing is approved."""
    return Choice.NO
