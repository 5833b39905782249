"""Identities and inequalities."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import sympy as sp
from balls import Tape, Undefined, is_real, precision, shown
from domain import Assumed
from flint import acb, fmpq
from judge import Found, equal, seed_of
from notation import NotReadable, read, read_condition
from whole import NotForZ3, prove

_POINTS = 400


def identity(case: dict[str, Any]) -> Found:
    """`lhs` = `rhs` for all real values of the names, on the principal branch."""
    return equal(read(case["lhs"]), read(case["rhs"]), "the sides", case)


def inequality(case: dict[str, Any]) -> Found:
    """`lhs` `relation` `rhs` (or one text, `claim`): a counterexample, or a proof by z3.

    Points alone never support: they only find counterexamples.
    """
    if "claim" in case:
        claim = read_condition(case["claim"])
    else:
        relation = str(case.get("relation", "<="))
        makers = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}
        if relation not in makers:
            raise NotReadable(f"the relation {relation!r} is not known")
        claim = makers[relation](read(case["lhs"]), read(case["rhs"]), evaluate=False)
    if claim in (sp.true, sp.false):
        raise NotReadable("the claim says nothing")
    assumed = Assumed(case.get("assume"))
    seed = seed_of(case)
    evidence: dict[str, Any] = {"seed": seed}
    parts = list(claim.args) if isinstance(claim, sp.And) else [claim]
    if not all(isinstance(part, sp.Gt | sp.Ge | sp.Lt | sp.Le) for part in parts):
        raise NotReadable("the claim is no inequality")
    checked = 0
    symbols = sorted(claim.free_symbols, key=str)
    tapes = [Tape([part.lts, part.gts], symbols) for part in parts]
    for point in _grid(symbols, seed, assumed):
        try:
            with precision(200):
                for part, tape in zip(parts, tapes, strict=True):
                    small, large = tape.run([acb(number) for number in point])
                    _fails(part, small, large)
                checked += 1
        except _Fails:
            told = {str(name): str(at) for name, at in zip(symbols, point, strict=True)}
            evidence |= {"counterexample": told}
            return (
                "refuted",
                f"it fails at {told}: {shown(small, 12)} and {shown(large, 12)}",
                evidence,
            )
        except (Undefined, ZeroDivisionError):
            continue
    evidence["points"] = checked
    if not symbols and checked:
        return "supported", "the bounds of both sides do not overlap", evidence
    try:
        verdict, said, more = prove(claim, assumed)
    except NotForZ3 as why:
        return "undetermined", f"no counterexample among {checked} points; {why}", evidence
    return verdict, said, {**evidence, **more}


class _Fails(Exception):
    """A counterexample."""


def _fails(part: Any, small: Any, large: Any) -> None:
    """Raises _Fails when `small <= large` (or <) is certainly wrong, Undefined when unclear."""
    gap = large - small
    if not is_real(gap) or not gap.is_finite():
        raise Undefined("not real")
    strict = isinstance(part, sp.Gt | sp.Lt)
    if gap.real < 0 or (strict and gap.is_zero()):
        raise _Fails
    if gap.contains(0) and not gap.is_zero():
        raise Undefined("too near")


def _grid(symbols: list[Any], seed: int, assumed: Assumed) -> Iterator[list[fmpq]]:
    """Random points of several sizes, small whole numbers among them."""
    rng = random.Random(seed)
    for number in range(_POINTS if symbols else 1):
        size = (1.5, 4.0, 60.0, 5000.0)[number % 4]
        point = []
        for symbol in symbols:
            at = fmpq(rng.randint(-3, 3)) if rng.random() < 0.25 else fmpq(
                round(rng.uniform(-size, size) * 997), 997
            )  # fmt: skip
            point.append(assumed.shape(symbol, at))
        if assumed.allows(dict(zip(symbols, point, strict=True))):
            yield point
