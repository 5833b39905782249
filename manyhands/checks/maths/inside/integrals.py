"""Definite integrals: with proved error bounds where f is analytic, else by two quadratures.

Source of the method with bounds: Petras, "Self-validating integration and approximation of
piecewise analytic functions" (2002), as Arb does it.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp
from balls import Tape, Undefined, holds, is_real, log2, precision, shown, width
from domain import Assumed
from double_exponential import DEEP_BITS, SETTLED, sum_of_pieces
from flint import acb, arb, fmpq
from judge import (
    Found,
    against_sympy,
    half_unit,
    infinite,
    same_number,
    seed_of,
    symbol_of,
)
from notation import NotReadable, read
from singular import Growth, growth, singular_points
from statements import integrand, right_of, says_none

_BITS = 160
_CLOSE_BITS = 420
_TINIEST = 5000
#: The error bound that a quadrature must reach to decide alone.
_NARROW = arb("1e-26")
_NODES, _PANELS = 24, 6
#: Seconds for each of the numeric ways. What they cannot finish is not given to SymPy either.
_RIGOROUS_S = 0.25
_PIECES_S = 0.5
_PARAMETERS = 4
#: Parameters are taken below and above one in turn, in 1/997.
_SIZES = ((60, 640), (1050, 3000))


def definite_integral(case: dict[str, Any]) -> Found:
    """The integral of `f` over `var` from `a` to `b` is `value`."""
    var = symbol_of(case)
    none = says_none(case["value"])
    f = read(integrand(case["f"]), {str(var): var})
    claimed = sp.oo if none else read(right_of(case["value"]))
    ends = read(case["a"]), read(case["b"])
    if claimed.has(var) or any(end.has(var) for end in ends):
        raise NotReadable(f"the value or an end holds {var}")

    def work(parts: list[Any]) -> Found:
        found = _one(parts[0], var, (parts[1], parts[2]), parts[3], case["value"])
        return without_value(found) if none else found

    return put_parameters([f, *ends, claimed], var, case, work)


def without_value(found: Found) -> Found:
    """The verdict on a claim that there is no value, from the one on an infinite value."""
    if "diverges_at" in found[2]:
        at = ", ".join(found[2]["diverges_at"])
        return "supported", f"it has no finite value: it diverges at {at}", found[2]
    return found


def put_parameters(
    parts: list[Any], var: Any, case: dict[str, Any], work: Callable[[list[Any]], Found]
) -> Found:
    """The verdict of `work` on the parts; with numbers put in for all names but `var`.

    The numbers are positive, unless something else is assumed. A choice that fails refutes,
    but where what is claimed does not converge, it may hold for the other choices.
    """
    names = set().union(*(part.free_symbols for part in parts)) - {var}
    if not names:
        return work(parts)
    held: list[Found] = []
    diverged: list[Found] = []
    for put in _parameters(names, case):
        one = work([part.xreplace(put) for part in parts])
        chosen = {str(name): str(at) for name, at in put.items()}
        found = one[0], f"with {chosen}: {one[1]}", {**one[2], "parameters": chosen}
        if one[0] == "supported":
            held.append((one[0], one[1], found[2]))
        elif "diverges_at" in one[2]:
            diverged.append(found)
        else:
            return found
    if len(held) < 2:
        return (diverged or held)[0]
    where = "; where it converges" if diverged else ""
    evidence = dict(held[-1][2])
    if diverged:
        evidence["diverges_with"] = diverged[0][2]["parameters"]
    return "supported", f"for {len(held)} choices of the parameters: {held[-1][1]}{where}", evidence


def _parameters(names: set[Any], case: dict[str, Any]) -> list[dict[Any, Any]]:
    """Values for what is not integrated over; positive, unless something else is assumed."""
    rng, assumed = random.Random(seed_of(case)), Assumed(case.get("assume"))
    chosen: list[dict[Any, Any]] = []
    for number in range(120):
        sign = -1 if assumed.relations and number % 4 > 1 else 1
        put = {
            name: assumed.shape(name, fmpq(sign * rng.randrange(*_SIZES[number % 2]), 997))
            for name in sorted(names, key=str)
        }
        if assumed.allows(put):
            chosen.append({n: sp.Rational(int(at.p), int(at.q)) for n, at in put.items()})
        if len(chosen) == _PARAMETERS:
            return chosen
    raise Undefined("no values of the parameters fit what is assumed")


def _one(f: Any, var: Any, ends: tuple[Any, Any], claimed: Any, text: Any) -> Found:
    low_end, high_end = (infinite(end) for end in ends)
    tape = Tape([f], [var])
    to_infinity = infinite(claimed)
    with precision(_BITS):
        if not (low_end or high_end or to_infinity) and half_unit(text) is None:
            scaled = _enlarged(f, tape, ends, claimed)
            if scaled is not None:
                found = _one(scaled[0], var, ends, scaled[1], "")
                return found[0], f"both times 2^{scaled[2]}: {found[1]}", found[2]
        if not low_end and not high_end:
            low, high = (Tape([end], []).run([])[0] for end in ends)
            if not (is_real(low) and is_real(high)):
                raise NotReadable("an end of the interval is not real")
            if not to_infinity:
                found = _rigorous_by_branches(f, var, tape, low, high)
                if found is not None:
                    outcome = _compared(found, claimed, text)
                    outcome[2]["second"] = _gauss(tape, low, high)
                    if outcome[0] != "supported":
                        return outcome
                    return _closer(f, var, tape, ends, claimed, text) or outcome
    with precision(DEEP_BITS):
        return _by_pieces(tape, f, var, ends, (low_end, high_end), claimed, text)


def _enlarged(
    f: Any, tape: Tape, ends: tuple[Any, Any], claimed: Any
) -> tuple[Any, Any, int] | None:
    """Integrand and value times a power of two, when the integrand is everywhere tiny.

    Raises:
        Undefined: it is so small that no precision used here would tell it from zero.
    """
    low, high = (Tape([end], []).run([])[0] for end in ends)
    sizes = []
    for part in range(1, 16):
        try:
            (ball,) = tape.run([low + (high - low) * fmpq(part, 16)])
        except (Undefined, ZeroDivisionError):
            return None
        sizes.append(log2(abs(ball).upper()) if ball.is_finite() else 0.0)
    largest = max(sizes)
    if largest > -20 or largest == -math.inf:
        return None
    if largest < -_TINIEST:
        raise Undefined("the integrand is too small to be told from zero")
    power = int(-largest)
    factor = sp.Integer(2) ** power
    return sp.Mul(factor, f, evaluate=False), sp.Mul(factor, claimed, evaluate=False), power


def _compared(found: Any, claimed: Any, text: Any) -> Found:
    return same_number(found, Tape([claimed], []).run([])[0], text, "rigorous quadrature")


def _closer(f: Any, var: Any, tape: Tape, ends: Any, claimed: Any, text: Any) -> Found | None:
    """A refutation by many more digits: the claimed value may be off by very little."""
    with precision(_CLOSE_BITS):
        low, high = (Tape([end], []).run([])[0] for end in ends)
        found = _rigorous_by_branches(f, var, tape, low, high)
        outcome = _compared(found, claimed, text) if found is not None else None
    return outcome if outcome is not None and outcome[0] == "refuted" else None


def _rigorous_by_branches(f: Any, var: Any, tape: Tape, low: Any, high: Any) -> Any:
    """`_rigorous`, with a piecewise integrand cut where its conditions change."""
    if not f.has(sp.Piecewise):
        return _rigorous(tape, low, high)
    borders = [
        Tape([edge], []).run([])[0]
        for node in f.atoms(sp.core.relational.Relational)
        for edge, other in ((node.rhs, node.lhs), (node.lhs, node.rhs))
        if other == var and not edge.free_symbols
    ]
    down = high.real < low.real
    left, right = (high, low) if down else (low, high)
    inner = sorted(
        (edge for edge in borders if edge.real > left.real and edge.real < right.real),
        key=lambda edge: float(edge.real.mid()),
    )
    total, cuts = acb(0), [left, *inner, right]
    for one, two in itertools.pairwise(cuts):
        at = {var: (one + two) / 2}
        branch = f.replace(
            lambda node: isinstance(node, sp.Piecewise),
            lambda node, at=at: next((b for b, c in node.args if holds(c, at)), sp.nan),
        )
        piece = _rigorous(Tape([branch], [var]), one, two) if one != two else acb(0)
        if piece is None:
            return None
        total += piece
    return -total if down else total


def _rigorous(tape: Tape, low: Any, high: Any) -> Any:
    """The integral with a proved bound; None when there is none."""

    end = time.monotonic() + _RIGOROUS_S

    def integrand(x: Any, analytic: bool) -> Any:
        if time.monotonic() > end:
            return acb(arb("nan"))
        try:
            return tape.run([x], analytic)[0]
        except (Undefined, ZeroDivisionError):
            return acb(arb("nan"))

    if not (integrand(low, False).is_finite() and integrand(high, False).is_finite()):
        return None
    found = acb.integral(integrand, low, high, eval_limit=6_000)
    return found if found.is_finite() and width(found) < _NARROW else None


@lru_cache(maxsize=1)
def _legendre() -> list[tuple[Any, Any]]:
    with precision(_BITS):
        return [arb.legendre_p_root(_NODES, index, weight=True) for index in range(_NODES)]


def _gauss(tape: Tape, low: Any, high: Any) -> dict[str, str]:
    """The same integral by Gauss-Legendre panels: another method, without a bound."""
    total, step = acb(0), (high - low) / _PANELS
    try:
        for panel in range(_PANELS):
            middle = low + step * (panel + fmpq(1, 2))
            for node, weight in _legendre():
                total += weight * tape.run([middle + step / 2 * node])[0]
    except (Undefined, ZeroDivisionError):
        return {"method": "Gauss-Legendre", "value": "not defined at a node"}
    return {"method": "Gauss-Legendre", "value": shown(total * step / 2)}


def _by_pieces(
    tape: Tape, f: Any, var: Any, ends: Any, endless: tuple[int, int], claimed: Any, text: Any
) -> Found:
    """Split at singular points, look at how f grows there, then integrate each piece twice."""
    at = [None if no else Tape([end], []).run([])[0].real for end, no in zip(ends, endless, strict=True)]  # noqa: E501  # fmt: skip
    sign = 1
    if (
        endless[0] > 0
        or endless[1] < 0
        or (at[0] is not None and at[1] is not None and at[0] > at[1])
    ):
        at, endless, sign = [at[1], at[0]], (endless[1], endless[0]), -1
    if endless[0] > 0 or endless[1] < 0:
        raise NotReadable("an interval from infinity to infinity")
    end = time.monotonic() + _PIECES_S
    inner = singular_points(tape, at[0], at[1], end)
    cuts = [at[0], *inner, at[1]]
    evidence: dict[str, Any] = {"method": "tanh-sinh quadrature at two step sizes"}
    if inner:
        evidence["singular_at"] = [str(point.str(15, radius=False)) for point in inner]
    divergent = [
        (point, side, how)
        for left, right in itertools.pairwise(cuts)
        for point, side, how in _ends_of(tape, left, right)
        if how.diverges
    ]
    wanted = sign * infinite(claimed)
    if divergent:
        return _diverges(divergent, wanted, evidence)
    try:
        total, error = sum_of_pieces(tape, cuts, end)
    except Undefined:
        if time.monotonic() > end:
            return "undetermined", "the quadrature takes too long", evidence
        total, error = acb(0), arb("inf")
    total = sign * total
    evidence |= {"quadrature": shown(total), "error": error.str(3, radius=False)}
    scale = 1 + abs(total)
    if not infinite(claimed) and error < scale * arb("1e-9"):
        ball = Tape([claimed], []).run([])[0]
        gap, allowed = abs(total - ball), half_unit(text)
        if gap > 1000 * error + scale * arb("1e-60") and not (
            allowed is not None and gap < allowed + error
        ):
            return "refuted", f"quadrature gives {shown(total, 15)}", evidence
        if error < scale * SETTLED:
            return (
                "supported",
                f"quadrature agrees; its steps differ by {error.str(2, radius=False)}",
                evidence,
            )
    if infinite(claimed) and error < scale * arb("1e-9"):
        return "refuted", f"it converges: quadrature gives {shown(total, 15)}", evidence
    return against_sympy(
        lambda: sp.integrate(f.doit(), (var, ends[0].doit(), ends[1].doit())),
        claimed,
        "SymPy's integral",
        evidence,
    )


def _ends_of(tape: Tape, left: Any, right: Any) -> list[tuple[str, int, Growth]]:
    """How the integrand grows towards both ends of a piece."""
    said: list[tuple[str, int, Growth]] = []
    for point, side in ((left, 1), (right, -1)):
        other = right if side > 0 else left
        span = abs(other - point) if point is not None and other is not None else arb(1)
        base = point if point is not None else (other if other is not None else arb(0))
        name = "infinity" if point is None else str(point.str(12, radius=False))
        said.append((name, side, growth(tape, base, side, span, endless=point is None)))
    return said


def _diverges(divergent: list[tuple[str, int, Growth]], wanted: int, evidence: Any) -> Found:
    point, _, _ = divergent[0]
    signs = {how.sign for _, _, how in divergent}
    evidence["diverges_at"] = sorted({name for name, _, _ in divergent})
    if wanted and signs == {wanted}:
        return "supported", f"it diverges at {point} with that sign", evidence
    return "refuted", f"the integral diverges at {point}", evidence
