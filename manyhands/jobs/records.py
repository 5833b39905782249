"""What is known about a job, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["JobQuestion", "JobRecord", "JobState", "QuestionKind"]


class JobState(StrEnum):
    """Where a job stands.

    `failed`: a foreseeable fault, told with what to do; `broken`: a fault of ours that nobody
    foresaw; `cut`: the process that worked on it is gone, and it never ended.
    """

    RUNNING = "running"
    NEEDS_INPUT = "needs_input"
    DONE = "done"
    FAILED = "failed"
    BROKEN = "broken"
    CANCELLED = "cancelled"
    CUT = "cut"

    @property
    def open(self) -> bool:
        """Whether work still goes on or waits for a person."""
        return self in (JobState.RUNNING, JobState.NEEDS_INPUT)


class QuestionKind(StrEnum):
    """What a job asks: the mind's question, or a person's approval of an effect.

    An approval is never taken from a model: only a person at a door may give it.
    """

    QUESTION = "question"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class JobQuestion:
    """What a job waits for.

    Attributes:
        id: good for one answer to this question, and for no other.
        detail: more to look at before answering: exact arguments, a preview.
    """

    id: str
    kind: QuestionKind
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job.

    Attributes:
        principal: who may see it; nobody else learns that it exists.
        kind: which tool it works for.
        arguments: what it was called with; JSON values.
        run_id: its run in the journal, once there is one.
        phase: what goes on now, in words.
        eta_s: seconds that are probably left; None when nothing tells.
        created, updated, finished: Unix seconds.
        result: JSON of a finished job; empty otherwise.
        error: what went wrong, with the next action.
        delivered: whether a call has returned the result.
        questions: what it waits for, the oldest first; steps that go on at the same time may ask
            at the same time.
    """

    id: str
    principal: str
    kind: str
    state: JobState
    arguments: dict[str, Any]
    created: float
    run_id: str = ""
    phase: str = ""
    eta_s: float | None = None
    finished: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    delivered: bool = False
    questions: tuple[JobQuestion, ...] = ()
    updated: float = 0.0

    @property
    def question(self) -> JobQuestion | None:
        """What to answer first."""
        return self.questions[0] if self.questions else None
