"""Text is read, never run: what is no expression is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyhands.checks.outcome import CheckOutcome, Verdict

Ask = Callable[..., CheckOutcome]

#: Equal to no text that is written by chance.
_RARE = "q9*zeta(3)*17/13 + exp(sqrt(19)*q9)"
_PIECES = [
    "x", "1", "2.5", "(", ")", "**", "^", "+", "-", "*", "/", "!", "|", ",", "=", "==", "<", " ",
    "'", "sin", "sqrt(", "log", "\\frac{", "}", "{", "\\sqrt", "\\left", "\\right)", "\\sin", "_",
    ".", "[", "]", "__import__('os')", ".__class__", "lambda: ", "exec(", "eval(", "open('f','w')",
    "9**9**9", "oo", "Piecewise((", "Derivative(", "factorial(", "1e400", "\u202e", "\x00", "\n",
    "²", "π", "if", "else",
]  # fmt: skip
_fragments = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)
_garbage = st.one_of(_fragments, st.text(max_size=40))
_few = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_SLOTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "antiderivative", "f": _RARE, "var": "q9"}, "F"),
    ({"kind": "derivative", "f": "exp(q9**2)*zeta(3)", "var": "q9"}, "df"),
    ({"kind": "identity", "lhs": _RARE}, "rhs"),
    ({"kind": "definite_integral", "f": "exp(x)", "a": "0", "b": "1", "var": "x"}, "value"),
    ({"kind": "limit", "f": "(1 + 7/x)**x", "to": "oo", "var": "x"}, "value"),
    ({"kind": "sum", "term": "1/7**n", "from": "3", "to": "19", "var": "n"}, "value"),
    ({"kind": "ode", "equation": "y'' + y = exp(x)*q9"}, "solution"),
    ({"kind": "matrix", "op": "det", "args": [["q9", "7"], ["3", "q8"]]}, "value"),
    ({"kind": "units", "lhs": "17.3 km/h"}, "rhs"),
    ({"kind": "integer_claim"}, "claim"),
]


@_few
@given(text=_garbage, slot=st.sampled_from(_SLOTS))
def test_garbage_is_never_supported(ask: Ask, text: str, slot: tuple[dict[str, Any], str]) -> None:
    case, key = slot
    outcome = ask({**case, key: text})
    assert outcome.verdict is not Verdict.SUPPORTED or key == "claim", (text, outcome.summary)


@_few
@given(text=_garbage)
def test_any_text_gets_a_verdict_and_the_worker_lives_on(ask: Ask, text: str) -> None:
    ask({"kind": "identity", "lhs": text, "rhs": "0"})
    plain = ask({"kind": "identity", "lhs": "x + x", "rhs": "2*x"})
    assert plain.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__base__.__subclasses__()",
        "open('made_by_text', 'w')",
        "exec('raise SystemExit')",
        "(lambda: x)()",
        "[x for x in (1,)]",
        "x.__class__",
        "f'{x}'",
        "(x := 3)",
        "x if exit() else x",
        "sin.__globals__",
        "sympify('x')",
        "9**9**9",
        "factorial(factorial(99))",
        "x**(10**12)",
        "0x10",
        "\\input{/etc/passwd}",
        "\\frac{x}",
        "(" * 300 + "x" + ")" * 300,
        "x" * 5000,
        "1" * 3000,
        "\\sqrt{" * 100 + "x" + "}" * 100,
        "",
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(ask: Ask, text: str) -> None:
    outcome = ask({"kind": "identity", "lhs": text, "rhs": text})
    assert outcome.verdict is Verdict.UNDETERMINED
    assert outcome.summary.startswith("not readable"), outcome.summary


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\\frac{1}{2}x^{2}", "x**2/2"),
        ("\\frac12 x^10", "0.5*x**10"),
        ("\\sin^2 x + \\cos^{2}x", "1"),
        ("\\sin 2x \\cos x", "sin(2*x)*cos(x)"),
        ("\\sin^{-1} x", "asin(x)"),
        ("\\ln\\left|x+1\\right|", "log(Abs(x + 1))"),
        ("\\sqrt[3]{x^2+1}", "(x**2 + 1)**(1/3)"),
        ("\\log_2 8", "3"),
        ("\\tan\\frac{x}{2}", "tan(x/2)"),
        ("e^{-x^2}", "exp(-x**2)"),
        ("e^{i x}", "cos(x) + I*sin(x)"),
        ("\\left\\lfloor x \\right\\rfloor", "floor(x)"),
        ("\\begin{cases} x & x > 0 \\\\ -x & \\text{otherwise} \\end{cases}", "|x|"),
        ("\\binom{x}{2}", "x*(x - 1)/2"),
        ("\\operatorname{arcsinh}(x)", "log(x + sqrt(x**2 + 1))"),
        ("2x + 3 sin(x)", "2*x + 3*sin(x)"),
        ("|x - 1| + |y|", "Abs(x - 1) + Abs(y)"),
        ("x²", "x^2"),
        ("sin^2(x) + cos^2(x)", "1"),
        ("np.sin(x) - math.sin(x)", "0"),
        ("(a + b)^2", "a^2 + 2ab + b^2"),
        ("(n+1)!", "(n + 1)*factorial(n)"),
        ("x if x > 0 else -x", "Abs(x)"),
        ("\\lambda \\alpha", "lambda*alpha"),
        ("max(x, y)", "(x + y + |x - y|)/2"),
    ],
)
def test_one_meaning_written_in_two_ways(ask: Ask, one: str, other: str) -> None:
    outcome = ask({"kind": "identity", "lhs": one, "rhs": other})
    assert outcome.verdict is Verdict.SUPPORTED, outcome.summary


def test_no_digit_of_a_decimal_is_lost(ask: Ask) -> None:
    off = ask({"kind": "identity", "lhs": "1.00000000000000000000000000001*x", "rhs": "x"})
    assert off.verdict is Verdict.REFUTED
