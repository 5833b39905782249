"""A plan is followed only when it can be; everything wrong with it is said at once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.hands.contracts import CodeRequest, VerifyRequest, VisualizeRequest
from manyhands.mind.frame import (
    Frame,
    PlanStep,
    Route,
    check_plan,
    frame_schema,
    frame_text,
    request_of,
)

DATA = {"co2": ("Date", "CO2")}


def plan(*steps: dict[str, object]) -> Frame:
    return Frame.model_validate({"goal": "g", "route": "plan", "steps": steps})


def faults(frame: Frame, max_steps: int = 8) -> str:
    return " | ".join(str(fault) for fault in check_plan(frame, DATA, max_steps))


def test_a_good_plan_has_no_faults() -> None:
    frame = plan(
        {"id": "a", "hand": "code", "task": "t", "entry_point": "f", "data": ["co2"]},
        {"id": "b", "hand": "visualize", "task": "t", "data": ["co2"], "x": "Date", "y": "CO2"},
        {"id": "c", "hand": "verify", "task": "claim", "data": ["co2"], "needs": ["a"]},
    )
    assert faults(frame) == ""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "no steps"),
        ([{"id": "a", "hand": "code", "task": "t", "data": ["x"]}], "data 'x' was not given"),
        ([{"id": "a", "hand": "code", "task": "t", "needs": ["z"]}], "'z', which is no step"),
        ([{"id": "a", "hand": "math", "task": "t", "needs": ["a"]}], "in a circle"),
        ([{"id": "a", "hand": "code", "task": "t", "entry_point": "1f"}], "entry_point"),
        ([{"id": "a", "hand": "verify", "task": "t"}], "data"),
        ([{"id": "a", "hand": "verify", "task": "t", "subject": "x = 1"}], "subject"),
        (
            [{"id": "a", "hand": "visualize", "task": "t", "data": ["co2"], "x": "Datum"}],
            "'Datum' is no column",
        ),
        ([{"id": "a", "hand": "math", "task": "t"}] * 2, "used twice"),
        ([{"id": str(n), "hand": "math", "task": "t"} for n in range(9)], "budget allows 8"),
    ],
)
def test_each_fault_is_named(steps: list[dict[str, object]], said: str) -> None:
    assert said in faults(plan(*steps))


def test_direct_needs_an_answer_and_asking_a_question() -> None:
    assert faults(Frame(goal="g", route=Route.DIRECT))
    assert faults(Frame(goal="g", route=Route.ASK))
    assert not faults(Frame(goal="g", route=Route.DIRECT, answer="42"))


def test_a_step_becomes_its_hands_typed_request() -> None:
    code = PlanStep.model_validate({"id": "a", "hand": "code", "task": "t", "entry_point": "f"})
    assert request_of(code) == CodeRequest(task="t", entry_point="f")
    claim = PlanStep.model_validate({"id": "a", "hand": "verify", "task": "c", "data": ["co2"]})
    assert request_of(claim) == VerifyRequest(claim="c", data=("co2",))
    chart = PlanStep.model_validate(
        {"id": "a", "hand": "visualize", "task": "t", "data": ["co2"], "chart": "bar"}
    )
    assert request_of(chart) == VisualizeRequest(task="t", data=("co2",), chart="bar")


def test_without_hands_the_grammar_holds_no_plan() -> None:
    schema = frame_schema([], hands=False)
    assert schema["properties"]["route"]["enum"] == ["direct", "ask"]
    assert "steps" not in schema["properties"]
    assert "$ref" not in json.dumps(frame_schema(["co2"], hands=True))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10))
def test_a_circle_is_found_exactly_when_there_is_one(edges: list[tuple[int, int]]) -> None:
    needs: dict[int, set[int]] = {n: set() for n in range(6)}
    for a, b in edges:
        needs[a].add(b)
    frame = plan(
        *(
            {"id": str(n), "hand": "math", "task": "t", "needs": [str(m) for m in needs[n]]}
            for n in needs
        )
    )
    reach = {n: set(needs[n]) for n in needs}
    for _ in needs:
        for n in needs:
            for m in list(reach[n]):
                reach[n] |= reach[m]
    assert ("circle" in faults(frame)) == any(n in reach[n] for n in needs)


def test_the_frame_as_text_leaves_out_what_is_empty() -> None:
    assert json.loads(frame_text(Frame(goal="g", route=Route.DIRECT, answer="a"))) == {
        "goal": "g",
        "route": "direct",
        "answer": "a",
    }
