"""The best schedule is the best one, respects every need, and comes in time."""

from __future__ import annotations

import time
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.schedule.model import LoadCost, ModelKey, Room, Work
from manyhands.schedule.optimum import EXACT_MOST, LOADS_FIRST, best_schedule

GB = 1000**3
MIND, EXPERT, OTHER, HEAVY = (ModelKey(name) for name in ("mind", "expert", "other", "heavy"))
SIZES = {MIND: 19, EXPERT: 43, OTHER: 43, HEAVY: 142}
COSTS = {key: LoadCost(size * GB, 2.5 + size / 3) for key, size in SIZES.items()}


@st.composite
def batches(draw: st.DrawFn, most: int) -> list[Work]:
    return [
        Work(
            f"t{at}",
            draw(st.sampled_from([MIND, EXPERT, OTHER, HEAVY])),
            seconds=draw(st.floats(1, 60)),
            weight=draw(st.sampled_from([1.0, 4.0, 80.0])),
            needs=tuple(f"t{n}" for n in draw(st.sets(st.integers(0, at - 1), max_size=2)))
            if at
            else (),
        )
        for at in range(draw(st.integers(1, most)))
    ]


def least_load_s(work: list[Work], room: Room, resident: frozenset[ModelKey]) -> float:
    """The fewest seconds of loading, by trying every order and everything that can go."""

    def load_s(order: tuple[Work, ...], loaded: frozenset[ModelKey]) -> float:
        if not order:
            return 0.0
        first, *rest = order
        if first.key in loaded:
            return load_s(tuple(rest), loaded)
        found = []
        for mask in range(1 << len(loaded)):
            kept = frozenset(
                key for bit, key in enumerate(sorted(loaded, key=repr)) if mask >> bit & 1
            )
            if room.fits(COSTS[first.key].size, [COSTS[key].size for key in kept]):
                found.append(load_s(tuple(rest), kept | {first.key}))
        return COSTS[first.key].seconds + min(found)

    done_before = {one.id: set(one.needs) for one in work}
    orders = (
        order
        for order in permutations(work)
        if all(
            done_before[one.id] <= {other.id for other in order[:at]}
            for at, one in enumerate(order)
        )
    )
    return min(load_s(order, resident) for order in orders)


@settings(max_examples=60, deadline=None)
@given(batches(4), st.sampled_from([48, 80]), st.sets(st.sampled_from([MIND, EXPERT]), max_size=1))
def test_no_order_loads_for_less(work: list[Work], vram: int, resident: set[ModelKey]) -> None:
    room = Room(vram=vram * GB)
    found = best_schedule(work, COSTS, room, resident, load_weight=LOADS_FIRST)
    assert found.exact
    assert found.load_s == pytest.approx(least_load_s(work, room, frozenset(resident)))


@settings(max_examples=60, deadline=None)
@given(batches(14), st.sampled_from([0, 48, 80]))
def test_every_schedule_can_be_carried_out(work: list[Work], vram: int) -> None:
    room = Room(vram=vram * GB)
    found = best_schedule(work, COSTS, room, [MIND])
    loaded, done, load_s = {MIND}, set(), 0.0
    for step in found.steps:
        assert set(step.work.needs) <= done
        assert step.loads == (step.work.key not in loaded)
        if step.loads:
            loaded -= set(step.evicts)
            size = COSTS[step.work.key].size
            assert room.fits(size, [COSTS[key].size for key in loaded])
            loaded.add(step.work.key)
            load_s += COSTS[step.work.key].seconds
        done.add(step.work.id)
    assert done == {one.id for one in work}
    assert found.load_s == pytest.approx(load_s)


@settings(max_examples=30, deadline=None)
@given(batches(EXACT_MOST))
def test_what_is_not_exact_is_never_better_than_what_is(work: list[Work]) -> None:
    from manyhands.schedule.optimum import _Table

    room = Room(vram=80 * GB)
    table = _Table(work, COSTS, room, [MIND], 80.0)
    exact, beam = table.exact()[0], table.beam()[0]
    assert exact <= beam + 1e-6
    assert beam <= 1.5 * exact


def test_another_runner_of_the_same_weights_has_to_go() -> None:
    plain, adapted = ModelKey("base"), ModelKey("base", adapters=("lora",))
    costs = {plain: LoadCost(19 * GB, 9.0), adapted: LoadCost(19 * GB, 9.0)}
    work = [Work("1", adapted), Work("2", plain)]
    found = best_schedule(work, costs, Room(), [plain])
    assert found.load_s == 9.0  # what is loaded first, although room is unbounded
    assert [step.work.id for step in found.steps] == ["2", "1"]
    assert found.steps[1].evicts == (plain,)


def test_a_person_who_waits_is_worth_a_load_and_background_work_is_not() -> None:
    def first(weight: float) -> str:
        waits = Work("asked", MIND, seconds=5, weight=weight)
        busy = [Work(f"b{n}", HEAVY, seconds=60, weight=1.0) for n in range(5)]
        return best_schedule([*busy, waits], COSTS, Room(vram=48 * GB), [HEAVY]).steps[0].work.id

    assert first(80.0) == "asked"
    assert first(1.0) != "asked"


def test_forty_pieces_of_work_are_ordered_without_delay() -> None:
    work = [Work(f"t{n}", (MIND, EXPERT, OTHER, HEAVY)[n % 4], seconds=n + 1.0) for n in range(40)]
    began = time.thread_time()
    found = best_schedule(work, COSTS, Room(vram=48 * GB), [MIND])
    assert time.thread_time() - began < 1.0  # milliseconds; the bound is only against explosion
    assert not found.exact
    least = sum(COSTS[key].seconds for key in (EXPERT, OTHER, HEAVY))
    assert found.load_s <= 1.35 * least


def test_circles_and_unknown_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        best_schedule([Work("a", MIND, needs=("b",)), Work("b", MIND, needs=("a",))], COSTS, Room())
    with pytest.raises(ValueError, match="unknown"):
        best_schedule([Work("a", MIND, needs=("z",))], COSTS, Room())
