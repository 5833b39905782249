"""What the owner says of a host: what is loaded, what loads, who holds and who waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from manyhands.schedule.model import ModelKey
from manyhands.schedule.scheduler import Phase, Scheduler
from manyhands.serve.wire import LeaseRequest

__all__ = ["host_status"]


class _Asked(Protocol):
    request: LeaseRequest
    granted: bool


def host_status(
    scheduler: Scheduler,
    tickets: Mapping[str, _Asked],
    name_of: Callable[[ModelKey], str],
    now: float,
) -> dict[str, Any]:
    """The part of a host's status that its scheduler and its doors tell.

    Args:
        now: on the clock of the wishes.
    """
    leases = list(scheduler.leases.values())
    swap = scheduler.swap
    return {
        "resident": [
            {
                "model": name_of(key),
                "size": scheduler.costs[key].size if key in scheduler.costs else 0,
                "leases": leases.count(key),
            }
            for key in sorted(scheduler.resident, key=name_of)
        ],
        "next": "" if swap is None or swap.phase is Phase.LOADING else name_of(swap.target),
        "waiting": [
            {
                **_door(tickets[wish.id].request),
                "priority": wish.priority.name.lower(),
                "waited_s": now - wish.since,
            }
            for wish in scheduler.waiting.values()
        ],
        "leases": [_door(one.request) for one in tickets.values() if one.granted],
    }


def _door(request: LeaseRequest) -> dict[str, Any]:
    return {"model": request.want.model, "door": request.door, "pid": request.pid}
