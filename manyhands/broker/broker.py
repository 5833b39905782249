"""The broker: decides, asks, writes the intent down, and only then lets an effect happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace

import anyio
from pydantic import JsonValue

from manyhands.broker.contracts import (
    Approver,
    Choice,
    Effect,
    EffectState,
    Origin,
    Outcome,
    Rule,
    Verdict,
    deny_all,
)
from manyhands.broker.policy import Approvals, decide
from manyhands.errors import ManyhandsError
from manyhands.journal.events import Body, EffectDecided, EffectFinished, EffectIntended, Event

__all__ = ["Broker"]

Emit = Callable[[Body], Awaitable[None]]
Act = Callable[[], Awaitable[JsonValue]]


class Broker:
    """One for a run; every effect of the run goes through `perform`.

    Args:
        emit: writes an event to the journal before it returns.
        approve: asks a person; where nobody can be asked, everything that needs asking is denied.
        rules: what the settings say, by tool.
        approvals: what was approved before, for instance in this session.
        events: of the run so far, when it is resumed: effects that were done are not done again.
    """

    def __init__(
        self,
        emit: Emit,
        approve: Approver = deny_all,
        *,
        rules: Mapping[str, Rule] | None = None,
        approvals: Approvals | None = None,
        events: Iterable[Event] = (),
    ) -> None:
        self._emit = emit
        self._approve = approve
        self._rules = dict(rules or {})
        self.approvals = approvals or Approvals()
        self._intended: set[str] = set()
        self._finished: dict[str, Outcome] = {}
        for event in events:
            match event.body:
                case EffectIntended(digest=digest):
                    self._intended.add(digest)
                case EffectFinished(digest=digest, state=state, detail=detail, result=result):
                    if state == EffectState.DONE:
                        self._finished[digest] = Outcome(EffectState(state), detail, result)
                    else:
                        self._intended.discard(digest)

    async def perform(self, effect: Effect, origins: Collection[Origin], act: Act) -> Outcome:
        """Let `act` happen if it may.

        The intent is in the journal before `act` starts. An effect that a former process began
        and of which the end is unknown is asked about again, never simply repeated.

        Args:
            origins: of the text that was in the context when the effect was proposed.
            act: does it; its result goes into the journal. A `ManyhandsError` or `OSError` that
                it raises becomes a `failed` outcome.
        """
        digest = effect.digest
        if digest in self._finished:
            known = self._finished[digest]
            return replace(known, detail=f"already done: {known.detail}")
        uncertain = digest in self._intended
        decision = decide(effect, origins, self._rules, self.approvals)
        verdict, why = decision.verdict, decision.why
        if uncertain and verdict is Verdict.ALLOW:
            verdict = Verdict.ASK
        if uncertain:
            why = "it was begun before a crash and may have happened already"
        choice = Choice.NO
        if verdict is Verdict.ASK:
            choice = await self._approve(effect, replace(decision, verdict=verdict, why=why))
            verdict = Verdict.DENY if choice is Choice.NO else Verdict.ALLOW
            if choice is Choice.SESSION:
                self.approvals = replace(self.approvals, tools=self.approvals.tools | {effect.tool})
        await self._emit(
            EffectDecided(
                tool=effect.tool,
                arguments=effect.arguments,
                digest=digest,
                summary=effect.summary,
                allowed=verdict is Verdict.ALLOW,
                why=why,
                asked=decision.verdict is Verdict.ASK or uncertain,
            )
        )
        if verdict is Verdict.DENY:
            state = EffectState.UNCERTAIN if uncertain else EffectState.DENIED
            asked = decision.verdict is Verdict.ASK
            return Outcome(state, f"not approved ({why})" if asked else f"not done: {why}")
        await self._emit(EffectIntended(tool=effect.tool, digest=digest, summary=effect.summary))
        return await self._act(effect, act)

    async def _act(self, effect: Effect, act: Act) -> Outcome:
        try:
            # A stop waits for an effect that has begun: its end must be known and written.
            with anyio.CancelScope(shield=True):
                result = await act()
                outcome = Outcome(EffectState.DONE, effect.summary, result)
                await self._finish(effect, outcome)
        except (ManyhandsError, OSError) as error:
            outcome = Outcome(EffectState.FAILED, str(error))
            await self._finish(effect, outcome)
        return outcome

    async def _finish(self, effect: Effect, outcome: Outcome) -> None:
        if outcome.state is EffectState.DONE:
            self._finished[effect.digest] = outcome
        await self._emit(
            EffectFinished(
                tool=effect.tool,
                digest=effect.digest,
                state=outcome.state,
                detail=outcome.detail,
                result=outcome.result,
            )
        )
