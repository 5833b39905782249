"""Integrals, limits, sums and equations: what diverges, is rounded, or is not defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from manyhands.checks.outcome import CheckOutcome, Verdict

Ask = Callable[..., CheckOutcome]


def _integral(f: str, a: str, b: str, value: str) -> dict[str, Any]:
    return {"kind": "definite_integral", "f": f, "a": a, "b": b, "var": "x", "value": value}


def _limit(f: str, to: str, value: str, **more: str) -> dict[str, Any]:
    return {"kind": "limit", "f": f, "var": "x", "to": to, "value": value, **more}


def _sum(term: str, start: str, end: str, value: str) -> dict[str, Any]:
    return {"kind": "sum", "term": term, "var": "n", "from": start, "to": end, "value": value}


@pytest.mark.parametrize(
    "case",
    [
        _integral("x*sin(x)", "0", "pi", "pi"),
        _integral("x*sin(x)", "0", "pi", "3.14159265"),
        _integral("1/sqrt(x)", "0", "1", "2"),
        _integral("log(x)", "0", "1", "-1"),
        _integral("Abs(x)", "-1", "2", "5/2"),
        _integral("Piecewise((x, x < 1), (x**2, True))", "0", "2", "17/6"),
        _integral("exp(-a*x)", "0", "oo", "1/a"),
        _integral("1/x", "1", "oo", "oo"),
        _integral("sin(x)/x", "0", "oo", "pi/2"),
        _integral("x", "2", "0", "-2"),
        _limit("sin(x)/x", "0", "1"),
        _limit("1/x", "0+", "oo"),
        _limit("1/x", "0", "-oo", dir="-"),
        _limit("1/log(x)", "oo", "0"),
        _limit("x**x", "0", "1"),
        _limit("sqrt(x**2 + x) - x", "oo", "1/2"),
        _sum("1/n**2", "1", "oo", "pi**2/6"),
        _sum("1/n**2", "1", "oo", "1.644934"),
        _sum("x**n", "0", "oo", "1/(1 - x)"),
        _sum("n", "1", "n", "n*(n + 1)/2"),
        _sum("1/n", "1", "oo", "oo"),
        _sum("binomial(m, n)", "0", "m", "2**m"),
    ],
    ids=str,
)
def test_what_is_right_is_supported(ask: Ask, case: dict[str, Any]) -> None:
    outcome = ask(case)
    assert outcome.verdict is Verdict.SUPPORTED, outcome.summary


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (_integral("1/x", "-1", "1", "0"), "diverges at 0"),
        (_integral("1/(x - 1)**2", "0", "3", "-3/2"), "diverges at 1"),
        (_integral("tan(x)", "0", "pi", "0"), "diverges at 1.57"),
        (_integral("1/x", "1", "oo", "7"), "diverges at infinity"),
        (_integral("exp(-x**2)", "-oo", "oo", "sqrt(pi) + 1e-30"), "quadrature"),
        (_integral("x*sin(x)", "0", "pi", "pi + 1e-60"), "quadrature"),
        (_integral("x*sin(x)", "0", "pi", "3.14159266"), "quadrature"),
        (_integral("1e-50*x", "0", "1", "0"), "quadrature"),
        (_limit("sin(x)/x", "0", "1 + 1e-20"), "another value"),
        (_limit("Abs(x)/x", "0", "1"), "another value"),
        (_limit("1/x", "0", "oo"), "negative"),
        (_limit("sin(x)", "oo", "0"), "to and fro"),
        (_sum("(-1)**n", "0", "oo", "1/2"), "do not go to zero"),
        (_sum("2**n", "0", "oo", "-1"), "diverges"),
        (_sum("1/n**2", "1", "oo", "pi**2/6 + 1e-30"), "the sum is"),
        (_sum("n**2", "1", "m", "m*(m + 1)*(2*m + 1)/6 + 1"), "differs at m"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refuted_with_the_reason(
    ask: Ask, case: dict[str, Any], said: str
) -> None:
    outcome = ask(case)
    assert outcome.verdict is Verdict.REFUTED, outcome.summary
    assert said in outcome.summary


def test_an_integral_on_a_finite_interval_is_worked_out_in_two_ways(ask: Ask) -> None:
    outcome = ask(_integral("x*sin(x)", "0", "pi", "pi"))
    assert outcome.evidence["method"] == "rigorous quadrature"
    assert outcome.evidence["second"]["value"].startswith("3.14159265358979")


@pytest.mark.parametrize(
    ("equations", "values", "verdict"),
    [
        ("x**2 = 2", {"x": "sqrt(2)"}, Verdict.SUPPORTED),
        ("x**2 = 2", {"x": "1.41421356"}, Verdict.SUPPORTED),
        ("x**2 = 2", {"x": "1.41421357"}, Verdict.REFUTED),
        ("sqrt(x) = -2", {"x": "4"}, Verdict.REFUTED),
        ("log(x) + log(x - 3) = log(10)", [{"x": "5"}, {"x": "-2"}], Verdict.REFUTED),
        ("Eq(x**2, 4)", [{"x": "2"}, {"x": "-2"}], Verdict.SUPPORTED),
        ("a*x**2 + b*x + c = 0", {"x": "(-b + sqrt(b**2 - 4*a*c))/(2*a)"}, Verdict.SUPPORTED),
        ("x = x", {"y": "1"}, Verdict.UNDETERMINED),
    ],
)
def test_a_solution_is_put_in(ask: Ask, equations: str, values: Any, verdict: Verdict) -> None:
    outcome = ask({"kind": "solution", "equations": equations, "values": values})
    assert outcome.verdict is verdict, outcome.summary


@pytest.mark.parametrize(
    ("equation", "solution", "verdict"),
    [
        ("dy/dx = 2*x*y", "C*exp(x**2)", Verdict.SUPPORTED),
        ("\\frac{dy}{dx} + y = e^{-x}", "y = (x + C) e^{-x}", Verdict.SUPPORTED),
        ("\\frac{d^2y}{dx^2} = -4y", "y(x) = C_1 \\sin 2x + C_2 \\cos 2x", Verdict.SUPPORTED),
        ("Eq(y(x).diff(x, 2) + y(x), 0)", "Eq(y(x), C1*sin(x))", Verdict.SUPPORTED),
        ("Derivative(f(t), (t, 2)) + f(t)", "f(t) = sin(t)", Verdict.SUPPORTED),
        ("\\ddot{x} + 4x = 0", "x(t) = \\cos(2t)", Verdict.SUPPORTED),
        ("y'' + y = 0", "exp(x)", Verdict.REFUTED),
        ("y + x = 0", "-x", Verdict.UNDETERMINED),
    ],
)
def test_a_differential_equation_is_read_in_every_notation(
    ask: Ask, equation: str, solution: str, verdict: Verdict
) -> None:
    outcome = ask({"kind": "ode", "equation": equation, "solution": solution})
    assert outcome.verdict is verdict, outcome.summary


def test_conditions_of_a_differential_equation_count(ask: Ask) -> None:
    case = {"kind": "ode", "equation": "y' = y", "conditions": {"y(0)": "1"}}
    assert ask({**case, "solution": "exp(x)"}).verdict is Verdict.SUPPORTED
    assert ask({**case, "solution": "2*exp(x)"}).verdict is Verdict.REFUTED


def test_a_derivative_counts_where_the_function_is_real(ask: Ask) -> None:
    case = {"kind": "antiderivative", "f": "1/sqrt(x**2 - 1)", "var": "x"}
    assert ask({**case, "F": "acosh(x)"}).verdict is Verdict.SUPPORTED
    assert ask({**case, "F": "2*acosh(x)"}).verdict is Verdict.REFUTED


def test_a_singular_matrix_has_no_inverse(ask: Ask) -> None:
    case = {"kind": "matrix", "op": "inverse", "args": [[1, 2], [2, 4]], "value": [[1, 0], [0, 1]]}
    outcome = ask(case)
    assert outcome.verdict is Verdict.REFUTED
    assert "singular" in outcome.summary


def test_points_alone_never_support_an_inequality(ask: Ask) -> None:
    outcome = ask({"kind": "inequality", "claim": "exp(x) >= 1 + x"})
    assert outcome.verdict is Verdict.UNDETERMINED
    assert outcome.evidence["points"] > 100


def test_expressions_come_back_in_latex_when_asked(ask: Ask) -> None:
    outcome = ask({"kind": "identity", "lhs": "sqrt(x)/2", "rhs": "x", "latex": True})
    assert outcome.evidence["latex"]["lhs"] == r"\frac{\sqrt{x}}{2}"


def test_what_holds_for_positive_parameters_only_says_so(ask: Ask) -> None:
    case = {"kind": "antiderivative", "f": "1/sqrt(a**2 - x**2)", "F": "asin(x/a)", "var": "x"}
    outcome = ask(case)
    assert outcome.verdict is Verdict.SUPPORTED
    assert "positive a" in outcome.summary
    assert outcome.evidence["fails_at"]["a"].startswith("-")
    assert ask({**case, "F": "2*asin(x/a)"}).verdict is Verdict.REFUTED
