"""Sums: with whole ends term by term, with an open end by putting numbers in, without end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import sympy as sp
from balls import Tape, Undefined, is_real, log2, precision, shown, substituted, width
from flint import acb, arb, fmpq
from integrals import put_parameters, without_value
from judge import Found, against_sympy, equal, half_unit, infinite, same_number, symbol_of
from notation import NotReadable, read
from statements import operand, right_of, says_none

MOST_TERMS = 20_000
_BITS = 400
#: Terms added before a sum that falls like a geometric one is given up.
_GEOMETRIC = 2500
_SMALL = -330
_LEVIN_BITS = 1200
_LEAST_NUMBERS = 6


def sum_(case: dict[str, Any]) -> Found:
    """The sum of `term` for `var` from `from` to `to` (maybe infinite, or a name) is `value`."""
    var = symbol_of(case, default="n")
    # The index gets a name that no text can write: the upper end may have the same name.
    index = sp.Symbol(f"{var} (index)", real=True)
    term, var = read(operand(case["term"]), {str(var): index}), index
    first, last = (read(case[key]) for key in ("from", "to"))
    none = says_none(case["value"])
    claimed = sp.oo if none else read(right_of(case["value"]))
    if infinite(first) < 0 and not infinite(last):  # counted from the other end
        first, last = sp.Mul(-1, last), sp.oo
        term = substituted(term, {var: sp.Mul(-1, var)})
    if infinite(last) > 0:
        if not first.is_Integer:
            raise NotReadable("a sum without end must start at a whole number")

        def work(parts: list[Any]) -> Found:
            found = _endless(parts[0], var, int(first), parts[1], case["value"])
            return without_value(found) if none else found

        return put_parameters([term, claimed], var, case, work)
    if first.is_Integer and last.is_Integer:
        return _closed(term, var, int(first), int(last), claimed, case)
    return _open(term, var, first, last, claimed)


def _closed(term: Any, var: Any, start: int, end: int, claimed: Any, case: dict[str, Any]) -> Found:
    count = end - start + 1
    if not 0 <= count <= MOST_TERMS:
        raise NotReadable(f"not between 0 and {MOST_TERMS} terms")
    if (term.free_symbols - {var}) or claimed.free_symbols:
        if count > 200:
            raise NotReadable("more than 200 terms with a name in them")
        numbers = range(start, end + 1)
        whole = sp.Add(*[term.xreplace({var: sp.Integer(n)}) for n in numbers], evaluate=False)
        return equal(whole, claimed, "the sum and the value", case)
    with precision(_BITS):
        tape = Tape([term], [var])
        total = acb(0)
        for number in range(start, end + 1):
            total += tape.run([acb(number)])[0]
        return same_number(total, Tape([claimed], []).run([])[0], case["value"], "all terms added")


def _open(term: Any, var: Any, first: Any, last: Any, claimed: Any) -> Found:
    """Ends with names in them: whole numbers are put in, one after the other."""
    names = sorted(first.free_symbols | last.free_symbols, key=str)
    others = sorted((claimed.free_symbols | term.free_symbols) - set(names) - {var}, key=str)
    if not 1 <= len(names) <= 2 or len(others) > 3:
        raise NotReadable("one or two names in the ends are what can be checked")
    tape, goal = Tape([term], [var, *names, *others]), Tape([claimed], [*names, *others])
    ends = Tape([first, last], names)
    base = max(int(first), 0) if first.is_Integer else 0
    numbers: Iterator[tuple[int, ...]] = ((base + step,) for step in range(24))
    if len(names) == 2:
        numbers = itertools.product(range(base, base + 7), repeat=2)
    checked = 0
    with precision(_BITS):
        put = [acb(arb(7 + 12 * i) / (5 + i)) * (-1 if i % 2 else 1) for i in range(len(others))]
        for chosen in numbers:
            start, end = (ball.real.unique_fmpz() for ball in ends.run([acb(n) for n in chosen]))
            if start is None or end is None or int(end) < int(start):
                continue
            if int(end) - int(start) > MOST_TERMS:
                break
            total = acb(0)
            for index in range(int(start), int(end) + 1):
                total += tape.run([acb(index), *map(acb, chosen), *put])[0]
            try:
                gap = total - goal.run([*map(acb, chosen), *put])[0]
            except Undefined:
                continue
            if not gap.contains(0):
                at = ", ".join(f"{name} = {n}" for name, n in zip(names, chosen, strict=True))
                told = {str(name): n for name, n in zip(names, chosen, strict=True)}
                evidence = {"counterexample": {**told, "sum": shown(total, 15)}}
                return "refuted", f"it differs at {at}: {shown(total, 15)}", evidence
            if width(gap) < arb("1e-40"):
                checked += 1
    if checked < _LEAST_NUMBERS:
        raise Undefined("too few whole numbers could be put in")
    if first.is_Integer and (proof := _telescopes(term, var, names[0], last, claimed)):
        return "supported", f"proved by induction: {proof}", {"values": checked, "proof": proof}
    said = ", ".join(map(str, names))
    return "supported", f"equal for {checked} values of {said}", {"values": checked}


def _telescopes(term: Any, var: Any, name: Any, last: Any, claimed: Any) -> str:
    """Induction: S(n) - S(n-1) is the term; the start was checked with numbers."""
    if last != name or term.has(name) or sp.count_ops(claimed) > 40:
        return ""
    step = claimed - claimed.xreplace({name: name - 1}) - term.xreplace({var: name})
    try:
        rational = step.is_rational_function(name)
        return "value(n) - value(n-1) is the term" if rational and sp.cancel(step) == 0 else ""
    except (sp.PolynomialError, AttributeError, TypeError, ValueError):
        return ""


def _endless(term: Any, var: Any, start: int, claimed: Any, text: Any) -> Found:
    tape = Tape([term], [var])
    wanted = infinite(claimed)
    with precision(_BITS):
        goal = None if wanted else Tape([claimed], []).run([])[0]
        found = _geometric(tape, start)
        if found is not None and goal is not None:
            return same_number(found, goal, text, "terms added, the rest bounded by their ratio")
        if found is not None:
            return "refuted", f"it converges to {shown(found, 15)}", {}
        if why := _divergence(tape, start):
            good = wanted and why[1] == wanted
            evidence = {"diverges_at": ["infinity"]}
            return ("supported" if good else "refuted"), f"the sum diverges: {why[0]}", evidence
    return _accelerated(tape, term, var, start, claimed, goal, text)


def _geometric(tape: Tape, start: int) -> Any:
    """The sum when each term is at most 0.9 of the one before, far out too; else None."""
    for far in (10**4, 10**6):
        try:
            one, two = (tape.run([acb(far + step)])[0] for step in (0, 1))
        except (Undefined, ZeroDivisionError):
            return None
        if not (one.is_finite() and two.is_finite()):
            return None
        if one.is_zero() or abs(one).upper() == 0:
            continue
        if one.contains(0) or not abs(two) < abs(one) * arb("0.9"):
            if log2(abs(one).upper()) < -2000:
                continue
            return None
    total, before = acb(0), None
    for number in range(start, start + _GEOMETRIC):
        (ball,) = tape.run([acb(number)])
        total += ball
        size = abs(ball)
        if before is not None and log2(size.upper()) < _SMALL and size < before * arb("0.9"):
            rest = size * 10
            return acb(total.real + arb(0, rest.upper()), total.imag + arb(0, rest.upper()))
        before = size if not ball.is_zero() else before
    return None


def _divergence(tape: Tape, start: int) -> tuple[str, int] | None:
    """Why it diverges, and the sign of the infinity (0 for none); None when that is not clear."""
    sizes: list[tuple[int, float, bool]] = []
    for power in range(10, 100, 6):
        for number in (2**power, 2**power + 1):
            try:
                (ball,) = tape.run([acb(max(number, start))])
            except (Undefined, ZeroDivisionError):
                return None
            if not ball.is_finite() or not is_real(ball) or ball.contains(0):
                return None
            sizes.append((power, log2(abs(ball).upper()), bool(ball.real > 0)))
    same = {sign for *_, sign in sizes}
    slopes = [
        (two[1] - one[1]) / (two[0] - one[0])
        for one, two in zip(sizes[-10:], sizes[-8:], strict=False)
    ]
    if len(same) == 1 and min(slopes) >= -1.0005:
        return "the terms fall no faster than 1/n", 1 if same.pop() else -1
    if min(size for _, size, _ in sizes[-6:]) > -1 and max(slopes) > -0.01 and len(same) == 2:
        return "the terms do not go to zero", 0
    return None


def _accelerated(
    tape: Tape, term: Any, var: Any, start: int, claimed: Any, goal: Any, text: Any
) -> Found:
    """Slow sums: Levin's u-transformation from two starts, else SymPy's closed form."""
    evidence: dict[str, Any] = {"method": "Levin's u-transformation from two starts"}
    with precision(_LEVIN_BITS):
        try:
            one, two = (_levin(tape, start, *way) for way in ((0, 44), (9, 56)))
            spread, total = abs(one - two).upper(), two
        except (Undefined, ZeroDivisionError):
            spread, total = arb("inf"), acb(0)
        scale = 1 + abs(total)
        evidence |= {"value": shown(total), "spread": spread.str(3, radius=False)}
        if goal is not None and spread < scale * arb("1e-14"):
            gap, allowed = abs(total - goal), half_unit(text)
            rounded = allowed is not None and gap < allowed + spread
            apart = gap > 1000 * spread + scale * arb("1e-200")
            if apart and not rounded:
                return "refuted", f"the sum is {shown(total, 15)}", evidence
            if spread < scale * arb("1e-22") or rounded:
                return "supported", "two accelerated sums agree", evidence
    return against_sympy(
        lambda: sp.summation(term.doit(), (var, start, sp.oo)), claimed, "SymPy's sum", evidence
    )


def _levin(tape: Tape, start: int, skipped: int, order: int) -> Any:
    """Levin's u-transformation of the partial sums after `skipped` terms, of the given order.

    Source: Weniger, "Nonlinear sequence transformations for the acceleration of convergence",
    Computer Physics Reports 10 (1989), section 7, with beta = 1.
    """
    partial = acb(0)
    for index in range(start, start + skipped):
        partial += tape.run([acb(index)])[0]
    above, below = acb(0), acb(0)
    for j in range(order + 1):
        (ball,) = tape.run([acb(start + skipped + j)])
        if not ball.is_finite():
            raise Undefined("a term that is not finite")
        if ball.contains(0):
            raise ZeroDivisionError
        partial += ball
        factor = acb(fmpq((-1) ** j * math.comb(order, j))) * acb(fmpq(1 + j, 1 + order)) ** (
            order - 1
        )
        factor /= ball * (1 + j)
        above += factor * partial
        below += factor
    return above / below
