"""Claims for z3, which searches all numbers at once: polynomial inequalities, whole numbers."""

from __future__ import annotations

import itertools
from typing import Any

import sympy as sp
from balls import plain
from domain import Assumed, symbol_named
from judge import Found
from notation import NotReadable, read_condition, read_name

_MILLISECONDS = 700
_LARGEST_EXPONENT = 12
_TRIED = 12
_RESIDUES = 4000


class NotForZ3(ValueError):
    """The claim holds what z3 is not asked about; the message names it."""


def integer_claim(case: dict[str, Any]) -> Found:
    """`claim` holds for all whole numbers that fulfil `where`.

    Small numbers are tried first, then z3 is asked for a counterexample among all.
    """
    claim = read_condition(case["claim"])
    if claim in (sp.true, sp.false):
        raise NotReadable("the claim says nothing")
    where = case.get("where")
    listed = [where] if isinstance(where, str) else list(where or [])
    given = [read_condition(text) for text in listed]
    names = claim.free_symbols.union(*(one.free_symbols for one in given))
    whole = Assumed({str(name): "integer" for name in names})
    for name in case.get("vars", []):
        if symbol_named(read_name(name)) not in names:
            raise NotReadable(f"{name!r} does not occur in the claim")
    symbols = sorted(names, key=str)
    for numbers in itertools.product(_small(len(symbols)), repeat=len(symbols)):
        put = dict(zip(symbols, map(sp.Integer, numbers), strict=True))
        if all(_true(one, put) for one in given) and _true(claim, put) is False:
            told = {str(name): int(at) for name, at in put.items()}
            return "refuted", f"it fails at {told}", {"counterexample": told, "method": "tried"}
    if not given and (residues := _by_residues(claim, symbols)):
        return residues
    try:
        return prove(claim, whole, given)
    except NotForZ3 as why:
        return "undetermined", f"no small counterexample; {why}", {}


def _by_residues(claim: Any, symbols: list[Any]) -> Found | None:
    """A claim about remainders of a polynomial, tried for all remainders of its variables."""
    if not isinstance(claim, sp.Eq | sp.Ne) or not isinstance(claim.lhs, sp.Mod):
        return None
    inside, base = claim.lhs.args[0], plain(claim.lhs.args[1])
    if not base.is_Integer or not 0 < base ** max(len(symbols), 1) <= _RESIDUES:
        return None
    if claim.rhs.free_symbols or not _whole_polynomial(inside):
        return None
    for numbers in itertools.product(range(int(base)), repeat=len(symbols)):
        put = dict(zip(symbols, map(sp.Integer, numbers), strict=True))
        if not _true(claim, put):
            told = {str(name): int(at) for name, at in put.items()}
            return "refuted", f"it fails at {told}", {"counterexample": told, "method": "residues"}
    said = f"proved: it holds for all remainders modulo {base}"
    return "supported", said, {"method": "residues", "modulus": int(base)}


def _whole_polynomial(node: Any) -> bool:
    if node.is_Integer or node.is_Symbol:
        return True
    if node.is_Pow:
        power = plain(node.exp)
        return bool(power.is_Integer and 0 <= power <= 64) and _whole_polynomial(node.base)
    return bool(node.is_Add or node.is_Mul) and all(map(_whole_polynomial, node.args))


def _small(count: int) -> list[int]:
    reach = {0: 0, 1: 60, 2: _TRIED, 3: 5}.get(count, 2)
    return sorted(range(-reach, reach + 1), key=abs)


def _true(condition: Any, put: dict[Any, Any]) -> bool | None:
    """Whether a relation of whole numbers holds; None where it has no value."""
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And | sp.Or):
        parts = [_true(part, put) for part in condition.args]
        if None in parts:
            return None
        return all(parts) if isinstance(condition, sp.And) else any(parts)
    if isinstance(condition, sp.Not):
        inner = _true(condition.args[0], put)
        return None if inner is None else not inner
    left, right = (_number(side, put) for side in condition.args)
    if left is None or right is None:
        return None
    compare = {
        sp.Eq: left == right, sp.Ne: left != right, sp.Lt: left < right, sp.Le: left <= right,
        sp.Gt: left > right, sp.Ge: left >= right,
    }  # fmt: skip
    return bool(next(holds for kind, holds in compare.items() if isinstance(condition, kind)))


def _number(expr: Any, put: dict[Any, Any]) -> Any:
    """The exact value; None for a division by zero or what is no rational arithmetic."""
    if expr.is_Rational:
        return expr
    if expr.is_Symbol:
        return put.get(expr)
    args = [_number(arg, put) for arg in expr.args]
    if None in args:
        return None
    if expr.is_Add:
        return sum(args, sp.S.Zero)
    if isinstance(expr, sp.Mod):
        return args[0] - args[1] * sp.floor(args[0] / args[1]) if args[1] else None
    if isinstance(expr, sp.floor):
        return sp.floor(args[0])
    if isinstance(expr, sp.Abs):
        return abs(args[0])
    made = plain(expr.func(*args, evaluate=False)) if expr.is_Mul or expr.is_Pow else None
    return made if made is not None and made.is_Rational else None


def prove(claim: Any, assumed: Assumed, given: list[Any] | None = None) -> Found:
    """Ask z3 for a counterexample; none at all is a proof.

    Raises:
        NotForZ3: functions, irrational numbers, or powers that are too high.
    """
    import z3

    maker = _Z3(z3, assumed)
    solver = z3.Solver()
    solver.set("timeout", _MILLISECONDS)
    for one in (*(given or []), *assumed.relations):
        solver.add(maker.condition(one))
    solver.add(z3.Not(maker.condition(claim)))
    for fact in maker.facts():
        solver.add(fact)
    outcome = solver.check()
    kinds = "whole" if assumed.whole else "real"
    if outcome == z3.unsat:
        return "supported", f"proved by z3 for all such {kinds} numbers", {"method": "z3"}
    if outcome == z3.sat:
        model = solver.model()
        told = {
            str(name): str(model.eval(at, model_completion=True))
            for name, at in maker.names.items()
        }
        return "refuted", f"it fails at {told}", {"method": "z3", "counterexample": told}
    return "undetermined", "no counterexample found; z3 gave up", {"method": "z3"}


class _Z3:
    """SymPy trees as z3 terms."""

    def __init__(self, z3: Any, assumed: Assumed) -> None:
        self._z3 = z3
        self._assumed = assumed
        self._divisors: list[Any] = []
        self.names: dict[Any, Any] = {}

    def facts(self) -> list[Any]:
        """Signs that are given, and that nothing is divided by zero."""
        signs = {1: lambda at: at > 0, -1: lambda at: at < 0}
        said = [
            signs[self._assumed.sign(name)](at)
            for name, at in self.names.items()
            if self._assumed.sign(name)
        ]
        return said + [divisor != 0 for divisor in self._divisors]

    def condition(self, node: Any) -> Any:
        z3 = self._z3
        if node in (sp.true, sp.false):
            return z3.BoolVal(bool(node))
        if isinstance(node, sp.And | sp.Or):
            join = z3.And if isinstance(node, sp.And) else z3.Or
            return join(*[self.condition(part) for part in node.args])
        if isinstance(node, sp.Not):
            return z3.Not(self.condition(node.args[0]))
        left, right = (self.term(side) for side in node.args)
        match node:
            case sp.Eq():
                return left == right
            case sp.Ne():
                return left != right
            case sp.Lt():
                return left < right
            case sp.Le():
                return left <= right
            case sp.Gt():
                return left > right
            case sp.Ge():
                return left >= right
            case _:
                raise NotForZ3(f"{type(node).__name__} is not asked of z3")

    def term(self, node: Any) -> Any:
        z3 = self._z3
        node = plain(node)
        if node.is_Integer:
            return z3.IntVal(int(node)) if self._assumed.whole else z3.RealVal(int(node))
        if node.is_Rational:
            return z3.RealVal(f"{node.p}/{node.q}")
        if node.is_Symbol:
            make = z3.Int if str(node) in self._assumed.whole else z3.Real
            return self.names.setdefault(node, make(str(node)))
        if node.is_Add or node.is_Mul:
            terms = [self.term(arg) for arg in node.args]
            total = terms[0]
            for other in terms[1:]:
                total = total + other if node.is_Add else total * other
            return total
        if node.is_Pow and plain(node.exp).is_Integer:
            return self._power(self.term(node.base), int(plain(node.exp)))
        if isinstance(node, sp.Abs):
            inside = self.term(node.args[0])
            return z3.If(inside >= 0, inside, -inside)
        if isinstance(node, sp.Mod) and self._assumed.whole and plain(node.args[1]).is_Integer:
            base = int(plain(node.args[1]))
            if base > 0:
                return self.term(node.args[0]) % base
        if isinstance(node, sp.Max | sp.Min):
            found, *others = (self.term(arg) for arg in node.args)
            for other in others:
                larger = found >= other if isinstance(node, sp.Max) else found <= other
                found = z3.If(larger, found, other)
            return found
        raise NotForZ3(f"{str(node)[:40]} is not asked of z3")

    def _power(self, base: Any, power: int) -> Any:
        if abs(power) > _LARGEST_EXPONENT:
            raise NotForZ3(f"the power {power} is not asked of z3")
        product = self._z3.RealVal(1) if not self._assumed.whole else self._z3.IntVal(1)
        for _ in range(abs(power)):
            product = product * base
        if power >= 0:
            return product
        real = self._z3.ToReal(base) if self._z3.is_int(base) else base
        self._divisors.append(real)
        below = self._z3.ToReal(product) if self._z3.is_int(product) else product
        return 1 / below
