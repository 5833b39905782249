"""Loads that belong to the process: shared by all who wait, and not aborted when one gives up.

A client that leaves during a cold load makes Ollama abort it, so no request may own a load. Swaps
are serialised: while one model is being loaded, the next load of this host waits its turn.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from manyhands.engines.contracts import Engine
from manyhands.errors import DeadlineExceeded, EngineError

__all__ = ["LoadOutcome", "ModelKeeper"]

LoadProgress = Callable[[float, float | None], Awaitable[None]]

#: A model that was seen loaded this many seconds ago may have been evicted by another program.
_TRUST_S = 20.0
#: A guess for a load that was never seen, only to compare hosts by.
_UNSEEN_S = 10.0


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """Whether weights were really loaded, and the seconds that it took."""

    loaded: bool
    seconds: float


@dataclass(slots=True)
class _Load:
    started: float
    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: LoadOutcome | None = None
    fault: EngineError | None = None
    waiters: int = 0


class ModelKeeper:
    """Keeps track of the loads of one host; an async context manager that owns their tasks.

    Leaving it cancels a load in progress, which the server then drops.

    Args:
        progress_s: seconds between two progress calls while a model loads.
    """

    def __init__(self, engine: Engine, *, progress_s: float = 1.0) -> None:
        self._engine = engine
        self._progress_s = progress_s
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None
        self._swap = anyio.Lock()
        self._loads: dict[str, _Load] = {}
        self._seconds: dict[str, float] = {}
        self._current: str | None = None
        self._seen = 0.0

    async def __aenter__(self) -> Self:
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
        # The body's own exception goes on as it is; given to the group it would come out wrapped.
        await self._stack.__aexit__(None, None, None)

    async def ensure(
        self,
        model: str,
        *,
        num_ctx: int,
        keep_alive: str | int = -1,
        options: Mapping[str, Any] | None = None,
        progress: LoadProgress | None = None,
    ) -> LoadOutcome:
        """Wait until a model is resident, loading it if it is not.

        Of several that ask at once all wait for one load. One that gives up leaves the load
        alone; when it ends and nobody wants it any more, the model is unloaded.

        Args:
            options: the tier's runner options.
            progress: called while it loads with the seconds that went by and the seconds that
                the last load of this model took, None before the first.

        Raises:
            EngineError: the load failed; a hang is ended by the load clock, and the server is
                then told to unload so that its queue moves on (ollama#17408).
        """
        if self._is_resident(model):
            return LoadOutcome(loaded=False, seconds=0.0)
        load = self._loads.get(model)
        if load is None:
            load = self._loads[model] = _Load(started=time.monotonic())
            assert self._tasks is not None
            self._tasks.start_soon(self._own, model, load, num_ctx, keep_alive, options)
        load.waiters += 1
        try:
            await self._wait(model, load, progress)
        finally:
            load.waiters -= 1
        if load.fault is not None:
            raise load.fault
        assert load.outcome is not None
        return load.outcome

    def expected_s(self, model: str) -> float:
        """Seconds that loading would take by what was seen here; 0 for what was used last."""
        if self._current == model:
            return 0.0
        return self._seconds.get(model, _UNSEEN_S)

    def _is_resident(self, model: str) -> bool:
        """Whether the last request used this model, and not long ago."""
        now = time.monotonic()
        if self._current != model or model in self._loads or now - self._seen > _TRUST_S:
            return False
        self._seen = now
        return True

    async def _wait(self, model: str, load: _Load, progress: LoadProgress | None) -> None:
        expected = self._seconds.get(model)
        while not load.done.is_set():
            with anyio.move_on_after(self._progress_s):
                await load.done.wait()
            if progress is not None and not load.done.is_set():
                await progress(time.monotonic() - load.started, expected)

    async def _own(
        self,
        model: str,
        load: _Load,
        num_ctx: int,
        keep_alive: str | int,
        options: Mapping[str, Any] | None,
    ) -> None:
        try:
            async with self._swap:
                if load.waiters == 0:
                    return  # it was given up before its turn came
                load.outcome = await self._load(model, num_ctx, keep_alive, options)
                self._current, self._seen = model, time.monotonic()
                if load.waiters == 0:
                    await self._engine.unload(model)
                    self._current = None
        except DeadlineExceeded as error:
            load.fault = error
            await self._recover(model)
        except EngineError as error:
            load.fault = error
        finally:
            if load.outcome is None and load.fault is None:
                load.fault = EngineError(f"The load of {model!r} was stopped.", model=model)
            del self._loads[model]
            load.done.set()

    async def _load(
        self,
        model: str,
        num_ctx: int,
        keep_alive: str | int,
        options: Mapping[str, Any] | None,
    ) -> LoadOutcome:
        for resident in await self._engine.ps():
            if _same(resident.name, model) and resident.context_length == num_ctx:
                return LoadOutcome(loaded=False, seconds=0.0)
        seconds = await self._engine.load(
            model, num_ctx=num_ctx, keep_alive=keep_alive, options=options
        )
        self._seconds[model] = seconds
        return LoadOutcome(loaded=True, seconds=seconds)

    async def _recover(self, model: str) -> None:
        """A load that hangs blocks every other one: the explicit unload was seen to free it."""
        try:
            await self._engine.unload(model)
        except EngineError:
            return  # the waiters are told of the load's own fault


def _same(left: str, right: str) -> bool:
    """Whether two names mean one model: no tag means `:latest`."""
    return left.removesuffix(":latest") == right.removesuffix(":latest")
