"""What the journal tells about runs and conversations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Conversation", "RunRecord", "RunState"]


class RunState(StrEnum):
    """Where a run stands. `cut`: its process is gone and it never ended."""

    RUNNING = "running"
    ANSWERED = "answered"
    ASKED = "asked"
    FAILED = "failed"
    STOPPED = "stopped"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. Times are Unix seconds; `status` and `answer` are empty until it is answered."""

    id: str
    conversation_id: str
    question: str
    state: RunState
    status: str
    answer: str
    started: float
    finished: float | None
    door: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """An ordered list of runs with one id.

    Attributes:
        forked_from: the conversation that it was forked from; empty for one begun afresh.
    """

    id: str
    title: str
    created: float
    forked_from: str
    runs: tuple[RunRecord, ...] = ()
