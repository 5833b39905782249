"""Comparing two expressions at seeded points of both signs and many sizes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from balls import Tape, Undefined, is_real, names_in, precision, shown
from domain import Assumed
from flint import acb, arb, fmpq

#: Working precisions in bits, tried from low to high.
PRECISIONS = (256, 800, 2400)
#: Two values agree at a point when their difference is below 2^-AGREE of their size.
AGREE = 200
#: A few points are looked at much closer: sides may differ by a tiny constant.
CLOSE_BITS = 3300
CLOSE_AGREE = 3000
CLOSE_POINTS = 2
WANTED = 14
TRIED = 60
_BOUND = {bits: arb(2) ** -bits for bits in (AGREE // 2, AGREE, CLOSE_AGREE)}
#: Where signs are looked at to find kinks: eight places per power of ten, both signs.
_GRID = sorted(
    sign * fmpq(round(10 ** (step / 8) * 97 * 10**4), 97 * 10**4)
    for step in range(-24, 33)
    for sign in (-1, 1)
)


@dataclass
class Comparison:
    """What the points showed.

    Attributes:
        points: at how many they agreed, all values being real.
        complex_points: at how many they agreed with a value that is not real.
        different: a point where they provably differ, with both values; None if there was none.
        off: a point where they differ, but outside the domain: one of the guards, or both
            sides, are not real there.
        off_guard: whether it was a guard that is not real there.
        bits: the agreement's bound: the difference is below 2^-bits of the size.
        closest: the bound at the points that were looked at closer; 0 when none was.
        skipped: why points did not count, with one example each.
    """

    points: int = 0
    complex_points: int = 0
    different: dict[str, str] | None = None
    off: dict[str, str] | None = None
    off_guard: bool = False
    bits: int = AGREE
    closest: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


def compare(
    left: Any,
    right: Any,
    seed: int,
    *,
    guards: Sequence[Any] = (),
    assumed: Assumed | None = None,
    wanted: int = WANTED,
) -> Comparison:
    """Compare two expressions of real variables.

    Args:
        guards: expressions that must be real where a difference is to count.
        assumed: what is given about the variables.

    Raises:
        Undefined: a function without a rule.
    """
    assumed = assumed or Assumed()
    symbols = sorted(names_in(left, right, *guards), key=str)
    tape = Tape([left, right], symbols)
    guarding = Tape(guards, symbols)
    found = Comparison()
    rng = random.Random(seed)
    real: list[list[fmpq]] = []
    for point in _points(tape, symbols, rng, assumed):
        try:
            outcome = _at(tape, point, guarding)
        except (Undefined, ZeroDivisionError, ValueError, OverflowError) as why:
            reason = str(why)[:80] or type(why).__name__
            found.skipped.setdefault(reason, _where(symbols, point))
            continue
        if outcome.gap is not None and _counts(outcome, found, symbols, point):
            return found
        if outcome.gap is None:
            found.points += outcome.real
            found.complex_points += not outcome.real
            real.append(point)
        if found.points >= (wanted if symbols else 1) or not symbols:
            break
    if found.points + found.complex_points and (found.off is None or found.points):
        _closer(tape, real, found, symbols, guarding)
    return found


@dataclass
class _Outcome:
    """`gap`: the two values where they provably differ, None where they agree."""

    real: bool
    guarded: bool
    gap: tuple[str, str] | None


def _counts(outcome: _Outcome, found: Comparison, symbols: list[Any], point: list[fmpq]) -> bool:
    """Note a difference; whether it decides, or lies off the domain."""
    assert outcome.gap is not None
    told = dict(zip(map(str, symbols), map(str, point), strict=True))
    told |= {"left": outcome.gap[0], "right": outcome.gap[1]}
    if outcome.real or not symbols:
        found.different = told
        return True
    if found.off is None:
        found.off, found.off_guard = told, not outcome.guarded
    return False


def _at(
    tape: Tape, point: list[fmpq], guarding: Tape, bits: Sequence[int] = PRECISIONS
) -> _Outcome:
    """Agreement or a proved difference at one point.

    Raises:
        Undefined: a side is not finite there, or the precision does not decide.
    """
    agree = AGREE if bits is PRECISIONS else CLOSE_AGREE
    for level in bits:
        with precision(level):
            balls = [acb(number) for number in point]
            one, two = tape.run(balls)
            if not (one.is_finite() and two.is_finite()):
                if level == bits[-1]:
                    raise Undefined("a pole or an overflow")
                continue
            gap = one - two
            if not gap.contains(0):
                guarded = all(_real(guard) for guard in guarding.run(balls))
                either = _real(one) or _real(two)
                return _Outcome(guarded and either, guarded, (shown(one), shown(two)))
            size = one.abs_lower()
            if gap.abs_upper() < (_BOUND[agree] * size if size > 1 else _BOUND[agree]):
                return _Outcome(_real(one) and _real(two), True, None)
    raise Undefined("precision does not decide")


def _real(ball: Any) -> bool:
    return is_real(ball) or (
        bool(ball.imag.contains(0)) and bool(ball.imag.rad() < _BOUND[AGREE // 2])
    )


def _closer(
    tape: Tape, points: list[list[fmpq]], found: Comparison, symbols: list[Any], guarding: Tape
) -> None:
    """Look at some agreeing points with thousands of bits: a tiny difference shows there."""
    for point in points[:CLOSE_POINTS]:
        try:
            outcome = _at(tape, point, guarding, (CLOSE_BITS,))
        except (Undefined, ZeroDivisionError, ValueError, OverflowError):
            continue
        if outcome.gap is not None:
            _counts(outcome, found, symbols, point)
            return
        found.closest = CLOSE_AGREE


def _where(symbols: list[Any], point: list[fmpq]) -> str:
    return ", ".join(f"{name} = {at}" for name, at in zip(symbols, point, strict=True)) or "always"


def _points(
    tape: Tape, symbols: list[Any], rng: random.Random, assumed: Assumed
) -> Iterator[list[fmpq]]:
    """Points of both signs, most near one; then some on every side of every kink."""
    if not symbols:
        yield []
        return
    if len(symbols) == 1:
        for number in _beside_kinks(tape.kinks, symbols[0], rng):
            if assumed.allows({symbols[0]: number}):
                yield [number]
    given = 0
    for number in range(TRIED * 8):
        point = [
            assumed.shape(symbol, _number(rng, number, index))
            for index, symbol in enumerate(symbols)
        ]
        if assumed.allows(dict(zip(symbols, point, strict=True))):
            given += 1
            yield point
        if given >= TRIED:
            return


def _number(rng: random.Random, number: int, index: int) -> fmpq:
    """A rational near one, or of many sizes; signs alternate in all combinations."""
    sign = -1 if (number >> (index % 4)) % 2 else 1
    if number % 12 == 11:
        size = 10 ** rng.uniform(-7, 7)
    elif number % 5 == 4:
        size = 10 ** rng.uniform(-3, 2.5)
    else:
        size = rng.uniform(0.05, 3.2)
    below = rng.randrange(9001, 99991, 2) if size > 1e-4 else 10**12 + 39
    return fmpq(sign * max(1, round(size * below)), below)


def _beside_kinks(inner: list[Any], symbol: Any, rng: random.Random) -> list[fmpq]:
    """Points between the places where |u|, steps and branches change."""
    edges: set[fmpq] = set()
    for argument in inner[:12]:
        edges |= set(_sign_changes(argument, symbol))
    listed = sorted(edges)[:12]
    if not listed:
        return []
    ends = [listed[0] - 2, *listed, listed[-1] + 2]
    return [
        low + (high - low) * fmpq(rng.randrange(300, 700), 1000)
        for low, high in itertools.pairwise(ends)
        if high > low
    ]


def _sign_changes(argument: Any, symbol: Any) -> Iterator[fmpq]:
    """Where a function changes its sign between neighbours of a grid, to about 2^-30."""
    try:
        tape = Tape([argument], [symbol])
    except Undefined:
        return

    def sign(at: fmpq) -> int:
        try:
            (ball,) = tape.run([acb(at)])
        except (Undefined, ZeroDivisionError):
            return 0
        return (ball.real > 0) - (ball.real < 0) if is_real(ball) else 0

    with precision(64):
        before, low = sign(_GRID[0]), _GRID[0]
        for high in _GRID[1:]:
            now = sign(high)
            if before * now < 0:
                left, right = low, high
                for _ in range(30):
                    middle = (left + right) / 2
                    if sign(middle) == before:
                        left = middle
                    else:
                        right = middle
                yield (left + right) / 2
            if now:
                before, low = now, high
