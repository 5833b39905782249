"""The door: each tool call becomes a job and is waited for as long as its client waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult

from manyhands.errors import InputError, ManyhandsError, StorageBusy
from manyhands.hands.contracts import OWN_WORD, HandName
from manyhands.jobs.records import JobRecord, JobState, QuestionKind
from manyhands.jobs.runner import Jobs, Work
from manyhands.jobs.store import JOBS_FILE, JobStore
from manyhands.journal.store import Journal
from manyhands.mind.mind import Mind
from manyhands.remote.hands import META
from manyhands.settings import Settings
from manyhands_mcp import asking
from manyhands_mcp.caller import LOCAL, Caller
from manyhands_mcp.limits import Limits
from manyhands_mcp.replies import tool_result
from manyhands_mcp.served import Served
from manyhands_mcp.tables import Tables
from manyhands_mcp.works import Works

__all__ = ["TASK", "Door", "TaskCall", "open_door"]

#: What may take longer than a client waits, and so is left to `manyhands serve`.
_LONG = frozenset({*map(str, HandName), "ask_mind"})
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
        served: hands jobs to `manyhands serve`; None where they are always ours.
        local_only: every client is the user of this machine (stdio, in process).
        folder: where the server was started; see `Caller`.
    """

    def __init__(
        self,
        mind: Mind,
        jobs: Jobs,
        journal: Journal,
        limits: Limits,
        tables: Tables,
        served: Served | None = None,
    ) -> None:
        self.mind = mind
        self.works = Works(mind, jobs.store)
        self.served = served
        self.jobs = jobs
        self.journal = journal
        self.limits = limits
        self.tables = tables
        self.local_only = True
        self.folder = Path.cwd()
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
        arguments: dict[str, Any] = {**fields, "data": list(data)}
        meta: Mapping[str, Any] = ctx.request_context.meta or {}
        if META not in meta:
            return await self.work(ctx, str(name), arguments)
        # A mind on another machine: it wants the job's id at once, and waits by `job`.
        return await self.work(ctx, str(name), {**arguments, "step": meta[META]}, 0.0)

    async def verify(
        self, ctx: Ctx, claim: str, data: Sequence[str], subject: str, cell: int
    ) -> ToolReply:
        """Call `verify`, what it names as its subject found first."""
        fields: dict[str, Any] = {"task": claim or OWN_WORD}
        if subject:
            from manyhands.hands.subjects import subject_text  # heavy: not at start-up

            def artifact(artifact_id: str) -> bytes:
                principal = self.principal(ctx)
                if principal != LOCAL and not self.jobs.store.owns_artifact(principal, artifact_id):
                    raise InputError(f"No artifact {artifact_id!r}.", hint="It may be another's.")
                return self.journal.artifact(artifact_id)[2]

            with _told():
                fields["subject"] = subject_text(subject, artifact, self.tables.path, cell)
        elif not claim:
            raise ToolError("Give a `claim` about `data`, or a `subject`. Call again with one.")
        return await self.hand(ctx, HandName.VERIFY, fields, data)

    async def work(
        self, ctx: Ctx, kind: str, arguments: dict[str, Any], wait_s: float | None = None
    ) -> ToolReply:
        """Do what a tool is for, as a job: of `manyhands serve` where that runs, else of ours."""
        caller = self.caller(ctx)
        with _told():
            work = self.works.make(kind, arguments, caller)
        served = self.served if caller.principal == LOCAL and kind in _LONG else None
        if served is not None and asking.answered(ctx) is None:
            with _told():
                job_id = await served.start(kind, arguments, caller)
            if job_id:
                return await self._follow_call(ctx, job_id, wait_s)
        with _told():
            about = self.works.about(arguments, caller)
        return await self.call(ctx, kind, arguments, work, wait_s, about=about)

    def caller(self, ctx: Ctx) -> Caller:
        principal = self.principal(ctx)
        return Caller(
            principal=principal,
            tables=self.tables,
            folder=self.folder,
            person=asking.can_ask(ctx),
            memory=principal == LOCAL or self.settings.memory.over_http,
        )

    async def job(self, ctx: Ctx, job_id: str, action: str, wait_s: float, text: str) -> ToolReply:
        """Wait for, fetch, answer or cancel a job of the same principal."""
        principal = self.principal(ctx)
        with _told():
            record = await self.jobs.now(job_id, principal)
            given = asking.answered(ctx)
            if given is not None:  # the same call again, with the person's answer
                _, question_id, said = given
                await self.jobs.give(job_id, principal, question_id, said)
                return await self.follow(ctx, job_id, min(wait_s, self.wait_s(ctx)))
            if action == "cancel":
                return await self.reply(ctx, await self.jobs.stop(job_id, principal, _CANCEL_S))
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
                await self.jobs.give(job_id, principal, question.id, text)
        if action == "fetch":
            return await self.reply(ctx, record)
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
        *,
        about: str = "",
    ) -> ToolReply:
        """Start a job, or find the same one, and follow it as long as the client waits.

        Args:
            wait_s: instead of the time that is known of the client.
            about: see `Works.about`.
        """
        principal = self.principal(ctx)
        with _told():
            given = asking.answered(ctx)
            if given is not None:  # the same call again, with the person's answer
                job_id, question_id, said = given
                record = self.jobs.get(job_id, principal)
                await self.jobs.give(job_id, principal, question_id, said)
            else:
                record = await self.jobs.start(principal, kind, arguments, work, about=about)
        return await self._follow_call(ctx, record.id, wait_s)

    async def _follow_call(self, ctx: Ctx, job_id: str, wait_s: float | None) -> ToolReply:
        task = TASK.get()
        if task is not None:
            task.job_id = job_id
            principal = self.principal(ctx)
            return await self.reply(ctx, await self.jobs.wait(job_id, principal, task.wait_s))
        return await self.follow(ctx, job_id, self.wait_s(ctx) if wait_s is None else wait_s)

    async def follow(self, ctx: Ctx, job_id: str, seconds: float) -> ToolReply:
        """Wait for a job and tell its progress; the job goes on when the call does not."""
        principal = self.principal(ctx)

        async def tick(record: JobRecord, elapsed_s: float) -> None:
            total = elapsed_s + record.eta_s if record.eta_s else None
            await ctx.report_progress(elapsed_s, total, record.phase or "begins")

        end = anyio.current_time() + seconds
        with _told():
            self.jobs.watch(job_id, principal)  # so that who listens for it gets word
        try:
            while True:
                left = max(0.0, end - anyio.current_time())
                record = await self.jobs.wait(
                    job_id, principal, left, every_s=self.limits.progress_s, tick=tick
                )
                question = record.question
                if record.state is not JobState.NEEDS_INPUT or question is None:
                    return await self.reply(ctx, record)
                if not asking.can_ask(ctx):
                    return await self.reply(ctx, record)
                if asking.is_modern(ctx):
                    return asking.ask_with_result(job_id, question)
                said = await asking.ask_now(ctx, question, max(1.0, end - anyio.current_time()))
                if said is None:
                    return await self.reply(ctx, await self.jobs.now(job_id, principal))
                await self.jobs.give(job_id, principal, question.id, said)
        except anyio.get_cancelled_exc_class():
            if not self.limits.detach:
                with anyio.move_on_after(_CANCEL_S, shield=True):
                    await self.jobs.stop(job_id, principal, 0.0)
            raise

    async def reply(self, ctx: Ctx, record: JobRecord) -> CallToolResult:
        """The job as it stands, within the client's limits; a result is then delivered."""
        return await self.reply_to(self.principal(ctx), record)

    async def reply_to(self, principal: str, record: JobRecord) -> CallToolResult:
        """The same for a principal."""
        result = tool_result(
            record,
            max(0.0, (record.finished or self.jobs.store.clock()) - record.created),
            tokens=self.limits.text_tokens,
            read=lambda artifact_id: self.journal.artifact(artifact_id)[2],
            charts=self.charts if principal == LOCAL else None,
        )
        if not record.state.open:
            store = self.jobs.store
            with suppress(StorageBusy):  # better told twice than not at all
                await store.when_free(partial(store.deliver, record.id))
        return result


@contextmanager
def _told() -> Any:
    """Foreseeable faults as text that the client's model can act on."""
    try:
        yield
    except ManyhandsError as error:
        raise ToolError(str(error)) from error


@asynccontextmanager
async def open_door(
    mind: Mind,
    *,
    limits: Limits | None = None,
    folders: Sequence[Path] = (),
    own_jobs: bool = False,
) -> AsyncIterator[Door]:
    """A door with its jobs, which live as long as this context.

    Args:
        limits: those of the settings when None.
        folders: data files are read only below these.
        own_jobs: no job is left to `manyhands serve`.

    The jobs of this machine's user are those of `manyhands serve` where that runs: they outlive
    this context. All others are cut at its end.

    Raises:
        StorageError: the journal or the file of jobs cannot be used.
    """
    budgets = mind.settings.budgets
    if limits is None:
        limits = Limits(known_s=budgets.wait_s, unknown_s=budgets.wait_unknown_client_s)
    store = JobStore.open(mind.settings.journal.path.with_name(JOBS_FILE))
    try:
        with mind.journal() as journal:
            # Scripted models are reached by settings that no other process has.
            served = None if mind.simulated or own_jobs else Served(mind.settings, mind.roles)
            async with Jobs(store, elsewhere=served) as jobs:
                yield Door(mind, jobs, journal, limits, Tables(tuple(folders)), served)
    finally:
        store.close()
