"""The order of a plan's steps: by what loading costs, or by switches where nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from manyhands.schedule.model import LoadCost, ModelKey, Outlook, Room, Work
from manyhands.schedule.optimum import LOAD_WEIGHT, LOADS_FIRST, best_schedule

__all__ = ["StepSpec", "order_by_cost", "order_steps"]

#: Of equals the one that the plan names first comes first.
_PLANS_ORDER = 1e-5


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step for the scheduler: the model that serves it, and the steps that it needs."""

    id: str
    model: str
    needs: tuple[str, ...] = ()


def order_by_cost(
    work: Sequence[Work], outlook: Outlook, *, load_weight: float = LOAD_WEIGHT
) -> list[str]:
    """The order of best cost on a host, as ids; see `optimum.best_schedule`.

    Raises:
        ValueError: the work needs itself in a circle, or needs something unknown.
    """
    named = [
        replace(one, weight=one.weight * (1.0 - at * _PLANS_ORDER)) for at, one in enumerate(work)
    ]
    best = best_schedule(
        named, outlook.costs, outlook.room, outlook.resident, load_weight=load_weight
    )
    return [step.work.id for step in best.steps]


def order_steps(steps: Sequence[StepSpec], resident: Iterable[str] = ()) -> list[str]:
    """An order that respects every need and switches models as rarely as possible.

    Every switch counts the same, and one model is loaded at a time.

    Args:
        resident: models that are loaded now; beginning with one of them costs no switch.

    Raises:
        ValueError: the steps need each other in a circle, or need an unknown step.
    """
    keys = {name: ModelKey(name) for name in (*(step.model for step in steps), *resident)}
    same = LoadCost(size=1, seconds=1.0)
    outlook = Outlook(
        keys=keys,
        costs=dict.fromkeys(keys.values(), same),
        room=Room(vram=1),
        resident=frozenset(keys[name] for name in resident),
    )
    work = [Work(step.id, keys[step.model], seconds=1.0, needs=step.needs) for step in steps]
    return order_by_cost(work, outlook, load_weight=LOADS_FIRST)
