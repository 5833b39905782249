"""Comparing expressions with ball arithmetic: every value comes with a proved error bound.

Two balls that do not overlap prove that two expressions differ at a point. Balls that shrink
around each other while the precision rises are the strongest numeric agreement that there is.
Source of the method: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic", IEEE Transactions on Computers 66 (2017).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import flint
import sympy as sp
from flint import acb, arb, fmpq

#: Working precisions in bits, tried from low to high.
PRECISIONS = (128, 320, 960)
#: Two values agree at a point when their difference is below 2^-AGREE of their size.
AGREE = 200
WANTED_POINTS = 14
TRIED_POINTS = 60

_NAMED = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "coth": "coth", "sech": "sech", "csch": "csch", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "exp": "exp", "erf": "erf", "erfc": "erfc",
    "erfi": "erfi", "gamma": "gamma", "loggamma": "lgamma", "digamma": "digamma", "zeta": "zeta",
    "LambertW": "lambertw", "Ei": "ei", "li": "li", "Si": "si", "Ci": "ci", "Chi": "chi",
    "Shi": "shi", "fresnels": "fresnel_s", "fresnelc": "fresnel_c",
}  # fmt: skip
_REAL = {"sign": "real_sgn", "floor": "real_floor", "ceiling": "real_ceil"}


class Undefined(ArithmeticError):
    """The expression has no finite value there, or no rule here can give it one."""


def value(expr: Any, at: dict[Any, Any], analytic: bool | None = None) -> Any:
    """The ball of `expr` where the symbols have the balls `at`.

    Args:
        analytic: None at a point; inside a quadrature, whether the value must prove that the
            expression is analytic there, by not being finite where it is not.

    Raises:
        Undefined: a pole, a branch that is not defined, or a function without a rule.
    """
    if expr.is_Symbol:
        try:
            return at[expr]
        except KeyError:
            raise Undefined(f"{expr} has no value") from None
    if expr.is_Rational:
        return acb(fmpq(int(expr.p), int(expr.q)))
    if expr.is_Add:
        total = acb(0)
        for arg in expr.args:
            total += value(arg, at, analytic)
        return total
    if expr.is_Mul:
        product = acb(1)
        for arg in expr.args:
            product *= value(arg, at, analytic)
        return product
    if expr.is_Pow:
        return _power(expr, at, analytic)
    if expr.is_Float:
        exact = sp.Rational(str(expr))
        return acb(fmpq(int(exact.p), int(exact.q)))
    if expr.is_NumberSymbol or expr is sp.I:
        return _constant(expr)
    if expr.is_Piecewise:
        return _piecewise(expr, at, analytic)
    return _function(expr, at, analytic)


def _constant(expr: Any) -> Any:
    makers = {
        sp.pi: arb.pi,
        sp.E: arb.const_e,
        sp.EulerGamma: arb.const_euler,
        sp.Catalan: arb.const_catalan,
    }
    if expr is sp.I:
        return acb(0, 1)
    if expr in makers:
        return acb(makers[expr]())
    if expr is sp.GoldenRatio:
        return (acb(5).sqrt() + 1) / 2
    raise Undefined(f"the constant {expr}")


def _power(expr: Any, at: dict[Any, Any], analytic: bool | None) -> Any:
    base = value(expr.base, at, analytic)
    exponent = expr.exp
    if exponent.is_Mul or exponent.is_Pow or exponent.is_Add:
        plain = (
            sp.nsimplify(exponent) if exponent.is_number and not exponent.has(sp.Float) else None
        )
        exponent = plain if plain is not None and plain.is_Rational else exponent
    if exponent.is_Integer and abs(int(exponent)) < 10**6:
        power = int(exponent)
        if power < 0 and base.contains(0):
            raise Undefined("a division by zero")
        return base**power
    if exponent.is_Rational and int(exponent.q) == 2 and abs(int(exponent.p)) < 1000:
        root = base.sqrt(analytic=bool(analytic))
        if exponent.p < 0 and base.contains(0):
            raise Undefined("a division by zero")
        return root ** int(exponent.p)
    if expr.base is sp.E:
        return value(exponent, at, analytic).exp()
    return base.pow(value(exponent, at, analytic), analytic=bool(analytic))


def _as_rational(exponent: Any) -> Any:
    """Exponents such as `1/2` come unevaluated; constants of numbers alone are worked out."""
    if exponent.is_number and not exponent.atoms(sp.Function, sp.NumberSymbol):
        plain = exponent.doit()
        return plain if plain.is_Rational else exponent
    return exponent


def _function(expr: Any, at: dict[Any, Any], analytic: bool | None) -> Any:
    name = type(expr).__name__
    args = [value(arg, at, analytic) for arg in expr.args]
    if name == "log" and len(args) == 1:
        return args[0].log(analytic=bool(analytic))
    if name == "Abs":
        if analytic is None:
            return acb(abs(args[0]))
        return args[0].real_abs(analytic=analytic)
    if name in _NAMED and len(args) == 1:
        found = getattr(args[0], _NAMED[name])()
        if analytic and name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "loggamma",
                                 "LambertW", "li", "Ci", "Chi", "Ei"):  # fmt: skip
            # Only the middle of the real axis is away from every branch cut of these.
            inside = abs(args[0]) < 1 if name in ("asin", "acos", "atan", "atanh") else False
            return found if inside else acb(arb("nan"))
        return found
    if name in _REAL and (analytic is not None or _is_real(args[0])):
        return getattr(args[0], _REAL[name])(analytic=bool(analytic))
    if analytic and name in ("Max", "Min", "re", "im", "arg", "conjugate", "Heaviside"):
        return acb(arb("nan"))
    return _rarer(name, expr, args)


def _rarer(name: str, expr: Any, args: list[Any]) -> Any:
    one = args[0] if args else acb(0)
    match name:
        case "acot":
            return (1 / one).atan()
        case "asec":
            return (1 / one).acos()
        case "acsc":
            return (1 / one).asin()
        case "acoth":
            return (1 / one).atanh()
        case "factorial":
            return (one + 1).gamma()
        case "binomial":
            top, below = args
            return (top + 1).gamma() * (below + 1).rgamma() * (top - below + 1).rgamma()
        case "beta":
            return args[0].gamma() * args[1].gamma() * (args[0] + args[1]).rgamma()
        case "re":
            return acb(one.real)
        case "im":
            return acb(one.imag)
        case "arg":
            return acb(one.arg())
        case "conjugate":
            return one.conjugate()
        case "Max" | "Min":
            if not all(_is_real(arg) for arg in args):
                raise Undefined("the largest of complex values")
            found = args[0]
            for other in args[1:]:
                found = found.real_max(other) if name == "Max" else found.real_min(other)
            return found
        case "Heaviside":
            return one.real_heaviside()
        case "polygamma":
            return args[0].polygamma(args[1])
        case "besselj" | "bessely" | "besseli" | "besselk":
            return getattr(args[1], f"bessel_{name[-1]}")(args[0])
        case _:
            raise Undefined(f"no rule for {name} in {str(expr)[:60]}")


def _piecewise(expr: Any, at: dict[Any, Any], analytic: bool | None) -> Any:
    if analytic:
        return acb(arb("nan"))
    for branch, condition in expr.args:
        if condition == True or _holds(condition, at):  # noqa: E712  a SymPy boolean
            return value(branch, at)
    raise Undefined("no branch of a piecewise expression applies")


def _holds(condition: Any, at: dict[Any, Any]) -> bool:
    if isinstance(condition, sp.And | sp.Or):
        found = [_holds(part, at) for part in condition.args]
        return all(found) if isinstance(condition, sp.And) else any(found)
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], at)
    if not isinstance(condition, sp.core.relational.Relational):
        raise Undefined(f"the condition {str(condition)[:60]}")
    gap = value(condition.lhs, at) - value(condition.rhs, at)
    if not _is_real(gap):
        raise Undefined("a comparison of complex values")
    sign = gap.real
    certain = sign > 0 or sign < 0
    match condition:
        case sp.Eq():
            return not certain and gap.is_zero()
        case sp.Ne():
            return bool(certain)
        case _ if not certain:
            raise Undefined("a condition on its border")
        case sp.Gt() | sp.Ge():
            return bool(sign > 0)
        case _:
            return bool(sign < 0)


def _is_real(ball: Any) -> bool:
    return bool(ball.imag.is_zero())


@dataclass
class Comparison:
    """What the points showed.

    Attributes:
        points: at how many they agreed.
        different: a point where they provably differ, with both values; None if there was none.
        bits: the agreement's bound: the difference is below 2^-bits of the size.
        skipped: why points did not count: poles, complex values.
    """

    points: int = 0
    different: dict[str, str] | None = None
    bits: int = AGREE
    skipped: dict[str, int] = field(default_factory=dict)


def compare(left: Any, right: Any, seed: int, *, wanted: int = WANTED_POINTS) -> Comparison:
    """Compare two expressions of real variables at seeded points of both signs.

    A point where one side is not real or not finite does not count and is told.
    """
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    found = Comparison()
    rng = random.Random(seed)
    for number in range(TRIED_POINTS if symbols else 1):
        at = {symbol: _point(rng, number, index) for index, symbol in enumerate(symbols)}
        try:
            verdict = _at(left, right, at)
        except (Undefined, ZeroDivisionError, ValueError, OverflowError) as why:
            reason = str(why)[:80] or type(why).__name__
            found.skipped[reason] = found.skipped.get(reason, 0) + 1
            continue
        if verdict is not None:
            shown = {str(symbol): str(at[symbol]) for symbol in symbols}
            found.different = {**shown, "left": verdict[0], "right": verdict[1]}
            return found
        found.points += 1
        if found.points >= (wanted if symbols else 1):
            break
    return found


def _point(rng: random.Random, number: int, index: int) -> fmpq:
    """Rationals: near one, then of many sizes, then small whole numbers; signs alternate."""
    sign = -1 if (number >> (index % 3)) % 2 else 1
    if number % 5 == 4:
        size = math.exp(rng.uniform(math.log(1e-3), math.log(60.0)))
    else:
        size = rng.uniform(0.05, 3.0)
    return fmpq(sign * max(1, round(size * 9973)), 9973)


def _at(left: Any, right: Any, at: dict[Any, fmpq]) -> tuple[str, str] | None:
    """None when the sides agree at a point; both values when they provably differ.

    Raises:
        Undefined: a side is not finite or not real there, or precision does not decide.
    """
    kept = flint.ctx.prec
    try:
        for bits in PRECISIONS:
            flint.ctx.prec = bits
            balls = {symbol: acb(point) for symbol, point in at.items()}
            one, two = value(left, balls), value(right, balls)
            if not (one.is_finite() and two.is_finite()):
                if bits == PRECISIONS[-1]:
                    raise Undefined("a pole or an overflow")
                continue
            gap = one - two
            if not gap.contains(0):
                real = [ball.imag.contains(0) for ball in (one, two)]
                if balls and real[0] != real[1]:
                    raise Undefined("only one side is real")
                return _shown(one), _shown(two)
            if log2(gap.abs_upper()) < max(log2(one.abs_upper()), 0.0) - AGREE:
                return None
        raise Undefined("precision does not decide")
    finally:
        flint.ctx.prec = kept


def log2(size: Any) -> float:
    """The binary logarithm of a number that is not negative; minus infinity for zero."""
    return float(size.log().mid()) / math.log(2) if size > 0 else -math.inf


def width(ball: Any) -> Any:
    """The error bound of a complex ball: the largest distance from its middle."""
    return acb(ball.real.rad(), ball.imag.rad()).abs_upper()


def _shown(ball: Any) -> str:
    text = ball.str(20, radius=False)
    return str(text)
