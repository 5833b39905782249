"""Limits: values ever nearer to the point, with bounds; SymPy's answer where that is slow."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import flint
import sympy as sp
from balls import Tape, Undefined, is_real, log2, precision, shown
from flint import acb, arb, fmpq
from integrals import put_parameters
from judge import Found, against_sympy, half_unit, infinite, symbol_of
from notation import NotReadable, read
from statements import operand, right_of, says_none

#: Working precision, and the distances that fit it; the second is for cancellation.
_LOOKS = ((1000, (24, 40, 64, 96, 144)), (3600, (24, 48, 96, 192, 384)))
_FAR = (6, 9, 13, 19, 28, 42, 64, 96, 144, 216, 324)
#: Values this close together (2^-60 of their size) have come together.
_CLOSE = -60
#: Values that stay this close to the claim, as a share of the working precision, are there.
_THERE = -0.3
#: Binary logarithm below which values that go to and fro are taken to stay bounded.
_BOUNDED = 20


_ARROW = re.compile(r"^\s*\\?[A-Za-z]\w*\s*(?:\\(?:to|rightarrow)(?![A-Za-z])|->|→)\s*")
_SIDES = {"left": "-", "right": "+", "both": "+-", "below": "-", "above": "+"}


class Trend(StrEnum):
    """What values nearer and nearer to the point do."""

    TO_CLAIM = "towards the claimed value"
    ELSEWHERE = "towards another value"
    UP = "beyond all bounds, positive"
    DOWN = "beyond all bounds, negative"
    SCATTERED = "to and fro, away from the claimed value"
    UNREAL = "not real on that side"
    UNKNOWN = "not settled"


@dataclass(frozen=True)
class Approach:
    """One side's trend; `near` is the value that was seen nearest to the point."""

    trend: Trend
    near: str = ""


def limit(case: dict[str, Any]) -> Found:
    """`f` tends to `value` as `var` goes to `to`, from both sides unless `dir` is `+` or `-`."""
    var = symbol_of(case)
    point, marked = _marked(case["to"])
    none = says_none(case["value"])
    value = "oo" if none else right_of(case["value"])
    f, to, claimed = (read(text, {str(var): var}) for text in (operand(case["f"]), point, value))
    if to.has(var) or claimed.has(var):
        raise NotReadable(f"the value or the point holds {var}")
    side = _SIDES.get(str(case.get("dir", "")).strip(), str(case.get("dir", "")).strip()) or marked
    if side not in ("", "+", "-", "+-"):
        raise NotReadable("dir is '+', '-' or '+-'")
    return put_parameters(
        [f, to, claimed],
        var,
        case,
        lambda parts: (
            _no_limit(parts[0], var, parts[1], side)
            if none
            else _one(parts[0], var, parts[1], parts[2], side, case["value"])
        ),
    )


def _marked(to: Any) -> tuple[Any, str]:
    """The point and the side that a mark behind it names, as in `0+` and `0^{-}`."""
    to = _ARROW.sub("", to) if isinstance(to, str) else to
    match = re.fullmatch(r"(.*[^+\-*/(^{\s])\s*\^?\{?([+-])\}?\s*", str(to))
    return (match[1], match[2]) if match and isinstance(to, str) else (to, "")


def _no_limit(f: Any, var: Any, to: Any, side: str) -> Found:
    """The claim that there is no limit: the sides differ, or the values go to and fro."""
    endless = infinite(to)
    sides = [endless] if endless else {"+": [1], "-": [-1]}.get(side, [1, -1])
    bits, near = _LOOKS[-1]
    seen = _look(Tape([f], [var]), None if endless else to, None, sides, None, bits, near)
    real = [look for look in seen if look.trend is not Trend.UNREAL]
    evidence = {
        "method": "values ever nearer to the point",
        "approach": [f"{look.trend} {look.near}".strip() for look in seen],
    }
    trends = {look.trend for look in real}
    if Trend.UNKNOWN in trends or not real:
        return "undetermined", "what the values do is not settled", evidence
    if Trend.SCATTERED in trends or len(trends) > 1:
        return "supported", "there is no limit: the values go to and fro, or differently", evidence
    if trends == {Trend.ELSEWHERE}:
        ends = [arb(look.near.split()[0]) for look in real if "j" not in look.near]
        apart = len(ends) == 2 and bool(abs(ends[0] - ends[1]) > arb("1e-6"))
        if apart:
            return "supported", "the two sides have different limits", evidence
        return "refuted", f"the values go to {real[0].near}", evidence
    return "undetermined", "the limit is infinite; say which with `value`", evidence


def _one(f: Any, var: Any, to: Any, claimed: Any, side: str, text: Any) -> Found:
    tape = Tape([f], [var])
    endless, wanted = infinite(to), infinite(claimed)
    sides = [endless] if endless else {"+": [1], "-": [-1]}.get(side, [1, -1])
    for bits, near in _LOOKS:
        seen = _look(tape, to if not endless else None, claimed if not wanted else None, sides,
                     half_unit(text), bits, near)  # fmt: skip
        if all(look.trend is not Trend.UNKNOWN for look in seen):
            break
    evidence = {
        "method": "values ever nearer to the point",
        "approach": {
            ("from above" if one > 0 else "from below"): f"{look.trend} {look.near}".strip()
            for one, look in zip(sides, seen, strict=True)
        },
    }
    real = [look for look in seen if look.trend is not Trend.UNREAL]
    good = {1: Trend.UP, -1: Trend.DOWN, 0: Trend.TO_CLAIM}[wanted]
    decided = {Trend.TO_CLAIM, Trend.ELSEWHERE, Trend.UP, Trend.DOWN, Trend.SCATTERED}
    bad = [look for look in real if look.trend in decided and look.trend is not good]
    if bad:
        return "refuted", f"the values go {bad[0].trend} {bad[0].near}".strip(), evidence
    if real and all(look.trend is good for look in real):
        return "supported", f"the values go {good}", evidence
    way = "+-" if len(real) == 2 else ("-" if sides == [-1] or seen[0] not in real else "+")
    return against_sympy(
        lambda: sp.limit(f.doit(), var, to.doit(), "+" if endless else way),
        claimed,
        "SymPy's limit",
        evidence,
    )


def _look(
    tape: Tape, to: Any, claimed: Any, sides: list[int], allowed: Any, bits: int, near: Any
) -> list[Approach]:
    with precision(bits):
        goal = Tape([claimed], []).run([])[0] if claimed is not None else None
        point = Tape([to], []).run([])[0] if to is not None else None
        if goal is not None and not goal.is_finite():
            raise Undefined("the claimed value is not finite")
        return [_approach(tape, point, side, goal, allowed, near) for side in sides]


def _approach(
    tape: Tape, point: Any, side: int, goal: Any, allowed: Any, near: tuple[int, ...]
) -> Approach:
    """Values at distances 2^-24, 2^-40 … of a point, or at 2^6 … 2^324 towards infinity."""
    values: list[tuple[int, Any]] = []
    for power in _FAR if point is None else near:
        for nudge in (fmpq(1031, 997), fmpq(1399, 1009)):
            size = acb(nudge) * (arb(2) ** (power if point is None else -power))
            at = side * size if point is None else point + side * size
            try:
                (ball,) = tape.run([at])
            except (Undefined, ZeroDivisionError):
                continue
            if ball.is_finite() and log2(_radius(ball)) < max(0.0, log2(ball.abs_upper())) - 200:
                values.append((power, ball))
    if len(values) < 6:
        return Approach(Trend.UNKNOWN)
    if not all(is_real(ball) for _, ball in values[-6:]):
        return Approach(Trend.UNREAL)
    last = values[-6:]
    if goal is not None:
        gaps = [(power, log2(abs(ball - goal).upper())) for power, ball in last]
        there = _THERE * flint.ctx.prec
        if all(gap < there for _, gap in gaps[-4:]) or _falls(gaps):
            return Approach(Trend.TO_CLAIM, shown(last[-1][1], 15))
        if allowed is not None and abs(last[-1][1] - goal) < allowed and _settles(last):
            return Approach(Trend.TO_CLAIM, shown(last[-1][1], 15))
    if _settles(last):
        return Approach(Trend.ELSEWHERE, shown(last[-1][1], 15))
    sizes = [(power, log2(abs(ball).upper())) for power, ball in last]
    signs = {bool(ball.real > 0) for _, ball in last}
    if len(signs) == 1 and _falls([(power, -size) for power, size in sizes]):
        return Approach(Trend.UP if signs.pop() else Trend.DOWN)
    bounded = all(size < _BOUNDED for _, size in sizes)
    if (goal is not None or bounded) and _scattered([ball for _, ball in values], goal):
        return Approach(Trend.SCATTERED)
    return Approach(Trend.UNKNOWN)


def _scattered(balls: list[Any], goal: Any) -> bool:
    """Whether values go up and down as far from the claimed limit at the end as at the start."""
    if goal is None:
        goal = balls[-1]
    gaps = [float(abs(ball - goal).mid()) for ball in balls]
    steps = [two > one for one, two in itertools.pairwise(gaps)]
    turns = sum(one != two for one, two in itertools.pairwise(steps))
    third = len(gaps) // 3
    return turns >= 3 and max(gaps[-third:]) > 0.6 * max(gaps[:third]) > 1e-6


def _radius(ball: Any) -> Any:
    return acb(ball.real.rad(), ball.imag.rad()).abs_upper()


def _falls(logs: list[tuple[int, float]]) -> bool:
    """Whether a logarithm falls in proportion to the power of two of the distance."""
    steps = zip(logs, logs[2:], strict=False)
    return all(two[1] < one[1] - 0.05 * (two[0] - one[0]) for one, two in steps)


def _settles(last: list[tuple[int, Any]]) -> bool:
    """Whether the values come together in proportion to a power of the distance."""
    end = last[-1][1]
    gaps = [(power, log2(abs(ball - end).upper())) for power, ball in last[:-2]]
    scale = max(0.0, log2(abs(end).upper()))
    together = all(gap < scale + _CLOSE for _, gap in gaps) or _falls(gaps)
    return together and gaps[-1][1] < scale - 12
