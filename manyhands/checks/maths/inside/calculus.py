"""Derivatives, antiderivatives, definite integrals and limits."""

from __future__ import annotations

import re
from typing import Any

import flint
import sympy as sp
from balls import Undefined, value, width
from flint import acb, fmpq
from judge import (
    Found,
    against_sympy,
    derivative_of,
    equal,
    same_number,
    shown_digits,
    symbol_of,
)
from notation import NotReadable, read


def derivative(case: dict[str, Any]) -> Found:
    var = symbol_of(case)
    return equal(
        derivative_of(read(case["f"]), var), read(case["df"]), "the derivative and df", case
    )


def antiderivative(case: dict[str, Any]) -> Found:
    var = symbol_of(case)
    claimed = re.sub(r"\s*\+\s*(C|c|K|\\text\{const\.?\}|const)\s*$", "", str(case["F"]))
    return equal(
        derivative_of(read(claimed), var), read(case["f"]), "the derivative of F and f", case
    )


def definite_integral(case: dict[str, Any]) -> Found:
    var, f = symbol_of(case), read(case["f"])
    low, high, claimed = read(case["a"]), read(case["b"]), read(case["value"])
    if claimed.free_symbols:
        raise NotReadable("the value holds variables")
    if f.free_symbols - {var} or low.free_symbols or high.free_symbols:
        raise NotReadable("the integrand or a limit holds other variables")
    finite = not (low.has(sp.oo) or high.has(sp.oo))
    kept = flint.ctx.prec
    flint.ctx.prec = 140
    try:
        if finite:
            try:
                found = _rigorous(f, var, value(low, {}), value(high, {}))
                if found.is_finite() and width(found) < flint.arb("1e-28"):
                    ball = value(claimed, {})
                    return same_number(found, ball, str(case["value"]), "rigorous quadrature")
            except (Undefined, ZeroDivisionError):
                pass
        return _two_methods(f, var, low, high, claimed, str(case["value"]))
    finally:
        flint.ctx.prec = kept


def _rigorous(f: Any, var: Any, low: Any, high: Any) -> Any:
    def integrand(x: Any, analytic: bool) -> Any:
        try:
            return value(f, {var: x}, analytic)
        except (Undefined, ZeroDivisionError):
            return acb(flint.arb("nan"))

    if not (integrand(low, False).is_finite() and integrand(high, False).is_finite()):
        raise Undefined("singular at an end")
    return acb.integral(integrand, low, high, eval_limit=4_000)


def _two_methods(f: Any, var: Any, low: Any, high: Any, claimed: Any, text: str) -> Found:
    """Where no rigorous bound is to be had: tanh-sinh quadrature and SymPy must agree."""
    import mpmath

    with mpmath.workdps(40):
        numeric = sp.lambdify(var, f, "mpmath")
        ends = [mpmath.mpf(str(sp.N(end, 45))) if end.is_finite else
                (mpmath.inf if end == sp.oo else -mpmath.inf) for end in (low, high)]  # fmt: skip
        if ends[0] == -mpmath.inf and ends[1] == mpmath.inf:
            ends = [ends[0], mpmath.mpf(0), ends[1]]
        total, error = mpmath.quad(numeric, ends, error=True, maxdegree=9)
        want = mpmath.mpmathify(sp.N(claimed, 45))
        gap = abs(total - want) / max(1, abs(want))
        known = float(error) / max(1.0, float(abs(want)))
    evidence = {"quadrature": mpmath.nstr(total, 20), "error": known, "method": "tanh-sinh"}
    if known > 1e-10 or mpmath.isnan(gap):
        return "undetermined", "the quadrature does not settle", evidence
    digits = shown_digits(text)
    close = 1e-22 if digits is None else max(10.0 ** -(digits - 1), 1e-22)
    if gap > max(close, 1000 * known) and gap > 1e-9:
        return "refuted", f"quadrature gives {mpmath.nstr(total, 15)}", evidence
    if gap <= close and known < 1e-22:
        return "supported", "quadrature agrees to 22 digits", evidence
    return against_sympy(
        lambda: sp.integrate(f.doit(), (var, low, high)), claimed, "SymPy's integral", evidence
    )


def limit(case: dict[str, Any]) -> Found:
    var, f = symbol_of(case), read(case["f"])
    to, claimed = read(case["to"]), read(case["value"])
    side = str(case.get("dir", "+-" if to.is_finite else "+"))
    found = against_sympy(
        lambda: sp.limit(f.doit(), var, to.doit(), side if to.is_finite else "+"),
        claimed,
        "SymPy's limit",
        {"method": "limit"},
    )
    trend = _approach(f, var, to, claimed, side)
    found[2]["approach"] = trend
    if found[0] == "supported" and trend == "away":
        return "undetermined", "SymPy and the values near the point disagree", found[2]
    if found[0] == "refuted" and trend == "towards":
        return "undetermined", "SymPy and the values near the point disagree", found[2]
    return found


def _approach(f: Any, var: Any, to: Any, claimed: Any, side: str) -> str:
    """Whether values nearer and nearer to the point come nearer to the claimed limit."""
    if claimed.free_symbols or f.free_symbols - {var} or not claimed.is_finite:
        return "unknown"
    kept = flint.ctx.prec
    flint.ctx.prec = 400
    try:
        goal = value(claimed, {})
        gaps = []
        for power in (20, 30, 40):
            if to.is_finite:
                step = acb(fmpq(1, 2**power))
                at = value(to, {}) + (step if side != "-" else -step)
            else:
                at = acb(2**power if to == sp.oo else -(2**power))
            gaps.append(float(abs(value(f, {var: at}) - goal).mid()))
    except (Undefined, ZeroDivisionError, OverflowError, ValueError):
        return "unknown"
    finally:
        flint.ctx.prec = kept
    if gaps[2] < 1e-3 and gaps[2] <= gaps[1] <= gaps[0]:
        return "towards"
    return "away" if gaps[2] > 1e-2 and gaps[2] > 0.5 * gaps[1] else "unknown"
