"""Ollama's loading rules as a pure state machine (server/sched.go, measured in part).

Models are keyed by their weights' blob. A request for a resident blob with the same runner options
and adapters is served at once. Otherwise the old runner of that blob goes, and while there is no
room the idle runner with the smallest keep_alive goes, ties by blob; a busy victim is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["RUNNER_OPTIONS", "Action", "Decision", "Loader", "Runner", "RunnerKey"]

#: Options that force a reload when they differ; `shift` is a field of the request.
RUNNER_OPTIONS = (
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "use_mmap",
    "num_thread",
    "draft_num_predict",
    "shift",
)


@dataclass(frozen=True, slots=True)
class RunnerKey:
    """What must be equal for two requests to share a runner."""

    blob: str
    options: tuple[tuple[str, Any], ...] = ()
    adapters: tuple[str, ...] = ()

    def serves(self, wanted: RunnerKey) -> bool:
        """Whether a runner of this key serves a request of another: one that does not say how many
        layers belong on the GPU takes what is there (`needsReload` in server/sched.go)."""
        said = dict(wanted.options)
        own = dict(self.options)
        if "num_gpu" not in said:
            own.pop("num_gpu", None)
        return (self.blob, own, self.adapters) == (wanted.blob, said, wanted.adapters)


@dataclass(slots=True)
class Runner:
    """A loaded model. `keep_alive` in seconds, negative for ever; `busy` counts its requests.

    Attributes:
        stuck: a request with a `keep_alive` came while a load waited for this one to go: it will
            not go any more until it expires or is unloaded by name, and the load hangs
            (ollama#17408, reproduced).
    """

    key: RunnerKey
    model: str
    size: int
    keep_alive: float
    busy: int = 0
    expires: float = 0.0
    stuck: bool = False

    @property
    def rank(self) -> tuple[float, str]:
        """Smallest goes first: not the least recently used, not the largest."""
        return (float("inf") if self.keep_alive < 0 else self.keep_alive, self.key.blob)


class Action(StrEnum):
    SERVE = "serve"
    EVICT = "evict"
    LOAD = "load"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next for a request; `runner` is the one to serve from or to evict."""

    action: Action
    runner: Runner | None = None


class Loader:
    """Which runners are loaded, and what a request needs next.

    Args:
        vram: bytes; 0 means without bound. A model beside others may use 80 % of what is free;
            alone it may spill to the CPU, so it always fits.
    """

    def __init__(self, vram: int = 0, max_loaded: int = 3) -> None:
        self._vram = vram
        self._max = max_loaded
        self.runners: dict[str, Runner] = {}

    def next(self, key: RunnerKey, size: int) -> Decision:
        """The next step towards serving a request.

        1. same blob, options and adapters: serve;
        2. same blob, but they differ: the old runner goes (wait while it is busy);
        3. no room beside the others: the victim of the smallest rank goes (wait while none is
           idle);
        4. load.
        """
        present = self.runners.get(key.blob)
        if present is not None and present.key.serves(key):  # 1.
            return Decision(Action.SERVE, present)
        if present is not None:  # 2.
            return Decision(Action.WAIT if present.busy else Action.EVICT, present)
        if not self._fits(size):  # 3.
            free = (one for one in self.runners.values() if not one.busy and not one.stuck)
            idle = sorted(free, key=lambda one: one.rank)
            return Decision(Action.EVICT, idle[0]) if idle else Decision(Action.WAIT)
        return Decision(Action.LOAD)  # 4.

    def _fits(self, size: int) -> bool:
        if not self.runners or (not size and len(self.runners) < self._max):
            return True  # alone it spills; on the CPU it takes nothing from anybody
        if len(self.runners) >= self._max:
            return False
        free = self._vram - sum(runner.size for runner in self.runners.values())
        return not self._vram or size <= 0.8 * free

    def add(self, runner: Runner) -> None:
        self.runners[runner.key.blob] = runner

    def drop(self, blob: str) -> None:
        self.runners.pop(blob, None)
