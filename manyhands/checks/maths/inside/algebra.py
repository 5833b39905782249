"""Identities, inequalities, and solutions of equations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import sympy as sp
from balls import Pole, Tape, Undefined, is_real, plain, precision, shown, substituted
from domain import Assumed, symbol_named
from flint import acb, fmpq
from judge import Found, equal, half_unit, last_place, seed_of
from notation import NotReadable, read, read_condition, read_name, sides
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


def solution(case: dict[str, Any]) -> Found:
    """Each equation holds when the values are put in. That there are no others is not claimed.

    `values` maps names to expressions; a list of such maps is a list of solutions.
    """
    equations, values = case["equations"], case["values"]
    listed = [equations] if isinstance(equations, str) else equations
    many = values if isinstance(values, list) else [values]
    if not isinstance(listed, list) or not listed or not many or len(listed) * len(many) > 200:
        raise NotReadable("there must be equations and values")
    worst: Found | None = None
    for one in many:
        if not isinstance(one, dict):
            raise NotReadable("values must map names to expressions")
        for text in listed:
            found = _holds(str(text), one, case)
            if found[0] == "refuted":
                return found
            if worst is None or found[0] != "supported":
                worst = found
    assert worst is not None
    if worst[0] != "supported":
        return worst
    said = f"all {len(listed)} equations hold" if len(listed) > 1 else "the equation holds"
    if len(many) > 1:
        said += f" for all {len(many)} solutions"
    return "supported", f"{said}; that there are no other solutions was not checked", worst[2]


def _holds(text: str, values: dict[str, Any], case: dict[str, Any]) -> Found:
    known = {symbol_named(read_name(name)): read(said) for name, said in values.items()}
    left, right = (read(side) for side in sides(text))
    if not (left.free_symbols | right.free_symbols) & known.keys():
        raise NotReadable(f"no value stands in {text[:60]!r}")
    put = [substituted(side, known) for side in (left, right)]
    if not put[0].free_symbols and not put[1].free_symbols:
        if why := _undefined(put):
            return "refuted", f"{text[:60]} is not defined there: {why}", {"equation": text}
        rounded = _rounded(left, right, values)
        if rounded is not None:
            return rounded
    found = equal(put[0], put[1], f"the sides of {text[:80]}", case)
    return found[0], found[1], {**found[2], "equation": text}


def _undefined(put: list[Any]) -> str:
    """Why a side has no value: a division by exactly zero; empty when it has one."""
    try:
        with precision(256):
            Tape([_folded(side) for side in put], []).run([])
    except Pole as why:
        return str(why)
    except (Undefined, ZeroDivisionError):
        return ""
    return ""


def _folded(node: Any) -> Any:
    """The same tree with rational arithmetic done, so that a zero is exactly zero."""
    node = plain(node)
    if not node.args or node.is_Piecewise:
        return node
    return plain(node.func(*[_folded(arg) for arg in node.args], evaluate=False))


def _rounded(left: Any, right: Any, values: dict[str, Any]) -> Found | None:
    """A decimal of six digits or more stands for a root that rounds to it; None if it is none.

    The sign of the difference must change within half a unit of the last place.
    """
    if len(values) != 1:
        return None
    ((name, text),) = values.items()
    half = half_unit(text)
    if half is None:
        return None
    symbol = symbol_named(read_name(name))
    middle = read(text)
    tape = Tape([sp.Add(left, sp.Mul(-1, right, evaluate=False), evaluate=False)], [symbol])
    with precision(256):
        at = Tape([middle], []).run([])[0]
        try:
            low, high = (tape.run([at + side * half])[0] for side in (-1, 1))
        except (Undefined, ZeroDivisionError):
            return None
        if not (is_real(low) and is_real(high)) or low.contains(0) or high.contains(0):
            return None
        if (low.real > 0) == (high.real > 0):
            return None
    digits = last_place(text)
    assert digits is not None
    return (
        "supported",
        f"a root rounds to it: the sides cross within half a unit of digit {digits[0]}",
        {"method": "change of sign", "below": shown(low, 5), "above": shown(high, 5)},
    )
