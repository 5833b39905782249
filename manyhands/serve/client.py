"""A door's side: leases of models, kept between calls, whoever owns the models meanwhile.

A lease is asked for once and kept until somebody else needs the room: the next call of the same
model asks nobody. Where the owner ends, calls that are under way go on (they speak to the model
server themselves), and the next one finds the new owner, or becomes it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from manyhands.configuration.sections import ServeSettings
from manyhands.errors import EngineError, ManyhandsError
from manyhands.schedule.model import Priority
from manyhands.serve.channel import OwnerGone
from manyhands.serve.finding import Finder
from manyhands.serve.wire import Announcement, LeaseRequest, PlannedStep, Want, fault_of

__all__ = ["Leases", "LoadOutcome"]

LoadProgress = Callable[[float, float | None], Awaitable[None]]

#: A lease that was asked for and not used yet is kept so long against a recall.
_FRESH_S = 5.0
#: Without a line for so long while it waits, the owner hangs.
_SILENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """Whether weights were really loaded for this wish, and the seconds that it took."""

    loaded: bool
    seconds: float


@dataclass(slots=True)
class _Lease:
    want: Want
    granted: bool = False
    recalled: bool = False
    ended: bool = False
    uses: int = 0
    fresh_until: float = 0.0
    load_s: float | None = None
    counted: bool = False
    fault: ManyhandsError | None = None
    loading: tuple[float, float | None] | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def tell(self) -> None:
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class Leases:
    """The leases of one door or run; an async context manager. Leaving gives all of them back.

    Args:
        door: who asks, for the status.
        progress_s: seconds between two calls of `progress` while a model loads.
    """

    def __init__(
        self, settings: ServeSettings, *, door: str = "python", progress_s: float = 1.0
    ) -> None:
        self._settings = settings
        self._door = door
        self._progress_s = progress_s
        self._client = uuid4().hex
        self._stack = AsyncExitStack()
        self._finder = Finder(settings, door)
        self._tasks: TaskGroup | None = None
        self._leases: dict[Want, _Lease] = {}
        self._seconds: dict[Want, float] = {}
        self._plan: anyio.CancelScope | None = None
        self._plans = 0
        self._ahead: tuple[PlannedStep, ...] = ()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._finder.aclose)
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        # The body's own exception goes on as it is; the group would wrap it.
        await self._stack.__aexit__(None, None, None)

    # --- leases ------------------------------------------------------------------------------

    async def ready(
        self,
        want: Want,
        *,
        priority: Priority = Priority.STEP,
        seconds: float = 30.0,
        progress: LoadProgress | None = None,
    ) -> LoadOutcome:
        """Wait until a model is loaded and this door may use it.

        Args:
            seconds: how long it will be used, as far as is known.
            progress: called while it loads with the seconds that went by and those expected.

        Raises:
            EngineError: the load failed.
        """
        lease = self._lease(want, priority, seconds)
        lease.uses += 1
        first = lease.uses == 1 and not lease.granted and bool(self._ahead)
        try:
            if first:
                await self._tell(_after(want, seconds, self._ahead))
            while not lease.granted:
                if lease.fault is not None:
                    raise lease.fault
                await lease.changed.wait()
                if progress is not None and lease.loading is not None and not lease.granted:
                    await progress(*lease.loading)
            lease.fresh_until = time.monotonic() + _FRESH_S
            if first:
                await self._tell(self._ahead)
        finally:
            self._used(lease)
        if lease.load_s is None or lease.counted:
            return LoadOutcome(loaded=False, seconds=0.0)
        self._seconds[want] = lease.load_s
        lease.counted = True  # several who waited count it once
        return LoadOutcome(loaded=True, seconds=lease.load_s)

    @asynccontextmanager
    async def using(
        self, want: Want, *, priority: Priority = Priority.STEP, seconds: float = 30.0
    ) -> AsyncIterator[None]:
        """Use a model: it stays loaded until the body ends."""
        lease = self._leases.get(want)
        while lease is None or not lease.granted or lease.scope.cancel_called:
            await self.ready(want, priority=priority, seconds=seconds)
            lease = self._leases.get(want)
        lease.uses += 1
        lease.fresh_until = 0.0
        try:
            yield
        finally:
            self._used(lease)

    def forget(self, want: Want) -> None:
        """Give a lease back whose model may not be loaded any more."""
        lease = self._leases.get(want)
        if lease is not None:
            lease.fresh_until, lease.recalled = 0.0, True
            self._give_back(lease)

    def expected_s(self, want: Want) -> float | None:
        """Seconds until a model could be used: 0 with a lease of it, else what its last load here
        took; None before the first."""
        lease = self._leases.get(want)
        return 0.0 if lease is not None and lease.granted else self._seconds.get(want)

    def _lease(self, want: Want, priority: Priority, seconds: float) -> _Lease:
        for other in self._leases.values():
            if other.want != want:
                other.fresh_until = 0.0  # the run goes on to another model
                self._give_back(other)
        lease = self._leases.get(want)
        if lease is None or lease.ended or lease.fault is not None or lease.scope.cancel_called:
            lease = self._leases[want] = _Lease(want)
            assert self._tasks is not None
            self._tasks.start_soon(self._hold, lease, priority, seconds)
        return lease

    def _used(self, lease: _Lease) -> None:
        lease.uses -= 1
        if not lease.uses and not lease.granted:
            lease.scope.cancel()  # nobody waits for it any more
        self._give_back(lease)

    def _give_back(self, lease: _Lease) -> None:
        """End a lease that was recalled, once nobody uses it."""
        if lease.recalled and not lease.uses and time.monotonic() >= lease.fresh_until:
            lease.scope.cancel()

    async def _hold(self, lease: _Lease, priority: Priority, seconds: float) -> None:
        """Ask for a lease and keep it, whoever owns the models, until it is given back."""
        try:
            with lease.scope:
                while not lease.granted:
                    try:
                        await self._follow(lease, priority, seconds)
                    except OwnerGone:
                        if lease.granted:
                            break  # what is under way goes on; the next call asks the next owner
                        await self._finder.lost()
        except ManyhandsError as error:
            lease.fault = error
        finally:
            lease.ended = True
            if self._leases.get(lease.want) is lease:
                del self._leases[lease.want]
            if not lease.granted and lease.fault is None:
                lease.fault = EngineError(
                    f"The load of {lease.want.model!r} was stopped.", model=lease.want.model
                )
            lease.tell()

    async def _follow(self, lease: _Lease, priority: Priority, seconds: float) -> None:
        channel = await self._finder.channel()
        request = LeaseRequest(
            want=lease.want,
            priority=priority,
            seconds=seconds,
            door=self._door,
            pid=os.getpid(),
            client=self._client,
            every_s=self._progress_s,
        )
        async with channel.lines("/v1/leases", request.model_dump(mode="json")) as lines:
            while True:
                line = await _next_line(lines, math.inf if lease.granted else _SILENCE_S)
                match line["state"]:
                    case "loading":
                        lease.loading = float(line["elapsed_s"]), line.get("expected_s")
                    case "granted":
                        lease.granted, lease.load_s = True, line.get("load_s")
                    case "recalled":
                        lease.recalled = True
                        if line.get("lost"):
                            lease.fresh_until = 0.0
                        await self._while_fresh(lease)
                    case "failed":
                        raise fault_of(line["error"])
                lease.tell()

    async def _while_fresh(self, lease: _Lease) -> None:
        """A lease that was just waited for is not taken away before its first use."""
        while not lease.ended:
            await anyio.sleep(max(0.0, lease.fresh_until - time.monotonic()))
            if time.monotonic() >= lease.fresh_until:
                self._give_back(lease)
                return  # or it is given back when its use ends

    # --- plans -------------------------------------------------------------------------------

    async def announce(self, steps: Sequence[PlannedStep]) -> None:
        """Tell what this door will come to, in place of what was told before.

        While the door waits for a model, what it comes to later waits for that: a plan's own later
        steps must not hold back the swap that it waits for.
        """
        self._ahead = tuple(steps)
        await self._tell(self._ahead)

    async def _tell(self, steps: Sequence[PlannedStep]) -> None:
        assert self._tasks is not None
        before, self._plan = self._plan, None
        if steps:
            self._plans += 1
            self._plan = scope = anyio.CancelScope()
            plan = Announcement(
                plan=f"{self._client}-{self._plans}", client=self._client, steps=tuple(steps)
            )
            told = anyio.Event()
            self._tasks.start_soon(self._keep_told, plan, scope, told)
            await told.wait()
        if before is not None:
            before.cancel()

    async def _keep_told(
        self, plan: Announcement, scope: anyio.CancelScope, told: anyio.Event
    ) -> None:
        with scope:
            try:
                channel = await self._finder.channel()
                async with channel.lines("/v1/plans", plan.model_dump(mode="json")) as lines:
                    async for _ in lines:
                        told.set()
            except ManyhandsError:
                pass  # a hint that was lost costs time at most
        told.set()

    async def status(self) -> dict[str, Any]:
        """What the owner says of itself, its hosts, and who waits there."""
        return await (await self._finder.channel()).call("GET", "/v1/status")

    async def outlook(self, wants: Sequence[Want]) -> dict[str, Any]:
        """What is loaded and what loading costs, by host; empty where nobody can say."""
        body = {"wants": [want.model_dump(mode="json") for want in wants]}
        try:
            channel = await self._finder.channel()
            return await channel.call("POST", "/v1/outlook", body)
        except OwnerGone:
            await self._finder.lost()
            return {}


def _after(want: Want, seconds: float, ahead: Sequence[PlannedStep]) -> list[PlannedStep]:
    """What is ahead, all of it after the use of a model that is waited for now."""
    now = PlannedStep(id="now", want=want, seconds=seconds)
    later = [step if step.needs else step.model_copy(update={"needs": ("now",)}) for step in ahead]
    return [now, *later]


async def _next_line(lines: AsyncIterator[dict[str, Any]], seconds: float) -> dict[str, Any]:
    with anyio.move_on_after(seconds) as scope:
        try:
            return await anext(lines)
        except StopAsyncIteration:
            raise OwnerGone("The owner of the models has ended.") from None
    assert scope.cancelled_caught
    raise OwnerGone(f"The owner of the models said nothing for {seconds:g} s.")
