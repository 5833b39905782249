"""The door: each tool call becomes a job and is waited for as long as its client waits."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyhands.broker.contracts import Choice, Effect
from manyhands.errors import InputError, ManyhandsError
from manyhands.hands.contracts import HandName
from manyhands.jobs.records import JobRecord, JobState, QuestionKind
from manyhands.jobs.runner import Jobs, LiveJob, Work
from manyhands.jobs.store import JobStore
from manyhands.journal.events import Event, ModelLoading
from manyhands.journal.store import Journal
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.remote.hands import META
from manyhands.settings import Settings
from manyhands_mcp import asking
from manyhands_mcp.limits import Limits
from manyhands_mcp.phases import phase_of
from manyhands_mcp.replies import Outcome, of_answer, of_hand, tool_result
from manyhands_mcp.tables import Tables

__all__ = ["LOCAL", "TASK", "Door", "TaskCall", "open_door"]

#: Whoever started the server over stdio, or in the same process: the user of this machine.
LOCAL = "local"
#: How often the mind may ask back within one call.
_MOST_QUESTIONS = 4
#: How long a call waits for a cancelled job to have ended.
_CANCEL_S = 2.0

ToolReply = CallToolResult | InputRequiredResult
Ctx = Context[Any, Any]
JobChanged = Callable[[JobRecord], Awaitable[None]]


@dataclass
class TaskCall:
    """A call whose client polls: it is waited for only a moment, and told its job.

    Attributes:
        wait_s: a job that ends within gives its result at once.
        job_id: the job that the call began; empty when it began none.
    """

    wait_s: float
    job_id: str = ""


#: Set around a call by the tasks extension.
TASK: ContextVar[TaskCall | None] = ContextVar("TASK", default=None)


class Door:
    """What all tools share.

    Attributes:
        principal: says on whose behalf a request speaks; jobs and results are bound to it.
        charts: folder for pictures, beside the journal; None keeps them out of the file system.
        local_only: every client is the user of this machine (stdio, in process).
    """

    def __init__(
        self, mind: Mind, jobs: Jobs, journal: Journal, limits: Limits, tables: Tables
    ) -> None:
        self.mind = mind
        self.jobs = jobs
        self.journal = journal
        self.limits = limits
        self.tables = tables
        self.local_only = True
        self.charts: Path | None = mind.settings.journal.path.parent / "charts"

    @property
    def settings(self) -> Settings:
        return self.mind.settings

    def principal(self, ctx: Ctx) -> str:
        """`local`, or the principal that the HTTP guard has put to the request."""
        return self.principal_of(ctx.request_context.request)

    def principal_of(self, request: object) -> str:
        """The same for a transport's request; there is none on stdio and in process."""
        scope = getattr(request, "scope", None)
        if scope is None:
            return LOCAL
        return str(scope["manyhands.principal"])

    # --- the tools -----------------------------------------------------------------------------

    async def hand(
        self, ctx: Ctx, name: HandName, fields: Mapping[str, Any], data: Sequence[str] = ()
    ) -> ToolReply:
        """Call one hand. `fields` are those of a plan's step."""
        from manyhands.mind.single import plan_step, work_one  # heavy: not at start-up

        with _told():
            mind_step = _mind_step(ctx)
            called = mind_step.names if mind_step is not None else ()
            with _scratch() as scratch:  # the names are needed now, and faults told at once
                names = list(self.tables.find(data, scratch, called))
            called_step = {"id": mind_step.id} if mind_step is not None else {}
            step = plan_step(name, {**fields, "data": names, **called_step})

        async def work(live: LiveJob) -> dict[str, Any]:
            with _scratch() as scratch:
                run_id, result = await work_one(
                    self.mind,
                    step,
                    self.tables.find(data, scratch, called),
                    self._watch(live),
                    "mcp",
                    notes=mind_step.notes if mind_step is not None else None,
                )
            return _kept(live, of_hand(run_id, result, simulated=self.mind.simulated))

        arguments: dict[str, Any] = {**fields, "data": list(data)}
        if mind_step is not None:
            arguments["step"] = mind_step.model_dump(mode="json")
        wait_s = 0.0 if mind_step is not None else None
        return await self.call(ctx, str(name), arguments, work, wait_s)

    async def ask_mind(
        self, ctx: Ctx, question: str, data: Sequence[str], options: Mapping[str, Any]
    ) -> ToolReply:
        """Ask the mind; its own questions and approvals go to the person at the client."""
        person = asking.can_ask(ctx)
        with _told():
            with _scratch() as scratch:
                self.tables.find(data, scratch)
            role = options.get("role", "")
            if role and role not in self.mind.roles:
                raise InputError(
                    f"There is no role {role!r}.", hint=f"Roles: {', '.join(self.mind.roles)}."
                )

        async def work(live: LiveJob) -> dict[str, Any]:
            async def approve(effect: Effect, why: str) -> Choice:
                if not person:
                    return Choice.NO
                said = await live.ask(
                    QuestionKind.APPROVAL, f"{effect.summary}? ({why})", effect.preview
                )
                return Choice.ONCE if said == "yes" else Choice.NO

            mind = Mind(
                self.settings,
                roles=self.mind.roles,
                door="mcp",
                simulated=self.mind.simulated,
                approve=approve,
            )
            with _scratch() as scratch:
                files = self.tables.find(data, scratch)
                answer = await self._answer(mind, live, question, files, dict(options))
            return _kept(live, of_answer(answer))

        arguments = {"question": question, "data": list(data), **options}
        return await self.call(ctx, "ask_mind", arguments, work)

    async def _answer(
        self,
        mind: Mind,
        live: LiveJob,
        question: str,
        files: Mapping[str, Path],
        options: dict[str, Any],
    ) -> Answer:
        watch = self._watch(live)
        for asked in range(_MOST_QUESTIONS + 1):
            answer: Answer | None = None
            async for item in mind.stream(question, data=files, **options):
                if isinstance(item, Answer):
                    answer = item
                else:
                    watch(item)
            assert answer is not None
            if not answer.question_back or asked == _MOST_QUESTIONS:
                break
            question = await live.ask(QuestionKind.QUESTION, answer.question_back)
            if not question:
                break
            options["conversation_id"] = answer.conversation_id
        assert answer is not None
        return answer

    async def recall(self, ctx: Ctx, query: str, most: int) -> ToolReply:
        async def work(live: LiveJob) -> dict[str, Any]:
            from manyhands_mcp import memories  # heavy: not at start-up

            live.tell("looks into the memory")
            return (await memories.recall(self.settings, query, most)).model_dump(mode="json")

        return await self.call(ctx, "recall", {"query": query, "most": most}, work)

    async def remember(self, ctx: Ctx, text: str, subject: str) -> ToolReply:
        person = asking.can_ask(ctx)

        async def work(live: LiveJob) -> dict[str, Any]:
            from manyhands_mcp import memories

            live.tell("writes to the memory")
            kept = await memories.remember(self.settings, live, text, subject, person=person)
            return kept.model_dump(mode="json")

        return await self.call(ctx, "remember", {"text": text, "subject": subject}, work)

    async def job(self, ctx: Ctx, job_id: str, action: str, wait_s: float, text: str) -> ToolReply:
        """Wait for, fetch, answer or cancel a job of the same principal."""
        principal = self.principal(ctx)
        with _told():
            record = self.jobs.get(job_id, principal)
            if action == "cancel":
                return self.reply(ctx, await self.jobs.stop(job_id, principal, _CANCEL_S))
            if action == "answer":
                question = record.question
                if question is None:
                    raise InputError(f"Job {job_id} asks nothing now.", hint="Call action wait.")
                if question.kind is QuestionKind.APPROVAL:
                    raise InputError(
                        "An approval is a person's to give, not a model's.",
                        hint="The client must show the question (elicitation), or the user "
                        "approves at another door.",
                    )
                if not text.strip():
                    raise InputError("The answer is empty.", hint="Put it into `text`.")
                self.jobs.answer(job_id, principal, question.id, text)
        if action == "fetch":
            return self.reply(ctx, record)
        return await self.follow(ctx, job_id, min(wait_s, self.wait_s(ctx)))

    # --- calls and jobs ------------------------------------------------------------------------

    def wait_s(self, ctx: Ctx) -> float:
        known = ctx.session.client_params
        return self.limits.wait_s(known.client_info.name if known is not None else "")

    async def call(
        self,
        ctx: Ctx,
        kind: str,
        arguments: dict[str, Any],
        work: Work,
        wait_s: float | None = None,
    ) -> ToolReply:
        """Start a job, or find the same one, and follow it as long as the client waits.

        Args:
            wait_s: instead of the time that is known of the client.
        """
        principal = self.principal(ctx)
        with _told():
            given = asking.answered(ctx)
            if given is not None:  # the same call again, with the person's answer
                job_id, question_id, said = given
                record = self.jobs.get(job_id, principal)
                self.jobs.answer(job_id, principal, question_id, said)
            else:
                record = self.jobs.start(principal, kind, arguments, work)
        task = TASK.get()
        if task is not None:
            task.job_id = record.id
            return self.reply(ctx, await self.jobs.wait(record.id, principal, task.wait_s))
        return await self.follow(ctx, record.id, self.wait_s(ctx) if wait_s is None else wait_s)

    async def follow(self, ctx: Ctx, job_id: str, seconds: float) -> ToolReply:
        """Wait for a job and tell its progress; the job goes on when the call does not."""
        principal = self.principal(ctx)

        async def tick(record: JobRecord, elapsed_s: float) -> None:
            total = elapsed_s + record.eta_s if record.eta_s else None
            await ctx.report_progress(elapsed_s, total, record.phase or "begins")

        end = anyio.current_time() + seconds
        try:
            while True:
                left = max(0.0, end - anyio.current_time())
                record = await self.jobs.wait(
                    job_id, principal, left, every_s=self.limits.progress_s, tick=tick
                )
                question = record.question
                if record.state is not JobState.NEEDS_INPUT or question is None:
                    return self.reply(ctx, record)
                if not asking.can_ask(ctx):
                    return self.reply(ctx, record)
                if asking.is_modern(ctx):
                    return asking.ask_with_result(job_id, question)
                said = await asking.ask_now(ctx, question, max(1.0, end - anyio.current_time()))
                if said is None:
                    return self.reply(ctx, self.jobs.get(job_id, principal))
                self.jobs.answer(job_id, principal, question.id, said)
        except anyio.get_cancelled_exc_class():
            if not self.limits.detach:
                self.jobs.cancel(job_id, principal)
            raise

    def reply(self, ctx: Ctx, record: JobRecord) -> CallToolResult:
        """The job as it stands, within the client's limits; a result is then delivered."""
        return self.reply_to(self.principal(ctx), record)

    def reply_to(self, principal: str, record: JobRecord) -> CallToolResult:
        """The same for a principal."""
        result = tool_result(
            record,
            max(0.0, (record.finished or self.jobs.store.clock()) - record.created),
            tokens=self.limits.text_tokens,
            read=lambda artifact_id: self.journal.artifact(artifact_id)[2],
            charts=self.charts if principal == LOCAL else None,
        )
        if not record.state.open:
            self.jobs.store.deliver(record.id)
        return result

    def _watch(self, live: LiveJob) -> Callable[[Event], None]:
        """Takes a run's events and keeps the job's phase up to date."""
        usual = self.jobs.store.usual_s(live.record.kind)

        def watch(event: Event) -> None:
            if not live.record.run_id:
                live.began(event.run_id)
            phase = phase_of(event.body)
            if not phase:
                return
            eta = None
            if usual is not None:
                eta = max(0.0, usual - (self.jobs.store.clock() - live.record.created)) or None
            if isinstance(event.body, ModelLoading) and event.body.expected_s:
                eta = max(eta or 0.0, event.body.expected_s - event.body.elapsed_s) or None
            live.tell(phase, eta)

        return watch


class _MindStep(BaseModel):
    """What a mind on another machine tells about the step that it calls for."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=40)
    notes: str = Field(default="", max_length=100_000)
    names: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,199}$")], ...] = Field(
        default=(), max_length=8
    )


def _mind_step(ctx: Ctx) -> _MindStep | None:
    """The same from a request's `_meta`; None for any other client."""
    meta: Mapping[str, Any] = ctx.request_context.meta or {}
    if META not in meta:
        return None
    try:
        return _MindStep.model_validate(meta[META])
    except ValidationError as error:
        raise InputError(f"The request's _meta {META!r} is not as it should be.") from error


def _kept(live: LiveJob, outcome: Outcome) -> dict[str, Any]:
    live.artifacts.extend(item.id for item in outcome.artifacts)
    live.artifacts.extend(outcome.more_artifacts)
    return outcome.model_dump(mode="json")


@contextmanager
def _told() -> Any:
    """Foreseeable faults as text that the client's model can act on."""
    try:
        yield
    except ManyhandsError as error:
        raise ToolError(str(error)) from error


@contextmanager
def _scratch() -> Any:
    folder = Path(tempfile.mkdtemp(prefix="manyhands-mcp-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def open_door(
    mind: Mind, *, limits: Limits | None = None, folders: Sequence[Path] = ()
) -> AsyncIterator[Door]:
    """A door with its jobs, which live as long as this context.

    Args:
        limits: those of the settings when None.
        folders: data files are read only below these.

    Raises:
        StorageError: the journal or the file of jobs cannot be used.
    """
    budgets = mind.settings.budgets
    if limits is None:
        limits = Limits(known_s=budgets.wait_s, unknown_s=budgets.wait_unknown_client_s)
    store = JobStore.open(mind.settings.journal.path.parent / "jobs.db")
    try:
        with mind.journal() as journal:
            async with Jobs(store) as jobs:
                yield Door(mind, jobs, journal, limits, Tables(tuple(folders)))
    finally:
        store.close()
