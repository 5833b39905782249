"""The mind: one object that serves every door."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from manyhands import __version__
from manyhands.errors import InputError, ManyhandsError
from manyhands.hands.contracts import Artifact, HandResult
from manyhands.hands.work import Source
from manyhands.journal.events import (
    Body,
    Event,
    Framed,
    RunFinished,
    RunOutcome,
    RunStarted,
    StepDone,
)
from manyhands.journal.records import RunState
from manyhands.journal.store import Journal, new_id
from manyhands.mind.answer import Answer
from manyhands.mind.budget import Budget, Purse
from manyhands.mind.controller import Toolbox
from manyhands.mind.data import DataFile, open_data
from manyhands.mind.frame import Frame
from manyhands.mind.prompts import history_note
from manyhands.mind.run import Question, Recall, Review, Run

if TYPE_CHECKING:
    from manyhands.hands.voice import Models
    from manyhands.roles.model import Role
    from manyhands.settings import Settings

__all__ = ["Mind"]

#: Characters of earlier turns that go into a framing call.
_HISTORY_CHARS = 8000


class Mind:
    """Answers questions with local models whose work is run and checked.

    Args:
        settings: where the models are and what may be spent; the user's own when None.
        roles: the roles by name; the shipped and the user's own when None.
        door: which door asks; written to the journal.
        simulated: the models are scripted; every answer then says so.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        roles: Mapping[str, Role] | None = None,
        door: str = "python",
        simulated: bool = False,
    ) -> None:
        from manyhands.roles.loader import load_roles
        from manyhands.settings import load_settings

        self.settings = settings if settings is not None else load_settings()
        self.roles = roles if roles is not None else load_roles()
        self._door = door
        self.simulated = simulated

    def journal(self) -> Journal:
        """Open the journal of these settings."""
        return Journal.open(self.settings.journal.path)

    async def ask(
        self,
        question: str,
        *,
        data: Mapping[str, Any] | Sequence[str | Path] = (),
        conversation_id: str = "",
        role: str = "",
        hands: bool = True,
        review: Review | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words.
            data: paths, or name -> path, data frame or list of rows.
            conversation_id: continues this conversation.
            role: the role that writes the answer.
            hands: whether steps may be run; without, the mind answers directly.
            review: shown the frame before a plan runs; see `Run`.

        Raises:
            InputError: an empty question, unusable data, or an unknown conversation or role.
            ManyhandsError: the models, the sandbox or the journal cannot be used.
        """
        answer: Answer | None = None
        async for item in self.stream(
            question,
            data=data,
            conversation_id=conversation_id,
            role=role,
            hands=hands,
            review=review,
        ):
            if isinstance(item, Answer):
                answer = item
        assert answer is not None
        return answer

    def ask_sync(self, question: str, **options: Any) -> Answer:
        """`ask` for scripts that have no event loop."""

        async def ask() -> Answer:
            return await self.ask(question, **options)

        return anyio.run(ask)

    async def stream(
        self,
        question: str,
        *,
        data: Mapping[str, Any] | Sequence[str | Path] = (),
        conversation_id: str = "",
        role: str = "",
        hands: bool = True,
        review: Review | None = None,
    ) -> AsyncIterator[Event | Answer]:
        """Like `ask`, but yields each event as it happens, and the answer last.

        Leaving the iteration early (`aclose`, or cancelling the task) stops the run: the model's
        stream is closed at once and the run can be resumed from the journal.
        """
        text = question.strip()
        if not text:
            raise InputError("The question is empty.", hint="Ask something in plain words.")
        if role and role not in self.roles:
            known = ", ".join(sorted(self.roles))
            raise InputError(f"There is no role {role!r}.", hint=f"Roles: {known}.")
        files = open_data(data if isinstance(data, Mapping) else list(data))
        with self.journal() as journal:
            history = _history(journal, conversation_id)
            run_id = new_id("run")
            asked = Question(
                text=text,
                run_id=run_id,
                conversation_id=conversation_id or new_id("conv"),
                role=role,
                hands=hands,
                history=history,
                simulated=self.simulated,
            )
            started = RunStarted(
                question=text,
                conversation_id=asked.conversation_id,
                door=self._door,
                data={name: str(file.path) for name, file in files.items()},
                role=role,
                hands=hands,
                version=__version__,
                simulated=self.simulated,
            )
            first = journal.begin_run(run_id, asked.conversation_id, started)
            async for item in self._play(journal, asked, files, first, review=review):
                yield item

    async def resume(self, run_id: str) -> AsyncIterator[Event | Answer]:
        """Go on with a run that was cut or stopped; finished steps are not done again.

        Raises:
            InputError: the run is unknown, still running or answered, or its data are gone.
        """
        with self.journal() as journal:
            record = journal.run(run_id)
            if record.state in (RunState.RUNNING, RunState.ANSWERED, RunState.ASKED):
                raise InputError(
                    f"Run {record.id} is {record.state}.",
                    hint="Only a run that was cut, stopped or failed can be resumed.",
                )
            events = journal.events(record.id)
            started = events[0].body
            if not isinstance(started, RunStarted):
                raise InputError(f"Run {record.id} was erased.", hint="Ask again.")
            frame: Frame | None = None
            done: dict[str, HandResult] = {}
            for event in events:
                if isinstance(event.body, Framed):
                    frame = Frame.model_validate(event.body.frame)
                elif isinstance(event.body, StepDone):
                    done[event.body.step] = HandResult.model_validate(event.body.result)
            asked = Question(
                text=started.question,
                run_id=record.id,
                conversation_id=started.conversation_id,
                role=started.role,
                hands=started.hands,
                history=_history(journal, started.conversation_id, before=record.id),
                simulated=self.simulated,
            )
            files = open_data(started.data)
            journal.take_over(record.id)
            async for item in self._play(journal, asked, files, events[-1], frame=frame, done=done):
                yield item

    async def _play(
        self,
        journal: Journal,
        question: Question,
        files: Mapping[str, DataFile],
        first: Event,
        *,
        review: Review | None = None,
        frame: Frame | None = None,
        done: Mapping[str, HandResult] | None = None,
    ) -> AsyncIterator[Event | Answer]:
        """Run in a task of its own and hand out its events; leaving cancels the task."""
        send, receive = anyio.create_memory_object_stream[Event | Answer](math.inf)
        recorder = _Recorder(journal, question.run_id, first.seq, send.send_nowait)
        failure: ManyhandsError | None = None
        left = False
        yield first
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                nonlocal failure
                with send:
                    try:
                        answer = await self._run(
                            recorder, question, files, review, frame, done or {}
                        )
                        send.send_nowait(answer)
                    except ManyhandsError as error:
                        failure = error

            tasks.start_soon(work)
            try:
                async with receive:
                    async for item in receive:
                        yield item
            except GeneratorExit:
                left = True  # let out of the group it would come back wrapped
            tasks.cancel_scope.cancel()
        if failure is not None and not left:
            raise failure

    async def _run(
        self,
        recorder: _Recorder,
        question: Question,
        files: Mapping[str, DataFile],
        review: Review | None,
        frame: Frame | None,
        done: Mapping[str, HandResult],
    ) -> Answer:
        budgets = self.settings.budgets
        purse = Purse(
            Budget(
                tokens=budgets.tokens,
                seconds=budgets.seconds,
                gpu_seconds=budgets.gpu_seconds,
                loads=budgets.loads,
                steps=budgets.steps,
            )
        )
        outcome, error = RunOutcome.STOPPED, ""
        try:
            async with self._tools(recorder, files, purse) as (toolbox, recall):
                run = Run(
                    question=question,
                    toolbox=toolbox,
                    purse=purse,
                    max_steps=budgets.steps,
                    recall=recall,
                    review=review,
                    frame=frame,
                    done=done,
                )
                answer = await run.answer()
            outcome = RunOutcome.ASKED if answer.question_back else RunOutcome.ANSWERED
            return answer
        except Exception as fault:
            outcome, error = RunOutcome.FAILED, str(fault) or type(fault).__name__
            raise
        finally:
            # Written also when the task is cancelled: no await stands between here and the disk.
            recorder.record(
                RunFinished(
                    outcome=outcome,
                    seconds=purse.seconds,
                    spend=purse.spent.model_dump(mode="json"),
                    error=error,
                )
            )

    @asynccontextmanager
    async def _tools(
        self,
        recorder: _Recorder,
        files: Mapping[str, DataFile],
        purse: Purse,
    ) -> AsyncIterator[tuple[Toolbox, Recall | None]]:
        from manyhands.hands.bench import Bench
        from manyhands.hands.voice import Voice

        async with (
            self._models() as models,
            Bench(self.settings.sandbox.policy()) as bench,
        ):
            toolbox = Toolbox(
                voice=Voice(models, self.roles, recorder.emit, purse.charge),
                bench=bench,
                emit=recorder.emit,
                keep=recorder.keep,
                sources={
                    name: Source(
                        name=name,
                        path=str(file.path),
                        file_name=file.file_name,
                        columns=file.column_names,
                        description=file.describe(),
                    )
                    for name, file in files.items()
                },
                note_tokens=self.settings.budgets.note_tokens,
            )
            yield toolbox, self._recall()

    @asynccontextmanager
    async def _models(self) -> AsyncIterator[Models]:
        from manyhands.hands.models import TierModels

        async with TierModels(self.settings) as models:
            yield models

    def _recall(self) -> Recall | None:
        memory = self.settings.memory
        if not memory.enabled or not memory.path.exists():
            return None

        async def recall(question: str) -> tuple[str, Sequence[str]]:
            from manyhands.memory import Memory

            store = await Memory.open(memory.path)
            try:
                hits = await store.recall(question, k=8, budget_tokens=memory.budget_tokens)
            finally:
                await store.close()
            return "\n".join(hit.text for hit in hits), [hit.id for hit in hits]

        return recall


class _Recorder:
    """Numbers a run's events, writes them, and hands them to the door."""

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        seq: int,
        show: Callable[[Event], None],
    ) -> None:
        self._journal = journal
        self._run_id = run_id
        self._seq = seq
        self._show = show

    def record(self, body: Body) -> None:
        event = Event(run_id=self._run_id, seq=self._seq + 1, at=time.time(), body=body)
        if event.durable:
            self._journal.append(event)
            self._seq += 1
        try:
            self._show(event)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the door has left; the journal still has it

    async def emit(self, body: Body) -> None:
        self.record(body)
        await anyio.lowlevel.checkpoint()

    async def keep(self, name: str, media_type: str, content: bytes) -> Artifact:
        artifact_id = await anyio.to_thread.run_sync(
            self._journal.keep, self._run_id, name, media_type, content
        )
        return Artifact(id=artifact_id, name=name, media_type=media_type, size=len(content))


def _history(journal: Journal, conversation_id: str, before: str = "") -> str:
    """Earlier turns of a conversation, condensed; empty for a new one."""
    if not conversation_id:
        return ""
    turns = []
    for run in journal.conversation(conversation_id).runs:
        if run.id == before:
            break
        if run.answer:
            turns.append((run.question, run.answer))
    return history_note(turns, _HISTORY_CHARS)
