"""Random expression trees for the benchmark: made, changed, written in another way, compared."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

from maths_trees import (
    ONE,
    Tree,
    add,
    call,
    divide,
    latex,
    multiply,
    number_at,
    power,
    text,
)

__all__ = [
    "X",
    "agree",
    "differ",
    "mutate",
    "random_tree",
    "rewritten",
    "small_fraction",
    "written",
]

X = "x"
_TRIES = 60


def small_fraction(dice: random.Random, most: int = 7) -> Fraction:
    value = Fraction(dice.choice([-1, 1]) * dice.randint(1, most))
    return value / dice.randint(2, 5) if dice.random() < 0.25 else value


def _linear(dice: random.Random) -> Tree:
    inside = multiply(Fraction(dice.randint(1, 5)), X)
    return add(inside, small_fraction(dice)) if dice.random() < 0.4 else inside


def _piece(dice: random.Random) -> Tree:
    kind = dice.randrange(11)
    u = _linear(dice)
    if kind == 0:
        return power(X, Fraction(dice.randint(1, 5)))
    if kind == 1:
        return call("exp", u)
    if kind in (2, 3):
        return call(dice.choice(["sin", "cos"]), u)
    if kind == 4:
        return call("log", add(power(X, Fraction(2)), Fraction(dice.randint(1, 6))))
    if kind == 5:
        return call("sqrt", add(power(X, Fraction(2)), Fraction(dice.randint(1, 6))))
    if kind == 6:
        return call("atan", u)
    if kind == 7:
        return divide(ONE, add(power(X, Fraction(2)), Fraction(dice.randint(1, 6))))
    if kind == 8:
        return call(dice.choice(["sinh", "cosh", "tanh", "asinh"]), X)
    if kind == 9:
        return call("log", X)
    return call("exp", multiply(Fraction(-1), power(X, Fraction(2))))


def random_tree(dice: random.Random) -> Tree:
    terms = []
    for _ in range(dice.randint(1, 3)):
        parts = [_piece(dice) for _ in range(dice.choice([1, 1, 2]))]
        term = multiply(small_fraction(dice), *parts)
        terms.append(divide(term, add(X, small_fraction(dice))) if dice.random() < 0.12 else term)
    if dice.random() < 0.15:
        terms.append(call(dice.choice(["sin", "exp", "cos", "atan"]), call("sin", _linear(dice))))
    return add(*terms)


def _places(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Tree]]:
    yield path, tree
    if isinstance(tree, tuple):
        for index, part in enumerate(tree[1:], 1):
            if isinstance(part, (tuple, Fraction)) or part == X:
                yield from _places(part, (*path, index))


def _replaced(tree: Tree, path: tuple[int, ...], new: Tree) -> Tree:
    if not path:
        return new
    at = path[0]
    return (*tree[:at], _replaced(tree[at], path[1:], new), *tree[at + 1 :])


_SWAPS = {
    "sin": "cos", "cos": "sin", "exp": "cosh", "log": "atan", "atan": "tanh", "sinh": "cosh",
    "cosh": "sinh", "tanh": "atan", "sqrt": "log", "asinh": "atan", "tan": "sin", "erf": "tanh",
    "Abs": "sqrt",
}  # fmt: skip


def mutate(tree: Tree, dice: random.Random) -> tuple[Tree, str]:
    """One planted error and its name."""
    places = [(path, part) for path, part in _places(tree)]
    dice.shuffle(places)
    kind = dice.choice(
        ["sign", "factor", "dropped term", "wrong exponent", "swapped function", "constant",
         "argument", "dropped factor"]
    )  # fmt: skip
    for path, part in places:
        if isinstance(part, Fraction) and kind == "constant" and part != 0:
            return _replaced(tree, path, part + dice.choice([1, -1, Fraction(1, 2)])), kind
        if not isinstance(part, tuple):
            continue
        head = part[0]
        if kind == "dropped term" and head == "+":
            kept = list(part[1:])
            kept.pop(dice.randrange(len(kept)))
            return _replaced(tree, path, add(*kept)), kind
        if kind == "dropped factor" and head == "*":
            kept = list(part[1:])
            kept.pop(dice.randrange(len(kept)))
            return _replaced(tree, path, multiply(*kept)), kind
        if kind == "sign" and head in ("*", "call", "/", "^"):
            return _replaced(tree, path, multiply(Fraction(-1), part)), kind
        if kind == "factor" and head in ("*", "call", "/", "^"):
            factor = dice.choice([Fraction(2), Fraction(1, 2), Fraction(3, 2), Fraction(101, 100)])
            return _replaced(tree, path, multiply(factor, part)), kind
        if kind == "wrong exponent" and head == "^":
            return _replaced(tree, path, ("^", part[1], part[2] + 1)), kind
        if kind == "swapped function" and head == "call":
            return _replaced(tree, path, call(_SWAPS[part[1]], part[2])), kind
        if kind == "argument" and head == "call":
            return _replaced(tree, path, call(part[1], multiply(Fraction(2), part[2]))), kind
    return multiply(Fraction(2), tree), "factor"


def _values(one: Tree, two: Tree) -> Iterator[tuple[float, float]]:
    """Both values at fixed real points where both exist."""
    for step in range(_TRIES):
        x = (0.11 + 0.067 * step) * (-1) ** step
        try:
            yield number_at(one, {X: x}), number_at(two, {X: x})
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            continue


def differ(one: Tree, two: Tree) -> bool:
    """Whether floating point shows a clear difference at three points or more."""
    clear = [abs(a - b) > 1e-6 * (1 + abs(a) + abs(b)) for a, b in _values(one, two)]
    return sum(clear) >= 3


def agree(one: Tree, two: Tree) -> bool:
    found = [abs(a - b) <= 1e-7 * (1 + abs(a) + abs(b)) for a, b in _values(one, two)]
    return len(found) >= 5 and all(found)


def written(dice: random.Random, *trees: Tree) -> list[str]:
    write = latex if dice.random() < 0.3 else text
    return [write(tree) for tree in trees]


def rewritten(tree: Tree, dice: random.Random) -> Tree:
    """The same function written differently, by identities that hold for all real values."""
    if not isinstance(tree, tuple):
        return tree
    tree = (tree[0], *[rewritten(part, dice) if i or tree[0] != "call" else part
                       for i, part in enumerate(tree[1:])])  # fmt: skip
    if tree[0] in ("+", "*") and dice.random() < 0.5:
        parts = list(tree[1:])
        dice.shuffle(parts)
        tree = (tree[0], *parts)
    if dice.random() > 0.3:
        return tree
    match tree:
        case ("call", "cos", u):
            return add(ONE, multiply(Fraction(-2), power(call("sin", divide(u, Fraction(2))), Fraction(2))))  # noqa: E501  # fmt: skip
        case ("call", "sin", u):
            half = divide(u, Fraction(2))
            return multiply(Fraction(2), call("sin", half), call("cos", half))
        case ("call", "exp", u):
            return divide(ONE, call("exp", multiply(Fraction(-1), u)))
        case ("call", "cosh", u):
            return divide(add(call("exp", u), call("exp", multiply(Fraction(-1), u))), Fraction(2))
        case ("/", above, below):
            return multiply(above, power(below, Fraction(-1)))
        case ("^", base, exponent) if exponent == 2:
            return multiply(base, base)
        case _:
            return tree
