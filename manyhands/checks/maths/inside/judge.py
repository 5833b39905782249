"""Verdicts out of comparisons: what every kind of case shares."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import flint
import sympy as sp
from balls import Comparison, Undefined, compare, width
from flint import acb, fmpq
from notation import NotReadable

#: Verdict, one readable line, evidence.
Found = tuple[str, str, dict[str, Any]]
#: Agreement of numbers that are worked out with an error bound, in decimal digits.
DIGITS = 25


def seed_of(case: dict[str, Any]) -> int:
    given = case.get("seed")
    return int(given) if given is not None else zlib.crc32(repr(sorted(case.items())).encode())


def judge(comparison: Comparison, what: str, seed: int, least: int = 4) -> Found:
    """A comparison as a verdict: a differing point refutes, enough agreeing points support."""
    evidence: dict[str, Any] = {
        "method": "ball arithmetic",
        "seed": seed,
        "points": comparison.points,
        "bits": comparison.bits,
    }
    if comparison.skipped:
        evidence["skipped"] = comparison.skipped
    if comparison.different is not None:
        evidence["counterexample"] = comparison.different
        shown = ", ".join(f"{name} = {text}" for name, text in comparison.different.items())
        return "refuted", f"{what} differ: {shown}", evidence
    if comparison.points >= least:
        where = f"equal at {comparison.points} points to 2^-{comparison.bits}"
        named = "; where both are real and finite" if comparison.skipped else ""
        return "supported", f"{what} are {where}{named}", evidence
    why = "; ".join(comparison.skipped) or "no point"
    return "undetermined", f"{what}: too few points could be compared ({why})", evidence


def equal(left: Any, right: Any, what: str, case: dict[str, Any]) -> Found:
    seed = seed_of(case)
    symbols = left.free_symbols | right.free_symbols
    found = judge(compare(left, right, seed), what, seed, least=4 if symbols else 1)
    if found[0] == "supported" and _proved(left, right):
        found[2]["proof"] = "the difference of the rational functions cancels to zero"
        return found[0], f"{what} are proved equal", found[2]
    return found


def _proved(left: Any, right: Any) -> bool:
    """Whether algebra closes it; tried only on rational functions, where it always ends."""
    symbols = left.free_symbols | right.free_symbols
    both = sp.Add(left, -right, evaluate=False)
    if not symbols or both.count_ops() > 80:
        return False
    try:
        return bool(both.is_rational_function(*symbols)) and sp.cancel(sp.together(both)) == 0
    except (sp.PolynomialError, AttributeError, TypeError, ValueError):
        return False


def symbol_of(case: dict[str, Any]) -> Any:
    name = str(case.get("var", "x")).strip()
    if not re.fullmatch(r"\\?[A-Za-z]\w*", name):
        raise NotReadable(f"{name!r} is no variable")
    return sp.Symbol(name.lstrip("\\"), real=True)


def derivative_of(expr: Any, var: Any, order: int = 1) -> Any:
    found = sp.diff(expr, var, order)
    if found.has(sp.Derivative, sp.Subs):
        raise Undefined("SymPy cannot differentiate it")
    return found.replace(sp.DiracDelta, lambda *_: sp.Integer(0))


def shown_digits(text: str) -> int | None:
    """Significant digits of a bare decimal; None for anything else."""
    match = re.fullmatch(r"\s*[-+]?(\d*)\.(\d+)(?:[eE][-+]?\d+)?\s*", text)
    return len((match[1] + match[2]).lstrip("0")) if match else None


def same_number(found: Any, claimed: Any, text: str, how: str) -> Found:
    """A number worked out with error bound `found` against the claimed one.

    A bare decimal of at least six digits is taken as rounded; everything else must agree wholly.
    """
    evidence = {"found": found.str(20), "claimed": claimed.str(20), "method": how}
    if not found.is_finite() or not claimed.is_finite():
        raise Undefined("one of the values is not finite")
    gap = found - claimed
    digits = shown_digits(text)
    if digits is not None and digits >= 6 and not gap.contains(0):
        half = sp.Rational(1, 2) * sp.Rational(10) ** _last_place(text)
        allowed = acb(fmpq(int(half.p), int(half.q))).real * flint.arb("1.000001")
        if gap.abs_upper() <= allowed:
            return "supported", f"{how}: agrees as rounded to {digits} digits", evidence
    if not gap.contains(0):
        return "refuted", f"{how}: it is {found.str(15, radius=False)}", evidence
    scale = claimed.abs_upper() if claimed.abs_lower() > 1 else flint.arb(1)
    if width(gap) > scale * flint.arb(f"1e-{DIGITS}"):
        raise Undefined(f"{how}: the error bound is too wide to decide")
    return "supported", f"{how}: equal to {DIGITS} digits and more", evidence


def _last_place(text: str) -> int:
    match = re.fullmatch(r"\s*[-+]?\d*\.(\d+)(?:[eE]([-+]?\d+))?\s*", text)
    assert match is not None
    return int(match[2] or 0) - len(match[1])


def against_sympy(
    work: Callable[[], Any], claimed: Any, how: str, evidence: dict[str, Any]
) -> Found:
    """A closed form by SymPy compared with the claimed one; its silence decides nothing."""
    found = work()
    if found.has(sp.Integral, sp.Limit, sp.Sum, sp.nan, sp.zoo):
        return "undetermined", f"{how} has no closed form", evidence
    evidence = {**evidence, "sympy": str(found)[:200]}
    if sp.oo in (found, -found) or sp.oo in (claimed, -claimed):
        same = found == claimed.doit()
        return ("supported" if same else "refuted"), f"{how} is {found}", evidence
    comparison = compare(found, claimed, 7)
    if comparison.different is not None:
        return "refuted", f"{how} is {str(found)[:80]}", evidence
    if comparison.points:
        return "supported", f"{how} agrees", evidence
    return "undetermined", f"{how} could not be compared", evidence
