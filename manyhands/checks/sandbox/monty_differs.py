"""What Monty runs otherwise than CPython, found in a program's text before it is judged; pure."""

from __future__ import annotations

import ast

__all__ = ["differs"]

_LAZY = frozenset({"map", "filter", "zip", "enumerate", "reversed", "iter"})
#: Whatever takes all of an iterator at once, so that nobody sees that it is a list already.
_EATEN_BY = frozenset(
    {"list", "tuple", "set", "frozenset", "dict", "sorted", "sum", "min", "max", "any", "all"}
    | {"join", "extend", "update", "Counter", "deque", "fsum", "prod"}
)
_METHODS = frozenset({"__init__", "__eq__", "__repr__", "__str__"})


def differs(source: str, *, identity: bool = True) -> str:
    """The construct on which a verdict of Monty would hang; empty when none is known.

    Found by running the same text in both: lazy iterators are lists in Monty, equal numbers are
    one object, most special methods are not called, and `$` does not match before a last newline.

    Args:
        identity: look at `is` too; tests may ask whether their own object came back.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    above = {below: node for node in ast.walk(tree) for below in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        what = _differs(node, above.get(node))
        if what and (identity or not isinstance(node, ast.Compare)):
            return f"{what} (line {getattr(node, 'lineno', 0)})"
    return ""


def _differs(node: ast.AST, parent: ast.AST | None) -> str:
    match node:
        case ast.GeneratorExp() if not _eaten(node, parent):
            return "a generator expression that is kept"
        case ast.Call(func=ast.Name(id=name)) if name in _LAZY and not _eaten(node, parent):
            return f"what {name}() gives, kept"
        case ast.Call(func=ast.Name(id="pow"), args=[_, _, _]):
            return "pow() with three arguments"
        case ast.Call(func=ast.Name(id="round"), args=[_, _]):
            return "round() to decimals"
        case ast.Compare(left=left, ops=ops, comparators=right):
            one = any(isinstance(op, ast.Is | ast.IsNot) for op in ops)
            named = any(isinstance(side, ast.Constant) for side in (left, *right))
            return "`is` between values" if one and not named else ""
        case ast.ClassDef(body=body):
            names = [item.name for item in body if isinstance(item, ast.FunctionDef)]
            special = [name for name in names if name[:2] == "__" and name not in _METHODS]
            return f"the special method {special[0]}" if special else ""
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="re")), args=[ast.Constant(value=str(p)), *_]
        ):
            return "`$` in a pattern" if "$" in p.replace("\\$", "") else ""
        case ast.Name(id=name) if name.startswith("_mh_"):
            return f"the name {name}"
        case ast.Global(names=names) if any(name.startswith("_mh_") for name in names):
            return "our own names"
        case _:
            return ""


def _eaten(node: ast.AST, parent: ast.AST | None) -> bool:
    match parent:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            lazy_in_lazy = name in _LAZY  # looked at itself
            return (name in _EATEN_BY or lazy_in_lazy) and parent.func is not node
        case ast.For(iter=taken) | ast.comprehension(iter=taken):
            return taken is node
        case ast.Starred():
            return True
        case ast.Assign(targets=[ast.Tuple()]):
            return True
        case _:
            return False
