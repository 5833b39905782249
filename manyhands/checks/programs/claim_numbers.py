"""A claim's program that compares with another number than its sentence states; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from manyhands.checks.programs.claim_changes import Trap, TrapKind
from manyhands.checks.programs.claim_text import number_steps

__all__ = ["other_numbers"]

_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twice|double|triple|dozen|half"
    r"|halves|third|thirds|quarter|quarters|fifth|hundred)\b",
    re.IGNORECASE,
)
#: What a number of the text may be called in the program: percent, thousands, millions.
_SCALES = (1.0, 100.0, 0.01, 1e3, 1e6, 1e9, 1e-3, 1e-6)
_PLAIN = (-1, 0, 1)  # these stand in programs for many reasons
_CLOSE = {"isclose", "allclose", "assert_almost_equal"}


def other_numbers(code: str, text: str) -> list[Trap]:
    """Each number that the program compares with and the text does not state, while the text
    states one that the program does not use. Raises SyntaxError."""
    tree = ast.parse(code)
    stated = number_steps(text)
    if not stated or _WORDS.search(text):
        return []
    constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    numbers = [
        float(c) for c in constants if isinstance(c, int | float) and not isinstance(c, bool)
    ]
    texts = " ".join(c for c in constants if isinstance(c, str))
    unused = [
        number
        for number, step in stated
        if not any(_means(one, number, step) for one in numbers)
        and not re.search(rf"(?<!\d)0*{re.escape(f'{number:g}')}(?!\d)", texts)
    ]
    if not unused:
        return []
    return [
        Trap(TrapKind.NUMBER, line, f"{bound:g}, the text says {unused[0]:g}", decides=True)
        for line, bound in _bounds(tree)
        if bound not in _PLAIN and not any(_means(bound, number, step) for number, step in stated)
    ]


def _means(one: float, number: float, step: float) -> bool:
    return any(abs(abs(one) - abs(number) * s) <= step * s * (1 + 1e-9) for s in _SCALES)


def _bounds(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Line and value of the numbers that something is compared with; tolerances left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            distance = isinstance(node.left, ast.Call) and _name(node.left) in ("abs", "fabs")
            for side in [] if distance else [node.left, *node.comparators]:
                yield from _number(side)
        elif isinstance(node, ast.Call) and _name(node) in ("abs", "fabs") and node.args:
            inner = node.args[0]
            if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub):
                yield from _number(inner.left)
                yield from _number(inner.right)
        elif isinstance(node, ast.Call) and _name(node) in _CLOSE:
            for side in node.args[:2]:
                yield from _number(side)


def _number(node: ast.expr) -> Iterator[tuple[int, float]]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield node.lineno, float(value)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
