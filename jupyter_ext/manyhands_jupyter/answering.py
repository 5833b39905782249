"""One question, one hand, one run that goes on: events to the view, and the reply at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from manyhands.errors import InputError, StorageBusy
from manyhands.hands.contracts import Artifact
from manyhands.jobs.records import JobState
from manyhands.jobs.store import JOBS_FILE, JobStore
from manyhands.journal.events import Event, Framed, RunStarted
from manyhands.journal.records import RunState
from manyhands.journal.store import Journal
from manyhands.mind.answer import Answer
from manyhands.mind.data import named_data
from manyhands.trace.tree import grow
from manyhands_jupyter.acting.private import table_code
from manyhands_jupyter.acting.proposals import Proposal, blocks_in, proposals_of
from manyhands_jupyter.context.gather import Gathered
from manyhands_jupyter.context.outputs import Ran
from manyhands_jupyter.magics.words import Words
from manyhands_jupyter.views.reply import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from manyhands.mind.frame import PlanStep
    from manyhands_jupyter.session import Session
    from manyhands_jupyter.views.shows import Show

__all__ = ["answer", "go_on", "work_hand"]

#: Whoever runs a kernel on this machine: the same that the other doors name so.
_PRINCIPAL = "local"
_MOST_PICTURES = 4
_GOES_ON = (RunState.CUT, RunState.STOPPED, RunState.FAILED)
#: How many of the newest runs are looked through for one that can go on.
_LOOKED_THROUGH = 200


async def answer(
    session: Session, given: Gathered, words: Words, show: Show, mends: Ran | None
) -> Reply:
    """Ask the mind and follow the run.

    Args:
        mends: the execution whose cell the answer's program would replace.
    """
    mind = session.mind(show.approve)
    stream = mind.stream(
        given.question,
        data=given.data,
        conversation_id=session.conversation_id,
        role=words.role,
        hands=words.hands,
        council=words.council,
        context=given.context,
        save_folder=Path.cwd(),
    )
    follower = _Follower(session, show)
    async with follower.job("cell", {"question": given.question}):
        told = await follower.follow(stream)
    session.conversation_id = told.conversation_id
    return follower.reply(told, given.data, mends)


async def go_on(session: Session, run_id: str, show: Show) -> Reply:
    """Resume a run; without an id the newest of this conversation or project that can go on."""
    mind = session.mind(show.approve)
    with mind.journal() as journal:
        run_id = journal.run(run_id).id if run_id else _newest_open(journal, session)
        before = journal.events(run_id)
    follower = _Follower(session, show)
    async with follower.job("resume", {"run_id": run_id}):
        for event in before:
            follower.take(event)
        told = await follower.follow(mind.resume(run_id))
    session.conversation_id = told.conversation_id
    return follower.reply(told, {}, None)


def _newest_open(journal: Journal, session: Session) -> str:
    """The newest run of this conversation or project that can go on.

    Raises:
        InputError: there is none.
    """
    from manyhands.memory.opening import project_of

    here = project_of(Path.cwd())
    for run in journal.runs(_LOOKED_THROUGH):
        if run.state not in _GOES_ON:
            continue
        begun = journal.events(run.id)[0].body
        if isinstance(begun, RunStarted) and (
            begun.conversation_id == session.conversation_id
            or (begun.save_folder and project_of(Path(begun.save_folder)) == here)
        ):
            return run.id
    raise InputError(
        "No run of this project was cut or stopped, and none failed.",
        hint="%mind runs shows those of all; %mind resume RUN goes on with any of them.",
    )


async def work_hand(session: Session, step: PlanStep, given: Gathered, show: Show) -> Reply:
    """Have one hand work on one step."""
    from manyhands.mind.single import work_one

    mind = session.mind(show.approve)
    follower = _Follower(session, show)
    async with follower.job(str(step.hand), {"task": step.task}):
        try:
            _, result = await work_one(mind, step, given.data, follower.take, "notebook")
        except BaseException:
            follower.catch_up()
            raise
        follower.finish(result.status, result.summary, result.value)
    follower.tree.answer = ""
    pictures = follower.pictures(result.artifacts)
    return Reply(follower.tree, result=result, pictures=pictures, rate=follower.rate)


class _Follower:
    """Takes a run's events: the tree grows, the view and the job's row hear of it."""

    def __init__(self, session: Session, show: Show) -> None:
        self._session = session
        self._show = show
        self._settings = session.settings
        self.tree = show.tree
        self._frame: dict[str, Any] = {}
        self._job = ""
        self._store: JobStore | None = None
        self._result: dict[str, Any] = {}

    def take(self, event: Event) -> None:
        first = not self.tree.run_id
        grow(self.tree, event)
        if isinstance(event.body, Framed):
            self._frame = dict(event.body.frame)
        if first and self._store is not None:
            with suppress(StorageBusy), self._store.at_once():  # else the job's end says it
                self._store.began(self._job, event.run_id)
        self._show.event(event)

    async def follow(self, stream: AsyncGenerator[Event | Answer]) -> Answer:
        told: Answer | None = None
        try:
            async with aclosing(stream) as items:
                async for item in items:
                    if isinstance(item, Answer):
                        told = item
                    else:
                        self.take(item)
        except BaseException:
            self.catch_up()
            raise
        assert told is not None
        self.finish(str(told.status), told.text[:200], told.text, told)
        return told

    def catch_up(self) -> None:
        """Take what a run wrote after it was left: its end, with what it cost."""
        if not self.tree.run_id:
            return
        with Journal.open(self._settings.journal.path) as journal:
            events = journal.events(self.tree.run_id)
        for event in events:
            if event.seq > self.tree.seq:
                grow(self.tree, event)

    @asynccontextmanager
    async def job(self, kind: str, arguments: dict[str, Any]) -> AsyncIterator[None]:
        """A row in the table of jobs that every door shows, as long as this goes on.

        While another process writes to that table, the other work of this kernel goes on.
        """
        store = JobStore.open(self._settings.journal.path.with_name(JOBS_FILE))
        try:
            add = partial(store.add, _PRINCIPAL, kind, arguments)
            self._job = (await store.when_free(add)).id
            self._store = store
            state, error = JobState.CANCELLED, "It was stopped."
            try:
                yield
                state, error = JobState.DONE, ""
            except Exception as fault:
                state, error = JobState.FAILED, str(fault)
                raise
            finally:
                with anyio.CancelScope(shield=True):
                    await store.when_free(partial(self._end, store, state, error))
        finally:
            self._store = None
            store.close()

    def _end(self, store: JobStore, state: JobState, error: str) -> None:
        runs = [self.tree.run_id] if self.tree.run_id else []
        store.finish(self._job, state, result=self._result, error=error, runs=runs)
        store.deliver(self._job)

    def finish(self, status: str, summary: str, value: str, told: Answer | None = None) -> None:
        """What the row says in the end."""
        self._result = {
            "status": status,
            "summary": summary,
            "value": value,
            "run_id": self.tree.run_id,
            "conversation_id": told.conversation_id if told is not None else "",
            "simulated": self.tree.simulated,
        }

    def rate(self, good: bool, reason: str) -> None:
        self._session.rate(self.tree.run_id, good, reason)
        self.tree.rating, self.tree.reason = "good" if good else "bad", reason

    def fetch(self, artifact_id: str) -> bytes:
        with Journal.open(self._settings.journal.path) as journal:
            return journal.artifact(artifact_id)[2]

    def pictures(self, artifacts: tuple[Artifact, ...]) -> list[bytes]:
        wanted = [item for item in artifacts if item.media_type == "image/png"]
        return [self.fetch(item.id) for item in wanted[:_MOST_PICTURES]]

    def reply(self, told: Answer, data: Mapping[str, Any], mends: Ran | None) -> Reply:
        data = named_data(data)
        paths = {name: str(value) for name, value in data.items() if isinstance(value, Path)}
        mine = self._session.shell.user_ns
        tables = {
            name: table_code(name, mine.get(name, value))
            for name, value in data.items()
            if name not in paths
        }
        if mends is not None:
            cells = [
                Proposal(block, "mended cell", mends.cell_id, mends.source)
                for block in blocks_in(told.text)[:1]
            ]
        else:
            cells = proposals_of(told, self.fetch, frame=self._frame, tables=tables, paths=paths)
        acting = self._session.acting
        outside = bool(data) or bool(self._context())
        for cell in cells:
            acting.adopt(cell, self.tree.run_id, outside=outside)
        return Reply(
            self.tree,
            answer=told,
            cells=cells,
            pictures=self.pictures(told.artifacts),
            rate=self.rate,
        )

    def _context(self) -> Mapping[str, str]:
        with Journal.open(self._settings.journal.path) as journal:
            first = journal.events(self.tree.run_id)[0].body
        return first.context if isinstance(first, RunStarted) else {}
