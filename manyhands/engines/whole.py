"""What every engine owes its callers: an answer is whole or an error, and the prompt was read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing

from manyhands.engines.clocks import Clocks
from manyhands.engines.contracts import ChatRequest, Deadlines, Delta, DoneReason, Reply
from manyhands.errors import AnswerTruncated, ContextOverflow, StreamCut

__all__ = ["ChatStreams"]

#: Below this share of our own (upper-leaning) estimate a prompt was evidently cut.
_CUT_SHARE = 0.25
_SMALL_PROMPT = 512


class ChatStreams(ABC):
    """The calls that answer, as every engine has them; an engine says how one is sent and read.

    Attributes:
        url: scheme, host and port, without a slash at the end.
        cut_hint: what to do about a server that cuts prompts.
    """

    url: str
    cut_hint: str
    _deadlines: Deadlines

    @abstractmethod
    def _parts(
        self, request: ChatRequest, clocks: Clocks
    ) -> AbstractAsyncContextManager[AsyncGenerator[Delta | Reply]]:
        """Send a request; what comes back, piece by piece, the connection closed at the end."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta | Reply]:
        """The answer piece by piece; the `Reply` comes last and once.

        Closing the generator closes the connection at once, which stops the generation: iterate
        within `contextlib.aclosing`.

        Raises:
            EngineError: see `manyhands.errors`; nothing is retried after a token was seen.
        """
        clocks = Clocks(request.deadlines or self._deadlines, self.url, request.model)
        async with self._parts(request, clocks) as parts, aclosing(parts):
            async for part in parts:
                if isinstance(part, Reply):
                    self._refuse_cut_prompt(request, part)
                yield part

    async def chat(self, request: ChatRequest, *, whole: bool = True) -> Reply:
        """The whole answer.

        Raises:
            AnswerTruncated: the model reached its token limit and `whole` is wanted.
            StreamCut: the stream ended without a reply.
        """
        where = {"host": self.url, "model": request.model}
        async with aclosing(self.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, Reply):
                    if whole and part.done_reason is DoneReason.LENGTH:
                        limit = part.usage.completion_tokens
                        raise AnswerTruncated(
                            f"{request.model!r} stopped at its limit of {limit} tokens.",
                            partial=part.content,
                            hint="Raise the role's budget, or ask for less.",
                            **where,
                        )
                    return part
        raise StreamCut("The stream ended without a reply.", **where)

    def _refuse_cut_prompt(self, request: ChatRequest, reply: Reply) -> None:
        """Fail loudly when the server counted far fewer tokens than were sent."""
        estimate, counted = request.estimate_tokens, reply.usage.prompt_tokens
        if estimate and estimate > _SMALL_PROMPT and 0 < counted < estimate * _CUT_SHARE:
            raise ContextOverflow(
                f"{request.model!r} read {counted} tokens of a prompt of about {estimate}: "
                "the server cut it.",
                prompt_tokens=estimate,
                num_ctx=request.num_ctx,
                hint=self.cut_hint,
                host=self.url,
                model=request.model,
            )
