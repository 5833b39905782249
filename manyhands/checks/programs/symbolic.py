"""Inputs on which two small typed functions may differ, found by symbolic execution (CrossHair).

What comes back are proposals of a process in which both programs ran: they count only after each
program has been called with them in a sandbox of its own.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from manyhands.checks.programs.battery import start
from manyhands.checks.programs.inputs import Shape, parameter_names, parameters
from manyhands.checks.programs.static import find_function
from manyhands.checks.sandbox.contracts import Limits, SandboxPolicy, SandboxRun

__all__ = ["can_search", "search"]

_KINDS = {"int", "bool", "str", "float", "none", "list", "tuple", "dict", "set", "union"}
_MODULES = {"math", "typing", "itertools", "functools", "collections", "string", "re", "bisect"}
_LONGEST = 60  # lines of a function that is called small
_MOST = 20
_GIVEN = re.compile(r"^Given: \((.*)\),?\s*$", re.MULTILINE)
_SCRIPT = """
import sys
sys.argv = ["crosshair", "diffbehavior", "reference.{name}", "answer.{name}",
            "--per_condition_timeout", "{seconds}", "--exception_equivalence", "SAME_TYPE"]
sys.path.insert(0, ".")
from crosshair.main import main
main()
"""


def can_search(*sources: str, entry_point: str) -> bool:
    """Whether every program is a small typed function that imports nothing with effects."""
    return all(_is_small(source, entry_point) for source in sources)


def _is_small(source: str, entry_point: str) -> bool:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    function = find_function(tree, entry_point)
    shapes = parameters(source, entry_point)
    if not isinstance(function, ast.FunctionDef) or not shapes or not all(map(_is_plain, shapes)):
        return False
    arguments = [*function.args.posonlyargs, *function.args.args]
    if any(argument.annotation is None for argument in arguments):
        return False
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return len(ast.unparse(tree).splitlines()) <= _LONGEST and imported <= _MODULES


def _is_plain(shape: Shape) -> bool:
    return shape.kind in _KINDS and all(map(_is_plain, shape.parts))


async def search(
    reference: str,
    answer: str,
    entry_point: str,
    seconds: float,
    policy: SandboxPolicy | None = None,
) -> list[list[Any]]:
    """Argument lists on which the programs seem to differ; empty when none was found in time.

    The programs must fulfil `can_search`. Raises NoIsolation.
    """
    names = parameter_names(reference, entry_point)
    result = await start(
        SandboxRun(
            code=_SCRIPT.format(name=entry_point, seconds=seconds),
            files={"reference.py": reference.encode(), "answer.py": answer.encode()},
            limits=Limits(wall_s=3 * seconds + 20, cpu_s=2 * seconds + 15),
        ),
        policy,
    )
    found = [_read(text, names) for text in _GIVEN.findall(result.stdout)[:_MOST]]
    return [row for row in found if row is not None]


def _read(text: str, names: tuple[str, ...]) -> list[Any] | None:
    """The arguments of `x=1, s='a'` in order; None when they are no literals."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            return None
        given = {key.arg: ast.literal_eval(key.value) for key in call.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError):
        return None
    return [given[name] for name in names] if set(names) <= given.keys() else None
