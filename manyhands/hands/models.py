"""The models of an installation: which host and model serve a tier, loaded when they are needed."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from manyhands.engines.contracts import ChatRequest, Delta, Engine, Reply
from manyhands.engines.hosts import HostBoard, passes_on
from manyhands.engines.opening import open_engine
from manyhands.errors import EngineError, SettingsError, Unreachable
from manyhands.hands.contracts import Spend
from manyhands.hands.places import Emit, ModelPlace, Planned
from manyhands.journal.events import ModelLoaded, ModelLoading, Note, NoteReason
from manyhands.schedule.model import LoadCost, ModelKey, Outlook, Priority, Room
from manyhands.serve.client import Leases
from manyhands.serve.wire import PlannedStep, Want
from manyhands.settings import HostKind

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["TierModels"]

#: From weak to strong. Where two of them name one model there is nothing to climb to.
_LADDER = ("mind", "expert", "heavy")
#: A load that was never seen is taken to last so long when hosts are compared.
_UNSEEN_S = 10.0
#: A call of a loaded model takes about a millisecond to begin; one that loaded takes longer.
_LOADED_S = 0.1
#: Seconds for the one question that a host which failed is asked before it is used again.
_LOOK_S = 2.0


class TierModels:
    """Connects tiers to engines; an async context manager that owns the connections.

    No request owns a load: the owner of this machine's models does (`manyhands.serve`), and grants
    leases of them. Where a tier has several hosts each call goes to the one that serves soonest,
    and a host that fails is left out until it was seen to answer again.

    Args:
        door: who asks, for the owner's status.
        background: nobody waits for these answers: they come after those that somebody waits for.
    """

    def __init__(
        self, settings: Settings, *, door: str = "python", background: bool = False
    ) -> None:
        self._settings = settings
        self._background = background
        self._stack = AsyncExitStack()
        self._engines: dict[str, Engine] = {}
        self._leases = Leases(settings.serve, door=door)
        self._board = HostBoard({name: host.at_once for name, host in settings.hosts.items()})
        self._fault: EngineError | None = None

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        try:
            await self._stack.enter_async_context(self._leases)
            used = (name for spec in self._settings.tiers.values() for name in spec.hosts)
            for name in dict.fromkeys(used):
                self._open(name)
        except BaseException:
            await self._stack.aclose()
            raise
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

    def _open(self, name: str) -> None:
        host = self._settings.hosts[name]
        engine = open_engine(host, self._settings.deadlines.for_engine())
        self._stack.push_async_callback(engine.aclose)
        self._engines[name] = engine

    async def ready(
        self, place: ModelPlace, emit: Emit, *, without: Collection[str] = ()
    ) -> tuple[ModelPlace, Spend]:
        names = self._settings.tiers[place.tier].hosts
        failed = list(without)
        await self._look_again(self._board.due(names), place, emit)
        while True:
            left = [name for name in names if name not in failed]
            name = await self._choose(left, place, emit)
            chosen = replace(place, host=name)
            try:
                return chosen, await self._loaded(chosen, emit)
            except EngineError as error:
                failed.append(name)
                if not self.passes_on(chosen, error, failed):
                    raise
                text = f"{name}: {error.message} Another host is asked."
                await emit(Note(reason=NoteReason.FAILOVER, text=text))

    async def _choose(self, names: list[str], place: ModelPlace, emit: Emit) -> str:
        """The host that serves soonest; with none that is well, every one is looked at again."""
        if len(names) == 1:
            return names[0]  # there is no choice: the call itself tells whether it is well
        load_s = {name: self._load_s(name, place) for name in names}
        order = self._board.order(names, place.model, load_s)
        if not order:
            await self._look_again(self._board.resting(names), place, emit)
            order = self._board.order(names, place.model, load_s)
        if order:
            return order[0]
        if names:
            return names[0]
        raise self._fault or Unreachable(
            f"No host is left that serves {place.model!r}.", model=place.model
        )

    def _load_s(self, name: str, place: ModelPlace) -> float:
        want = self._want(replace(place, host=name))
        if want is None:
            return 0.0
        known = self._leases.expected_s(want)
        return _UNSEEN_S if known is None else known

    async def _look_again(self, names: Collection[str], place: ModelPlace, emit: Emit) -> None:
        """Ask hosts that failed whether they are back; those that answer are used again."""

        async def look(name: str) -> None:
            try:
                with anyio.fail_after(_LOOK_S):
                    await self._engines[name].tags()
            except EngineError as error:
                self._board.failed(name, place.model, error)
            except TimeoutError:
                silent = Unreachable(f"{name} does not answer within {_LOOK_S:g} s.")
                self._board.failed(name, place.model, silent)
            else:
                self._board.answered(name)
                text = f"{name} answers again and is used."
                await emit(Note(reason=NoteReason.FAILOVER, text=text))

        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(look, name)

    async def _loaded(self, place: ModelPlace, emit: Emit) -> Spend:
        want = self._want(place)
        if want is None:
            return Spend()

        async def progress(elapsed_s: float, expected_s: float | None) -> None:
            await emit(ModelLoading(model=place.model, elapsed_s=elapsed_s, expected_s=expected_s))

        outcome = await self._leases.ready(want, priority=self._priority(place), progress=progress)
        if not outcome.loaded:
            return Spend()
        await emit(ModelLoaded(model=place.model, seconds=outcome.seconds))
        return Spend(loads=1, load_s=outcome.seconds)

    async def stream(
        self, place: ModelPlace, request: ChatRequest
    ) -> AsyncGenerator[Delta | Reply]:
        name = place.host or self._settings.tiers[place.tier].host
        at = replace(place, host=name)
        want = self._want(at)
        whole = replace(request, model=self._name(at), runner=self._runner(place))
        started, seconds = time.monotonic(), None
        self._board.begin(name)
        try:
            async with AsyncExitStack() as stack:
                if want is not None:
                    await stack.enter_async_context(
                        self._leases.using(want, priority=self._priority(place))
                    )
                parts = await stack.enter_async_context(aclosing(self._engines[name].stream(whole)))
                async for part in parts:
                    if isinstance(part, Reply):
                        seconds = time.monotonic() - started
                        if want is not None and part.usage.load_s > _LOADED_S:
                            self._leases.forget(want)  # another program had thrown it out
                    yield part
        except EngineError:
            if want is not None:
                self._leases.forget(want)  # what is loaded there must be asked anew
            raise
        finally:
            self._board.end(name, seconds)

    def passes_on(self, place: ModelPlace, error: EngineError, tried: Collection[str]) -> bool:
        if not passes_on(error):
            return False
        self._fault = error
        self._board.failed(place.host, place.model, error)
        return any(name not in tried for name in self._settings.tiers[place.tier].hosts)

    async def outlook(self, tiers: Sequence[str]) -> Outlook | None:
        wants = {tier: self._preferred(tier) for tier in tiers}
        known = {tier: want for tier, want in wants.items() if want is not None}
        hosts = {want.host for want in known.values()}
        if len(known) < len(wants) or len(hosts) != 1:
            return None
        try:
            told = (await self._leases.outlook(list(known.values()))).get(hosts.pop())
        except EngineError:
            return None  # the call itself will tell what is wrong there
        if told is None:
            return None
        keys = {
            tier: ModelKey(
                found["weights"], tuple(found["adapters"]), tuple(sorted(found["options"].items()))
            )
            for tier, found in zip(known, told["models"], strict=True)
        }
        models = list(zip(keys.values(), told["models"], strict=True))
        return Outlook(
            keys=keys,
            costs={key: LoadCost(found["size"], found["load_s"]) for key, found in models},
            room=Room(vram=told["vram"]),
            resident=frozenset(key for key, found in models if found["resident"]),
        )

    async def announce(self, calls: Sequence[Planned]) -> None:
        steps, left_out = [], set()
        for call in calls:
            want = self._preferred(call.tier)
            if want is None:
                left_out.add(call.id)
                continue
            needs = tuple(need for need in call.needs if need not in left_out)
            steps.append(PlannedStep(id=call.id, want=want, seconds=call.seconds, needs=needs))
        await self._leases.announce(steps)

    def _preferred(self, tier: str) -> Want | None:
        """The tier's model at its preferred host."""
        return self._want(replace(self.place(tier), host=self._settings.tiers[tier].host))

    def _name(self, place: ModelPlace) -> str:
        """What the host calls the model."""
        return self._settings.hosts[place.host].models.get(place.model, place.model)

    def _want(self, place: ModelPlace) -> Want | None:
        """What is asked of the owner; None at a server that keeps its models loaded itself."""
        host = self._settings.hosts[place.host]
        if host.kind is not HostKind.OLLAMA:
            return None
        return Want(
            host=host.url,
            model=self._name(place),
            options=self._runner(place),
            vram=int(host.vram_gb * 1e9),
            load_s=self._settings.deadlines.load_s,
        )

    def _priority(self, place: ModelPlace) -> Priority:
        """A person waits for what the mind says; its hands' work is a plan's step."""
        if self._background:
            return Priority.BACKGROUND
        return Priority.PERSON if place.tier == "mind" else Priority.STEP

    def _runner(self, place: ModelPlace) -> dict[str, int]:
        """The tier's runner options: equal in every request, or the server reloads the weights."""
        return self._settings.tiers[place.tier].runner_options()
