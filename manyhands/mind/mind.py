"""The mind: one object that serves every door."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from manyhands import __version__
from manyhands.broker.contracts import Approver, deny_all
from manyhands.broker.policy import Approvals
from manyhands.errors import InputError, ManyhandsError
from manyhands.journal.events import Event, Note, NoteReason, RunOutcome, RunStarted
from manyhands.journal.records import RunState
from manyhands.journal.store import Journal, new_id
from manyhands.mind import past
from manyhands.mind.answer import Answer
from manyhands.mind.beginning import begin, data_of, large_tables
from manyhands.mind.budget import SPARE, Purse
from manyhands.mind.converting import open_given
from manyhands.mind.data import DataFile, in_use, sources_of, unchanged
from manyhands.mind.measures import kept_meter
from manyhands.mind.outside import outside_tools
from manyhands.mind.playing import only_play
from manyhands.mind.question import Question, Review, asked_text
from manyhands.mind.recorder import Recorder, accounted, surely_ended
from manyhands.mind.remembering import Remembering
from manyhands.mind.routes import Routes
from manyhands.mind.run import Run
from manyhands.mind.tools import Toolbox, remote_hands, reviewer_of
from manyhands.redaction import redact

if TYPE_CHECKING:
    from manyhands.roles.model import Role
    from manyhands.settings import Settings

__all__ = ["Mind"]


class Mind:
    """Answers questions with local models whose work is run and checked.

    Args:
        settings: where the models are and what may be spent; the user's own when None.
        roles: the roles by name; when None the shipped and the user's own (`load_roles`).
        door: which door asks; written to the journal.
        simulated: the models are scripted; every answer then says so. `look` asks the server.
        approve: asks a person about an effect; without it nothing that needs asking happens.
        observe: called with every event, for instance to write spans; it must not raise.
        background: nobody waits for the answers: what people ask for elsewhere goes first.
        folder: where its person works: names the project whose memory it uses, and where other
            MCP servers are started; the process's own when None.

    Attributes:
        approvals: what its person has approved for the session; kept from run to run.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        roles: Mapping[str, Role] | None = None,
        door: str = "python",
        simulated: bool = False,
        approve: Approver = deny_all,
        observe: Callable[[Event], None] | None = None,
        background: bool = False,
        folder: Path | None = None,
    ) -> None:
        from manyhands.roles.loader import load_roles
        from manyhands.settings import load_settings

        self.settings = settings if settings is not None else load_settings()
        self.roles = roles if roles is not None else load_roles()
        self._door = door
        self.simulated = self._looked = simulated
        self._approve = approve
        self._observe = observe
        self.background = background
        self._folder = folder
        self.approvals = Approvals()

    async def look(self) -> None:
        """See once whether the server says that its models are scripted."""
        if not self._looked:
            self._looked, self.simulated = True, await only_play(self.settings)

    def journal(self) -> Journal:
        """Open the journal of these settings."""
        return Journal.open(self.settings.journal.path)

    async def ask(
        self,
        question: str,
        *,
        data: Mapping[str, Any] | Sequence[str | Path] | str | Path = (),
        conversation_id: str = "",
        role: str = "",
        hands: bool = True,
        council: bool = False,
        context: Mapping[str, str] | None = None,
        save_folder: Path | None = None,
        review: Review | None = None,
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words.
            data: a path, paths, or name -> path, data frame or list of rows.
            conversation_id: continues this conversation.
            role: the role that writes the answer.
            hands: whether steps may be run; without, the mind answers directly.
            council: have several sides answer apart and decide between them.
            context: label -> text that the door adds (cells, variables); data, not instructions.
            save_folder: where files that the question asks for may be written, after approval.
            review: shown the frame before a plan runs; see `Run`.

        Raises:
            InputError: an empty question, unusable data, or an unknown conversation or role.
            RoleError: the file of the role that was asked for is wrong.
            ManyhandsError: the models, the sandbox or the journal cannot be used.
        """
        answer: Answer | None = None
        stream = self.stream(
            question,
            data=data,
            conversation_id=conversation_id,
            role=role,
            hands=hands,
            council=council,
            context=context,
            save_folder=save_folder,
            review=review,
        )
        async with aclosing(stream) as items:
            async for item in items:
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
        data: Mapping[str, Any] | Sequence[str | Path] | str | Path = (),
        conversation_id: str = "",
        role: str = "",
        hands: bool = True,
        council: bool = False,
        context: Mapping[str, str] | None = None,
        save_folder: Path | None = None,
        review: Review | None = None,
    ) -> AsyncGenerator[Event | Answer]:
        """Like `ask`, but yields each event as it happens, and the answer last.

        Leaving the iteration early (`aclose`, or cancelling the task) stops the run: the model's
        stream is closed at once and the run can be resumed from the journal.
        """
        from manyhands.roles.loader import no_role

        text = asked_text(question)
        if role and role not in self.roles:
            raise no_role(role, self.roles)
        files = await open_given(data, self.settings.sandbox.policy())
        await self.look()
        with in_use(files), self.journal() as journal:
            turns = past.turns(journal, conversation_id)
            run_id = new_id("run")
            asked = Question(
                text=text,
                run_id=run_id,
                conversation_id=conversation_id or new_id("conv"),
                role=role,
                hands=hands,
                turns=turns,
                tainted=past.tainted(journal, conversation_id),
                context={label: redact(said) for label, said in (context or {}).items()},
                council=council,
                save_folder=str(save_folder) if save_folder is not None else "",
                simulated=self.simulated,
            )
            started = RunStarted(
                question=text,
                context=dict(asked.context),
                council=council,
                save_folder=asked.save_folder,
                conversation_id=asked.conversation_id,
                door=self._door,
                data={name: file.origin for name, file in files.items()},
                sha256={name: file.sha256 for name, file in files.items()},
                role=role,
                hands=hands,
                version=__version__,
                simulated=self.simulated,
            )
            first = await begin(journal, run_id, started, files)
            playing = self._play(journal, asked, files, [first], review=review)
            async with aclosing(playing) as items:
                async for item in items:
                    yield item

    async def resume(
        self, run_id: str, *, review: Review | None = None
    ) -> AsyncGenerator[Event | Answer]:
        """Go on with a run that was cut or stopped; finished steps are not done again.

        Raises:
            InputError: the run is unknown, still running or answered, or its data are gone or
                have changed.
        """
        await self.look()
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
            asked = Question(
                text=started.question,
                run_id=record.id,
                conversation_id=started.conversation_id,
                role=started.role,
                hands=started.hands,
                turns=past.turns(journal, started.conversation_id, before=record.id),
                tainted=past.tainted(journal, started.conversation_id),
                context=started.context,
                council=started.council,
                save_folder=started.save_folder,
                simulated=self.simulated,
            )
            opened = await open_given(data_of(journal, started), self.settings.sandbox.policy())
            with in_use(opened):
                files = unchanged(opened, started.sha256)
                await journal.when_free(partial(journal.take_over, record.id))
                playing = self._play(journal, asked, files, events, review=review)
                async with aclosing(playing) as items:
                    async for item in items:
                        yield item

    async def _play(
        self,
        journal: Journal,
        question: Question,
        files: Mapping[str, DataFile],
        events: Sequence[Event],
        *,
        review: Review | None = None,
    ) -> AsyncGenerator[Event | Answer]:
        """Run in a task of its own and hand out its events; leaving cancels the task."""
        send, receive = anyio.create_memory_object_stream[Event | Answer](math.inf)
        watch = self._observe

        def show(event: Event) -> None:
            if watch is not None:
                watch(event)
            send.send_nowait(event)

        recorder = Recorder(journal, question.run_id, events[-1].seq, show)
        if watch is not None:
            watch(events[0])
        failure: ManyhandsError | None = None
        left = False
        async with surely_ended(recorder, self.settings), send, receive:
            yield events[0]
            async with anyio.create_task_group() as tasks:

                async def work() -> None:
                    nonlocal failure
                    with send:
                        try:
                            answer = await self._run(recorder, question, files, review, events)
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
        recorder: Recorder,
        question: Question,
        files: Mapping[str, DataFile],
        review: Review | None,
        events: Sequence[Event],
    ) -> Answer:
        steps = self.settings.budgets.steps
        async with accounted(recorder, self.settings, steps) as ending:
            memory = self._memory(question)
            async with self._tools(
                recorder, files, ending.purse, events, memory, hands=question.hands
            ) as toolbox:
                run = Run(
                    question=question,
                    toolbox=toolbox,
                    purse=ending.purse,
                    max_steps=steps,
                    recall=memory.recall if memory is not None else None,
                    review=review,
                    reached=past.reached(events),
                )
                answer = await run.answer()
                if memory is not None and answer.steps:
                    fault = await memory.keep(answer)
                    if fault:
                        await recorder.emit(Note(reason=NoteReason.MEMORY, text=fault))
            await recorder.let_go(large_tables(files))
            ending.outcome = RunOutcome.ASKED if answer.question_back else RunOutcome.ANSWERED
        return answer

    @asynccontextmanager
    async def _tools(
        self,
        recorder: Recorder,
        files: Mapping[str, DataFile],
        purse: Purse,
        events: Sequence[Event],
        memory: Remembering | None,
        *,
        hands: bool,
    ) -> AsyncIterator[Toolbox]:
        from manyhands.broker.broker import Broker
        from manyhands.hands.bench import Bench
        from manyhands.hands.models import TierModels
        from manyhands.hands.voice import Voice

        async with (
            AsyncExitStack() as stack,
            TierModels(self.settings, door=self._door, background=self.background) as models,
            Bench(self.settings.sandbox.policy()) as bench,
        ):
            meter = stack.enter_context(kept_meter(self.settings, learns=not self.simulated))
            outside = (
                await outside_tools(self.settings, self._folder, recorder.emit) if hands else None
            )
            theirs = outside.rules() if outside is not None else {}
            voice = Voice(models, self.roles, recorder.emit, purse.charge, meter)
            toolbox = Toolbox(
                voice=voice,
                bench=bench,
                emit=recorder.emit,
                keep=recorder.keep,
                open=recorder.open,
                broker=Broker(
                    recorder.emit,
                    self._approve,
                    rules=self.settings.approvals.rules() | theirs,
                    approvals=self.approvals,
                    events=events,
                ),
                sources=sources_of(files),
                note_tokens=self.settings.budgets.note_tokens,
                routes=Routes(self.settings, recorder.run_id, learns=not self.simulated),
                escalate=self.settings.routing.escalate,
                remote=remote_hands(self.settings),
                reviewer=reviewer_of(self.settings, self.roles, voice, purse),
                outside=outside,
                charge=purse.charge,
                spare=lambda: self.settings.hands.second_program and purse.left >= SPARE,
                remember=memory.remember if memory is not None else None,
            )
            try:
                yield toolbox
            finally:
                self.approvals = toolbox.broker.approvals

    def _memory(self, question: Question) -> Remembering | None:
        """Memory, unless it is off or the models only play: scripted words are not remembered."""
        if not self.settings.memory.enabled or self.simulated:
            return None
        given = Path(question.save_folder) if question.save_folder else self._folder
        folder = given if given is not None else Path.cwd()
        return Remembering(self.settings, question.run_id, question.text, folder)
