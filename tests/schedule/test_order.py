"""A plan's steps come in an order that loads few models and breaks no need."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.schedule.order import StepSpec, order_steps


@st.composite
def plans(draw: st.DrawFn, most: int = 5) -> list[StepSpec]:
    size = draw(st.integers(0, most))
    return [
        StepSpec(
            id=f"s{at}",
            model=draw(st.sampled_from(["a", "b", "c"])),
            needs=tuple(f"s{n}" for n in draw(st.sets(st.integers(0, at - 1), max_size=2)))
            if at
            else (),
        )
        for at in range(size)
    ]


def switches(order: list[str], steps: list[StepSpec], resident: str = "") -> int:
    models = [next(step.model for step in steps if step.id == name) for name in order]
    before = [resident, *models]
    return sum(left != right for left, right in zip(before, models, strict=False))


def keeps_needs(order: list[str], steps: list[StepSpec]) -> bool:
    return all(order.index(need) < order.index(step.id) for step in steps for need in step.needs)


@given(plans(), st.sampled_from(["", "a", "b"]))
def test_the_order_is_a_best_one(steps: list[StepSpec], resident: str) -> None:
    order = order_steps(steps, [resident] if resident else [])
    assert sorted(order) == sorted(step.id for step in steps)
    assert keeps_needs(order, steps)
    everything = [
        list(o) for o in permutations([s.id for s in steps]) if keeps_needs(list(o), steps)
    ]
    best = min(switches(candidate, steps, resident) for candidate in everything)
    assert switches(order, steps, resident) == best


def test_steps_of_one_model_are_grouped() -> None:
    steps = [StepSpec("1", "a"), StepSpec("2", "b"), StepSpec("3", "a"), StepSpec("4", "b")]
    assert order_steps(steps) == ["1", "3", "2", "4"]
    assert order_steps(steps, ["b"]) == ["2", "4", "1", "3"]


def test_a_large_plan_is_ordered_without_searching_for_ever() -> None:
    steps = [StepSpec(str(at), "abc"[at % 3]) for at in range(60)]
    order = order_steps(steps)
    assert switches(order, steps) == 3


def test_circles_and_unknown_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        order_steps([StepSpec("a", "m", ("b",)), StepSpec("b", "m", ("a",))])
    with pytest.raises(ValueError, match="unknown"):
        order_steps([StepSpec("a", "m", ("z",))])
