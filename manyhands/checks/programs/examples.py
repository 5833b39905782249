"""Examples in a task's text: `>>> f(1)` with its result, and lines such as `f(1) -> 2`."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Example", "examples_as_tests", "examples_in"]

_ARROWS = re.compile(r"\s*(?:->|=>|==>|➞|→|==|=|returns|should return|is)\s*")


@dataclass(frozen=True, slots=True)
class Example:
    """One call with plain arguments and the result that the text states."""

    args: tuple[Any, ...]
    want: Any
    text: str


def examples_in(text: str, entry_point: str) -> list[Example]:
    """Every example whose arguments and result are plain literals, in order, once each."""
    found: list[Example] = []
    try:
        docs = doctest.DocTestParser().get_examples(text)
    except ValueError:  # a text that only looks like a doctest
        docs = []
    for doc in docs:
        found += _read(doc.source.strip(), doc.want.strip(), entry_point)
    for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\(", text):
        line = text[match.start() :].split("\n", 1)[0]
        call = _call_text(line)
        if call is None:
            continue
        arrow = _ARROWS.match(line, len(call))
        if arrow is None or not arrow.group().strip():
            continue
        found += _read(call, _literal_prefix(line[arrow.end() :]), entry_point)
    unique: dict[str, Example] = {}
    for example in found:
        unique.setdefault(repr(example.args), example)
    return list(unique.values())


def _call_text(line: str) -> str | None:
    for end in (at + 1 for at, char in enumerate(line) if char == ")"):
        try:
            node = ast.parse(line[:end], mode="eval").body
        except (SyntaxError, ValueError):
            continue
        return line[:end] if isinstance(node, ast.Call) else None
    return None


def _literal_prefix(text: str) -> str:
    """The longest literal that `text` starts with; empty when there is none."""
    text = text.strip().strip("`")
    for end in range(len(text), 0, -1):
        if end < len(text) and (text[end].isalnum() or text[end] in "._'\""):
            continue
        try:
            ast.literal_eval(text[:end].strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return text[:end].strip()
    return ""


def _read(call: str, want: str, entry_point: str) -> list[Example]:
    try:
        node = ast.parse(call, mode="eval").body
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == entry_point
            and not node.keywords
        ):
            return []
        args = tuple(ast.literal_eval(argument) for argument in node.args)
        return [Example(args, ast.literal_eval(want), f"{call} -> {want}")]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return []


def examples_as_tests(examples: Sequence[Example]) -> str:
    """A `check(candidate)` for the examples; floats within 1e-6 relative."""
    lines = ["import math", "def check(candidate):"]
    for example in examples:
        call = f"candidate(*{example.args!r})"
        if isinstance(example.want, float):
            lines.append(f"    assert math.isclose({call}, {example.want!r}, rel_tol=1e-6)")
        else:
            lines.append(f"    assert {call} == {example.want!r}")
    return "\n".join([*lines, "    return"]) + "\n"
