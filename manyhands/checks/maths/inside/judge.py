"""Verdicts out of comparisons: what every kind of case shares."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
from balls import Undefined, exact, is_constant, shown, width
from domain import Assumed, symbol_named
from flint import arb
from notation import NotReadable, read_name
from points import Comparison, compare

#: Verdict, one readable line, evidence.
Found = tuple[str, str, dict[str, Any]]
#: Agreement of numbers that are worked out with an error bound, in decimal digits.
DIGITS = 25
#: Agreeing points that are enough.
LEAST = 4
#: A bare decimal with so many significant digits is taken as rounded.
ROUNDED = 6
#: How many significant digits the shortest text of a double may have when it is not a round number.
_DOUBLE = range(15, 18)
_DOUBLE_UNITS = sp.Rational(1, 2**50)


def seed_of(case: dict[str, Any]) -> int:
    given = case.get("seed")
    return int(given) if given is not None else zlib.crc32(repr(sorted(case.items())).encode())


def symbol_of(case: dict[str, Any], key: str = "var", default: str = "x") -> Any:
    return symbol_named(read_name(case.get(key) or default))


def judge(found: Comparison, what: str, seed: int, symbols: bool) -> Found:
    """A comparison as a verdict: a differing point refutes, enough agreeing points support."""
    evidence: dict[str, Any] = {"method": "ball arithmetic", "seed": seed, "points": found.points}
    if found.complex_points:
        evidence["complex_points"] = found.complex_points
    if found.skipped:
        evidence["skipped"] = found.skipped
    if found.off is not None:
        evidence["off_domain"] = found.off
    different = found.different
    enough = LEAST if symbols else 1
    if different is None and found.off is not None and found.points < enough:
        different = found.off
    if different is not None:
        evidence["counterexample"] = different
        return "refuted", f"{what} differ: {_told(different)}", evidence
    agreed = found.points + found.complex_points
    if agreed < enough:
        why = "; ".join(found.skipped) or "no point fits what is assumed"
        return "undetermined", f"{what}: too few points could be compared ({why})", evidence
    evidence["bits"] = found.bits
    if found.closest:
        evidence["closest_bits"] = found.closest
    if found.off is not None and not found.off_guard:
        return (
            "undetermined",
            f"{what} agree where they are real and differ on the principal branch elsewhere, "
            f"{_told(found.off)}; state with `assume` which values are meant",
            evidence,
        )
    said = f"{what} are equal at {agreed} points to 2^-{found.bits}"
    if found.skipped:
        said += ", where both have values"
    if not symbols:
        said = f"{what} are equal to 2^-{found.closest or found.bits}"
    if found.off is not None:
        said += "; on the domain where all is real"
    elif found.complex_points and not found.points:
        said += "; with complex values"
    return "supported", said, evidence


def _told(point: dict[str, str]) -> str:
    return ", ".join(f"{name} = {text}" for name, text in point.items())


def equal(
    left: Any,
    right: Any,
    what: str,
    case: dict[str, Any],
    *,
    guards: Sequence[Any] = (),
    prove: bool = True,
) -> Found:
    """Two expressions as a verdict.

    Args:
        guards: expressions that must be real where a difference is to count.
        prove: whether a proof by algebra is tried after the points.
    """
    seed = seed_of(case)
    assumed = Assumed(case.get("assume"))
    symbols = not (is_constant(left) and is_constant(right))
    try:
        comparison = compare(left, right, seed, guards=guards, assumed=assumed)
    except Undefined as why:
        return "undetermined", f"{what} cannot be compared: {why}", {"seed": seed}
    found = judge(comparison, what, seed, symbols)
    if found[0] == "supported" and prove and (how := proof(left, right)):
        return found[0], f"{what} are proved equal ({how})", {**found[2], "proof": how}
    return found


def proof(left: Any, right: Any) -> str:
    """How algebra closes the equality; empty when it does not, which says nothing.

    Each function of a variable stands for an unknown of its own, so that only field arithmetic
    is left, which always ends; sin² + cos² = 1 is the one relation that is put in.
    """
    gap = sp.Add(left, sp.Mul(-1, right, evaluate=False), evaluate=False)
    if not _small(gap) or is_constant(gap):
        return ""
    stands: dict[Any, Any] = {}
    try:
        flat = _flat(gap, stands)
        above = sp.numer(sp.cancel(sp.together(flat)))
        if above == 0:
            return "the difference cancels to zero"
        for kernel, name in list(stands.items()):
            other = stands.get(sp.cos(kernel.args[0])) if isinstance(kernel, sp.sin) else None
            if other is not None:
                above = sp.rem(sp.expand(above), name**2 + other**2 - 1, name)
        return "the difference vanishes with sin² + cos² = 1" if sp.expand(above) == 0 else ""
    except (sp.PolynomialError, AttributeError, TypeError, ValueError, NotImplementedError):
        return ""


def _small(expr: Any) -> bool:
    for count, node in enumerate(sp.preorder_traversal(expr)):
        if count > 45 or (node.is_Pow and node.exp.is_Integer and abs(node.exp) > 8):
            return False
        if node.is_Rational and max(abs(node.p), node.q) > 10**6:
            return False
    return True


def _flat(expr: Any, stands: dict[Any, Any]) -> Any:
    """A rational expression: functions and fractional powers become unknowns."""
    if expr.is_Rational or expr.is_Symbol:
        return expr
    if expr.is_Add or expr.is_Mul:
        parts = [_flat(arg, stands) for arg in expr.args]
        return sp.Add(*parts) if expr.is_Add else sp.Mul(*parts)
    if expr.is_Pow and expr.exp.is_Integer and expr.base is not sp.E:
        return _flat(expr.base, stands) ** expr.exp
    kernel = expr.func(*expr.args) if expr.args else expr
    return stands.setdefault(kernel, sp.Symbol(f"kernel{len(stands)}"))


def last_place(text: Any) -> tuple[int, int] | None:
    """Significant digits and power of ten of the last one, of a bare decimal; else None."""
    match = re.fullmatch(r"\s*[-+]?(\d*)\.(\d+)(?:[eE]([-+]?\d+))?\s*", str(text))
    if match is None:
        return None
    return len((match[1] + match[2]).lstrip("0")), int(match[3] or 0) - len(match[2])


def half_unit(text: Any) -> Any:
    """Half a unit of the last place of a decimal taken as rounded; None for exact text.

    Of a decimal with as many digits as a double has, a few units in the last place of a double:
    it was worked out in floating point.
    """
    place = last_place(text)
    if place is None or place[0] < ROUNDED or abs(place[1]) > 400:
        return None
    half = sp.Rational(1, 2) * sp.Rational(10) ** place[1]
    if place[0] in _DOUBLE:
        half = max(half, abs(sp.Rational(str(text).strip())) * _DOUBLE_UNITS)
    return exact(half).real * arb("1.000001")


def same_number(found: Any, claimed: Any, text: Any, how: str) -> Found:
    """A number worked out with error bound `found` against the claimed one.

    A bare decimal of at least six digits is taken as rounded; everything else must agree wholly.
    """
    if not found.is_finite() or not claimed.is_finite():
        raise Undefined("one of the values is not finite")
    evidence = {"found": shown(found), "claimed": shown(claimed), "method": how}
    gap = found - claimed
    allowed = half_unit(text)
    if allowed is not None and not gap.contains(0) and gap.abs_upper() <= allowed:
        return "supported", f"{how}: agrees as rounded to {last_place(text)[0]} digits", evidence  # type: ignore[index]
    if not gap.contains(0):
        return "refuted", f"{how}: it is {shown(found, 15)}", evidence
    scale = claimed.abs_lower() if claimed.abs_lower() > 1 else arb(1)
    if width(gap) > scale * arb(f"1e-{DIGITS}"):
        raise Undefined(f"{how}: the error bound is too wide to decide")
    return "supported", f"{how}: equal to {DIGITS} digits and more", evidence


def against_sympy(
    work: Callable[[], Any], claimed: Any, how: str, evidence: dict[str, Any]
) -> Found:
    """A closed form by SymPy compared with the claimed one; its silence decides nothing."""
    found = work()
    silent = (sp.Integral, sp.Limit, sp.Sum, sp.nan, sp.zoo, sp.AccumBounds, sp.Order)
    if not isinstance(found, sp.Expr) or found.has(*silent):
        return "undetermined", f"{how} has no closed form", evidence
    evidence = {**evidence, "sympy": str(found)[:200]}
    endless = (sp.oo, -sp.oo)
    if found in endless or infinite(claimed):
        same = found in endless and infinite(claimed) == (1 if found == sp.oo else -1)
        return ("supported" if same else "refuted"), f"{how} is {found}", evidence
    comparison = compare(found, claimed, 7)
    if comparison.different is not None:
        return "refuted", f"{how} is {str(found)[:80]}", evidence
    if comparison.points >= (LEAST if comparison.bits and found.free_symbols else 1):
        return "supported", f"{how} agrees", evidence
    return "undetermined", f"{how} could not be compared", evidence


def infinite(expr: Any) -> int:
    """1 or -1 for a claimed infinity, 0 for anything else. Raises NotReadable for a mixture."""
    if not expr.has(sp.oo, -sp.oo, sp.zoo):
        return 0
    plain = expr.doit()
    if plain == sp.oo:
        return 1
    if plain == -sp.oo:
        return -1
    raise NotReadable("an infinity inside an expression")
