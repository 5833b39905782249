"""When work may be called verified."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.checks.outcome import Verdict
from manyhands.hands.contracts import (
    CodeRequest,
    Evidence,
    EvidenceKind,
    HandName,
    MathKind,
    MathRequest,
    Status,
    decide_status,
)
from manyhands.hands.maths import case_of
from manyhands.hands.schemas import flat_schema
from manyhands.hands.verify import agree


def check(passed: bool | None, **more: object) -> Evidence:
    return Evidence(name="c", passed=passed, evidence="", **more)  # type: ignore[arg-type]


def test_an_independent_pass_verifies() -> None:
    assert decide_status([check(True, independent=True)]) is Status.VERIFIED


@pytest.mark.parametrize(
    "checks",
    [
        [],
        [check(True)],
        [check(None, independent=True)],
        [check(True, independent=True, kind=EvidenceKind.OPINION)],
        [check(True, independent=True, isolation="none")],
        [check(True, independent=True), check(True, isolation="none")],
    ],
    ids=["nothing", "dependent", "undecided", "opinion", "no isolation", "part without isolation"],
)
def test_less_than_that_never_verifies(checks: list[Evidence]) -> None:
    assert decide_status(checks) is Status.UNVERIFIED


def test_an_opinion_does_not_refute() -> None:
    checks = [check(True, independent=True), check(False, kind=EvidenceKind.OPINION)]
    assert decide_status(checks) is Status.VERIFIED


@given(
    st.lists(
        st.builds(
            check,
            st.sampled_from([True, False, None]),
            independent=st.booleans(),
            isolation=st.sampled_from(["bwrap", "none", ""]),
        )
    )
)
def test_one_failed_machine_check_is_enough_to_refute(checks: list[Evidence]) -> None:
    failed = any(item.passed is False for item in checks)
    assert (decide_status(checks) is Status.REFUTED) == failed


def test_two_programs_decide_a_claim_only_together() -> None:
    assert agree(Verdict.SUPPORTED, Verdict.SUPPORTED) is Status.VERIFIED
    assert agree(Verdict.REFUTED, Verdict.REFUTED) is Status.REFUTED
    for first in Verdict:
        for second in Verdict:
            if first is not second or first is Verdict.UNDETERMINED:
                assert agree(first, second) is Status.UNVERIFIED


@pytest.mark.parametrize(
    ("kind", "given_", "said", "slot", "value"),
    [
        (MathKind.DERIVATIVE, {"f": "x**2", "var": "x"}, "2*x", "df", "2*x"),
        (MathKind.DERIVATIVE, {"f": "x**2", "var": "x"}, "f'(x) = 2*x", "df", "2*x"),
        (MathKind.ANTIDERIVATIVE, {"f": "2*x", "var": "x"}, "F(x) = x**2", "F", "x**2"),
        (MathKind.SOLUTION, {"equations": '["x+y=3"]'}, "x = 1, y = 2", "values", None),
        (MathKind.MATRIX, {"op": "det"}, "[[1, 2]]", "value", [[1, 2]]),
    ],
)
def test_an_expression_fills_the_slot_of_its_check(
    kind: MathKind, given_: dict[str, str], said: str, slot: str, value: object
) -> None:
    case = case_of(MathRequest(task="t", kind=kind, given=given_), said)
    assert case is not None
    assert case[slot] == (value if value is not None else {"x": "1", "y": "2"})
    assert case["kind"] == kind


def test_a_free_request_has_no_check_and_so_is_never_verified() -> None:
    assert case_of(MathRequest(task="t"), "x") is None


def test_schemas_are_flat() -> None:
    text = str(flat_schema(CodeRequest))
    assert "$ref" not in text
    assert "$defs" not in text
    assert HandName.CODE in text
