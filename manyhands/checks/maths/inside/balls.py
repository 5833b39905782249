"""Values with proved error bounds: SymPy trees as tapes of ball arithmetic.

Two balls that do not overlap prove that two expressions differ at a point. Balls that shrink
around each other while the precision rises are the strongest numeric agreement that there is.
Source of the method: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic", IEEE Transactions on Computers 66 (2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import flint
import sympy as sp
from ball_rules import (
    STEPS,
    Pole,
    Step,
    Undefined,
    function_rule,
    is_real,
    not_zero,
    on_values,
    whole_number,
)
from flint import acb, arb, fmpq

#: A power that may be worked out by repeated multiplication.
_LARGEST_POWER = 10**6


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Ball arithmetic with `bits` bits inside the block."""
    kept = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = kept


def exact(number: Any) -> Any:
    """A SymPy rational as a ball."""
    return acb(fmpq(int(number.p), int(number.q)))


def value(expr: Any, at: dict[Any, Any] | None = None, analytic: bool | None = None) -> Any:
    """The ball of `expr` where the symbols have the balls `at`; see `Tape.run`."""
    at = at or {}
    return Tape([expr], list(at)).run(list(at.values()), analytic)[0]


class Tape:
    """Expressions as one list of steps, each shared part once, to be run at many points.

    Args:
        exprs: SymPy expressions, evaluated or not.
        symbols: their variables, in the order in which `run` takes the values.

    Raises:
        Undefined: a symbol that is not given, or a function without a rule.
    """

    def __init__(self, exprs: Sequence[Any], symbols: Sequence[Any]) -> None:
        self._symbols = list(symbols)
        self._steps: list[tuple[Step, tuple[int, ...]]] = []
        #: Where these change their sign, an expression may have a kink or a jump.
        self.kinks: list[Any] = []
        self._slots: dict[Any, int] = {symbol: index for index, symbol in enumerate(symbols)}
        self._out = [self._place(expr) for expr in exprs]

    def run(self, balls: Sequence[Any], analytic: bool | None = None) -> list[Any]:
        """The balls of the expressions.

        Args:
            analytic: None at a point; inside a quadrature, whether the value must prove that the
                expression is analytic there, by not being finite where it is not.

        Raises:
            Undefined: a pole, or a branch that is not defined.
        """
        values = list(balls)
        for step, args in self._steps:
            values.append(step(analytic, values, args))
        return [values[index] for index in self._out]

    def _place(self, expr: Any) -> int:
        known = self._slots.get(expr)
        if known is not None:
            return known
        step, args = self._step(expr)
        places = tuple(self._place(arg) for arg in args)
        self._steps.append((step, places))
        index = len(self._symbols) + len(self._steps) - 1
        self._slots[expr] = index
        return index

    def _step(self, expr: Any) -> tuple[Step, tuple[Any, ...]]:
        """What to do for one node, and of which nodes it needs the values."""
        if expr.is_Symbol:
            raise Undefined(f"{expr} has no value")
        if expr.is_Rational:
            small = int(expr.q) == 1 and abs(int(expr.p)).bit_length() < 50
            ball = exact(expr)
            # Others are made anew: a ball made now would have the precision of now.
            return (lambda *_: ball) if small else (lambda *_: exact(expr)), ()
        if expr.is_Add:
            return _add, expr.args
        if expr.is_Mul:
            return _multiply, expr.args
        if expr.is_Pow:
            if expr.base.is_Pow and expr.base.exp == 2 and not expr.exp.is_Integer:
                self.kinks.append(expr.base.base)
            return _power(expr)
        if expr.is_Float:
            return self._step(sp.Rational(str(expr)))
        if expr.is_NumberSymbol or expr is sp.I:
            return _constant(expr), ()
        if expr.is_Piecewise:
            for relation in expr.atoms(sp.core.relational.Relational):
                self.kinks.append(sp.Add(relation.lhs, -relation.rhs, evaluate=False))
            return _piecewise(expr, self._symbols), ()
        if isinstance(expr, sp.Max | sp.Min):
            self.kinks += [expr.args[0] - other for other in expr.args[1:]]
            return function_rule(expr), expr.args
        if expr.is_Function or isinstance(expr, sp.Mod):
            if type(expr).__name__ in ("Abs", "Heaviside", *STEPS):
                self.kinks.append(expr.args[0])
            return function_rule(expr), expr.args
        raise Undefined(f"no rule for {type(expr).__name__} in {str(expr)[:60]}")


def _add(_analytic: bool | None, values: list[Any], args: tuple[int, ...]) -> Any:
    total = values[args[0]]
    for index in args[1:]:
        total = total + values[index]
    return total


def _multiply(_analytic: bool | None, values: list[Any], args: tuple[int, ...]) -> Any:
    product = values[args[0]]
    for index in args[1:]:
        product = product * values[index]
    return product


def _constant(expr: Any) -> Step:
    makers = {
        sp.pi: arb.pi,
        sp.E: arb.const_e,
        sp.EulerGamma: arb.const_euler,
        sp.Catalan: arb.const_catalan,
        sp.GoldenRatio: lambda: (arb(5).sqrt() + 1) / 2,
    }
    if expr is sp.I:
        return lambda *_: acb(0, 1)
    make = makers.get(expr)
    if make is None:
        raise Undefined(f"the constant {expr}")
    return lambda *_: acb(make())


def plain(number: Any) -> Any:
    """The rational number that a tree of numbers is, such as `1/2`; the tree itself otherwise."""
    if number.is_Rational or number.free_symbols or number.atoms(sp.Function, sp.NumberSymbol):
        return number
    if number.is_Add or number.is_Mul:
        parts = [plain(arg) for arg in number.args]
        if not all(part.is_Rational for part in parts):
            return number
        return sum(parts, sp.S.Zero) if number.is_Add else math.prod(parts, start=sp.S.One)
    if number.is_Pow:
        base, power = plain(number.base), plain(number.exp)
        small = base.is_Rational and power.is_Integer and abs(power) <= 64
        return base**power if small and (base != 0 or power > 0) else number
    return number


def names_in(*exprs: Any) -> set[Any]:
    """The symbols of expressions; faster than asking each node for a set of its own."""
    found: set[Any] = set()
    seen: set[int] = set()
    stack = list(exprs)
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            if node.is_Symbol:
                found.add(node)
            else:
                stack.extend(node.args)
    return found


def is_constant(expr: Any) -> bool:
    """Whether no symbol occurs; ends at the first."""
    stack = [expr]
    while stack:
        node = stack.pop()
        if node.is_Symbol:
            return False
        stack.extend(node.args)
    return True


def substituted(expr: Any, put: dict[Any, Any]) -> Any:
    """Values put in for symbols, the tree kept as it is written: 0/0 must not become 1."""
    if expr in put:
        return put[expr]
    if not expr.args or expr.is_Piecewise or not (expr.free_symbols & put.keys()):
        return expr.xreplace(put) if expr.is_Piecewise else expr
    return expr.func(*[substituted(arg, put) for arg in expr.args], evaluate=False)


def _power(expr: Any) -> tuple[Step, tuple[Any, ...]]:
    exponent = plain(expr.exp)
    if exponent.is_Integer and abs(int(exponent)) < _LARGEST_POWER:
        power = int(exponent)

        def whole(_analytic: bool | None, values: list[Any], args: tuple[int, ...]) -> Any:
            base = values[args[0]]
            if power < 0:
                not_zero(base)
            return base**power

        return whole, (expr.base,)
    if exponent.is_Rational and int(exponent.q) == 2 and abs(int(exponent.p)) < 1000:
        halves = int(exponent.p)

        def root(analytic: bool | None, base: Any) -> Any:
            if halves < 0:
                not_zero(base)
            return base.sqrt(analytic=bool(analytic)) ** halves

        return on_values(root), (expr.base,)
    if expr.base is sp.E:
        return on_values(lambda _analytic, power: power.exp()), (expr.exp,)
    return on_values(_general_power), (expr.base, exponent if exponent.is_Rational else expr.exp)


def _general_power(analytic: bool | None, base: Any, power: Any) -> Any:
    if base.is_zero():
        if power.real > 0:
            return acb(0)
        raise Pole("a power of zero")
    whole = whole_number(power)
    if whole is not None and is_real(base) and not analytic:
        size = abs(base) ** power.real
        return acb(-size if whole % 2 and base.real < 0 else size)
    return base.pow(power, analytic=bool(analytic))


def _piecewise(expr: Any, symbols: Sequence[Any]) -> Step:
    """Each branch on a tape of its own: one that does not apply may well be undefined."""
    branches = [(condition, Tape([branch], symbols)) for branch, condition in expr.args]
    count = len(symbols)

    def call(analytic: bool | None, values: list[Any], _args: tuple[int, ...]) -> Any:
        at = dict(zip(symbols, values[:count], strict=True))
        try:
            for condition, tape in branches:
                if holds(condition, at, wide=analytic is not None):
                    return tape.run(values[:count], analytic)[0]
        except Undefined:
            if analytic:  # the ball lies on both sides of a border
                return acb(arb("nan"))
            raise
        raise Undefined("no branch of a piecewise expression applies")

    return call


def holds(condition: Any, at: dict[Any, Any], *, wide: bool = False) -> bool:
    """Whether a relation is certain to hold. Raises Undefined where it cannot be told.

    Args:
        wide: the balls are complex neighbourhoods of real points; their real parts count.
    """
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And | sp.Or):
        found = [holds(part, at, wide=wide) for part in condition.args]
        return all(found) if isinstance(condition, sp.And) else any(found)
    if isinstance(condition, sp.Not):
        return not holds(condition.args[0], at, wide=wide)
    if not isinstance(condition, sp.core.relational.Relational):
        raise Undefined(f"the condition {str(condition)[:60]}")
    gap = value(condition.lhs, at) - value(condition.rhs, at)
    if not wide and not is_real(gap):
        raise Undefined("a comparison of complex values")
    sign = gap.real
    certain = sign > 0 or sign < 0
    match condition:
        case sp.Eq() | sp.Ne() if not certain and not gap.is_zero():
            raise Undefined("a condition on its border")
        case sp.Eq():
            return not certain
        case sp.Ne():
            return bool(certain)
        case sp.Ge() | sp.Le() if gap.is_zero():
            return True
        case sp.Gt() | sp.Lt() if gap.is_zero():
            return False
        case _ if not certain:
            raise Undefined("a condition on its border")
        case sp.Gt() | sp.Ge():
            return bool(sign > 0)
        case _:
            return bool(sign < 0)


def log2(size: Any) -> float:
    """The binary logarithm of a number that is not negative; minus infinity for zero."""
    return float(size.log().mid()) / math.log(2) if size > 0 else -math.inf


def width(ball: Any) -> Any:
    """The error bound of a complex ball: the largest distance from its middle."""
    return acb(ball.real.rad(), ball.imag.rad()).abs_upper()


def shown(ball: Any, digits: int = 20) -> str:
    """The middle of a ball as text."""
    return str(ball.str(digits, radius=False))
