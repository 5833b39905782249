"""Examples in a task's text: `>>> f(1)` with its result, and lines such as `f(1) -> 2`."""

from __future__ import annotations

import ast
import contextlib
import doctest
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Example", "examples_as_tests", "examples_in", "known_arguments"]

_ARROWS = re.compile(r"[\s#]*(?:->|=>|==>|➞|→|==|=|returns|should return|is)\s*")


@dataclass(frozen=True, slots=True)
class Example:
    """One call with plain arguments and the result that the text states."""

    args: tuple[Any, ...]
    want: Any
    text: str


def examples_in(text: str, entry_point: str) -> list[Example]:
    """Every example whose arguments and result are plain literals, in order, once each."""
    found: list[Example] = []
    for part in _parts(text):
        for doc in _doctests(part):
            first = _literal_prefix(doc.want.strip().split("\n\n")[0])
            found += _read(doc.source.strip(), doc.want.strip(), entry_point) or _read(
                doc.source.strip(), first, entry_point
            )
    for call, rest in _calls(text, entry_point):
        arrow = _ARROWS.match(rest)
        if arrow is not None and arrow.group().strip():
            found += _read(call, _literal_prefix(rest[arrow.end() :]), entry_point)
    unique: dict[str, Example] = {}
    for example in found:
        unique.setdefault(repr(example.args), example)
    return list(unique.values())


def known_arguments(text: str, entry_point: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Argument lists that the text shows: in calls, and as `name = value` for every parameter.

    What the function makes of them need not be stated. Once each, in order.
    """
    found: list[tuple[Any, ...]] = []
    for call, _ in _calls(text, entry_point):
        with contextlib.suppress(*_NO_LITERAL):
            node = ast.parse(call, mode="eval").body
            if isinstance(node, ast.Call) and not node.keywords:
                found.append(tuple(ast.literal_eval(argument) for argument in node.args))
    columns = []
    for name in names:
        matches = re.finditer(rf"(?<![\w.])(?:\w+_)?{re.escape(name)}\s*(?:=|:|is)\s*(?=\S)", text)
        texts = [_literal_prefix(text[m.end() :].split("\n", 1)[0]) for m in matches]
        columns.append([ast.literal_eval(one) for one in texts if one])
    if columns:
        found += zip(*columns, strict=False)
    return list({repr(row): row for row in found}.values())


_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def _parts(text: str) -> list[str]:
    """The docstrings of a program, or the text itself."""
    for source in (text, f"{text}\n    pass\n"):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            kinds = (ast.FunctionDef, ast.ClassDef, ast.Module)
            nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, kinds)]
            return [doc for node in nodes if (doc := ast.get_docstring(node))]
    return [text]


def _doctests(text: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(text)
    except ValueError:  # a text that only looks like a doctest
        return []


def _calls(text: str, entry_point: str) -> Iterator[tuple[str, str]]:
    """Each call of the function in the text, with the rest of its line."""
    for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\(", text):
        line = text[match.start() :].split("\n", 1)[0]
        call = _call_text(line)
        if call is not None:
            yield call, line[len(call) :]


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
        if end < len(text) and (text[end].isalnum() or text[end] in "_'\""):
            continue
        if text[end - 1] in ", ":  # a comma would make it a tuple
            continue
        if text[end : end + 1] == "." and text[end + 1 : end + 2].strip():
            continue
        try:
            ast.literal_eval(text[:end].strip())
        except _NO_LITERAL:
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
    except _NO_LITERAL:
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
