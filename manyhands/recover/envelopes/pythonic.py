"""Calls written as Python: `[f(a=1), g(b="x")]`, `f(a=1)`, `print(f(a=1))` in a tool_code fence."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from manyhands.recover.jsonish import balanced_end
from manyhands.recover.types import Candidate, JSONSchema

__all__ = ["read_pythonic"]

_START = re.compile(r"\[?\s*(?P<name>[A-Za-z_][\w.]{0,200})\s*\(")
_WORDS = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\b(true|false|null)\b""", re.DOTALL)


def read_pythonic(
    text: str, start: int, tools: Mapping[str, JSONSchema]
) -> tuple[list[Candidate], int] | None:
    """The calls at `start` and the offset after them; None when no call expression is there."""
    head = _START.match(text, start)
    if head is None:
        return None
    # `read_file.call(…)` is Llama's own spelling
    name = re.sub(r"\.(?:call|invoke|run)$", "", head["name"]).split(".")[-1]
    if name not in tools and name not in ("print", "tool_call", "await"):
        known = {tool.replace("-", "_").lower() for tool in tools}
        if name.lower() not in known and text[start] != "[":
            return None
    opening = start if text[start] == "[" else head.end() - 1
    end = balanced_end(text, opening)
    if end is None:
        return [Candidate(name, None, cut=True)], len(text)
    source = text[start:end]
    if len(source) > 300_000:
        return None
    source = _WORDS.sub(
        lambda m: m[1] if m[1] else {"true": "True", "false": "False", "null": "None"}[m[2]], source
    )
    repaired = False
    try:
        tree: ast.expr = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        try:
            tree = ast.parse(re.sub(r"\n", r"\\n", source.strip()), mode="eval").body
            repaired = True
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    nodes = tree.elts if isinstance(tree, (ast.List, ast.Tuple)) else [tree]
    found: list[Candidate] = []
    for node in nodes:
        candidate = _call(node, tools, repaired)
        if candidate is None:
            return None
        found.append(candidate)
    return (found, end) if found else None


def _call(node: ast.expr, tools: Mapping[str, JSONSchema], repaired: bool) -> Candidate | None:
    if not isinstance(node, ast.Call):
        return None
    name = re.sub(r"\.(?:call|invoke|run)$", "", ast.unparse(node.func))
    if name == "print" and len(node.args) == 1 and not node.keywords and "print" not in tools:
        return _call(node.args[0], tools, repaired)
    arguments: dict[str, object] = {}
    try:
        for word in node.keywords:
            value = ast.literal_eval(word.value)
            if word.arg is None:
                arguments.update(value)
            else:
                arguments[word.arg] = value
        positional = [ast.literal_eval(arg) for arg in node.args]
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    if len(positional) == 1 and isinstance(positional[0], dict) and not arguments:
        return Candidate(name, positional[0], repaired=repaired)
    if positional:
        schema = tools.get(name.split(".")[-1], {})
        keys = list(schema.get("properties", {}))
        if len(positional) > len(keys):
            return Candidate(name, arguments, repaired=True)
        repaired = True
        arguments = {**dict(zip(keys, positional, strict=False)), **arguments}
    return Candidate(name, arguments, repaired=repaired)
