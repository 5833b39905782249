"""The tasks extension (SEP-2663): the same jobs, for clients that know how to poll.

A client that declares `io.modelcontextprotocol/tasks` gets a task for every call that takes longer
than a moment, and reads, answers and cancels it by the extension's own methods. The task's id is
the job's: the tool `job` and `manyhands://jobs/ID` show the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    ElicitResult,
    EmptyResult,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field, ValidationError

from manyhands.errors import InputError
from manyhands.jobs.records import JobRecord, JobState
from manyhands.jobs.store import KEPT_S
from manyhands_mcp import asking
from manyhands_mcp.door import TASK, Door, TaskCall

__all__ = ["TASKS", "Tasks"]

TASKS = "io.modelcontextprotocol/tasks"
#: A call that ends sooner gives its result and no task.
_AT_ONCE_S = 0.3
_POLL_MS = 2_000
#: How long a cancel waits for the job to have ended; it is answered the same way afterwards.
_CANCEL_S = 2.0

_STATUS = {
    JobState.RUNNING: "working",
    JobState.NEEDS_INPUT: "input_required",
    JobState.DONE: "completed",
    # The tool ran and says what went wrong: that is a result. The other two are not.
    JobState.FAILED: "completed",
    JobState.BROKEN: "failed",
    JobState.CUT: "failed",
    JobState.CANCELLED: "cancelled",
}

Ctx = ServerRequestContext[Any, Any]


class TaskParams(RequestParams):
    """What `tasks/get` and `tasks/cancel` name."""

    task_id: str = Field(max_length=200)


class TaskUpdateParams(TaskParams):
    """Answers by the key under which they were asked for; unknown keys are passed over."""

    input_responses: dict[str, Any] = Field(default_factory=dict)


class Tasks(Extension):
    """Serves tasks from the jobs of a door."""

    identifier = TASKS

    def __init__(self, door: Door) -> None:
        self._door = door

    def methods(self) -> Sequence[MethodBinding]:
        era = frozenset(MODERN_PROTOCOL_VERSIONS)
        return (
            MethodBinding("tasks/get", TaskParams, self._get, era),
            MethodBinding("tasks/update", TaskUpdateParams, self._update, era),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, era),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Ctx, call_next: CallNext
    ) -> HandlerResult:
        del params
        if not _declared(ctx):
            return await call_next(ctx)
        call = TaskCall(_AT_ONCE_S)
        token = TASK.set(call)
        try:
            result = await call_next(ctx)
        finally:
            TASK.reset(token)
        if not call.job_id:
            return result
        record = await self._door.jobs.now(call.job_id, self._door.principal_of(ctx.request))
        if not record.state.open:
            return result
        return {"resultType": "task", **_fields(record)}

    async def _get(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        record = await self._record(ctx, params.task_id)
        told = _fields(record)
        match _STATUS[record.state]:
            case "input_required":
                if asking.client_can_ask(ctx.session.client_capabilities):
                    told["inputRequests"] = {
                        one.id: asking.request_for(one).model_dump(
                            mode="json", by_alias=True, exclude_none=True
                        )
                        for one in record.questions
                    }
            case "completed":
                principal = self._door.principal_of(ctx.request)
                reply = await self._door.reply_to(principal, record)
                told["result"] = reply.model_dump(mode="json", by_alias=True, exclude_none=True)
            case "failed":
                told["error"] = {"code": INTERNAL_ERROR, "message": told["statusMessage"]}
        return told

    async def _update(self, ctx: Ctx, params: TaskUpdateParams) -> HandlerResult:
        record = await self._record(ctx, params.task_id)
        principal = self._door.principal_of(ctx.request)
        for question in record.questions:
            if question.id not in params.input_responses:
                continue
            try:
                given = ElicitResult.model_validate(params.input_responses[question.id])
            except ValidationError as error:
                raise MCPError(
                    code=INVALID_PARAMS,
                    message=f"inputResponses[{question.id!r}] is no answer to an elicitation.",
                ) from error
            said = asking.reply_of(given, question.kind)
            await self._door.jobs.give(record.id, principal, question.id, said)
        return EmptyResult()

    async def _cancel(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        record = await self._record(ctx, params.task_id)
        principal = self._door.principal_of(ctx.request)
        await self._door.jobs.stop(record.id, principal, _CANCEL_S)
        return EmptyResult()

    async def _record(self, ctx: Ctx, task_id: str) -> JobRecord:
        """The job of this principal behind a task; checks what a router in between was told."""
        require_client_extension(ctx, TASKS)
        headers = getattr(ctx.request, "headers", None)  # there are none on stdio
        if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
            raise MCPError(
                code=HEADER_MISMATCH,
                message=f"{MCP_NAME_HEADER} header does not match the request body's 'taskId'",
            )
        try:
            return await self._door.jobs.now(task_id, self._door.principal_of(ctx.request))
        except InputError as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error


def _declared(ctx: Ctx) -> bool:
    capabilities = ctx.session.client_capabilities
    declared = capabilities.extensions if capabilities is not None else None
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and TASKS in (declared or {})


def _fields(record: JobRecord) -> dict[str, Any]:
    """What every message about a task holds."""
    said = record.error or record.phase or str(record.state)
    if record.state is JobState.CUT:
        said = f"Cut: the server ended before `{record.kind}` was done. Call it again."
    if record.question is not None:
        said = record.question.text
    return {
        "taskId": record.id,
        "status": _STATUS[record.state],
        "statusMessage": said,
        "createdAt": _iso(record.created),
        "lastUpdatedAt": _iso(record.updated or record.created),
        "ttlMs": int(KEPT_S * 1000),
        "pollIntervalMs": _POLL_MS,
    }


def _iso(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
