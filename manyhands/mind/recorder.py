"""Numbering a run's events, writing them, handing them to the door; and a run's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from manyhands.hands.contracts import Artifact
from manyhands.journal.events import BODY, Body, Event, RunFinished, RunOutcome
from manyhands.journal.store import Journal
from manyhands.mind.budget import Budget, Purse
from manyhands.redaction import redact_value

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Ending", "Recorder", "accounted", "surely_ended"]


class Recorder:
    """Writes an event before it is shown; secrets leave it first.

    Args:
        seq: of the last event that was written for the run.
        show: gives an event to the door; it never waits.

    Attributes:
        ended: the run's end is written.
    """

    def __init__(
        self, journal: Journal, run_id: str, seq: int, show: Callable[[Event], None]
    ) -> None:
        self._journal = journal
        self.run_id = run_id
        self._seq = seq
        self._show = show
        self.ended = False

    def record(self, body: Body) -> None:
        """Write and show; no await stands between, so that a cancelled task can still write."""
        clean = BODY.validate_python(redact_value(body.model_dump(mode="json")))
        event = Event(run_id=self.run_id, seq=self._seq, at=time.time(), body=clean)
        if event.durable:
            event = self._journal.append(event)
            self._seq = event.seq
            self.ended = self.ended or isinstance(clean, RunFinished)
        try:
            self._show(event)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the door has left; the journal still has it

    async def emit(self, body: Body) -> None:
        self.record(body)
        await anyio.lowlevel.checkpoint()

    async def keep(self, name: str, media_type: str, content: bytes) -> Artifact:
        """Store an artifact of this run."""
        artifact_id = await anyio.to_thread.run_sync(
            self._journal.keep, self.run_id, name, media_type, content
        )
        return Artifact(id=artifact_id, name=name, media_type=media_type, size=len(content))

    async def open(self, artifact_id: str) -> bytes:
        """The content of an artifact; raises `InputError` for an unknown id."""
        return (await anyio.to_thread.run_sync(self._journal.artifact, artifact_id))[2]


@dataclass(slots=True)
class Ending:
    """What a run may spend, and how it ends: stopped, unless it says otherwise."""

    purse: Purse
    outcome: RunOutcome = RunOutcome.STOPPED


@contextmanager
def accounted(recorder: Recorder, settings: Settings, steps: int) -> Iterator[Ending]:
    """A run within its budgets; its end is written whatever happens, also when it is cancelled.

    Args:
        steps: the budget of steps.
    """
    limits = settings.budgets
    ending = Ending(
        Purse(
            Budget(
                tokens=limits.tokens,
                seconds=limits.seconds,
                gpu_seconds=limits.gpu_seconds,
                loads=limits.loads,
                steps=steps,
            )
        )
    )
    error = ""
    try:
        yield ending
    except Exception as fault:
        ending.outcome, error = RunOutcome.FAILED, str(fault) or type(fault).__name__
        raise
    finally:
        # No await stands between here and the disk.
        recorder.record(
            RunFinished(
                outcome=ending.outcome,
                seconds=ending.purse.seconds,
                spend=ending.purse.spent.model_dump(mode="json"),
                error=error,
            )
        )


@contextmanager
def surely_ended(recorder: Recorder, settings: Settings) -> Iterator[None]:
    """Write the end also of a run that was left before its work had begun."""
    try:
        yield
    finally:
        if not recorder.ended:
            with accounted(recorder, settings, steps=0):
                pass
