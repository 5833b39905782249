"""Reading how tests ended, and the wrong values that show whether they look at anything."""

from __future__ import annotations

import ast
import math
from typing import Any

__all__ = ["TEXT", "failure", "wrong"]

TEXT = 600  # characters of what is shown
# Faults that a wrong kind of return value causes inside the assertion that uses it.
_OF_THE_VALUE = (TypeError, AttributeError, IndexError, KeyError, ValueError, ZeroDivisionError)


def wrong(value: Any) -> Any:
    """Another value of the same kind, far enough to be outside of any tolerance."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value + 1 + abs(value) if abs(value) < math.inf else 0
    if isinstance(value, str):
        return value + "~"
    if isinstance(value, (list, tuple)):
        return type(value)([*map(wrong, value), None])
    if isinstance(value, (set, frozenset)):
        return type(value)([*value, "~"])
    if isinstance(value, dict):
        return {**{key: wrong(item) for key, item in value.items()}, "~": None}
    return 0 if value is None else None


def failure(
    error: BaseException, said: str, line: int, tests: str, *, called: bool, by_answer: bool
) -> dict[str, Any]:
    """The verdict of tests that an exception ended.

    Args:
        said: the exception in words.
        line: of the tests' text, 0 when it came from elsewhere.
        called: whether the answer was called before.
        by_answer: the exception is the answer's own.
    """
    node = _assert_at(tests, line)
    text = ast.get_source_segment(tests, node) if node is not None else ""
    if not text and line:
        text = tests.splitlines()[line - 1].strip()
    out = {"line": line, "assertion": (text or "")[:TEXT], "message": said[:TEXT]}
    if by_answer:
        return {"verdict": "fail", "why": "the answer raised", **out}
    if not called:
        return {"verdict": "crash", **out}
    if isinstance(error, AssertionError):
        return {"verdict": "fail", "why": "an assertion failed", **out}
    if node is not None and isinstance(error, _OF_THE_VALUE):
        return {"verdict": "fail", "why": "what it returned has the wrong kind", **out}
    return {"verdict": "crash", **out}


def _assert_at(tests: str, line: int) -> ast.Assert | None:
    found = None
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or line):
            found = node
    return found
