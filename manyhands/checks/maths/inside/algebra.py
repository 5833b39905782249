"""Identities, inequalities, solutions of equations and of differential equations."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import sympy as sp
from balls import Undefined, value
from flint import acb, fmpq
from judge import Found, derivative_of, equal, seed_of, symbol_of
from notation import NotReadable, read


def identity(case: dict[str, Any]) -> Found:
    return equal(read(case["lhs"]), read(case["rhs"]), "the sides", case)


def inequality(case: dict[str, Any]) -> Found:
    """`lhs <= rhs` (or `relation`), looked for a counterexample; never supported by points."""
    left, right = read(case["lhs"]), read(case["rhs"])
    relation = str(case.get("relation", "<="))
    if relation not in ("<", "<=", ">", ">="):
        raise NotReadable(f"the relation {relation!r} is not known")
    if relation in (">", ">="):
        left, right = right, left
    seed = seed_of(case)
    for point in _grid(left.free_symbols | right.free_symbols, seed):
        try:
            gap = value(right, point) - value(left, point)
        except (Undefined, ZeroDivisionError):
            continue
        if gap.imag.is_zero() and gap.real < 0:
            shown = {str(name): ball.str(12, radius=False) for name, ball in point.items()}
            evidence = {"counterexample": shown, "seed": seed}
            return "refuted", f"it fails at {shown}", evidence
    return _by_z3(left, right, strict=relation in ("<", ">"))


def _grid(symbols: Any, seed: int) -> Iterator[dict[Any, Any]]:
    rng = random.Random(seed)
    names = sorted(symbols, key=str)
    for number in range(400 if names else 1):
        size = 4.0 if number % 2 else 60.0
        yield {name: acb(fmpq(round(rng.uniform(-size, size) * 997), 997)) for name in names}


def _by_z3(left: Any, right: Any, *, strict: bool) -> Found:
    """A polynomial inequality proved by z3, which searches all reals at once."""
    import z3

    names = sorted(left.free_symbols | right.free_symbols, key=str)
    gap = sp.expand(right - left)
    if not gap.is_polynomial(*names):
        return "undetermined", "no counterexample among 400 points; not a polynomial", {}
    reals = {name: z3.Real(str(name)) for name in names}
    total: Any = z3.RealVal(0)
    for powers, factor in sp.Poly(gap, *names).terms() if names else [((), gap)]:
        if not sp.sympify(factor).is_Rational:
            return "undetermined", "no counterexample among 400 points; irrational factors", {}
        term: Any = z3.RealVal(str(factor))
        for name, power in zip(names, powers, strict=True):
            for _ in range(power):
                term = term * reals[name]
        total = total + term
    solver = z3.Solver()
    solver.set("timeout", 2000)
    solver.add(total <= 0 if strict else total < 0)
    outcome = solver.check()
    if outcome == z3.unsat:
        return "supported", "proved by z3 for all reals", {"method": "z3"}
    if outcome == z3.sat:
        model = solver.model()
        shown = {str(name): str(model[reals[name]]) for name in names}
        return "refuted", f"it fails at {shown}", {"method": "z3", "counterexample": shown}
    return "undetermined", "no counterexample among 400 points; z3 gave up", {}


def solution(case: dict[str, Any]) -> Found:
    """Each equation holds when the values are put in. That there are no others is not claimed."""
    equations = case["equations"]
    values = case["values"]
    listed = [equations] if isinstance(equations, str) else list(equations)
    if not isinstance(values, dict) or not listed:
        raise NotReadable("values must map names to expressions, and there must be equations")
    known = {sp.Symbol(str(name), real=True): read(str(text)) for name, text in values.items()}
    worst: Found | None = None
    for text in listed:
        left, right = _sides(str(text))
        missing = (left.free_symbols | right.free_symbols) & known.keys()
        if not missing:
            raise NotReadable(f"no value stands in {text!r}")
        put = [side.subs(known, simultaneous=True) for side in (left, right)]
        found = equal(put[0], put[1], f"the sides of {text}", case)
        if found[0] == "refuted":
            return found
        if worst is None or found[0] != "supported":
            worst = found
    assert worst is not None
    if worst[0] == "supported":
        return "supported", f"all {len(listed)} equations hold", worst[2]
    return worst


def _sides(text: str) -> tuple[Any, Any]:
    match = re.fullmatch(r"\s*Eq\((.*)\)\s*", text)
    parts = match[1].split(",") if match else re.split(r"(?<![<>=!])==?(?!=)", text)
    if len(parts) == 1:
        return read(parts[0]), sp.Integer(0)
    if len(parts) != 2:
        raise NotReadable(f"no equation: {text[:80]!r}")
    return read(parts[0]), read(parts[1])


def ode(case: dict[str, Any]) -> Found:
    """The solution put into the equation, which writes `y'`, `dy/dx` or `Derivative(y(x), x)`."""
    text, claimed = str(case["equation"]), str(case["solution"])
    var = symbol_of(case)
    head = re.match(r"\s*([A-Za-z]\w*)\s*(?:\(\s*\w+\s*\))?\s*=(?!=)", claimed)
    name = str(case.get("func") or (head[1] if head else "y"))
    body = read(claimed[head.end() :] if head else claimed)
    given: dict[str, Any] = {}

    def stand_in(order: int) -> str:
        key = f"{name}_order_{order}"
        given[key] = derivative_of(body, var, order) if order else body
        return f"({key})"

    n = re.escape(name)
    x = re.escape(str(var))
    call = rf"{n}(?:\(\s*{x}\s*\))?"
    text = re.sub(
        rf"(?:Derivative|diff)\(\s*{call}\s*,\s*\(?\s*{x}\s*(?:,\s*(\d)\s*)?\)?(?:,\s*({x}))?\s*\)",
        lambda m: stand_in(int(m[1] or (2 if m[2] else 1))),
        text,
    )
    text = re.sub(
        rf"\(?d(?:\^?\*{{0,2}}(\d))?\s*{n}\s*/\s*d{x}(?:\^?\*{{0,2}}\d)?\)?",
        lambda m: stand_in(int(m[1] or 1)),
        text,
    )
    text = re.sub(rf"(?<!\w){n}('+|′+)(?:\(\s*{x}\s*\))?", lambda m: stand_in(len(m[1])), text)
    text = re.sub(rf"(?<!\w){n}(?!\w)(?:\(\s*{x}\s*\))?", lambda _: stand_in(0), text)
    parts = re.split(r"(?<![<>=!])==?(?!=)", text)
    if len(parts) > 2 or not given:
        raise NotReadable(f"no equation for {name}({var}): {text[:80]!r}")
    left = read(parts[0], given)
    right = read(parts[1], given) if len(parts) == 2 else sp.Integer(0)
    return equal(left, right, "the sides of the equation", case)
