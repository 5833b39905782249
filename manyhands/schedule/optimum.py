"""The best order of known work on one host: exact for a short horizon, a beam beyond it. Pure.

What is made small is the sum over all work of `weight · completion`, plus `LOAD_WEIGHT` for every
second of loading. Both parts can be charged as the schedule grows: a second in which anything
happens costs the weights of all that is not done, so the cost still to come depends only on what is
done and what is loaded. A dynamic programme over these pairs is exact; eight pieces of work on four
models take two milliseconds of plain Python, ten take eight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from manyhands.schedule.model import LoadCost, ModelKey, Room, Work

__all__ = ["EXACT_MOST", "LOADS_FIRST", "LOAD_WEIGHT", "Schedule", "Step", "best_schedule"]

#: What a second of loading costs beside the waiting that it causes, for a short horizon; it grows
#: with the number of pieces of work beyond `_SHORT`, or a long batch would load ever more often.
LOAD_WEIGHT = 70.0
_SHORT = 8
#: With this the seconds of loading decide, and completion only among equals.
LOADS_FIRST = 1e7
#: Up to this many pieces of work the optimum is computed exactly.
EXACT_MOST = 10
#: States kept at each length of a longer schedule.
_BEAM = 12
#: Among equals the schedule wins that throws out what loads quickly.
_EVICTION = 1e-4


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work; before it `evicts` go and, if `loads`, its model comes."""

    work: Work
    loads: bool = False
    evicts: tuple[ModelKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order, with what it costs. `exact` says whether no better one exists."""

    steps: tuple[Step, ...]
    load_s: float
    makespan_s: float
    cost: float
    exact: bool


def best_schedule(
    work: Sequence[Work],
    costs: Mapping[ModelKey, LoadCost],
    room: Room,
    resident: Iterable[ModelKey] = (),
    *,
    load_weight: float = LOAD_WEIGHT,
) -> Schedule:
    """The best order of `work` on a host where `resident` models are loaded.

    Decisions, in this order:
        1. work whose needs are not done waits;
        2. work of a loaded model costs no load;
        3. otherwise its model is loaded; what must go for it is tried in every smallest choice;
        4. of two ways to the same state the cheaper one is kept: exactly up to `EXACT_MOST`
           pieces of work, beyond that only the most promising states of each length.

    Raises:
        ValueError: the work needs itself in a circle, or needs something unknown.
    """
    load_weight *= max(1.0, len(work) / _SHORT)
    table = _Table(work, costs, room, resident, load_weight)
    if len(work) <= EXACT_MOST:
        return table.schedule(table.exact(), exact=True)
    return table.schedule(table.beam(), exact=False)


#: A state's best way so far: its cost, the last piece of work, the models that went for it, the way
#: before it, and the seconds of loading. A tuple, because tens of thousands are made.
_Node = tuple[float, int, int, Any, float]
_FIRST: _Node = (0.0, -1, 0, None, 0.0)


#: A way to have a model loaded: what is loaded then, what went for it, seconds, price beside them.
_Way = tuple[int, int, float, float]
_Grown = Iterator[tuple[int, dict[int, _Node]]]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is done as a mask, and of the rest its weights, its seconds, and what is ready."""

    done: int
    weight: float
    takes: float
    ready: tuple[int, ...]


def _cost_of(node: _Node) -> float:
    return node[0]


def _merge(into: dict[int, _Node], grown: Mapping[int, _Node]) -> None:
    for resident, node in grown.items():
        known = into.get(resident)
        if known is None or node[0] < known[0]:  # 4.
            into[resident] = node


class _Table:
    """The problem with numbers for names: bit i of a mask is work i, or model i."""

    def __init__(
        self,
        work: Sequence[Work],
        costs: Mapping[ModelKey, LoadCost],
        room: Room,
        resident: Iterable[ModelKey],
        load_weight: float,
    ) -> None:
        self.work = work
        self._room = room
        self._load_weight = load_weight
        loaded = list(dict.fromkeys(resident))
        self._keys = list(dict.fromkeys([*(one.key for one in work), *loaded]))
        number = {key: at for at, key in enumerate(self._keys)}
        found = [costs.get(key, LoadCost(0, 0.0)) for key in self._keys]
        self._sizes = [cost.size for cost in found]
        self._seconds = [cost.seconds for cost in found]
        self._model = [number[one.key] for one in work]
        self._start = sum(1 << number[key] for key in loaded)
        place = {one.id: at for at, one in enumerate(work)}
        unknown = {need for one in work for need in one.needs} - place.keys()
        if unknown:
            raise ValueError(f"needs unknown steps: {', '.join(sorted(unknown))}")
        self._needs = [sum(1 << place[need] for need in set(one.needs)) for one in work]
        self._weight = [one.weight for one in work]
        self._takes = [one.seconds for one in work]
        self._whole = (1 << len(work)) - 1
        self._ways: dict[tuple[int, int], list[_Way]] = {}
        self._behind = [
            [one for one, needs in enumerate(self._needs) if needs >> at & 1]
            for at in range(len(work))
        ]
        self._works: defaultdict[int, int] = defaultdict(int)
        for at, model in enumerate(self._model):
            self._works[model] |= 1 << at
        self._check_circles()

    def _check_circles(self) -> None:
        rest = self._all()
        while rest.ready:
            rest = self._without(rest, rest.ready[0])
        if rest.done != self._whole:
            raise ValueError("the steps need each other in a circle")

    def ways(self, resident: int, model: int) -> list[_Way]:
        """How a model can become loaded."""
        known = self._ways.get((resident, model))
        if known is None:
            known = self._ways[resident, model] = self._find_ways(resident, model)
        return known

    def _find_ways(self, resident: int, model: int) -> list[_Way]:
        if resident >> model & 1:
            return [(resident, 0, 0.0, 0.0)]  # 2.
        key, seconds = self._keys[model], self._seconds[model]
        # Another runner of the same weights must go in any case.
        same = sum(
            1 << at
            for at, other in enumerate(self._keys)
            if resident >> at & 1 and other.weights == key.weights
        )
        others = [at for at in range(len(self._keys)) if resident >> at & 1 and not same >> at & 1]
        found: list[_Way] = []
        smallest: list[int] = []
        for count in range(len(others) + 1):  # 3.
            for gone in combinations(others, count):
                mask = sum(1 << at for at in gone)
                if any(mask & small == small for small in smallest):
                    continue  # less was enough
                beside = [self._sizes[at] for at in others if not mask >> at & 1]
                if self._room.fits(self._sizes[model], beside):
                    smallest.append(mask)
                    evicted = mask | same
                    extra = _EVICTION * sum(self._seconds[at] for at in gone)
                    price = self._load_weight * seconds + extra
                    found.append((resident & ~evicted | 1 << model, evicted, seconds, price))
        return found

    def _extend(self, rest: _Rest, states: Mapping[int, _Node], chosen: Iterable[int]) -> _Grown:
        """Do each chosen piece of work in each state, by every way; new states by their work."""
        for at in chosen:
            model, takes = self._model[at], rest.weight * self._takes[at]
            after: dict[int, _Node] = {}
            for resident, node in states.items():
                base = node[0] + takes
                for now, evicted, seconds, price in self.ways(resident, model):
                    cost = base + rest.weight * seconds + price
                    known = after.get(now)
                    if known is None or cost < known[0]:  # 4.
                        after[now] = (cost, at, evicted, node, node[4] + seconds)
            yield at, after

    def exact(self) -> _Node:
        """The best way to have everything done."""
        table: list[dict[int, _Node]] = [{} for _ in range(self._whole + 1)]
        rests: dict[int, _Rest] = {0: self._all()}
        table[0][self._start] = _FIRST
        for done in range(self._whole):  # work is only added: a later mask is a larger number
            states = table[done]
            if not states:
                continue
            rest = rests.pop(done)
            for at, grown in self._extend(rest, states, rest.ready):
                after = done | 1 << at
                if after not in rests:
                    rests[after] = self._without(rest, at)
                _merge(table[after], grown)
        return min(table[self._whole].values(), key=_cost_of)

    def beam(self) -> _Node:
        """A good way: at each length the most promising states, of each model its most urgent."""
        order = self._urgency()
        rests: dict[int, _Rest] = {0: self._all()}
        layer: dict[int, dict[int, _Node]] = {0: {self._start: _FIRST}}
        for _ in self.work:
            after: dict[int, dict[int, _Node]] = {}
            below: dict[int, _Rest] = {}
            for done, states in layer.items():
                rest = rests[done]
                for at, grown in self._extend(rest, states, self._chosen(rest.ready, order)):
                    now = done | 1 << at
                    if now not in below:
                        below[now] = self._without(rest, at)
                        after[now] = {}
                    _merge(after[now], grown)
            best = sorted(
                (node[0] + self._bound(below[done], resident), done, resident)
                for done, states in after.items()
                for resident, node in states.items()
            )
            layer, rests = {}, below
            for _, done, resident in best[:_BEAM]:
                layer.setdefault(done, {})[resident] = after[done][resident]
        return min((node for states in layer.values() for node in states.values()), key=_cost_of)

    def _all(self) -> _Rest:
        ready = tuple(at for at, needs in enumerate(self._needs) if not needs)  # 1.
        return _Rest(0, sum(self._weight), sum(self._takes), ready)

    def _without(self, rest: _Rest, at: int) -> _Rest:
        """What is left once `at` is done too."""
        done = rest.done | 1 << at
        freed = [
            one
            for one in self._behind[at]
            if self._needs[one] & done == self._needs[one]  # 1.
        ]
        ready = (*(one for one in rest.ready if one != at), *freed)
        return _Rest(done, rest.weight - self._weight[at], rest.takes - self._takes[at], ready)

    def _chosen(self, ready: Iterable[int], order: Sequence[float]) -> list[int]:
        """Of each model the most urgent ready work."""
        best: dict[int, int] = {}
        for at in ready:
            model = self._model[at]
            if model not in best or order[at] > order[best[model]]:
                best[model] = at
        return list(best.values())

    def _urgency(self) -> list[float]:
        """Weight by seconds, with the weights of what waits for it alone (after Smith's rule)."""
        return [
            (self._weight[at] + sum(self._weight[one] for one in self._behind[at]))
            / max(self._takes[at], 1e-3)
            for at in range(len(self.work))
        ]

    def _bound(self, rest: _Rest, resident: int) -> float:
        """About what is still to come: each model once, and half of every second for all."""
        loads = sum(
            self._seconds[model]
            for model, works in self._works.items()
            if works & ~rest.done and not resident >> model & 1
        )
        return loads * self._load_weight + 0.5 * rest.weight * (rest.takes + loads)

    def schedule(self, node: _Node, *, exact: bool) -> Schedule:
        """The order that led to a state."""
        steps: list[Step] = []
        cost, *_, load_s = node
        while node[3] is not None:
            _, at, gone, before, seconds = node
            evicts = tuple(key for bit, key in enumerate(self._keys) if gone >> bit & 1)
            steps.append(Step(self.work[at], seconds > before[4], evicts))
            node = before
        steps.reverse()
        return Schedule(tuple(steps), load_s, load_s + sum(self._takes), cost, exact)
