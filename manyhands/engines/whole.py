"""What every engine owes its callers: an answer is whole or an error, and the prompt was read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from manyhands.engines.contracts import ChatRequest, Delta, DoneReason, Reply
from manyhands.errors import AnswerTruncated, ContextOverflow, StreamCut

__all__ = ["refuse_cut_prompt", "whole_reply"]

#: Below this share of our own (upper-leaning) estimate a prompt was evidently cut.
_CUT_SHARE = 0.25
_SMALL_PROMPT = 512


async def whole_reply(
    parts: AsyncGenerator[Delta | Reply], *, host: str, model: str, whole: bool
) -> Reply:
    """The reply at the end of a stream, which is closed.

    Raises:
        AnswerTruncated: the model reached its token limit and `whole` is wanted.
        StreamCut: the stream ended without a reply.
    """
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Reply):
                if whole and part.done_reason is DoneReason.LENGTH:
                    raise AnswerTruncated(
                        f"{model!r} stopped at its limit of {part.usage.completion_tokens} tokens.",
                        partial=part.content,
                        host=host,
                        model=model,
                        hint="Raise the role's budget, or ask for less.",
                    )
                return part
    raise StreamCut("The stream ended without a reply.", host=host, model=model)


def refuse_cut_prompt(request: ChatRequest, reply: Reply, *, host: str, hint: str) -> None:
    """Fail loudly when the server counted far fewer tokens than were sent."""
    estimate, counted = request.estimate_tokens, reply.usage.prompt_tokens
    if estimate and estimate > _SMALL_PROMPT and 0 < counted < estimate * _CUT_SHARE:
        raise ContextOverflow(
            f"{request.model!r} read {counted} tokens of a prompt of about {estimate}: "
            "the server cut it.",
            prompt_tokens=estimate,
            num_ctx=request.num_ctx,
            hint=hint,
            host=host,
            model=request.model,
        )
