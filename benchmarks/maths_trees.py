"""Small expression trees for the benchmark, with rules of their own that share nothing with SymPy.

A tree is a number (`Fraction`), a name (`str`), or a tuple: an operator and its operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

__all__ = [
    "Tree",
    "add",
    "call",
    "derive",
    "divide",
    "latex",
    "multiply",
    "number_at",
    "power",
    "text",
]

Tree = Any

ZERO, ONE = Fraction(0), Fraction(1)
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "exp": math.exp, "log": math.log,
    "sqrt": math.sqrt, "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "asin": math.asin, "asinh": math.asinh, "Abs": abs, "erf": math.erf, "acos": math.acos,
}  # fmt: skip


def add(*parts: Tree) -> Tree:
    kept = [part for part in parts if part != ZERO]
    return ("+", *kept) if len(kept) > 1 else kept[0] if kept else ZERO


def multiply(*parts: Tree) -> Tree:
    if ZERO in parts:
        return ZERO
    kept = [part for part in parts if part != ONE]
    return ("*", *kept) if len(kept) > 1 else kept[0] if kept else ONE


def divide(above: Tree, below: Tree) -> Tree:
    return ("/", above, below) if above != ZERO else ZERO


def power(base: Tree, exponent: Tree) -> Tree:
    return base if exponent == ONE else ("^", base, exponent)


def call(name: str, inside: Tree) -> Tree:
    return ("call", name, inside)


def derive(tree: Tree, name: str) -> Tree:
    """The derivative by the rules of the schoolbook."""
    if isinstance(tree, Fraction):
        return ZERO
    if isinstance(tree, str):
        return ONE if tree == name else ZERO
    kind, *args = tree
    if kind == "+":
        return add(*[derive(arg, name) for arg in args])
    if kind == "*":
        return add(
            *[multiply(*args[:i], derive(arg, name), *args[i + 1 :]) for i, arg in enumerate(args)]
        )
    if kind == "/":
        above, below = args
        first = multiply(derive(above, name), below)
        second = multiply(Fraction(-1), above, derive(below, name))
        return divide(add(first, second), power(below, Fraction(2)))
    if kind == "^":
        base, exponent = args
        return multiply(exponent, power(base, exponent - 1), derive(base, name))
    function, inside = args
    return multiply(_outer(function, inside), derive(inside, name))


def _outer(function: str, u: Tree) -> Tree:
    two, half, minus = Fraction(2), Fraction(1, 2), Fraction(-1)
    square = power(u, two)
    table: dict[str, Callable[[], Tree]] = {
        "sin": lambda: call("cos", u),
        "cos": lambda: multiply(minus, call("sin", u)),
        "tan": lambda: divide(ONE, power(call("cos", u), two)),
        "exp": lambda: call("exp", u),
        "log": lambda: divide(ONE, u),
        "sqrt": lambda: divide(half, call("sqrt", u)),
        "atan": lambda: divide(ONE, add(ONE, square)),
        "sinh": lambda: call("cosh", u),
        "cosh": lambda: call("sinh", u),
        "tanh": lambda: add(ONE, multiply(minus, power(call("tanh", u), two))),
        "asin": lambda: divide(ONE, call("sqrt", add(ONE, multiply(minus, square)))),
        "asinh": lambda: divide(ONE, call("sqrt", add(square, ONE))),
        "erf": lambda: multiply(
            divide(two, call("sqrt", "pi")), call("exp", multiply(minus, square))
        ),
    }
    return table[function]()


def number_at(tree: Tree, at: dict[str, float]) -> float:
    """The value in floating point. Raises ValueError, ZeroDivisionError or OverflowError."""
    if isinstance(tree, Fraction):
        return float(tree)
    if isinstance(tree, str):
        return math.pi if tree == "pi" else at[tree]
    kind, *args = tree
    if kind == "call":
        return _FUNCTIONS[args[0]](number_at(args[1], at))
    values = [number_at(arg, at) for arg in args]
    if kind == "+":
        return math.fsum(values)
    if kind == "*":
        return math.prod(values)
    if kind == "/":
        return values[0] / values[1]
    found = values[0] ** values[1]
    if isinstance(found, complex):
        raise ValueError("not real")
    return float(found)


def text(tree: Tree) -> str:
    """Python's notation."""
    if isinstance(tree, Fraction):
        return str(tree) if tree.denominator == 1 and tree >= 0 else f"({tree})"
    if isinstance(tree, str):
        return tree
    kind, *args = tree
    if kind == "call":
        return f"{args[0]}({text(args[1])})"
    parts = [text(arg) for arg in args]
    if kind == "+":
        return "(" + " + ".join(parts) + ")"
    if kind == "*":
        return "*".join(parts)
    if kind == "/":
        return f"({parts[0]})/({parts[1]})"
    return f"({parts[0]})**({parts[1]})"


_LATEX = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "log": "ln"}


def latex(tree: Tree) -> str:
    """LaTeX, as a model would write it."""
    if isinstance(tree, Fraction):
        sign = "-" if tree < 0 else ""
        size = abs(tree)
        return f"{sign}{size}" if size.denominator == 1 else (
            f"{sign}\\frac{{{size.numerator}}}{{{size.denominator}}}"
        )  # fmt: skip
    if isinstance(tree, str):
        return r"\pi " if tree == "pi" else tree
    kind, *args = tree
    if kind == "call":
        inside = latex(args[1])
        if args[0] == "exp":
            return f"e^{{{inside}}}"
        if args[0] == "sqrt":
            return f"\\sqrt{{{inside}}}"
        if args[0] == "Abs":
            return f"\\left|{inside}\\right|"
        if args[0] in ("erf", "asinh"):
            name = {"asinh": "arcsinh"}.get(args[0], args[0])
            return f"\\operatorname{{{name}}}\\left({inside}\\right)"
        return f"\\{_LATEX.get(args[0], args[0])}\\left({inside}\\right)"
    if kind == "/":
        return f"\\frac{{{latex(args[0])}}}{{{latex(args[1])}}}"
    if kind == "^":
        return f"\\left({latex(args[0])}\\right)^{{{latex(args[1])}}}"
    parts = [latex(arg) for arg in args]
    if kind == "+":
        return r"\left(" + " + ".join(parts).replace("+ -", "- ") + r"\right)"
    bracketed = [
        f"\\left({p}\\right)" if p.startswith("-") and i else p for i, p in enumerate(parts)
    ]
    return " \\cdot ".join(bracketed)
