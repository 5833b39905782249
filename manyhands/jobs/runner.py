"""Working on jobs in this process: started once, waited for by any call, stopped on request."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from anyio.abc import TaskGroup

from manyhands.errors import InputError, StorageBusy, StorageError, fault_in
from manyhands.jobs.records import JobQuestion, JobRecord, JobState, QuestionKind
from manyhands.jobs.store import JobStore

__all__ = ["Elsewhere", "Jobs", "LiveJob", "Tick", "Work"]

#: Work that goes on at the same time; more waits its turn.
_AT_ONCE = 8
#: Jobs of one principal that may be open; a further one is refused.
_MOST_OPEN = 1_000
#: How often the file is read for a job that another process works on.
_LOOK_S = 0.25
#: The same for one that somebody only wants word of.
_WATCH_S = 1.0
#: How often old results are forgotten; a service may live for weeks.
_SWEEP_S = 3600.0

_log = logging.getLogger(__name__)


class Elsewhere(Protocol):
    """The process that works on a job which is open and not ours."""

    async def look(self, record: JobRecord) -> JobRecord:
        """How the job stands there; `record` itself where nobody can tell."""
        ...

    async def cancel(self, job_id: str) -> None: ...

    async def answer(self, job_id: str, question_id: str, text: str) -> bool: ...


Tick = Callable[[JobRecord, float], Awaitable[None]]
"""Told about a job that goes on, with the seconds since it began."""


Notify = Callable[[JobRecord], Awaitable[None]]
"""Told when a job asks something and when it has ended."""


class _Answer:
    """What comes back for one question."""

    def __init__(self) -> None:
        self.text = ""
        self.came = anyio.Event()


class LiveJob:
    """A job that this process works on; the work tells it what goes on and asks through it.

    Attributes:
        artifacts: ids of what the work made; the principal may read them.
        runs: that worked for it, in order.
    """

    def __init__(self, record: JobRecord, store: JobStore, notify: Notify) -> None:
        self.record = record
        self.artifacts: list[str] = []
        self.runs: list[str] = []
        self._store = store
        self._notify = notify
        self._changed = anyio.Event()
        self._answers: dict[str, _Answer] = {}
        self.scope = anyio.CancelScope()

    async def changed(self) -> None:
        """Wait until something about the job is new."""
        await self._changed.wait()

    def update(self, **fields: Any) -> None:
        self.record = replace(self.record, updated=self._store.clock(), **fields)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def tell(self, phase: str, eta_s: float | None = None) -> None:
        """Say what goes on now."""
        self.update(phase=phase, eta_s=eta_s)

    def began(self, run_id: str) -> None:
        """Name a run that works for this job."""
        self.runs.append(run_id)
        with suppress(StorageBusy), self._store.at_once():  # else the job's end says it
            self._store.began(self.record.id, run_id)
        self.update(run_id=run_id)

    async def ask(self, kind: QuestionKind, text: str, detail: str = "") -> str:
        """Ask the person at the door and wait for the answer, however long it takes."""
        question = JobQuestion(secrets.token_hex(8), kind, text, detail)
        given = self._answers[question.id] = _Answer()
        self.update(
            state=JobState.NEEDS_INPUT,
            questions=(*self.record.questions, question),
            phase="waits for an answer",
        )
        try:
            await self._notify(self.record)
            await given.came.wait()
        finally:
            self._close(question.id)
        return given.text

    def answer(self, question_id: str, text: str) -> bool:
        """Take an answer; false when that question is not open (any more)."""
        given = self._answers.get(question_id)
        if given is None or given.came.is_set():
            return False
        given.text = text
        given.came.set()
        self._close(question_id)
        return True

    def _close(self, question_id: str) -> None:
        if self._answers.pop(question_id, None) is None:
            return
        left = tuple(one for one in self.record.questions if one.id != question_id)
        if left:
            self.update(questions=left)
        else:
            self.update(state=JobState.RUNNING, questions=(), phase="goes on with the answer")


Work = Callable[[LiveJob], Awaitable[dict[str, Any]]]
"""Does the job and gives its result as JSON; a `ManyhandsError` makes it failed."""


class Jobs:
    """The jobs of one process; an async context manager.

    Leaving it ends what still goes on: those jobs are recorded as cut.

    Args:
        most_open: open jobs of one principal; a further one is refused.
        elsewhere: asked about open jobs that another process works on.
        sweep_s: seconds between two sweeps of the file.
    """

    def __init__(
        self,
        store: JobStore,
        *,
        most_open: int = _MOST_OPEN,
        elsewhere: Elsewhere | None = None,
        sweep_s: float = _SWEEP_S,
    ) -> None:
        self.store = store
        self._elsewhere = elsewhere
        self._most_open = most_open
        self._sweep_s = sweep_s
        self._watched: set[str] = set()
        self._live: dict[str, LiveJob] = {}
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None
        self._turns = anyio.Semaphore(_AT_ONCE)
        self.listeners: list[Notify] = []

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._tasks.start_soon(self._sweep)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._stack.__aexit__(kind, error, trace)

    async def start(
        self, principal: str, kind: str, arguments: dict[str, Any], work: Work, *, about: str = ""
    ) -> JobRecord:
        """Begin a job, or find the one that the same call has begun before.

        A client that lost its answer asks again with the same arguments: it gets the job that
        runs, or the result that nobody has fetched, and nothing is done twice.

        Args:
            about: what else the call is about; with another, it is another call.

        Raises:
            InputError: too many jobs of this principal are open.
            StorageError: the file of jobs cannot be used.
        """
        return await self.store.when_free(
            partial(self._start, principal, kind, arguments, work, about)
        )

    def _start(
        self, principal: str, kind: str, arguments: dict[str, Any], work: Work, about: str
    ) -> JobRecord:
        assert self._tasks is not None
        same = self.store.like(principal, kind, arguments, about)
        if same is not None and same.state is not JobState.CUT:
            return self.get(same.id, principal)
        mine = sum(1 for live in self._live.values() if live.record.principal == principal)
        if mine >= self._most_open:
            raise InputError(
                f"{mine} jobs are open already.", hint="Wait for some, or cancel them."
            )
        usual_s = self.store.usual_s(kind)
        # Nothing behind it may be told to try again: the job would be begun twice.
        record = self.store.add(principal, kind, arguments, about)
        live = LiveJob(record, self.store, self._notify)
        live.tell("waits for its turn", usual_s)
        self._live[live.record.id] = live
        self._tasks.start_soon(self._work, live, work)
        return live.record

    async def _work(self, live: LiveJob, work: Work) -> None:
        state, result, error = JobState.CUT, None, "The server was closed."
        try:
            with live.scope:
                async with self._turns:
                    live.tell("begins", live.record.eta_s)
                    result = await work(live)
                state, error = JobState.DONE, ""
            if live.scope.cancelled_caught:
                state, error = JobState.CANCELLED, "It was cancelled."
        except Exception as fault:
            known = fault_in(fault)
            state = JobState.FAILED if known is not None else JobState.BROKEN
            error = str(known) if known is not None else f"{type(fault).__name__}: {fault}"
        finally:
            finish = partial(
                self.store.finish,
                live.record.id,
                state,
                result=result,
                error=error,
                runs=live.runs,
                artifacts=live.artifacts,
            )
            try:
                with anyio.CancelScope(shield=True):  # also a cancelled task writes its end
                    await self.store.when_free(finish)
            except StorageError as fault:
                state, error = JobState.FAILED, f"The result could not be kept. {fault}"
            del self._live[live.record.id]
            live.update(
                state=state,
                result=result or {},
                error=error,
                phase="",
                eta_s=None,
                questions=(),
                finished=self.store.clock(),
            )
        await self._notify(live.record)

    async def _sweep(self) -> None:
        while True:
            with suppress(StorageError):  # the next one tries again
                await self.store.when_free(self.store.sweep, threaded=True)
            await anyio.sleep(self._sweep_s)

    async def _notify(self, record: JobRecord) -> None:
        for listener in self.listeners:
            try:
                await listener(record)
            except Exception:  # who listens must not end the work of others
                _log.exception("A listener failed at job %s.", record.id)

    def watch(self, job_id: str, principal: str) -> None:
        """Tell the listeners also about a job that another process works on.

        Raises:
            InputError: an id that this principal has not.
        """
        assert self._tasks is not None
        record = self.get(job_id, principal)
        if record.state.open and job_id not in self._live and job_id not in self._watched:
            self._watched.add(job_id)
            self._tasks.start_soon(self._watch, job_id, principal)

    async def _watch(self, job_id: str, principal: str) -> None:
        asked: set[str] = set()
        try:
            while True:
                record = await self.now(job_id, principal)
                new = {question.id for question in record.questions} - asked
                if new or not record.state.open:
                    await self._notify(record)
                if not record.state.open:
                    return
                asked |= new
                await anyio.sleep(_WATCH_S)
        except InputError:
            return  # it was swept or erased
        finally:
            self._watched.discard(job_id)

    def get(self, job_id: str, principal: str) -> JobRecord:
        """A job as it stands; raises `InputError` for an id that this principal has not."""
        live = self._live.get(job_id)
        if live is not None and live.record.principal == principal:
            return live.record
        record = self.store.get(job_id, principal)
        if record is None:
            raise InputError(
                f"There is no job {job_id[:60]!r}.",
                hint="Ids are good for a day; call the tool again with the same arguments.",
            )
        return record

    async def wait(
        self,
        job_id: str,
        principal: str,
        seconds: float,
        *,
        every_s: float = 4.0,
        tick: Tick | None = None,
    ) -> JobRecord:
        """Wait until a job ends, asks something, or `seconds` are over; how it then stands.

        Args:
            every_s: `tick` is called at least this often, and not more than once a second.
        """
        start = told = anyio.current_time()
        while True:
            record = await self.now(job_id, principal)
            live = self._live.get(job_id)
            left = start + seconds - anyio.current_time()
            if record.state is not JobState.RUNNING or left <= 0:
                return record
            if tick is not None and (live is not None or anyio.current_time() >= told):
                await tick(record, max(0.0, self.store.clock() - record.created))
                told = anyio.current_time() + every_s
            if live is None:  # another process works on it, which tells nobody by itself
                await anyio.sleep(min(_LOOK_S, left))
                continue
            with anyio.move_on_after(min(every_s, left)):
                await _settled(live)

    def cancel(self, job_id: str, principal: str) -> JobRecord:
        """Stop a job; one that has ended stays as it is."""
        record = self.get(job_id, principal)
        live = self._live.get(job_id)
        if live is not None:
            live.scope.cancel()
        return record

    async def stop(self, job_id: str, principal: str, seconds: float) -> JobRecord:
        """Stop a job and wait up to `seconds` for its end; how it then stands."""
        record = self.cancel(job_id, principal)
        live = self._live.get(job_id)
        if live is None and record.state.open and self._elsewhere is not None:
            await self._elsewhere.cancel(job_id)
        with anyio.move_on_after(seconds):
            while live is not None and live.record.state.open:
                await live.changed()
            there = live is None and self._elsewhere is not None
            while there and self.get(job_id, principal).state.open:  # noqa: ASYNC110
                await anyio.sleep(_LOOK_S / 5)  # another process tells nobody of an end
        return self.get(job_id, principal)

    async def now(self, job_id: str, principal: str) -> JobRecord:
        """Like `get`; a job that another process works on as that process tells it."""
        record = self.get(job_id, principal)
        if record.state.open and job_id not in self._live and self._elsewhere is not None:
            return await self._elsewhere.look(record)
        return record

    async def give(self, job_id: str, principal: str, question_id: str, text: str) -> bool:
        """Like `answer`, also for a job that another process works on."""
        record = self.get(job_id, principal)
        if record.state.open and job_id not in self._live and self._elsewhere is not None:
            return await self._elsewhere.answer(job_id, question_id, text)
        return self.answer(job_id, principal, question_id, text)

    def answer(self, job_id: str, principal: str, question_id: str, text: str) -> bool:
        """Give a job the answer to its question; false when that question is not open."""
        self.get(job_id, principal)
        live = self._live.get(job_id)
        return live is not None and live.answer(question_id, text)

    def live(self, principal: str) -> list[JobRecord]:
        """The open jobs of a principal in this process."""
        return [live.record for live in self._live.values() if live.record.principal == principal]


async def _settled(live: LiveJob) -> None:
    while live.record.state is JobState.RUNNING:
        await live.changed()
