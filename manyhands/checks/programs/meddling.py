"""Signs in a program's text that it reaches into the interpreter it shares with a reader; pure.

The programs of charts and table claims run in one process with the code that reads their result
(in a sandbox of their own). An honest one needs none of these; one that has them is never
*supported*.
"""

from __future__ import annotations

import ast

__all__ = ["meddling"]

_MODULES = frozenset(
    {
        "_thread", "atexit", "bdb", "builtins", "code", "codeop", "concurrent", "ctypes", "dis",
        "faulthandler", "gc", "imp", "importlib", "inspect", "marshal", "multiprocessing", "pdb",
        "pickle", "pty", "resource", "runpy", "signal", "site", "socket", "subprocess", "threading",
        "trace", "traceback", "tracemalloc", "types", "unittest", "weakref",
    }
)  # fmt: skip
_CALLS = frozenset(
    {"__import__", "breakpoint", "compile", "eval", "exec", "globals", "open", "setattr", "vars"}
)
_ATTRIBUTES = frozenset(
    {
        "_exit", "_getframe", "abort", "excepthook", "execv", "execve", "f_back", "f_globals",
        "f_locals", "fork", "gi_frame", "kill", "killpg", "meta_path", "modules", "rename",
        "replace_file", "setprofile", "settrace", "symlink", "system", "tb_frame", "unlink",
        "write_bytes", "write_text",
    }
)  # fmt: skip
_DUNDERS = frozenset({"__init__", "__name__", "__doc__", "__version__", "__len__"})


def meddling(source: str) -> list[str]:
    """Each sign found, as `line N: what`, in the order of the text. Raises SyntaxError."""
    found = []
    for node in ast.walk(ast.parse(source)):
        what = _sign(node)
        if what:
            found.append((getattr(node, "lineno", 0), what))
    return [f"line {line}: {what}" for line, what in sorted(found)]


def _sign(node: ast.AST) -> str:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return next((f"import {n}" for n in names if n.partition(".")[0] in _MODULES), "")
    if isinstance(node, ast.ImportFrom):
        root = (node.module or "").partition(".")[0]
        return f"import {node.module}" if root in _MODULES else ""
    if isinstance(node, ast.Name) and node.id in _CALLS:
        return node.id
    if isinstance(node, ast.Attribute):
        dunder = node.attr.startswith("__") and node.attr not in _DUNDERS
        return node.attr if dunder or node.attr in _ATTRIBUTES else ""
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        for target in targets:
            owner = target.value if isinstance(target, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id in ("pd", "np", "plt", "json", "sys"):
                return f"{ast.unparse(target)} is exchanged"
    return ""
