"""A case is understood as people write it: LaTeX, plain text, Unicode, words, JSON numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from manyhands.checks.outcome import CheckOutcome

Ask = Callable[..., CheckOutcome]


def anti(f: Any, big: Any, var: Any = "x") -> dict[str, Any]:
    return {"kind": "antiderivative", "f": f, "F": big, "var": var}


def slope(f: Any, df: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "derivative", "f": f, "df": df, "var": "x", **more}


def area(f: Any, a: Any, b: Any, value: Any) -> dict[str, Any]:
    return {"kind": "definite_integral", "f": f, "a": a, "b": b, "var": "x", "value": value}


def same(lhs: Any, rhs: Any) -> dict[str, Any]:
    return {"kind": "identity", "lhs": lhs, "rhs": rhs}


def limit(f: Any, to: Any, value: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "limit", "f": f, "var": "x", "to": to, "value": value, **more}


def total(term: Any, start: Any, end: Any, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "kind": "sum", "term": term, "var": "k", "from": start, "to": end, "value": value, **more
    }  # fmt: skip


def solved(equations: Any, values: Any) -> dict[str, Any]:
    return {"kind": "solution", "equations": equations, "values": values}


def ode(equation: Any, solution: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "ode", "equation": equation, "solution": solution, **more}


def matrix(op: str, args: Any, value: Any) -> dict[str, Any]:
    return {"kind": "matrix", "op": op, "args": args, "value": value}


RIGHT = [
    # an identity of a whole sum, integral or limit
    same(r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"), same("2^n", r"\sum_{k=0}^{n}\binom{n}{k}"),
    same(r"\frac{\pi^2}{6}", r"\sum_{n=1}^{\infty} \frac{1}{n^2}"),
    same(r"\int_0^{\frac{\pi}{2}} \cos x \, dx", "1"),
    same(r"\lim_{x \to 0} \frac{\sin x}{x}", "1"),
    # what is written around a value
    area("x^2", 0, 1, r"\boxed{\frac{1}{3}}"), area("x^2", 0, 1, r"\frac{1}{3} \approx 0.333"),
    area("x^2", 0, 1, "= 1/3"), area("x^2", 0, 1, "1/3 ≈ 0.3333"), slope("x^2", r"\boxed{2x}"),
    limit(r"\lim_{x\to 0}\frac{\sin x}{x}", r"x \to 0", 1), limit("1/x", "x -> 0+", "oo"),
    total(r"\sum_{k=1}^{n} k", "1", "n", "n(n+1)/2"), same(r"\tan x =", r"\frac{\sin x}{\cos x}"),
    anti("2x", r"\boxed{x^2 + C}"), anti(r"\int 2x\,dx", r"x^2 + C, C \in \mathbb{R}"),
    # letters side by side that only the case's variable tells apart
    slope("ax^2 + bx + c", "2ax + b"), slope("xsin(x)", "sin(x) + xcos(x)"),
    ode("x y' = 2y", "y = Cx^2"), ode("y' = y(1-y)", "y = 1/(1 + Ce^{-x})"),
    ode("x^2y'' + xy' - y = 0", "C1*x + C2/x"), ode("f'(x) = f(x)", "f(x) = Ce^x"),
    ode("y'' - 9y = 0", "C1exp(3x) + C2e^(-3x)"), ode("y'' + w^2 y = 0", "Acos(wx) + Bsin(wx)"),
    anti(r"\int \frac{dx}{x^2+1}", r"\arctan x"), anti(r"\cos x\,dx", r"\sin x"),
    same(r"\sin 75^\circ", r"\frac{\sqrt6+\sqrt2}{4}"), same("sin(30°)", "1/2"),
    same(r"10\,000", "10^4"), same("1,000", 1000), same(r"1\frac12 + \frac12", "2"),
    matrix("inverse", [[[1, 2], [3, 4]]],
           r"\left[\begin{matrix}-2 & 1\\\frac{3}{2} & - \frac{1}{2}\end{matrix}\right]"),
    matrix("inverse", [r"\left(\begin{array}{cc}1&2\\[4pt]3&4\end{array}\right)"],
           r"-\frac{1}{2}\begin{pmatrix}4&-2\\-3&1\end{pmatrix}"),
    matrix("inverse", ["np.array([[1, 2], [3, 4]])"], "Matrix([[4, -2], [-3, 1]])/(-2)"),
    matrix("eigenvalues", [[[2, 1], [1, 2]]], r"\lambda_1 = 1, \lambda_2 = 3"),
    matrix("solve", [[[2, 1], [1, 2]], [3, 3]], {"x": 1, "y": 1}),
    matrix("solve", [[[2, 1], [1, 2]], [3, 3]], "x = 1, y = 1"),
    solved("tan(x) = 1", {"x": "pi/4 + n*pi"}),
    solved(r"\cos x = 0", r"x = \frac{\pi}{2} + n\pi, \quad n \in \mathbb{Z}"),
    solved("x^2 = x", "{0, 1}"), solved("x^2 = 4", r"x \in \{2, -2\}"), solved("x^2=4", "2 or -2"),
    solved(["x + y = 3", "x y = 2"], "(x, y) = (1, 2) or (2, 1)"),
    anti("1/x", "ln|x| + C"), anti(r"\frac1x", r"\ln|x|"), anti(r"\int 2x \, dx", r"x^2 + C"),
    anti("f(x) = 2x", "F(x) = x^2"), anti(r"\[2x\]", r"\[x^2\]"), anti("2*x.", "x**2"),
    anti("x sin x", "sin x - x cos x"), anti("sin^2 x", "x/2 - (sin 2x)/4"),
    anti("xe^x", "xe^x - e^x"), anti("√x", "2/3 x√x"), anti("x²", "x³/3"), anti(0, 7),
    anti("e³ˣ", "e³ˣ/3"),
    anti("cos(ax)", "sin(ax)/a"), anti("1/(1+x^2)", "tan^{-1} x"), anti("3x^2", "x^3", None),
    anti("θ sin θ", "sin θ - θ cos θ", "θ"), anti("sin(θ)", "-cos(θ)", "theta"),
    anti("exp(-x/τ)", "-τ exp(-x/τ)"), anti(r"\frac{sin x}{x^{2}}\cdot 0", "5"),
    slope(r"e^{\sin x}", r"\cos x\, e^{\sin x}"), slope(r"e^{\sin x}", r"\cos x e^{\sin x}"),
    slope("y = x^3", "dy/dx = 3x^2"), slope("f(x)=x^3", "f'(x) = 3x^2"),
    slope("tan^2 x", "2 tan x sec^2 x"), slope("x^3", "6x", order="2"),
    slope("np.sin(x)**2", "2*np.sin(x)*np.cos(x)"), slope("arcsin(x)", "1/√(1−x²)"),
    area("exp(-x)", 0, "Infinity", 1), area("exp(-x^2)", "-∞", "∞", "√π"),
    area("exp(-x)", "0", "float('inf')", "1"), area("x^2", "0", "2", 2.6666666666666665),
    area(r"\int_0^1 x^2 dx", "0", "1", r"\frac13"), area("exp(x)", float("-inf"), 0, 1),
    area("1/x", "0", "1", "diverges"), area("1/x", "-1", "1", None),
    same("xy", "x*y"), same(r"x \cdot y", "yx"), same("sin 2x", "2 sin x cos x"),
    same("exp(1j*x)", "cos(x)+1j*sin(x)"), same("exp(i*x)", "cos(x)+i*sin(x)"),
    same("e^{ix}", "cos(x)+i*sin(x)"), same(r"\frac{d}{dx}\sin x", r"\cos x"),
    same(r"\frac{d}{dx} x\sin x", r"\sin x + x\cos x"), same("diff(x**2,x)", "2*x"),
    same(r"\sum_{k=1}^{3} k^2", "14"), same("α+β", r"\beta+\alpha"), same("a/(bc)", "(a/b)/c"),
    same(r"\cosh{\left(y \right)} \operatorname{asin}^{3}{\left(x \right)}", "cosh(y)*asin(x)**3"),
    same(r"\theta \left(x + 1\right)", "theta*x + theta"), same("|x||y|", "|xy|"),
    limit("1/x", "0", "does not exist"), limit("sin(1/x)", "0", "DNE"),
    limit("1/(x-2)", "2^+", "+oo"), limit("sin x / x", 0, 1.0),
    total("r**k", "0", "oo", "1/(1-r)", assume=["-1<r<1"]), total("k", "a", "b", "(b-a+1)*(a+b)/2"),
    total("1/k**2", "-oo", "-1", "pi**2/6"), total("1/k", "1", "oo", "diverges"),
    total("i", "1", "n", "n*(n+1)/2", var="i"),
    solved("x^2 = 4", {"x": [2, -2]}), solved("x^2=4", "x=\\pm 2"), solved("x^2=4", [2, -2]),
    solved("x² = 4", {"x": "±2"}), solved("x^2 - 5x + 6 = 0", "x = 2 or x = 3"),
    solved("x + y = 3; x - y = 1", {"x": 2, "y": 1}), solved([["x+2", "5"]], {"x": 3}),
    solved(r"\begin{cases}x+y=3\\x-y=1\end{cases}", {"x": 2, "y": 1}),
    solved(["x > 2", "x**2 = 9"], {"x": 3}), solved("x^2+1=0", {"x": "i"}),
    solved(["x+y=1", "x-y=1/3"], {"x": 0.6666666667, "y": 0.3333333333}),
    solved("x^2=2*sqrt(2)*x-2", {"x": 1.414213562}),
    ode("y' = 2xy", "y = C e^{x^2}"), ode(r"\frac{dy}{dx} = ky", "y = Ce^{kx}"),
    ode("dN/dt = rN(1-N/K)", "N = K/(1+A e^{-rt})"), ode("y^{(4)} = y", "y=e^x"),
    ode("y'' + ω²y = 0", "y = A cos(ωx)"), ode("y’ = y", "e^x"), ode("y'=y, y(0)=1", "y=e^x"),
    ode(["y' = y", "y(0) = 3"], "3 e^x"), ode("y''=6x", "y = x^3", conditions=["y(0)=0", "y(1)=1"]),
    matrix("charpoly", [[2, 1], [1, 2]], "lambda**2-4*lambda+3"),
    matrix("charpoly", [[2, 1], [1, 2]], "x**2-4*x+3"),
    matrix("charpoly", [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "(1-x)^3"),
    matrix("eigenvalues", [[4, 1], [2, 3]], r"\{2, 5\}"),
    matrix("eigenvalues", [[0, 1], [-1, 0]], "±i"),
    matrix("cross", [[1, 0, 0], [0, 1, 0]], [0, 0, 1]),
    matrix("dot", [[1, 2, 3], [4, 5, 6]], 32), matrix("norm", [3, 4], 5),
    matrix("nullspace", [[1, 2], [2, 4]], [[-2, 1]]),
    matrix("inverse", [[1, 2], [2, 4]], "singular"),
    matrix("det", {"matrix": [[2, 1], [1, 2]]}, 3),
    matrix("det", [["a", "b"], ["c", "d"]], "ad-bc"),
]  # fmt: skip

WRONG = [
    same(r"\sum_{k=1}^{n} k^2", r"\frac{n(n+1)(2n-1)}{6}"), same(r"\int_0^1 x^2 dx", "1/2"),
    same(r"\lim_{x \to \infty} \frac{1}{x}", "1"),
    area("x^2", 0, 1, r"\boxed{\frac{1}{2}}"), area("x^2", 0, 1, r"\frac12 \approx 0.333"),
    # each of several values of one name is put in
    solved("x^2 = 4", "x = 3, -2"), solved("x^2 = 4", "x = 3 and x = -2"),
    solved("x^2 = 4", r"x \in \{3, -2\}"), solved(["x+y=3", "x y=2"], "x=1, y=3, x=2, y=1"),
    solved(r"\sin x = \frac12", r"x = \frac{\pi}{6} + k\pi, k \in \mathbb{Z}"),
    ode("y'' + 4y = 0", "c1cos(2x) + c2sin(3x)"),
    matrix("inverse", [[[1, 2], [3, 4]]], r"\frac{1}{2}\begin{pmatrix}4&-2\\-3&1\end{pmatrix}"),
    anti(r"\int 2x\,dx", r"x^3 + C"), anti("x sin x", "sin x + x cos x"), anti("x²", "x³/2"),
    anti("cos(ax)", "a*sin(ax)"), slope("sin x / x", "(x cos x + sin x)/x^2"),
    area("x", "0", "1", "diverges"), area("x^2", "0", "2", 2.6666),
    same("sin 2x", "2 sin x"), same("i**2", "1"), same("ab", "a+b"), same("xy", "x + y"),
    limit("x^2", "2", "DNE"), limit("sin(x)/x", "oo", "does not exist"),
    total("k", "m", "n", "(n-m)(n+m)/2"), total("1/k^2", "1", "∞", "π²/8"),
    total("1/k^2", "1", "oo", "diverges"), solved("x^2 - 5x + 6 = 0", "x = 2, x = 4"),
    solved(["x+y=1", "x-y=1/3"], {"x": 0.6666666667, "y": 0.3333343333}),
    solved("cos(x)=x", {"x": 0.739086}), solved("x > 0", {"x": -1}),
    ode(r"\frac{dy}{dx}=2xy", r"y=Ce^{2x}"), ode(["y' = y", "y(0) = 3"], "2 e^x"),
    matrix("charpoly", [[2, 1], [1, 2]], "x^2-4x-3"),
    matrix("nullspace", [[1, 2], [2, 4]], [[2, 1]]),
    matrix("eigenvalues", [[4, 1], [2, 3]], "2, 4"),
]  # fmt: skip

UNREADABLE = [
    same(r"\sum_{k=1}^{n} k + 1", "n"), same(r"\int_0^1 x^2 dx + 1", "4/3"),
    same(r"\write18{a}", "a"), same("1 000", "1000"), same(r"2\frac{1}{2}x", "x"),
    same("Asin(x)", "arcsin(x)"),
    same("the derivative", "x"), same("cos π/4", "x"), same("sqrt 2x", "y"), same(True, True),
    same(None, None), same([1, 2], [1, 2]), anti({"a": 1}, "x"), solved("x=1", {}),
    matrix("frobnicate", [[1]], 1), matrix("det", [], 1), ode("y = x", "x"),
]  # fmt: skip


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_a_right_case_is_supported_however_it_is_written(ask: Ask, case: dict[str, Any]) -> None:
    found = ask(case)
    assert found.verdict == "supported", found.summary


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_wrong_case_is_refuted_however_it_is_written(ask: Ask, case: dict[str, Any]) -> None:
    found = ask(case)
    assert found.verdict == "refuted", found.summary


@pytest.mark.parametrize("case", UNREADABLE, ids=str)
def test_what_is_unclear_decides_nothing(ask: Ask, case: dict[str, Any]) -> None:
    assert ask(case).verdict == "undetermined"
