"""Playing the loading rules in time: waiting for a load, a busy victim, or one's turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from manyhands.rehearsal.loader import RUNNER_OPTIONS, Action, Loader, Runner, RunnerKey
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.store import StoredModel

__all__ = ["DEFAULT_KEEP_ALIVE_S", "LoadRecord", "Runners", "key_of", "seconds_of"]

DEFAULT_KEEP_ALIVE_S = 300.0
_DEFAULT_NUM_CTX = 4096
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One load that was played; `seconds` are simulated ones."""

    model: str
    blob: str
    seconds: float
    done: bool


def seconds_of(keep_alive: Any) -> float:
    """Ollama's durations: a number of seconds, or text such as `10m`; negative is for ever."""
    if isinstance(keep_alive, int | float):
        return float(keep_alive)
    text = str(keep_alive).strip()
    for unit in ("ms", "h", "m", "s"):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * _UNITS[unit]
    return float(text)


def key_of(model: StoredModel, body: dict[str, Any]) -> RunnerKey:
    """The runner that a request needs: the model's parameters, the request's options over them."""
    options = {**model.parameters, **(body.get("options") or {})}
    if "shift" in body:
        options["shift"] = body["shift"]
    options.setdefault("num_ctx", _DEFAULT_NUM_CTX)
    chosen = tuple((name, options[name]) for name in RUNNER_OPTIONS if name in options)
    return RunnerKey(model.blob, chosen, model.adapters)


def _gpu_bytes(key: RunnerKey, model: StoredModel) -> int:
    """What a model takes of the card: nothing with `num_gpu` 0."""
    return 0 if dict(key.options).get("num_gpu") == 0 else model.base.size


class Runners:
    """The loaded models of a rehearsed machine, and who waits for one.

    Args:
        clock: seconds since the epoch, by which an idle model expires.
    """

    def __init__(self, profile: Profile, clock: Callable[[], float] = time.time) -> None:
        self._profile = profile
        self._clock = clock
        self.loader = Loader(profile.vram, profile.max_loaded)
        self.loads: list[LoadRecord] = []
        self._head = asyncio.Lock()  # one pending load at a time: the others wait in order
        self._changed = asyncio.Condition()
        self._waits_for_room = False

    @asynccontextmanager
    async def use(
        self, model: StoredModel, body: dict[str, Any]
    ) -> AsyncIterator[tuple[Runner, float]]:
        """A runner to serve from, and the simulated seconds that its load took."""
        self._expire()
        key = key_of(model, body)
        seconds = 0.0
        decision = self.loader.next(key, _gpu_bytes(key, model))
        if decision.action is not Action.SERVE:
            async with self._head:
                seconds = await self._make_room_and_load(key, model)
        runner = self.loader.runners[key.blob]
        runner.busy += 1
        if "keep_alive" in body:
            runner.keep_alive = seconds_of(body["keep_alive"])
            runner.stuck = self._waits_for_room
        try:
            yield runner, seconds
        finally:
            runner.busy -= 1
            runner.expires = self._clock() + runner.keep_alive
            if runner.keep_alive == 0 and not runner.busy:
                self.loader.drop(key.blob)
            async with self._changed:
                self._changed.notify_all()

    async def _make_room_and_load(self, key: RunnerKey, model: StoredModel) -> float:
        while True:
            decision = self.loader.next(key, _gpu_bytes(key, model))
            match decision.action:
                case Action.SERVE:
                    return 0.0
                case Action.EVICT:
                    assert decision.runner is not None
                    self.loader.drop(decision.runner.key.blob)
                case Action.WAIT:
                    self._waits_for_room = True
                    try:
                        async with self._changed:
                            await self._changed.wait()
                    finally:
                        self._waits_for_room = False
                case Action.LOAD:
                    return await self._load(key, model)

    async def _load(self, key: RunnerKey, model: StoredModel) -> float:
        seconds = self._profile.load_s(model.base.size)
        done = False
        try:
            # A client that gives up cancels this: the load is dropped, as Ollama does (499).
            await asyncio.sleep(seconds * self._profile.clock_scale)
            done = True
        finally:
            self.loads.append(LoadRecord(model.name, key.blob, seconds, done))
        size = _gpu_bytes(key, model)
        self.loader.add(Runner(key, model.name, size, DEFAULT_KEEP_ALIVE_S))
        return seconds

    def _expire(self) -> None:
        for blob, runner in list(self.loader.runners.items()):
            if not runner.busy and runner.keep_alive >= 0 and 0 < runner.expires < self._clock():
                self.loader.drop(blob)

    async def unload(self, model: StoredModel) -> None:
        """Drop a model; a busy one goes when its last request ends."""
        runner = self.loader.runners.get(model.blob)
        if runner is not None and runner.busy:
            runner.keep_alive = 0
            runner.stuck = False
        else:
            self.loader.drop(model.blob)
        async with self._changed:
            self._changed.notify_all()

    def listed(self) -> list[tuple[Runner, str, int]]:
        """Runners with their expiry time as Ollama writes it, and their window; latest first."""
        self._expire()
        shown = []
        for runner in self.loader.runners.values():
            # keep_alive -1 was seen to give a time in the year 2319.
            seconds = runner.keep_alive if runner.keep_alive >= 0 else 292.0 * 365.25 * 86400
            expires = datetime.now(UTC) + timedelta(seconds=seconds)
            window = int(dict(runner.key.options).get("num_ctx", _DEFAULT_NUM_CTX))
            text = expires.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
            shown.append((runner, text, window))
        return sorted(shown, key=lambda item: item[1], reverse=True)
