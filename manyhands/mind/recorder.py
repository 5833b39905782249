"""Numbering a run's events, writing them, handing them to the door; and a run's end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from manyhands.errors import StorageBusy
from manyhands.hands.contracts import Artifact
from manyhands.journal.events import BODY, Body, Event, RunFinished, RunOutcome
from manyhands.journal.store import Journal
from manyhands.mind.budget import Budget, Purse
from manyhands.redaction import redact_value

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Ending", "Recorder", "accounted", "surely_ended"]


@dataclass(slots=True)
class _Waiting:
    """A durable event on its way to the journal, and why it never got there."""

    event: Event
    fault: Exception | None = None


class Recorder:
    """Writes an event before it is shown; secrets leave it first.

    While another process has the journal, who emits waits and the event loop goes on. Events wait
    in order, and one whose task is cancelled stays in its place: it is written before the next.

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
        self._queue: deque[_Waiting] = deque()
        self.ended = False

    async def emit(self, body: Body) -> None:
        """Write and show; when this returns, a durable event is in the journal."""
        await self._put(body)
        await anyio.lowlevel.checkpoint()

    async def end(self, body: RunFinished) -> None:
        """Write a run's end and all that waits before it, also in a task that is cancelled."""
        try:
            with anyio.CancelScope(shield=True):
                await self._put(body)
        except anyio.get_cancelled_exc_class():  # by the event loop itself: no shield holds that
            self._drain()
            raise

    async def _put(self, body: Body) -> None:
        waiting = self._take(body)
        if waiting is not None:
            await self._journal.when_free(self._drain)
        _raise(waiting)

    def _take(self, body: Body) -> _Waiting | None:
        """Give a durable event its place, or show one that only passes by."""
        clean = BODY.validate_python(redact_value(body.model_dump(mode="json")))
        event = Event(run_id=self.run_id, seq=self._seq, at=time.time(), body=clean)
        if not event.durable:
            self._tell(event)
            return None
        self._queue.append(_Waiting(event))
        return self._queue[-1]

    def _drain(self) -> None:
        """Write and show what waits, in order; raises only `StorageBusy`, and then all waits on."""
        while self._queue:
            waiting = self._queue[0]
            try:
                event = self._journal.append(waiting.event)
            except StorageBusy:
                raise
            except Exception as fault:  # of this event alone: the next ones are written
                waiting.fault = fault
                self._queue.popleft()
                continue
            self._queue.popleft()
            self._seq = event.seq
            self.ended = self.ended or isinstance(event.body, RunFinished)
            self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._show(event)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the door has left; the journal still has it

    async def keep(self, name: str, media_type: str, content: bytes) -> Artifact:
        """Store an artifact of this run."""
        artifact_id = await self._journal.when_free(
            partial(self._journal.keep, self.run_id, name, media_type, content), threaded=True
        )
        return Artifact(id=artifact_id, name=name, media_type=media_type, size=len(content))

    async def let_go(self, artifact_ids: Sequence[str]) -> None:
        """Keep artifacts with this run no longer."""
        if artifact_ids:
            gone = partial(self._journal.let_go, self.run_id, artifact_ids)
            await self._journal.when_free(gone, threaded=True)

    async def open(self, artifact_id: str) -> bytes:
        """The content of an artifact; raises `InputError` for an unknown id."""
        return (await anyio.to_thread.run_sync(self._journal.artifact, artifact_id))[2]


@dataclass(slots=True)
class Ending:
    """What a run may spend, and how it ends: stopped, unless it says otherwise."""

    purse: Purse
    outcome: RunOutcome = RunOutcome.STOPPED


def _raise(waiting: _Waiting | None) -> None:
    if waiting is not None and waiting.fault is not None:
        raise waiting.fault


@asynccontextmanager
async def accounted(recorder: Recorder, settings: Settings, steps: int) -> AsyncIterator[Ending]:
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
        await recorder.end(
            RunFinished(
                outcome=ending.outcome,
                seconds=ending.purse.seconds,
                spend=ending.purse.spent.model_dump(mode="json"),
                error=error,
            )
        )


@asynccontextmanager
async def surely_ended(recorder: Recorder, settings: Settings) -> AsyncIterator[None]:
    """Write the end also of a run that was left before its work had begun."""
    try:
        yield
    finally:
        if not recorder.ended:
            async with accounted(recorder, settings, steps=0):
                pass
