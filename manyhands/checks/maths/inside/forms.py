"""Functions whose arguments are no plain expressions: `Sum(k, (k, 1, 9))`, `diff(x**2, x)`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import sympy as sp
from balls import Undefined
from slopes import derivative_of
from tokens import NotReadable

_MOST_TERMS = 200
_HIGHEST = 6
#: Nodes that a sum or a derivative may have when it is written out.
_LARGEST = 2000


def _size(made: Any) -> int:
    """How many nodes a tree has, counted no further than is allowed."""
    for count, _ in enumerate(sp.preorder_traversal(made)):
        if count > _LARGEST:
            raise NotReadable(f"more than {_LARGEST} terms when it is written out")
    return count + 1


def _folded(builder: Any, nodes: list[ast.expr], join: Callable[..., Any]) -> Any:
    """A sum or product with whole ends, written out."""
    if len(nodes) != 2 or not isinstance(nodes[1], ast.Tuple) or len(nodes[1].elts) != 3:
        raise NotReadable("a sum is written Sum(term, (k, 1, 10))")
    name, first, last = nodes[1].elts
    term, ends = builder.build(nodes[0]), [builder.build(end) for end in (first, last)]
    if not isinstance(name, ast.Name) or not all(end.is_Integer for end in ends):
        raise NotReadable("a sum inside an expression needs whole ends; its own kind is 'sum'")
    index, (low, high) = sp.Symbol(name.id, real=True), map(int, ends)
    if high - low >= _MOST_TERMS:
        raise NotReadable(f"a sum inside an expression has at most {_MOST_TERMS} terms")
    if _size(term) * (high - low + 1) > _LARGEST:
        raise NotReadable(f"more than {_LARGEST} terms when it is written out")
    parts = [term.xreplace({index: sp.Integer(at)}) for at in range(low, high + 1)]
    return join(*parts, evaluate=False)


def _slope(builder: Any, nodes: list[ast.expr]) -> Any:
    """`diff(f, x)`, `diff(f, x, 2)`, `diff(f, x, y)`, `Derivative(f, (x, 2))`."""
    if not nodes:
        raise NotReadable("a derivative of nothing")
    made, names = builder.build(nodes[0]), list[Any]()
    for node in nodes[1:]:
        pair = node.elts if isinstance(node, ast.Tuple) else [node]
        if isinstance(pair[0], ast.Constant) and isinstance(pair[0].value, int) and names:
            names += [names[-1]] * (pair[0].value - 1)
            continue
        name = builder.build(pair[0])
        times = pair[1].value if len(pair) == 2 and isinstance(pair[1], ast.Constant) else 1
        if not name.is_Symbol or not isinstance(times, int):
            raise NotReadable("a derivative is written diff(f, x)")
        names += [name] * times
    names = names or sorted(made.free_symbols, key=str)
    if not 1 <= len(names) <= _HIGHEST or (len(nodes) == 1 and len(names) != 1):
        raise NotReadable("a derivative by no clear variable")
    try:
        for name in names:
            if _size(made) > _LARGEST // 10:
                raise NotReadable("too large to be differentiated inside an expression")
            made = derivative_of(made, name)
    except Undefined as why:
        raise NotReadable(str(why)) from why
    return made


RULES: dict[str, Callable[[Any, list[ast.expr]], Any]] = {
    "Sum": lambda builder, nodes: _folded(builder, nodes, sp.Add),
    "summation": lambda builder, nodes: _folded(builder, nodes, sp.Add),
    "Product": lambda builder, nodes: _folded(builder, nodes, sp.Mul),
    "product": lambda builder, nodes: _folded(builder, nodes, sp.Mul),
    "diff": _slope,
    "Derivative": _slope,
}
