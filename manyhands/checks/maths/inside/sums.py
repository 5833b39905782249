"""Sums: with whole ends term by term, with an open end by putting numbers in, without end."""

from __future__ import annotations

from typing import Any

import flint
import sympy as sp
from balls import Undefined, value, width
from flint import acb
from judge import Found, against_sympy, equal, same_number, symbol_of
from notation import NotReadable, read

MOST_TERMS = 20_000


def sum_(case: dict[str, Any]) -> Found:
    var, term = symbol_of(case), read(case["term"])
    first, last = read(str(case["from"])), read(str(case["to"]))
    claimed = read(case["value"])
    if not first.is_Integer:
        raise NotReadable("a sum must start at a whole number")
    start = int(first)
    if last.is_Integer:
        if not 0 <= int(last) - start + 1 <= MOST_TERMS:
            raise NotReadable(f"more than {MOST_TERMS} terms")
        return _finite_sum(term, var, start, int(last), claimed, case)
    if last.free_symbols:
        return _open_sum(term, var, start, last, claimed)
    return _endless_sum(term, var, start, claimed)


def _terms(term: Any, var: Any, start: int, end: int) -> Any:
    total = acb(0)
    for number in range(start, end + 1):
        total += value(term, {var: acb(number)})
    return total


def _finite_sum(
    term: Any, var: Any, start: int, end: int, claimed: Any, case: dict[str, Any]
) -> Found:
    if (term.free_symbols - {var}) or claimed.free_symbols:
        whole = sp.Add(*[term.subs(var, number) for number in range(start, end + 1)])
        return equal(whole, claimed, "the sum and the value", case)
    flint.ctx.prec = 300
    try:
        total, ball = _terms(term, var, start, end), value(claimed, {})
        return same_number(total, ball, str(case["value"]), "all terms added")
    finally:
        flint.ctx.prec = 53


def _open_sum(term: Any, var: Any, start: int, last: Any, claimed: Any) -> Found:
    """An upper end with a name in it: whole numbers are put in, one after the other."""
    names = last.free_symbols
    if len(names) != 1 or (claimed.free_symbols | term.free_symbols) - names - {var}:
        raise NotReadable("one free name in the upper end is what can be checked")
    (name,) = names
    flint.ctx.prec = 300
    checked = 0
    try:
        for number in range(max(start, 0), max(start, 0) + 24):
            end = last.subs(name, number)
            if not end.is_Integer or int(end) < start:
                continue
            total = _terms(term, var, start, int(end))
            gap = total - value(claimed, {name: acb(number)})
            if not gap.contains(0):
                evidence = {"counterexample": {str(name): number, "sum": total.str(15)}}
                return "refuted", f"it differs at {name} = {number}", evidence
            if width(gap) < flint.arb("1e-40"):
                checked += 1
    finally:
        flint.ctx.prec = 53
    if checked < 6:
        raise Undefined("too few whole numbers could be put in")
    return "supported", f"equal for {checked} values of {name}", {"values": checked}


def _endless_sum(term: Any, var: Any, start: int, claimed: Any) -> Found:
    import mpmath

    if claimed.free_symbols or term.free_symbols - {var}:
        raise NotReadable("the sum holds other variables")
    with mpmath.workdps(40):
        numeric = sp.lambdify(var, term, "mpmath")
        one = mpmath.nsum(numeric, [start, mpmath.inf])
        two = mpmath.nsum(numeric, [start, mpmath.inf], method="e")
        want = mpmath.mpmathify(sp.N(claimed, 45))
        scale = max(1, abs(want))
        spread, gap = abs(one - two) / scale, abs(one - want) / scale
    evidence = {"nsum": mpmath.nstr(one, 20), "method": "Richardson and Euler-Maclaurin"}
    if spread < 1e-12 and gap > 1e-9:
        return "refuted", f"the sum is {mpmath.nstr(one, 15)}", evidence
    if spread < 1e-22 and gap < 1e-22:
        return "supported", "two ways of summing agree to 22 digits", evidence
    return against_sympy(
        lambda: sp.summation(term.doit(), (var, start, sp.oo)), claimed, "SymPy's sum", evidence
    )
