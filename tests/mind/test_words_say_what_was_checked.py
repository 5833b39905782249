"""An answer is verified only when its words tell the checked result and no formula beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import Attempt, HandName, HandResult, MathKind, Status
from manyhands.mind.answer import StepReport
from manyhands.mind.formulas import formulas_in
from manyhands.mind.frame import PlanStep
from manyhands.mind.relations import relations_in
from manyhands.mind.wording import loose_ends


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def bench() -> AsyncIterator[Bench]:
    async with Bench(SandboxPolicy()) as bench:
        yield bench


CUBE = (MathKind.DERIVATIVE, {"f": "x**3", "var": "x"}, "3*x**2")
PRODUCT = (MathKind.DERIVATIVE, {"f": "x**2*exp(3*x)", "var": "x"}, "x*(3*x + 2)*exp(3*x)")
AREA = (MathKind.DEFINITE_INTEGRAL, {"f": "1/(1+x**2)", "var": "x", "a": "0", "b": "1"}, "pi/4")
ROOTS = (MathKind.SOLUTION, {"equations": '["x**2 - 5*x + 6 = 0"]'}, "x = 2")
PAIR = (MathKind.SOLUTION, {"equations": '["x + y = 3", "x - y = 1"]'}, "x = 2, y = 1")
PRIMITIVE = (MathKind.ANTIDERIVATIVE, {"f": "x**2", "var": "x"}, "x**3/3")
BASEL = (MathKind.SUM, {"term": "1/k**2", "var": "k", "from": "1", "to": "oo"}, "pi**2/6")
SPEED = (MathKind.DERIVATIVE, {"f": "a + b*t + c*t**2", "var": "t"}, "b + 2*c*t")
DECAY = (MathKind.ODE, {"equation": "y' = -2*y"}, "5*exp(-2*x)")
Case = tuple[MathKind, dict[str, str], str]


async def loose(bench: Bench, case: Case, question: str, text: str) -> list[str]:
    kind, given, value = case
    step = PlanStep(id="m", hand=HandName.MATH, task="t", kind=kind, given=given)
    attempt = Attempt(number=1, role="mathematician", tier="expert", model="m")
    result = HandResult(
        hand=HandName.MATH,
        status=Status.VERIFIED,
        summary=value,
        value=value,
        attempts=(attempt,),
        accepted=1,
    )
    report = StepReport(id="m", hand=HandName.MATH, task="t", result=result)
    return await loose_ends(text, question, [step], [report], [value, question], bench)


D3 = "What is the derivative of x^3?"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("case", "question", "text"),
    [
        (CUBE, D3, "The derivative of x³ is 3x²."),
        (CUBE, D3, "The derivative is 3*x**2."),
        (CUBE, D3, "$\\frac{d}{dx} x^3 = 3x^2$"),
        (CUBE, D3, "f(x) = x^3, so f'(x) = 3x^2."),
        (CUBE, D3, "By the power rule the result is `3*x**2`."),
        (CUBE, D3, "d/dx x³ = 3·x²"),
        (CUBE, "Was ist die Ableitung von x³?", "Die Ableitung von x³ ist 3x²."),
        (CUBE, "Quelle est la dérivée de x³ ?", "La dérivée de x³ est 3x²."),
        (CUBE, "Deriva x^3", "La derivada es 3 x^2."),
        (CUBE, "Differentiate x cubed.", "It is 3x^2."),
        (CUBE, D3, "3x² is the derivative of x³."),
        (CUBE, D3, "x³ is an antiderivative of 3x²."),
        (CUBE, D3, "The derivative of x³ with respect to x is 3x²; the integral of 3x² is x³."),
        (CUBE, D3, "(d/dx) x³ = 3x²"),
        (AREA, "Integrate 1/(1+x^2), 0 to 1.", "From 0 to 1 the integral of 1/(1+x²) is π/4."),
        (DECAY, "y' = -2y, y(0) = 5?", "y = 5e^(-2x) satisfies y' = -2y."),
        (CUBE, "\\(x^3\\) ableiten bitte", "\\(3x^2\\)"),
        (CUBE, "x**3 differentiated?", "3x^2"),
        (PRODUCT, "Derivative of x**2*exp(3*x)?", "It is x(3x + 2)e^(3x)."),
        (PRODUCT, "Derivative of x^2 e^(3x)?", "It is 2x e^(3x) + 3x^2 e^(3x)."),
        (PRODUCT, "Derivative of x^2 e^(3x)?", "$(3x^2 + 2x) e^{3x}$"),
        (PRODUCT, "Derivative of x²e³ˣ?", "It is (3x² + 2x)e³ˣ."),
        (AREA, "Integrate 1/(1+x^2) from 0 to 1.", "The integral is π/4."),
        (AREA, "Integrate 1/(1+x^2) from 0 to 1.", "The integral is pi/4 ≈ 0.785."),
        (AREA, "Integrate 1/(1+x^2) from 0 to 1.", "About 0.7854."),
        (AREA, "$\\int_0^1 \\frac{1}{1+x^2} dx$?", "$\\frac{\\pi}{4}$"),
        (ROOTS, "Give one root of x^2 - 5x + 6 = 0.", "One root is x = 2."),
        (PAIR, "x + y = 3, x - y = 1", "x = 2 and y = 1."),
        (PAIR, "Solve x + y = 3 and x - y = 1.", "The 2 unknowns are x = 2, y = 1."),
        (PRIMITIVE, "Integrate x^2.", "x³/3 + C"),
        (PRIMITIVE, "∫ x² dx", "∫ x² dx = x³/3 + C"),
        (SPEED, "How fast does a + b t + c t² change with t?", "It changes by b + 2ct a year."),
        (SPEED, "Let f(t) = a + b*t + c*t^2. Is a speed known?", "A speed of `b + 2*c*t`."),
        (SPEED, "What is a derivative of c t² + b t + a?", "I get b + 2 c t."),
        (BASEL, "Sum 1/k^2 over all k from 1.", "The sum is π²/6."),
        (BASEL, "Sum 1/k^2 over all k from 1.", "It is π²/6, about 1.645."),
    ],
)
async def test_ordinary_right_answers_stand(
    bench: Bench, case: Case, question: str, text: str
) -> None:
    assert await loose(bench, case, question, text) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("case", "question", "text", "why"),
    [
        (CUBE, D3, "The derivative of x³ is 7·x⁵, it has 9 real roots.", "7·x⁵"),
        (CUBE, D3, "The derivative of x³ is 2x³.", "2x³"),
        (CUBE, D3, "It is 3x², and it has 9 real roots.", "the number 9"),
        (CUBE, D3, "It is 3x^2, which is 6x.", "6x"),
        (CUBE, D3, "The derivative of 3x² is x³.", "derivative of 3x² is x³"),
        (CUBE, D3, "x³ is the derivative of 3x².", "derivative of 3x² is x³"),
        (CUBE, D3, "The derivative of $3x^2$ with respect to $x$ is $x^3$.", "is x^3"),
        (CUBE, D3, "$\\frac{d}{dx} 3x^2 = x^3$", "derivative of 3x^2 is x^3"),
        (CUBE, D3, "d/dx 3x² = x³", "derivative of 3x² is x³"),
        (CUBE, D3, "With f(x) = 3x² we have f'(x) = x³.", "derivative of 3x² is x³"),
        (CUBE, "Ableitung von x³?", "Die Ableitung von 3x² ist x³.", "derivative of 3x² is x³"),
        (CUBE, "Dérivée de x³ ?", "La dérivée de 3x² est x³.", "derivative of 3x² is x³"),
        (PRIMITIVE, "Integrate x^2.", "∫ x³/3 dx = x²", "integral of x³/3 is x²"),
        (PRIMITIVE, "Integrate x^2.", "The integral of x³/3 is x².", "integral of x³/3 is x²"),
        (CUBE, D3, "Paris is in Italy.", "does not tell"),
        (CUBE, D3, "The derivative of x³ is x³.", "does not tell"),
        (CUBE, "Derivative of x^2 e^(3x)?", "The derivative of x³ is 3x².", "not what was worked"),
        (CUBE, "Ableitung von $x^4$?", "Sie ist 3x².", "not what was worked"),
        (PRODUCT, "Derivative of x²e³ˣ?", "It is (3x² + 2x)e²ˣ.", "none of those"),
        (AREA, "Integrate 1/(1+x^2) from 0 to 1.", "The integral is pi/4 ≈ 0.795.", "0.795"),
        (AREA, "Integrate 1/(1+x^2) from 0 to 1.", "The integral is 1.", "does not tell"),
        (ROOTS, "Give one root of x^2 - 5x + 6 = 0.", "x = 4 is a root.", "x = 4"),
        (PAIR, "Solve x + y = 3 and x - y = 1.", "x = 1 and y = 2.", "x = 1"),
        (PAIR, "Solve x + y = 3 and x - y = 1.", "x = 2.", "does not tell"),
        (PRIMITIVE, "Integrate x^2.", "x³/3 + 5", "x³/3 + 5"),
        (BASEL, "Sum 1/k^2 over all k from 1.", "The sum is π²/8.", "π²/8"),
    ],
)
async def test_words_beside_the_checked_result_are_told(
    bench: Bench, case: Case, question: str, text: str, why: str
) -> None:
    found = await loose(bench, case, question, text)
    assert any(why in one for one in found), found


@pytest.mark.parametrize(
    "text",
    [
        "$u = x^2$, $v' = \\cos x$, $v = \\sin x$; then $u = 2x$, $v' = \\sin x$, $v = -\\cos x$.",
        "a) f(x) = x², f'(x) = 2x. b) f(x) = x³, f'(x) = 3x².",
        "$\\frac{d}{dx}(x^2) + 3 = 2x + 3$",
        "d/dx x^2 + d/dx x^3 = 2x + 3x^2",
        "`d/dx(x^2) * x = 2*x^2`",
        "$\\frac{d}{dx} \\int x^2 dx = x^2$",
        "Minus the derivative of $x^2$ is $-2x$.",
        "The square of the derivative of $x^2$ is $4x^2$.",
        "The logarithmic derivative of $x^2$ is $2/x$.",
        "The second derivative of $x^3$ is $6x$.",
        "One might think the derivative of $x^2$ is $3x$; it is $2x$.",
        "$y = 5e^{-2x}$ satisfies $y' = -2y$.",
    ],
)
def test_what_is_another_statement_is_left_alone(text: str) -> None:
    assert relations_in(text, formulas_in(text)) == []
