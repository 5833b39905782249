"""What is asked, and what memory and a person can add to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from manyhands.broker.contracts import Origin
from manyhands.mind.frame import Frame
from manyhands.mind.packing import Turn

__all__ = ["Question", "Recall", "Review"]

#: Shown a plan before it runs; gives back the one to follow, or None to stop.
Review = Callable[[Frame], Awaitable[Frame | None]]


class Recall(Protocol):
    """What memory gives for a question: a text within its budget, and where it came from."""

    async def __call__(self, question: str) -> tuple[str, Sequence[str]]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and with what at hand.

    Attributes:
        role: answers in the editor's place when set.
        turns: the conversation so far, oldest first.
        tainted: text from outside was in the context of an earlier turn.
        context: label -> text that the door adds: notebook cells, variables, a failing cell. It
            is data from outside, never instructions.
        council: hold a council instead of framing.
        save_folder: where the user's files may be written; empty when nowhere.
    """

    text: str
    run_id: str
    conversation_id: str
    role: str = ""
    hands: bool = True
    turns: tuple[Turn, ...] = ()
    tainted: bool = False
    context: Mapping[str, str] = field(default_factory=dict)
    council: bool = False
    save_folder: str = ""
    simulated: bool = False

    def origins(self, *, data: bool, recalled: bool) -> frozenset[Origin]:
        """Where the text in this run's context comes from."""
        outside = data or recalled or self.tainted or bool(self.context)
        found = {Origin.USER, Origin.MODEL} | ({Origin.OUTSIDE} if outside else set())
        return frozenset(found)
