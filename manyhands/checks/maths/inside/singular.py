"""Where a function of one variable is singular on an interval, and how it grows there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from balls import Tape, Undefined, is_real, log2
from flint import acb, arb, fmpq

_LOOKS = 900
_MOST_POINTS = 8
#: A growth like 1/h, measured, up to what a logarithm would change.
_CRITICAL = 0.9995


@dataclass(frozen=True)
class Growth:
    """How |f| behaves as h, the distance to a point, goes to zero: like h^-power.

    Attributes:
        steady: one sign and one power at all distances that were looked at.
        diverges: the integral towards the point is infinite.
        sign: of f there; 0 when it changes.
    """

    power: float
    steady: bool
    diverges: bool
    sign: int


def singular_points(tape: Tape, low: Any, high: Any, end: float) -> list[Any]:
    """Inner points around which no ball gives a finite value, narrowed down; None is infinity.

    Args:
        end: when to give up, on the monotonic clock.

    Raises:
        Undefined: too many.
    """
    looks = 0

    def bad(left: Any, right: Any) -> bool:
        nonlocal looks
        looks += 1
        if looks > _LOOKS or time.monotonic() > end:
            raise Undefined("too many singular points")
        return not _finite_on(tape, left, right)

    tasks = _start(low, high)
    width = fmpq(1, 2**24)
    found: list[tuple[Any, Any]] = []
    while tasks:
        left, right = tasks.pop()
        if not bad(left, right):
            continue
        if right - left < arb(width) * (1 + abs(left)):
            if found and (found[-1][1] - left).contains(0):
                found[-1] = (found[-1][0], right)
            else:
                found.append((left, right))
            continue
        middle = ((left + right) / 2).mid()
        tasks += [(middle, right), (left, middle)]
    clusters = [_narrowed(tape, left, right, end) for left, right in found]
    inside = [
        point
        for point in clusters
        if not (low is not None and abs(point - low) < arb("1e-6") * (1 + abs(point)))
        and not (high is not None and abs(point - high) < arb("1e-6") * (1 + abs(point)))
    ]
    if len(inside) > _MOST_POINTS:
        raise Undefined("too many singular points")
    return inside


def _start(low: Any, high: Any) -> list[tuple[Any, Any]]:
    """The interval in parts, right to left, ends at infinity cut off at a large number."""
    far = arb(1000)
    left = low.mid() if low is not None else (high.mid() - far if high is not None else -far)
    right = high.mid() if high is not None else (low.mid() + far if low is not None else far)
    # An odd number of parts: a point such as 0 is no border of a symmetric interval.
    parts = [left + (right - left) * fmpq(index, 31) for index in range(32)]
    return [(parts[i].mid(), parts[i + 1].mid()) for i in reversed(range(31))]


def _finite_on(tape: Tape, left: Any, right: Any) -> bool:
    middle = (left + right) / 2
    radius = ((right - left) / 2).upper()
    try:
        (ball,) = tape.run([acb(arb(middle.mid(), radius))])
    except (Undefined, ZeroDivisionError):
        return False
    return bool(ball.is_finite())


def _narrowed(tape: Tape, left: Any, right: Any, end: float) -> Any:
    """Bisect towards the place that stays singular, as far as the precision goes."""
    for _ in range(560):
        if time.monotonic() > end:
            raise Undefined("too many singular points")
        middle = ((left + right) / 2).mid()
        on_left, on_right = (
            not _finite_on(tape, left, middle),
            not _finite_on(tape, middle, right),
        )
        if on_left and on_right:
            quarter = ((right - left) / 4).mid()
            left, right = (middle - quarter).mid(), (middle + quarter).mid()
        elif on_left:
            right = middle
        elif on_right:
            left = middle
        else:
            break
    return _simple(((left + right) / 2).mid(), right - left)


def _simple(point: Any, width: Any) -> Any:
    """The nearest fraction with a small denominator, when it lies within the width."""
    for below in range(1, 13):
        whole = (point * below + fmpq(1, 2)).floor().unique_fmpz()
        if whole is not None:
            candidate = arb(fmpq(int(whole), below))
            if abs(candidate - point) <= 4 * width + arb("1e-100"):
                return candidate
    return point


def growth(tape: Tape, base: Any, side: int, span: Any, *, endless: bool) -> Growth:
    """How f grows towards `base` from one side, or towards infinity.

    Args:
        span: nothing farther from the point than this is looked at.
        endless: towards infinity, in the variable h = 1/x and with its weight 1/h².
    """
    samples: list[tuple[float, float, int]] = []
    for power in range(12, 120, 9):
        for nudge in (fmpq(1031, 997), fmpq(1399, 1009)):
            h = arb(nudge) / arb(2) ** power
            at = base - side * (1 / h) if endless else base + side * h * span
            try:
                (ball,) = tape.run([acb(at)])
            except (Undefined, ZeroDivisionError):
                return Growth(0.0, False, False, 0)
            if not ball.is_finite() or not is_real(ball) or ball.contains(0):
                break  # too large or too small to go nearer
            weight = 2 * float(log2(1 / h)) if endless else 0.0
            sign = 1 if ball.real > 0 else -1
            samples.append((float(log2(1 / h)), float(log2(abs(ball).upper())) + weight, sign))
    signs = {sign for *_, sign in samples}
    slopes = [
        (two[1] - one[1]) / (two[0] - one[0])
        for one, two in zip(samples[-9:], samples[-7:], strict=False)
    ]
    if len(signs) != 1 or len(slopes) < 3:
        return Growth(0.0, False, False, 0)
    steady = max(slopes) - min(slopes) < 0.02
    return Growth(slopes[-1], steady, min(slopes) >= _CRITICAL, signs.pop())
