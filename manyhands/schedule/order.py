"""The order of a plan's steps: by what loading costs, or by switches where nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count

from manyhands.schedule.model import Outlook, Work
from manyhands.schedule.optimum import best_schedule

__all__ = ["StepSpec", "order_by_cost", "order_steps"]

#: Of equals the one that the plan names first comes first.
_PLANS_ORDER = 1e-5

#: Beyond this many explored states the greedy order is taken: a plan is never kept waiting.
_MOST_STATES = 20_000


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step for the scheduler: the model that serves it, and the steps that it needs."""

    id: str
    model: str
    needs: tuple[str, ...] = ()


def order_by_cost(work: Sequence[Work], outlook: Outlook) -> list[str]:
    """The order of best cost on a host, as ids; see `optimum.best_schedule`."""
    named = [
        replace(one, weight=one.weight * (1.0 - at * _PLANS_ORDER)) for at, one in enumerate(work)
    ]
    best = best_schedule(named, outlook.costs, outlook.room, outlook.resident)
    return [step.work.id for step in best.steps]


def order_steps(steps: Sequence[StepSpec], resident: Iterable[str] = ()) -> list[str]:
    """An order that respects every need and switches models as rarely as possible.

    Decisions, in this order:
        1. a step whose needs are not met waits;
        2. fewest switches of the model wins (exact, by a best-first search over the sets of
           steps that are done, as long as the search stays small; else greedily by model);
        3. among equals the plan's own order is kept.

    Args:
        resident: models that are loaded now; beginning with one of them costs no switch.

    Raises:
        ValueError: the steps need each other in a circle, or need an unknown step.
    """
    position = {step.id: at for at, step in enumerate(steps)}
    unknown = {need for step in steps for need in step.needs} - position.keys()
    if unknown:
        raise ValueError(f"needs unknown steps: {', '.join(sorted(unknown))}")
    needs = [frozenset(position[need] for need in step.needs) for step in steps]
    found = _search(steps, needs, frozenset(resident))
    if found is None:
        found = _greedy(steps, needs, frozenset(resident))
    return [steps[at].id for at in found]


def _ready(needs: Sequence[frozenset[int]], done: frozenset[int]) -> list[int]:
    return [at for at, wanted in enumerate(needs) if at not in done and wanted <= done]  # 1.


def _search(
    steps: Sequence[StepSpec], needs: Sequence[frozenset[int]], resident: frozenset[str]
) -> list[int] | None:
    """The best order, or None where the search would grow too large."""
    order = count()
    heap: list[tuple[int, tuple[int, ...], int, frozenset[int], str]] = [
        (0, (), next(order), frozenset(), "")
    ]
    seen: set[tuple[frozenset[int], str]] = set()
    while heap:
        switches, path, _, done, model = heappop(heap)  # 2., then 3. by the path itself
        if len(done) == len(steps):
            return list(path)
        if (done, model) in seen:
            continue
        seen.add((done, model))
        if len(seen) > _MOST_STATES:
            return None
        ready = _ready(needs, done)
        if not ready:
            raise ValueError("the steps need each other in a circle")
        for at in ready:
            free = steps[at].model == model or (not model and steps[at].model in resident)
            heappush(
                heap,
                (
                    switches + (0 if free else 1),
                    (*path, at),
                    next(order),
                    done | {at},
                    steps[at].model,
                ),
            )
    return []


def _greedy(
    steps: Sequence[StepSpec], needs: Sequence[frozenset[int]], resident: frozenset[str]
) -> list[int]:
    """All ready steps of one model, then the model that has the most of them ready."""
    path: list[int] = []
    model = ""
    while len(path) < len(steps):
        ready = _ready(needs, frozenset(path))
        if not ready:
            raise ValueError("the steps need each other in a circle")
        same = [at for at in ready if steps[at].model == model]
        if not same:
            models = [steps[at].model for at in ready]
            loaded = [name for name in models if not path and name in resident]
            model = max(loaded or models, key=models.count)
            continue
        path.extend(same)
    return path
