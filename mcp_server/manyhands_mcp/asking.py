"""Putting a job's question to the person at the client, in both eras of the protocol."""

from __future__ import annotations

from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import (
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from manyhands.jobs.records import JobQuestion, QuestionKind

__all__ = [
    "answered",
    "ask_now",
    "ask_with_result",
    "can_ask",
    "client_can_ask",
    "is_modern",
    "reply_of",
    "request_for",
]

_KEY = "answer"


def is_modern(ctx: Context[Any, Any]) -> bool:
    """Whether the request speaks the revision without server-to-client requests."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the client can show a person a question."""
    return client_can_ask(ctx.client_capabilities)


def client_can_ask(declared: ClientCapabilities | None) -> bool:
    """The same, from what the client has declared."""
    return declared is not None and declared.elicitation is not None


def _form(question: JobQuestion) -> ElicitRequestFormParams:
    if question.kind is QuestionKind.APPROVAL:
        field = {"type": "boolean", "title": "Allow", "description": "Allow exactly this, once"}
    else:
        field = {"type": "string", "title": "Answer", "description": "Your answer"}
    message = f"{question.text}\n\n{question.detail}" if question.detail else question.text
    return ElicitRequestFormParams(
        message=message,  # never cut: a person approves what they see
        requested_schema={"type": "object", "properties": {_KEY: field}, "required": [_KEY]},
    )


def request_for(question: JobQuestion) -> ElicitRequest:
    """The question as a request that a client can show."""
    return ElicitRequest(params=_form(question))


def reply_of(result: ElicitResult, kind: QuestionKind) -> str:
    """The answer as the job takes it: a text, or `yes` and `no` for an approval.

    Declined and dismissed mean no approval, and an empty answer.
    """
    content = result.content if result.action == "accept" else None
    given = (content or {}).get(_KEY)
    if kind is QuestionKind.APPROVAL:
        return "yes" if given is True else "no"
    return given.strip()[:20_000] if isinstance(given, str) else ""


async def ask_now(ctx: Context[Any, Any], question: JobQuestion, seconds: float) -> str | None:
    """Ask by a request of our own (handshake era); None when no answer came in time."""
    form = _form(question)
    with anyio.move_on_after(seconds):
        try:
            result = await ctx.session.elicit_form(
                form.message, form.requested_schema, ctx.request_id
            )
        except MCPError:
            return None
        return reply_of(result, question.kind)
    return None


def ask_with_result(job_id: str, question: JobQuestion) -> InputRequiredResult:
    """Ask by the result (2026 era); the server seals the state, so that it cannot be forged."""
    return InputRequiredResult(
        input_requests={_KEY: request_for(question)},
        request_state=f"{job_id} {question.id} {question.kind}",
    )


def answered(ctx: Context[Any, Any]) -> tuple[str, str, str] | None:
    """Job id, question id and answer of a retried call; None for a first call."""
    if ctx.request_state is None:
        return None
    job_id, question_id, kind = ctx.request_state.split(" ")
    given = (ctx.input_responses or {}).get(_KEY)
    result = given if isinstance(given, ElicitResult) else ElicitResult(action="cancel")
    return job_id, question_id, reply_of(result, QuestionKind(kind))
