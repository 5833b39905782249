"""Quadrature of a piece that may be singular or endless at its ends, by double exponentials.

Source of the method: Takahasi and Mori, "Double exponential formulas for numerical integration"
(1974).
"""

from __future__ import annotations

import itertools
import time
from functools import lru_cache
from typing import Any

from balls import Tape, Undefined, log2, precision
from flint import acb, arb, fmpq

__all__ = ["DEEP_BITS", "SETTLED", "sum_of_pieces"]

#: Precision of the nodes, and of what is worked out at them.
DEEP_BITS = 512
#: Step sizes that differ by less have settled.
SETTLED = arb("1e-22")


def sum_of_pieces(tape: Tape, cuts: list[Any], end: float) -> tuple[Any, Any]:
    """The integral over all pieces, and by how much two step sizes differ.

    Args:
        cuts: the ends of the pieces in order; None stands for infinity.
        end: the time (`time.monotonic`) at which it gives up.

    Raises Undefined when it cannot be worked out.
    """
    total, error = acb(0), arb(0)
    if cuts[0] is None and cuts[-1] is None and len(cuts) == 2:
        cuts = [None, arb(0), None]
    for left, right in itertools.pairwise(cuts):
        coarse, fine = (_double_exponential(tape, left, right, n, end) for n in (4, 5))
        for level in (6, 7):
            if abs(fine - coarse) > SETTLED**2:
                coarse, fine = fine, _double_exponential(tape, left, right, level, end)
        total += fine
        error += abs(fine - coarse)
    return total, error.upper()


def _double_exponential(tape: Tape, left: Any, right: Any, level: int, end: float) -> Any:
    """The integral over one piece; None stands for an end at infinity.

    Distances to an end are worked out by themselves, so that nothing is lost close to it.
    """
    step = fmpq(1, 2**level)
    total = acb(0)
    for direction in (1, -1):
        small = 0
        for number in range(0 if direction > 0 else 1, int(6.4 * 2**level)):
            if time.monotonic() > end:
                raise Undefined("the quadrature takes too long")
            point, weight = _node(number * direction, level, left, right)
            try:
                term = weight * tape.run([acb(point)])[0]
            except ZeroDivisionError:
                raise Undefined("singular at a node") from None
            if not term.is_finite():
                if small > 1:
                    break
                raise Undefined("not finite at a node")
            total += term
            small = small + 1 if log2(abs(term).upper()) < -230 else 0
            if small > 8:
                break
    return total * acb(step)


@lru_cache(maxsize=8192)
def _transform(number: int, level: int) -> tuple[Any, Any, Any, Any]:
    """Of `u = (π/2) sinh t`, `t = number / 2^level`: a finite piece's distance from its nearer end
    and weight (both for half the length one), `exp u`, and the weight for a piece without end."""
    with precision(DEEP_BITS):
        t = arb(fmpq(number, 2**level))
        half = arb.pi() / 2
        u, du = half * t.sinh(), half * t.cosh()
        cosh, exp = u.cosh(), u.exp()
        return (-abs(u)).exp() / cosh, du / cosh**2, exp, du * exp


def _node(number: int, level: int, left: Any, right: Any) -> tuple[Any, Any]:
    away, weight, exp, weight_exp = _transform(number, level)
    if left is not None and right is not None:
        half = (right - left) / 2
        return (right - half * away if number > 0 else left + half * away), half * weight
    if left is not None:
        return left + exp, weight_exp
    return right - exp, weight_exp
