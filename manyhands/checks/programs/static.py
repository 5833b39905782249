"""What can be said of a program without running it: syntax, names, imports, signature."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "HANDS_PACKAGES", "Finding", "Problem", "find_function", "full_source", "program_text", "study",
]  # fmt: skip

#: Import names that the hands' environment offers next to the standard library.
HANDS_PACKAGES = frozenset(
    {
        "numpy", "pandas", "scipy", "sympy", "mpmath", "flint", "z3", "matplotlib", "mpl_toolkits",
        "altair", "vl_convert", "plotly", "hypothesis", "PIL", "jinja2", "jsonschema", "dateutil",
        "pyarrow", "narwhals", "crosshair", "typing_extensions", "pytest", "psutil", "six",
        "packaging",
    }
)  # fmt: skip


class Problem(StrEnum):
    """What is wrong with the text."""

    SYNTAX = "syntax"
    NO_ENTRY_POINT = "no_entry_point"
    UNDEFINED_NAME = "undefined_name"
    MISSING_IMPORT = "missing_import"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in the text.

    Attributes:
        fatal: the program cannot work, whatever its inputs.
    """

    problem: Problem
    message: str
    line: int = 0
    fatal: bool = False

    def as_dict(self) -> dict[str, str | int]:
        return {"problem": self.problem.value, "message": self.message, "line": self.line}


def program_text(text: str) -> str:
    """The program in a text that may hold it between fences; the text itself when it parses."""
    if "```" not in text or _parse(text) is not None:
        return text
    blocks = re.findall(r"```[ \t]*(\w*)[^\n]*\n(.*?)(?:```|\Z)", text, re.DOTALL)
    python = [code for name, code in blocks if name.lower() in ("python", "py", "python3")]
    chosen = python or [code for _, code in blocks]
    return "\n".join(chosen) if chosen else text


def full_source(prompt: str, code: str, entry_point: str) -> str:
    """The program that `code` means: itself, or the prompt with `code` as the function's body.

    The prompt's other definitions and imports go first when `code` stands alone.
    """
    body_only = f"{prompt}{'' if prompt.endswith(chr(10)) else chr(10)}{code}"
    tree = _parse(code)
    if tree is not None and _stands_alone(tree, entry_point):
        before = _parse(prompt) or _parse(f"{prompt}\n    pass\n")
        if before is None:
            return code
        rest = [n for n in before.body if getattr(n, "name", None) != entry_point]
        kept = ast.unparse(ast.Module(body=rest, type_ignores=[]))
        return f"{kept}\n{code}" if kept and "from __future__" not in code else code
    for candidate in (body_only, f"{prompt}\n{textwrap.indent(textwrap.dedent(code), '    ')}"):
        tree = _parse(candidate)
        if prompt and tree is not None and find_function(tree, entry_point) is not None:
            return candidate
    return code


def _stands_alone(tree: ast.Module, entry_point: str) -> bool:
    """Whether a text defines the function itself, `f = partial(…)` too, and is no body of it."""
    if find_function(tree, entry_point) is not None:
        return True
    binding = (ast.Assign, ast.AnnAssign, ast.ClassDef, ast.Import, ast.ImportFrom)
    bound = any(isinstance(n, binding) and entry_point in _bound(n) for n in tree.body)
    return bound and not any(isinstance(n, ast.Return) for n in _outside_functions(tree))


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _outside_functions(child)


def study(source: str, entry_point: str = "", *, prompt: str = "") -> list[Finding]:
    """Look for faults in the text. The signature is compared with the prompt's, if it has one."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", 0) or 0
        return [Finding(Problem.SYNTAX, f"it does not parse: {error}", line, fatal=True)]
    findings: list[Finding] = []
    if entry_point:
        found = find_function(tree, entry_point)
        if found is None and not _binds(tree, entry_point) and not _solves(tree, entry_point):
            text = f"it does not define {entry_point!r}"
            findings.append(Finding(Problem.NO_ENTRY_POINT, text, fatal=True))
        asked_tree = _parse(prompt) or _parse(f"{prompt}\n    pass\n")
        asked = find_function(asked_tree, entry_point) if asked_tree else None
        if isinstance(found, ast.FunctionDef) and isinstance(asked, ast.FunctionDef):
            findings += _compare(found, asked)
    findings += _imports(tree)
    findings += _undefined(tree)
    return findings


def find_function(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The last definition of the function `name` at the top level."""
    found = None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            found = node
    return found


def _solves(tree: ast.Module, name: str) -> bool:
    """Whether a class `Solution` has a method of that name."""
    return any(
        isinstance(node, ast.ClassDef)
        and node.name == "Solution"
        and any(getattr(part, "name", "") == name for part in node.body)
        for node in tree.body
    )


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _binds(tree: ast.Module, name: str) -> bool:
    return any(name in _bound(node) for node in tree.body) or any(
        isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)
        for node in tree.body
    )


def _bound(node: ast.AST) -> set[str]:
    names: set[str] = set()
    for sub in ast.walk(node):
        if isinstance(sub, ast.Name) and isinstance(sub.ctx, (ast.Store, ast.Del)):
            names.add(sub.id)
        elif isinstance(sub, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(sub.name)
        elif isinstance(sub, ast.arg):
            names.add(sub.arg)
        elif isinstance(sub, ast.alias):
            names.add((sub.asname or sub.name).partition(".")[0])
        elif isinstance(sub, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and sub.name:
            names.add(sub.name)
        elif isinstance(sub, ast.MatchMapping) and sub.rest:
            names.add(sub.rest)
    return names


def _undefined(tree: ast.Module) -> list[Finding]:
    """Names that nothing in the text binds anywhere: no scope can save them."""
    if any(
        isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)
        for node in ast.walk(tree)
    ):
        return []
    known = _bound(tree) | set(dir(builtins)) | {"__file__", "__annotations__", "__class__"}
    findings, seen = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known and node.id not in seen:
            seen.add(node.id)
            text = f"the name {node.id!r} is never defined"
            findings.append(Finding(Problem.UNDEFINED_NAME, text, node.lineno))
    return findings


def _imports(tree: ast.Module) -> list[Finding]:
    findings = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."] if not node.level else ["."]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in HANDS_PACKAGES:
                text = f"the module {name!r} is not in the hands' environment"
                findings.append(Finding(Problem.MISSING_IMPORT, text, getattr(node, "lineno", 0)))
    return findings


def _compare(found: ast.FunctionDef, asked: ast.FunctionDef) -> list[Finding]:
    """Whether each call that the asked signature allows by position is possible."""
    wanted = len(asked.args.posonlyargs) + len(asked.args.args)
    positional = [*found.args.posonlyargs, *found.args.args]
    needed = len(positional) - len(found.args.defaults)
    most = len(positional) if found.args.vararg is None else wanted
    required_kw = [
        arg.arg
        for arg, default in zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)
        if default is None
    ]
    if needed > wanted or most < wanted or required_kw:
        text = f"{found.name}({ast.unparse(found.args)}) was asked as ({ast.unparse(asked.args)})"
        return [Finding(Problem.SIGNATURE, text, found.lineno)]
    return []
