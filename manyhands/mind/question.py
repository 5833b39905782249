"""What is asked, and what memory and a person can add to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from manyhands.broker.contracts import Origin
from manyhands.errors import InputError
from manyhands.mind.frame import Frame
from manyhands.mind.packing import Turn
from manyhands.redaction import redact

__all__ = ["Question", "Recall", "Review", "asked_text"]

#: Shown a plan before it runs; gives back the one to follow, or None to stop.
Review = Callable[[Frame], Awaitable[Frame | None]]


class Recall(Protocol):
    """What memory gives for a question: a text within its budget, and where it came from."""

    async def __call__(self, question: str) -> tuple[str, Sequence[str]]: ...


def asked_text(question: str) -> str:
    """The question as it goes on: without secrets and outer blanks.

    Raises:
        InputError: it is empty, or holds half of a surrogate pair, which no file can keep.
    """
    try:
        question.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"The question is no text: {question[error.start]!r} after {error.start} characters.",
            hint="Decode what it came from as UTF-8.",
        ) from None
    text = redact(question.strip())
    if not text:
        raise InputError("The question is empty.", hint="Ask something in plain words.")
    return text


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
