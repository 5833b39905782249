"""The models of an installation: which host and model serve a tier, loaded when they are needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from manyhands.engines.contracts import ChatRequest, Delta, Engine, Reply
from manyhands.engines.loads import LoadOutcome, ModelKeeper
from manyhands.errors import SettingsError
from manyhands.hands.contracts import Spend
from manyhands.hands.voice import Emit, ModelPlace
from manyhands.journal.events import ModelLoaded, ModelLoading

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["TierModels"]

#: From weak to strong. Where two of them name one model there is nothing to climb to.
_LADDER = ("mind", "expert", "heavy")


class TierModels:
    """Connects tiers to engines; an async context manager that owns the connections.

    A load is owned by a `ModelKeeper` of this process, one for each host, never by the request
    that wanted it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._engines: dict[str, Engine] = {}
        self._keepers: dict[str, ModelKeeper] = {}
        self._told: dict[str, LoadOutcome] = {}

    async def __aenter__(self) -> Self:
        # All keepers are entered here, in one task: a task group must be left where it was entered,
        # and the first call for a host may come from any task of a run.
        await self._stack.__aenter__()
        for name in {spec.host for spec in self._settings.tiers.values()}:
            await self._open(name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def place(self, tier: str, adapter_model: str = "") -> ModelPlace:
        spec = self._settings.tiers.get(tier)
        if spec is None:
            known = ", ".join(self._settings.tiers)
            raise SettingsError(f"There is no tier {tier!r}.", hint=f"Tiers: {known}.")
        return ModelPlace(
            tier=tier,
            model=adapter_model or spec.model,
            num_ctx=spec.num_ctx,
            thinks=spec.think,
        )

    def tier_above(self, tier: str) -> str | None:
        if tier not in _LADDER:
            return None
        model = self.place(tier).model
        for above in _LADDER[_LADDER.index(tier) + 1 :]:
            if above in self._settings.tiers and self.place(above).model != model:
                return above
        return None

    async def _open(self, name: str) -> None:
        from manyhands.engines.ollama import OllamaEngine

        engine = OllamaEngine(
            self._settings.hosts[name].url, deadlines=self._settings.deadlines.for_engine()
        )
        self._stack.push_async_callback(engine.aclose)
        self._engines[name] = engine
        self._keepers[name] = await self._stack.enter_async_context(ModelKeeper(engine))

    def _host(self, tier: str) -> tuple[Engine, ModelKeeper]:
        name = self._settings.tiers[tier].host
        return self._engines[name], self._keepers[name]

    async def ready(self, place: ModelPlace, emit: Emit) -> Spend:
        _, keeper = self._host(place.tier)

        async def progress(elapsed_s: float, expected_s: float | None) -> None:
            await emit(ModelLoading(model=place.model, elapsed_s=elapsed_s, expected_s=expected_s))

        outcome = await keeper.ensure(
            place.model, num_ctx=place.num_ctx, options=self._runner(place), progress=progress
        )
        # Several callers may have waited for one load; it is told and counted once.
        if not outcome.loaded or outcome is self._told.get(place.model):
            return Spend()
        self._told[place.model] = outcome
        await emit(ModelLoaded(model=place.model, seconds=outcome.seconds))
        return Spend(loads=1, load_s=outcome.seconds)

    async def stream(
        self, place: ModelPlace, request: ChatRequest
    ) -> AsyncGenerator[Delta | Reply]:
        engine, _ = self._host(place.tier)
        whole = replace(request, runner=self._runner(place))
        async with aclosing(engine.stream(whole)) as parts:
            async for part in parts:
                yield part

    def _runner(self, place: ModelPlace) -> dict[str, int]:
        """The tier's runner options: equal in every request, or the server reloads the weights."""
        return self._settings.tiers[place.tier].runner_options()
