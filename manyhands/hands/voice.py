"""One call of a role: the only place above the engines where a model is spoken to."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from manyhands.engines.contracts import ChatRequest, Delta, DoneReason, Message, Reply
from manyhands.errors import BudgetExceeded, ContextOverflow, EngineError, RoleError, StreamCut
from manyhands.hands.contracts import Spend
from manyhands.hands.places import Emit, ModelPlace, Models, Planned
from manyhands.hands.tokens import PER_MESSAGE, Meter
from manyhands.journal.events import Generating, Note, NoteReason, Said
from manyhands.recover import SentMessage
from manyhands.redaction import redact
from manyhands.roles.model import Role
from manyhands.schedule.model import Outlook

__all__ = ["Spoken", "Voice", "digest", "digest_of"]

#: Seconds between two progress events of one generation (DESIGN: at least one a second).
_PROGRESS_S = 0.5
#: A prompt of this many windows by our estimate is not sent; in between the server judges.
_SURELY_TOO_LONG = 1.25
#: Below this share of what was expected a prompt that hardly fitted was cut.
_CUT_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a role said.

    Attributes:
        truncated: the model stopped at its token limit.
    """

    text: str
    thinking: str
    truncated: bool
    model: str
    tier: str
    spend: Spend
    seconds: float

    def as_sent(self) -> SentMessage:
        """The same, as the ladder reads it."""
        return SentMessage(
            content=self.text,
            thinking=self.thinking,
            done_reason="length" if self.truncated else "stop",
        )


def digest_of(request: ChatRequest) -> str:
    """SHA-256 over what a model is told, shown and held to: equal calls have equal digests."""
    shown = [
        hashlib.sha256(base64.b64decode(image)).hexdigest()
        for message in request.messages
        for image in message.images
    ]
    told = [(message.role, message.content) for message in request.messages]
    return digest(told, request.format, shown)


def digest(messages: Sequence[tuple[str, str]], schema: Any, images: Sequence[str] = ()) -> str:
    """The same from the bare parts, as a server sees them; of images their SHA-256."""
    parts = [messages, schema, *([images] if images else [])]
    whole = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode("utf-8", errors="surrogatepass")).hexdigest()


def _texts(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]


def _overflow(role: str, place: ModelPlace, said: str, tokens: int) -> ContextOverflow:
    return ContextOverflow(
        f"The prompt to {role!r} {said}; the window of {place.model!r} has {place.num_ctx}.",
        hint="Give less context, put long text into a file, or raise the tier's num_ctx.",
        prompt_tokens=tokens,
        num_ctx=place.num_ctx,
        model=place.model,
    )


class Voice:
    """Speaks to roles, reports progress, and adds up what it cost.

    Args:
        charge: told the cost of every call at once; raises `BudgetExceeded` when none is left.
        meter: what is known of the models' tokenizers; learns from every call.
    """

    def __init__(
        self,
        models: Models,
        roles: Mapping[str, Role],
        emit: Emit,
        charge: Callable[[Spend], None],
        meter: Meter | None = None,
    ) -> None:
        self._models = models
        self._roles = roles
        self._emit = emit
        self._charge = charge
        self._meter = meter if meter is not None else Meter()
        self._told_budget = False

    def role(self, name: str) -> Role:
        try:
            return self._roles[name]
        except KeyError:
            known = ", ".join(sorted(self._roles))
            raise RoleError(f"There is no role {name!r}.", hint=f"Roles: {known}.") from None

    def tier_above(self, tier: str) -> str | None:
        return self._models.tier_above(tier)

    async def outlook(self, tiers: Sequence[str]) -> Outlook | None:
        """What loading costs where these tiers are served; None where that cannot be told."""
        return await self._models.outlook(tiers)

    async def announce(self, calls: Sequence[Planned]) -> None:
        """Tell what a plan will come to, so that its models are loaded in time."""
        await self._models.announce(calls)

    def model_of(self, tier: str) -> str:
        return self._models.place(tier).model

    def served_by(self, role_name: str) -> tuple[str, int]:
        """The model that serves a role, and its window in tokens."""
        role = self.role(role_name)
        place = self._models.place(role.tier, role.adapter_model)
        return place.model, place.num_ctx

    def room(self, role_name: str, tier: str = "") -> int:
        """Tokens that a prompt to this role may have: the window without the answer's share.

        A role whose answer's budget takes more than half of a small window gets half of it.
        """
        role = self.role(role_name)
        window = self._models.place(tier or role.tier, role.adapter_model).num_ctx
        return max(window - role.num_predict, window // 2)

    def free(self, role_name: str, tier: str = "") -> int:
        """Tokens of the room that system prompt and examples leave to the user's message."""
        role = self.role(role_name)
        told = [role.prompt, *(example.content for example in role.messages)]
        used = sum(self.tokens(text, role_name, tier) + PER_MESSAGE for text in told)
        return self.room(role_name, tier) - used - PER_MESSAGE

    def tokens(self, text: str, role_name: str, tier: str = "") -> int:
        """How many tokens a text is for the model of a role, by the server's counts so far."""
        role = self.role(role_name)
        place = self._models.place(tier or role.tier, role.adapter_model)
        return self._meter.tokens(text, place.model)

    async def say(
        self,
        role_name: str,
        prompt: str,
        *,
        step: str = "",
        tier: str = "",
        history: Sequence[Message] = (),
        schema: dict[str, Any] | None = None,
        images: Sequence[bytes] = (),
        calm: bool = False,
        on_text: Callable[[str], Awaitable[None]] | None = None,
        on_anew: Callable[[], None] | None = None,
    ) -> Spoken:
        """Send `prompt` to a role and return all it said.

        Args:
            tier: serve it from another tier than the role's own.
            schema: JSON schema that the answer is held to by grammar.
            images: PNG contents that go with the prompt.
            calm: the one retry: thinking off and temperature 0.
            on_text: receives the answer piece by piece.
            on_anew: told that the answer begins from its start again, on another host.

        Raises:
            ContextOverflow: the prompt is longer than the window, or the server cut it.
            EngineError: the call failed after its transport retries.
            BudgetExceeded: the run's budget is used up.
        """
        role = self.role(role_name)
        await self._within_budget(step)
        place = self._models.place(tier or role.tier, role.adapter_model)
        request = self._request(role, place, prompt, history, schema, images, calm=calm)
        expected = request.estimate_tokens or 0
        if expected > _SURELY_TOO_LONG * place.num_ctx:
            raise _overflow(role_name, place, f"needs about {expected} tokens", expected)
        started = time.monotonic()
        place, loading, reply = await self._served(
            role_name, place, request, step, on_text, on_anew
        )
        usage = reply.usage
        self._mind_the_count(role_name, place, expected, usage.prompt_tokens)
        if not images:  # a count with pictures in it says nothing of the words
            self._meter.learn(place.model, _texts(request.messages), usage.prompt_tokens)
        spend = Spend(
            calls=1,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            model_s=usage.prompt_s + usage.eval_s,
        )
        seconds = time.monotonic() - started
        await self._emit(
            Said(
                role=role_name,
                tier=place.tier,
                model=place.model,
                step=step,
                digest=digest_of(request),
                text=reply.content,
                thinking=reply.thinking,
                done_reason=str(reply.done_reason),
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                seconds=seconds,
            )
        )
        self._charge(spend)
        return Spoken(
            text=reply.content,
            thinking=reply.thinking,
            truncated=reply.done_reason is DoneReason.LENGTH,
            model=place.model,
            tier=place.tier,
            spend=loading + spend,
            seconds=seconds,
        )

    async def _served(
        self,
        role_name: str,
        wanted: ModelPlace,
        request: ChatRequest,
        step: str,
        on_text: Callable[[str], Awaitable[None]] | None,
        on_anew: Callable[[], None] | None,
    ) -> tuple[ModelPlace, Spend, Reply]:
        """The reply, from another host where one fails; the call is then made from its start.

        That is safe: a call to a model changes nothing outside, and what was said before the
        failure is thrown away.
        """
        loading = Spend()
        tried: list[str] = []
        while True:
            place, cost = await self._models.ready(wanted, self._emit, without=tried)
            self._charge(cost)
            loading += cost
            try:
                return place, loading, await self._listen(role_name, place, request, step, on_text)
            except EngineError as error:
                tried.append(place.host)
                if not self._models.passes_on(place, error, tried):
                    raise
                await self.note(
                    NoteReason.FAILOVER,
                    f"{place.host}: {error.message} Another host is asked.",
                    step,
                )
                if on_anew is not None:
                    on_anew()

    def _request(
        self,
        role: Role,
        place: ModelPlace,
        prompt: str,
        history: Sequence[Message],
        schema: dict[str, Any] | None,
        images: Sequence[bytes],
        *,
        calm: bool,
    ) -> ChatRequest:
        sampling = dict(role.sampling_options())
        if calm:
            sampling["temperature"] = 0.0
        examples = [Message(role=item.role, content=item.content) for item in role.messages]
        messages = (
            Message(role="system", content=role.prompt),
            *examples,
            *history,
            Message(
                role="user",
                content=redact(prompt),
                images=tuple(base64.b64encode(one).decode("ascii") for one in images),
            ),
        )
        return ChatRequest(
            model=place.model,
            messages=messages,
            estimate_tokens=self._meter.prompt_tokens(_texts(messages), place.model),
            num_ctx=place.num_ctx,
            format=schema,
            think=(role.think and not calm) if place.thinks else None,
            sampling=sampling,
            num_predict=role.num_predict,
        )

    async def _within_budget(self, step: str) -> None:
        """Whether another call may be made; the first one that may not is told as an event."""
        try:
            self._charge(Spend())
        except BudgetExceeded as error:
            if not self._told_budget:
                self._told_budget = True
                await self.note(NoteReason.BUDGET, f"{error}", step)
            raise

    def _mind_the_count(self, role: str, place: ModelPlace, expected: int, counted: int) -> None:
        """A server that ignores `truncate: false` cuts without a word; its count betrays it.

        Cut tokens leave a prompt that fills the window to the last one; dropped messages leave
        one that is far shorter than what was sent.
        """
        dropped = (
            self._meter.knows(place.model)
            and expected > place.num_ctx
            and 0 < counted < _CUT_SHARE * expected
        )
        if dropped or counted >= place.num_ctx:
            expected = max(expected, counted)
            said = f"was about {expected} tokens long and the server read {counted}: it was cut"
            raise _overflow(role, place, said, expected)

    async def _listen(
        self,
        role_name: str,
        place: ModelPlace,
        request: ChatRequest,
        step: str,
        on_text: Callable[[str], Awaitable[None]] | None,
    ) -> Reply:
        tokens = 0
        started = told = time.monotonic()
        async with aclosing(self._models.stream(place, request)) as parts:
            async for part in parts:
                if isinstance(part, Reply):
                    return part
                assert isinstance(part, Delta)
                tokens += part.tokens
                now = time.monotonic()
                if now - told >= _PROGRESS_S:
                    told = now
                    await self._emit(
                        Generating(
                            step=step,
                            role=role_name,
                            model=place.model,
                            tokens=tokens,
                            seconds=now - started,
                            thinking=not part.content,
                        )
                    )
                if on_text is not None and part.content:
                    await on_text(part.content)
        raise StreamCut(
            f"The stream of {place.model!r} ended without an answer.",
            hint="Ask again; if it repeats, look at the server's log.",
            model=place.model,
        )

    async def note(self, reason: NoteReason, text: str, step: str = "") -> None:
        await self._emit(Note(reason=reason, text=text, step=step))
