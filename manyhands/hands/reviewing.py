"""A vision model's opinion of a drawn chart: told as `reviewed`, and never a check.

The picture was drawn by a program that a model wrote, so the words in it are material like any
hand's output. Who looks at it has no tools, is held to a small schema, sees neither the data nor
what the checks found, and its words are cleaned, cut, and put beside the evidence. They go into no
prompt of ours and into no status: nothing that stands in a picture can reach the mind through them.
Over MCP the client's model reads them, in a line that says whose words they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import anyio
from pydantic import BaseModel, Field, JsonValue

from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.clean import clean
from manyhands.errors import ManyhandsError, StorageError
from manyhands.hands.contracts import Evidence, EvidenceKind, Spend
from manyhands.hands.schemas import flat_schema
from manyhands.hands.voice import Voice
from manyhands.hands.work import fenced, prompt_of
from manyhands.journal.events import NoteReason
from manyhands.recover import read_structured

__all__ = [
    "MOST_PIXELS",
    "NO_OPINION",
    "REVIEWED",
    "REVIEWER",
    "Looks",
    "Opinion",
    "Review",
    "Reviewer",
]

#: The check's name under which an opinion stands among the evidence.
REVIEWED: Final = "reviewed"
#: How the note begins that says why there is none.
NO_OPINION: Final = "no opinion of the picture"
#: The role that looks.
REVIEWER: Final = "reviewer"
#: Qwen2.5-VL makes one token of 28 × 28 pixels and its authors bound a picture at 1,280 of them for
#: speed; beyond it a model reads a chart no better, and a large one overflows a window of 4,096.
MOST_PIXELS: Final = 1280 * 28 * 28
_MOST_REQUEST = 2000
_MOST_PROBLEMS = 5
_MOST_SENTENCE = 200


class Looks(StrEnum):
    """How the chart looks to the model."""

    OK = "ok"
    PROBLEMS = "problems"
    CANNOT_TELL = "cannot_tell"


class Opinion(BaseModel):
    """What the reviewer writes."""

    sees: str
    verdict: Looks
    problems: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Review:
    """The opinion as evidence, and what it cost."""

    evidence: Evidence
    spend: Spend


@dataclass(slots=True)
class Reviewer:
    """Asks the vision model about pictures of one run.

    Whatever goes wrong, there is no opinion, the reason is told as a note, and the run goes on.
    After a fault of the model or its server, or without a budget, nobody is asked again in the
    run.

    Args:
        policy: of the sandbox in which a large picture is made smaller.
        bears: whether the run's budget bears so much and this many seconds more.
        limit_s: the most seconds for one opinion, loading the model included.
    """

    voice: Voice
    policy: SandboxPolicy
    bears: Callable[[Spend, float], bool]
    limit_s: float
    _given_up: bool = field(default=False, init=False)
    _told: dict[tuple[bytes, str], Review | None] = field(default_factory=dict, init=False)

    @property
    def tier(self) -> str:
        return self.voice.role(REVIEWER).tier

    async def look(self, png: bytes, request: str, step: str) -> Review | None:
        """The opinion of a picture that was drawn for a request; None when there is none."""
        if self._given_up:
            return None
        if (png, request) not in self._told:
            self._told[png, request] = await self._asked(png, request, step)
        return self._told[png, request]

    async def _asked(self, png: bytes, request: str, step: str) -> Review | None:
        try:
            self._afford()
            with anyio.move_on_after(self.limit_s):
                return await self._opinion(png, request, step)
            self._given_up = True
            why = f"{self.voice.served_by(REVIEWER)[0]!r} had none within {self.limit_s:g} s"
        except StorageError:
            raise  # the run itself cannot be written
        except _NoOpinion as none:
            why = str(none)
        except ManyhandsError as error:
            self._given_up = True
            why = error.message
        await self.voice.note(NoteReason.REVIEW, f"{NO_OPINION}: {why}", step)
        return None

    def _afford(self) -> None:
        """Refuse where the answer might lack what it costs; no prompt is longer than a window."""
        _, num_ctx = self.voice.served_by(REVIEWER)
        most = Spend(calls=1, prompt_tokens=num_ctx, model_s=self.limit_s, loads=1)
        if not self.bears(most, self.limit_s):
            self._given_up = True
            raise _NoOpinion("what is left of the run's budget is kept for the answer")

    async def _opinion(self, png: bytes, request: str, step: str) -> Review:
        from manyhands.checks.programs.figures import within_pixels

        picture = await within_pixels(png, MOST_PIXELS, self.policy)
        if picture is None:
            raise _NoOpinion("it could not be made small enough")
        prompt = prompt_of(
            fenced("the request", request[:_MOST_REQUEST]),
            "The picture that was drawn for it is attached. Say what you see, in the schema.",
        )
        spoken = await self.voice.say(
            REVIEWER, prompt, step=step, schema=flat_schema(Opinion), images=(picture,)
        )
        read = read_structured(spoken.as_sent(), Opinion)
        if read.value is None:
            raise _NoOpinion(f"{spoken.model!r} answered in another form ({read.reason})")
        return Review(_evidence_of(read.value, spoken.model, spoken.seconds), spoken.spend)


class _NoOpinion(Exception):
    """Why there is none of this picture; the next may have one."""


def _evidence_of(opinion: Opinion, model: str, seconds: float) -> Evidence:
    """An opinion among the evidence: it neither passed nor failed, and names who holds it."""
    sees = _sentence(opinion.sees)
    problems = [text for one in opinion.problems[:_MOST_PROBLEMS] if (text := _sentence(one))]
    looks = opinion.verdict
    if problems and looks is Looks.OK:
        looks = Looks.PROBLEMS
    match looks:
        case Looks.OK:
            said = "finds nothing wrong with it"
        case Looks.CANNOT_TELL:
            said = "cannot make it out"
        case Looks.PROBLEMS:
            said = f"sees problems: {'; '.join(problems)}" if problems else "sees problems, unnamed"
    shown = f" (sees: {sees})" if sees else ""
    detail: dict[str, JsonValue] = {
        "model": model,
        "verdict": str(looks),
        "sees": sees,
        "problems": list(problems),
    }
    return Evidence(
        name=REVIEWED,
        passed=None,
        kind=EvidenceKind.OPINION,
        evidence=f"{model}, an opinion: {said}{shown}",
        seconds=seconds,
        detail=detail,
    )


def _sentence(text: str) -> str:
    """One line of a model's words, without a terminal's commands and without its full stop."""
    line = " ".join(clean(text).split()).rstrip(".")
    return line if len(line) <= _MOST_SENTENCE else f"{line[: _MOST_SENTENCE - 1]}…"
