"""Equality is decided by points of both signs, with the domain and the branch named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manyhands.checks.outcome import CheckOutcome, Verdict

Ask = Callable[..., CheckOutcome]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sqrt(x**2)", "x"),
        ("2**x*3**x", "6**x + 1e-35"),
        ("exp(pi*sqrt(163))", "262537412640768744"),
        ("sin(x) + exp(-400)", "sin(x)"),
        ("log(x**2)", "2*log(x)"),
        ("log(x*y)", "log(x) + log(y)"),
        ("atan(x) + atan(1/x)", "pi/2"),
        ("asin(sin(x))", "x"),
        ("Heaviside(x - 1000)", "0"),
        ("Abs(x - 50)", "50 - x"),
        ("cos(2*pi*9973*x)", "1"),
        ("tanh(1000*x)", "sign(x)"),
    ],
)
def test_a_near_identity_is_refuted_at_a_point(ask: Ask, left: str, right: str) -> None:
    outcome = ask({"kind": "identity", "lhs": left, "rhs": right})
    assert outcome.verdict is Verdict.REFUTED
    assert {"left", "right"} <= outcome.evidence["counterexample"].keys()


@pytest.mark.parametrize(
    ("left", "right", "assume"),
    [
        ("log(x*y)", "log(x) + log(y)", {"x": "positive", "y": "positive"}),
        ("sqrt(x**2)", "-x", {"x": "negative"}),
        ("sin(pi*n)", "0", {"n": "integer"}),
        ("asin(sin(x))", "x", ["-pi/2 < x < pi/2"]),
        ("log(x**3)", "3*log(x)", ["x > 0"]),
    ],
)
def test_what_is_assumed_makes_it_true(ask: Ask, left: str, right: str, assume: object) -> None:
    case = {"kind": "identity", "lhs": left, "rhs": right}
    assert ask({**case, "assume": assume}).verdict is Verdict.SUPPORTED
    assert ask(case).verdict is not Verdict.SUPPORTED


def test_a_difference_off_the_real_domain_is_named_and_decides_nothing(ask: Ask) -> None:
    outcome = ask({"kind": "identity", "lhs": "log(x**3)", "rhs": "3*log(x)"})
    assert outcome.verdict is Verdict.UNDETERMINED
    assert "principal branch" in outcome.summary
    assert outcome.evidence["off_domain"]["x"].startswith("-")


def test_the_same_case_gets_the_same_evidence(ask: Ask) -> None:
    case = {"kind": "identity", "lhs": "sin(x)", "rhs": "x"}
    assert ask(case).evidence == ask(case).evidence
    other = ask({**case, "seed": 7})
    assert other.evidence["seed"] == 7


def test_algebra_closes_what_it_can(ask: Ask) -> None:
    outcome = ask({"kind": "identity", "lhs": "(x**2 - 1)/(x - 1)", "rhs": "x + 1"})
    assert outcome.verdict is Verdict.SUPPORTED
    assert outcome.evidence["proof"]


def test_no_value_anywhere_supports_nothing(ask: Ask) -> None:
    for text in ("1/0", "x/(y - y)", "log(0)*x", "oo - oo"):
        outcome = ask({"kind": "identity", "lhs": text, "rhs": text})
        assert outcome.verdict is Verdict.UNDETERMINED, text


def test_a_case_that_takes_too_long_is_undetermined_and_the_next_is_answered(ask: Ask) -> None:
    rows = [[f"a{i}{j}" for j in range(12)] for i in range(12)]
    slow = ask({"kind": "matrix", "op": "inverse", "args": [rows], "value": rows})
    assert slow.verdict is Verdict.UNDETERMINED
    assert ask({"kind": "identity", "lhs": "x", "rhs": "x"}).verdict is Verdict.SUPPORTED
