"""One host's models, owned: carries out what the scheduler decides, and tells it what happened.

Loads and unloads are calls of this process, one at a time; `keep_alive` stands in them alone. A
model that must go is unloaded by name before the next one is loaded, so that the server never has
to choose, and a request that comes meanwhile cannot hang its queue (ollama#17408).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import anyio

from manyhands.configuration.model import bare_name
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import DeadlineExceeded, EngineError, StorageBusy, StorageError
from manyhands.schedule.estimates import LoadSample, expected_load_s
from manyhands.schedule.model import LoadCost, ModelKey, Room
from manyhands.schedule.scheduler import (
    Ahead,
    Decision,
    Grant,
    Load,
    Recall,
    Refuse,
    Scheduler,
    Unload,
    Wish,
)
from manyhands.serve.identity import Identities, Identity
from manyhands.serve.telling import host_status
from manyhands.serve.times import LoadTimes
from manyhands.serve.wire import LeaseRequest, PlannedStep, Want

__all__ = ["HostOwner", "Ticket"]

#: What was seen loaded this many seconds ago may have been evicted by another program.
_TRUST_S = 1.0
#: A load that takes this many times as long as expected hangs (and at least so many seconds).
_HANG_TIMES = 4.0
_HANG_S = 30.0


@dataclass(slots=True)
class Ticket:
    """A door's wish, and the lease that comes of it.

    Attributes:
        granted, recalled: how far it is.
        lost: the model is gone, whoever threw it out.
        load_s: seconds that the load took which this wish had to wait for; None without one.
        fault: why the load failed.
    """

    id: str
    request: LeaseRequest
    key: ModelKey
    since: float
    granted: bool = False
    recalled: bool = False
    lost: bool = False
    load_s: float | None = None
    fault: EngineError | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def tell(self) -> None:
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


@dataclass(slots=True)
class _Loading:
    key: ModelKey
    started: float
    expected_s: float
    nudges: int = 0


class HostOwner:
    """The owner of one host.

    Args:
        times: where measured loads are kept; None keeps them in this object alone.
        hang_s: a load is taken to hang when it takes longer; None means `_HANG_TIMES` of what was
            expected, and at least `_HANG_S`.
    """

    def __init__(
        self,
        url: str,
        engine: OllamaEngine,
        times: LoadTimes | None,
        *,
        hang_s: float | None = None,
    ) -> None:
        self.url = url
        self.scheduler = Scheduler()
        self._engine = engine
        self._times = times
        self._hang_s = hang_s
        self._samples = times.samples(url) if times is not None else []
        self._names: dict[ModelKey, str] = {}
        self._wants: dict[ModelKey, Want] = {}
        self._identities = Identities(engine)
        self._tickets: dict[str, Ticket] = {}
        self._fault: dict[ModelKey, EngineError] = {}
        self._uncounted: dict[ModelKey, float] = {}
        self._loading: _Loading | None = None
        self._told_vram = False
        self._seen = -math.inf
        self._looking = anyio.Lock()
        self._effects: deque[Load | Unload] = deque()
        self._more = anyio.Event()
        self.loads = 0
        self.recovered = 0

    # --- what doors ask ----------------------------------------------------------------------

    async def ask(self, request: LeaseRequest) -> Ticket:
        """Put a wish in; its ticket tells what becomes of it.

        Raises:
            EngineError: the host cannot be reached, or lacks the model.
        """
        key = await self._key(request.want)
        await self._look()
        ticket = Ticket(uuid4().hex, request, key, time.monotonic())
        self._tickets[ticket.id] = ticket
        wish = Wish(ticket.id, key, request.priority, ticket.since, request.seconds, request.client)
        self._apply(self.scheduler.wish(wish, time.monotonic()))
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """The door gave its lease back, or is gone."""
        if self._tickets.pop(ticket.id, None) is not None:
            self._apply(self.scheduler.leave(ticket.id, time.monotonic()))

    async def announce(self, plan: str, steps: Iterable[PlannedStep], client: str) -> None:
        """What a plan will come to; a model that is not there is left out until it is asked for."""
        ahead = []
        left_out: set[str] = set()
        for step in steps:
            try:
                key = await self._key(step.want)
            except EngineError:
                left_out.add(step.id)
                continue
            needs = tuple(need for need in step.needs if need not in left_out)
            ahead.append(Ahead(step.id, key, step.seconds, needs))
        self._apply(self.scheduler.announce(plan, ahead, time.monotonic(), client))

    def tell_vram(self, vram: int) -> None:
        """How many bytes of GPU memory the host has."""
        self._told_vram = True
        self.scheduler.room = Room(vram=vram)

    def withdraw(self, plan: str) -> None:
        self._apply(self.scheduler.announce(plan, (), time.monotonic()))

    def progress(self, ticket: Ticket) -> dict[str, Any]:
        """What a waiting door is told, each time that it is."""
        self._apply(self.scheduler.tick(time.monotonic()))
        loading = self._loading
        if loading is None or loading.key != ticket.key:
            what = self._name(loading.key) if loading is not None else ""
            return {"state": "waiting", "loading": what}
        elapsed = time.monotonic() - loading.started
        return {"state": "loading", "elapsed_s": elapsed, "expected_s": loading.expected_s}

    async def outlook(self, wants: Iterable[Want]) -> dict[str, Any]:
        """What a planner needs: what is loaded, what each model costs, and the room."""
        await self._look()
        models = []
        for want in wants:
            key = await self._key(want)
            cost = self.scheduler.costs[key]
            models.append(
                {
                    "model": want.model,
                    "weights": key.weights,
                    "adapters": list(key.adapters),
                    "options": dict(key.options),
                    "size": cost.size,
                    "load_s": cost.seconds,
                    "resident": key in self.scheduler.resident,
                }
            )
        return {"models": models, "vram": self.scheduler.room.vram}

    def status(self) -> dict[str, Any]:
        """What is loaded, what loads, who holds and who waits."""
        now, loading = time.monotonic(), self._loading
        return {
            "url": self.url,
            **host_status(self.scheduler, self._tickets, self._name, now),
            "loading": None
            if loading is None
            else {
                "model": self._name(loading.key),
                "elapsed_s": now - loading.started,
                "expected_s": loading.expected_s,
            },
            "loads": self.loads,
            "recovered": self.recovered,
        }

    def load_for_others(self, pid: int) -> float | None:
        """When a load began that goes on and that a door of another process waits for."""
        loading = self._loading
        if loading is None:
            return None
        others = (ticket for ticket in self._tickets.values() if ticket.request.pid != pid)
        return loading.started if any(one.key == loading.key for one in others) else None

    # --- what a name means -------------------------------------------------------------------

    async def _key(self, want: Want) -> ModelKey:
        """The identity of a model with its options; its cost is known afterwards."""
        identity = await self._identities.of(want.model)
        options = tuple(sorted(want.options.items()))
        key = ModelKey(identity.weights, identity.adapters, options)
        self._names[key], self._wants[key] = want.model, want
        size = 0 if want.options.get("num_gpu") == 0 else identity.size
        seconds = expected_load_s(identity.weights, identity.size, self._samples)
        known = self.scheduler.costs.get(key)
        if known is not None and known.size:
            size = known.size  # the server's own figure, with the window's share
        self.scheduler.costs[key] = LoadCost(size, seconds)
        if want.vram:
            self.tell_vram(want.vram)
        return key

    def _name(self, key: ModelKey) -> str:
        return self._names.get(key, key.weights)

    async def _look(self) -> None:
        """See what is loaded, unless it was seen a moment ago or a load of ours goes on."""
        async with self._looking:
            if self._loading is None and time.monotonic() - self._seen >= _TRUST_S:
                await self._see()

    async def _see(self) -> None:
        found = await self._shown()
        self._apply(self.scheduler.seen(found, time.monotonic()))

    async def _shown(self) -> dict[ModelKey, LoadCost]:
        """What the server says is loaded, with the memory that it takes, its window's included."""
        found: dict[ModelKey, LoadCost] = {}
        for one in await self._engine.ps():
            identity = await self._identities.of(one.name)
            key = self._known_key(identity, one.context_length) or ModelKey(
                identity.weights, identity.adapters, (("num_ctx", one.context_length),)
            )
            self._names.setdefault(key, one.name)
            seconds = expected_load_s(identity.weights, identity.size, self._samples)
            on_gpu = 0 if dict(key.options).get("num_gpu") == 0 else one.size_vram
            found[key] = self.scheduler.costs[key] = LoadCost(on_gpu, seconds)
        self._seen = time.monotonic()
        return found

    def _known_key(self, identity: Identity, num_ctx: int) -> ModelKey | None:
        """The model that we know by these weights and this window: the server tells no more."""
        return next(
            (
                key
                for key in self._wants
                if key.weights == identity.weights
                and key.adapters == identity.adapters
                and dict(key.options).get("num_ctx") == num_ctx
            ),
            None,
        )

    # --- carrying out ------------------------------------------------------------------------

    def _apply(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Grant(wish=name):
                    ticket = self._tickets[name]
                    ticket.granted = True
                    # A load is counted once, by the first who is served from it.
                    ticket.load_s = self._uncounted.pop(ticket.key, None)
                    ticket.tell()
                case Refuse(wish=name):
                    ticket = self._tickets[name]
                    ticket.fault = self._fault[ticket.key]
                    ticket.tell()
                case Recall(lease=name, lost=lost):
                    ticket = self._tickets[name]
                    ticket.recalled, ticket.lost = True, lost
                    ticket.tell()
                case Load() | Unload():
                    self._effects.append(decision)
                    self._more.set()

    async def run(self) -> None:
        """Carry out loads and unloads, one after the other, until cancelled."""
        while True:
            await self._more.wait()
            self._more = anyio.Event()
            while self._effects:
                effect = self._effects.popleft()
                if isinstance(effect, Load):
                    await self._load(effect.key)
                else:
                    await self._unload(effect.key)

    async def _unload(self, key: ModelKey) -> None:
        try:
            await self._engine.unload(self._name(key))
        except EngineError:
            self._seen = -math.inf  # it will be looked at before anything else is granted
        self._apply(self.scheduler.unloaded(key, time.monotonic()))

    async def _load(self, key: ModelKey) -> None:
        want = self._wants[key]
        expected = self.scheduler.costs[key].seconds
        self._loading = _Loading(key, time.monotonic(), expected)
        seconds, fault = 0.0, None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, want)
            try:
                seconds = await self._engine.load(
                    want.model, num_ctx=want.num_ctx, keep_alive=-1, options=want.options
                )
            except EngineError as error:
                fault = error
            tasks.cancel_scope.cancel()
        hung = self._loading.nudges > 0
        self._loading = None
        if isinstance(fault, DeadlineExceeded):
            await self._free((want.model,))
        if fault is not None:
            self._fault[key] = fault
            self._apply(self.scheduler.failed(key, time.monotonic()))
            return
        self.loads += 1
        self._uncounted[key] = seconds
        if not hung:
            self._learn(key, seconds)
        before = set(self.scheduler.resident)
        try:
            found = await self._shown()
        except EngineError:
            self._apply(self.scheduler.loaded(key, time.monotonic()))
            return
        if key in found:
            self._learn_room(key, before - found.keys())
        self._apply(self.scheduler.loaded(key, time.monotonic()))
        if key in found:
            self._apply(self.scheduler.seen(found, time.monotonic()))

    def _learn_room(self, key: ModelKey, gone: set[ModelKey]) -> None:
        """The server threw others out for this model: they do not fit together."""
        costs = self.scheduler.costs
        if gone and not self._told_vram:
            together = sum(costs[one].size for one in (key, *gone))
            known = self.scheduler.room.vram
            vram = min(known, together - 1) if known else together - 1
            self.scheduler.room = Room(vram=max(1, vram))

    def _learn(self, key: ModelKey, seconds: float) -> None:
        sample = LoadSample(key.weights, self._identities.size_of(key.weights), seconds)
        self._samples.insert(0, sample)
        if self._times is not None:
            try:
                self._times.add(self.url, sample, time.time())
            except StorageBusy:
                return  # this one is not kept
            except StorageError:
                self._times = None  # measured all the same, only not kept for the next process

    async def _watch(self, want: Want) -> None:
        """Free a load that hangs: an explicit unload of what it waits for was seen to do it."""
        loading = self._loading
        assert loading is not None
        while True:
            usual = max(_HANG_S, _HANG_TIMES * loading.expected_s)
            await anyio.sleep(usual if self._hang_s is None else self._hang_s)
            loading.nudges += 1
            self.recovered += 1
            try:
                others = [one.name for one in await self._engine.ps()]
            except EngineError:
                continue
            await self._free(name for name in others if bare_name(name) != bare_name(want.model))

    async def _free(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                await self._engine.unload(name)
            except EngineError:
                continue  # those who wait are told of the load's own fault
