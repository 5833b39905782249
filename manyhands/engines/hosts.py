"""Which of several hosts serves a call: who is healthy, and where the wait is shortest. No I/O.

A call to a model has no effect outside its server, so it may be sent again to another host. What a
step did outside (a file, a remote tool) goes through the broker and is never part of such a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from manyhands.errors import (
    DeadlineExceeded,
    EngineError,
    MalformedLine,
    ModelMissing,
    OutOfMemory,
    RunnerCrashed,
    ServerBusy,
    ServerFault,
    StreamCut,
    Unreachable,
)

__all__ = ["HostBoard", "passes_on"]

#: Seconds until a host that failed is looked at again; doubled with every further failure.
_FIRST_REST_S = 2.0
_LONGEST_REST_S = 60.0
#: A busy host is only busy; one that lacks the model, or the memory for it, stays so for a while.
_BUSY_REST_S = 5.0
_UNFIT_REST_S = 300.0
#: A call's length before one was seen, and how much the latest one counts.
_USUAL_CALL_S = 10.0
_LATEST = 0.3

_OF_THE_HOST = (Unreachable, StreamCut, MalformedLine, RunnerCrashed, ServerFault, DeadlineExceeded)
_OF_THE_MODEL = (ModelMissing, OutOfMemory)


def passes_on(error: EngineError) -> bool:
    """Whether another host may answer what this one did not.

    A refused request, a prompt over the window and an answer over its limit stay what they are.
    """
    return isinstance(error, (*_OF_THE_HOST, *_OF_THE_MODEL, ServerBusy))


@dataclass(slots=True)
class _Host:
    slots: int
    in_flight: int = 0
    call_s: float = _USUAL_CALL_S
    failures: int = 0
    down: bool = False
    rests_until: float = 0.0
    unfit_until: dict[str, float] = field(default_factory=dict)


class HostBoard:
    """What is known of the hosts of this process.

    Args:
        slots: host -> calls that it works on at once.
        clock: seconds, monotonic.
    """

    def __init__(
        self, slots: Mapping[str, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts = {name: _Host(slots=count) for name, count in slots.items()}
        self._clock = clock

    def order(self, names: Sequence[str], model: str, load_s: Mapping[str, float]) -> list[str]:
        """The hosts that may be asked now, the one with the least expected wait first.

        Decisions, in this order:
            1. a host that is down, busy or unfit for the model is left out until its rest is over;
            2. the least expected wait wins: calls ahead of this one, and the load;
            3. among equals the order of the settings is kept.

        Args:
            names: as the settings name them, the preferred one first.
            load_s: host -> seconds of loading that the model would need there.
        """
        now = self._clock()
        fit = [name for name in names if not self._rests(name, model, now)]  # 1.
        return sorted(fit, key=lambda name: self.wait_s(name) + load_s.get(name, 0.0))  # 2., 3.

    def wait_s(self, name: str) -> float:
        """Seconds until a slot of the host is free, as far as its calls are known here."""
        host = self._hosts[name]
        ahead = max(0, host.in_flight - host.slots + 1)
        return ahead / host.slots * host.call_s

    def due(self, names: Collection[str]) -> list[str]:
        """Hosts that failed and have rested: they are looked at before they are used again."""
        now = self._clock()
        return [
            name
            for name in names
            if self._hosts[name].down and self._hosts[name].rests_until <= now
        ]

    def resting(self, names: Collection[str]) -> list[str]:
        """Hosts that failed and were not seen to answer since."""
        return [name for name in names if self._hosts[name].down]

    def begin(self, name: str) -> None:
        self._hosts[name].in_flight += 1

    def end(self, name: str, seconds: float | None) -> None:
        """A call ended; `seconds` are None where it failed or was stopped."""
        host = self._hosts[name]
        host.in_flight -= 1
        if seconds is not None:
            host.call_s += _LATEST * (seconds - host.call_s)
            self.answered(name)

    def answered(self, name: str) -> None:
        """The host was seen to be well."""
        host = self._hosts[name]
        host.failures, host.down, host.rests_until = 0, False, 0.0

    def failed(self, name: str, model: str, error: EngineError) -> None:
        """A call failed there: what it says of the host, or of the model on it."""
        host, now = self._hosts[name], self._clock()
        if isinstance(error, _OF_THE_MODEL):
            host.unfit_until[model] = now + _UNFIT_REST_S
        elif isinstance(error, ServerBusy):
            host.rests_until = now + _BUSY_REST_S
        elif isinstance(error, _OF_THE_HOST):
            host.down = True
            host.rests_until = now + min(_FIRST_REST_S * 2**host.failures, _LONGEST_REST_S)
            host.failures += 1

    def _rests(self, name: str, model: str, now: float) -> bool:
        host = self._hosts[name]
        return host.down or host.rests_until > now or host.unfit_until.get(model, 0.0) > now
