"""Small wrong versions of a program, made by changing its syntax tree; pure and seeded."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Mutant", "Mutation", "mutants"]


class Mutation(StrEnum):
    """What was changed."""

    COMPARISON = "comparison"
    ARITHMETIC = "arithmetic"
    CONSTANT = "constant"
    BOOLEAN = "boolean"
    CONDITION = "condition"
    CALL = "call"
    STATEMENT = "statement"
    RETURN = "return"
    LOOP = "loop"
    SLICE = "slice"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed program.

    Attributes:
        line: where, in the original text.
    """

    source: str
    mutation: Mutation
    line: int
    change: str


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
}
_CALLS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sum": "len",
    "upper": "lower",
    "lower": "upper",
    "append": "remove",
    "startswith": "endswith",
    "endswith": "startswith",
    "sorted": "list",
    "set": "list",
    "abs": "int",
}

_Change = tuple[Mutation, str, Callable[[ast.AST], None]]


def mutants(source: str, entry_point: str, *, seed: int = 0, limit: int = 20) -> list[Mutant]:
    """Up to `limit` mutants of `source`, spread over the kinds of change. Raises SyntaxError.

    Docstrings are left alone. Some mutants may behave as the original does.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    inside = {id(n) for d in tree.body for n in ast.walk(d) if not isinstance(d, ast.Import)}
    docs = {id(child) for n in nodes if _is_doc(n) for child in ast.walk(n)}
    found: dict[str, Mutant] = {}
    for at, node in enumerate(nodes):
        if id(node) in docs or id(node) not in inside:
            continue
        for mutation, text, apply in _changes(node):
            changed = copy.deepcopy(tree)
            apply(list(ast.walk(changed))[at])
            ast.fix_missing_locations(changed)
            try:
                result = ast.unparse(changed)
                compile(result, "mutant.py", "exec")
            except (SyntaxError, ValueError):
                continue
            if result != ast.unparse(tree):
                line = getattr(node, "lineno", 0)
                found.setdefault(result, Mutant(result, mutation, line, text))
    everything = list(found.values())
    random.Random(f"{seed} {entry_point}").shuffle(everything)  # noqa: S311
    by_kind: dict[Mutation, list[Mutant]] = {}
    for mutant in everything:
        by_kind.setdefault(mutant.mutation, []).append(mutant)
    chosen: list[Mutant] = []
    while len(chosen) < limit and any(by_kind.values()):
        for group in by_kind.values():
            if group and len(chosen) < limit:
                chosen.append(group.pop())
    return chosen


def _is_doc(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _changes(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.Compare):
        for new in _COMPARISONS[type(node.ops[0])]:
            text = f"{type(node.ops[0]).__name__} -> {new.__name__}"
            yield Mutation.COMPARISON, text, _setter("ops", lambda ops, c=new: [c(), *ops[1:]])
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        for changed in _ARITHMETIC.get(type(node.op), ()):
            text = f"{type(node.op).__name__} -> {changed.__name__}"
            yield Mutation.ARITHMETIC, text, _setter("op", lambda _, c=changed: c())
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield Mutation.CONSTANT, f"{value} -> {not value}", _setter("value", lambda v: not v)
        elif isinstance(value, (int, float)):
            for step in (1, -1):
                text = f"{value} -> {value + step}"
                yield Mutation.CONSTANT, text, _setter("value", lambda v, s=step: v + s)
        elif isinstance(value, str):
            yield Mutation.CONSTANT, "text", _setter("value", lambda v: v[:-1] if v else "x")
    elif isinstance(node, ast.BoolOp):
        yield (
            Mutation.BOOLEAN,
            "and <-> or",
            _setter("op", lambda op: ast.Or() if isinstance(op, ast.And) else ast.And()),
        )
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield (
            Mutation.CONDITION,
            "negated",
            _setter("test", lambda test: ast.UnaryOp(ast.Not(), test)),
        )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield Mutation.BOOLEAN, "sign or not dropped", _setter("op", lambda _: ast.UAdd())
    elif isinstance(node, ast.Name) and node.id in _CALLS and isinstance(node.ctx, ast.Load):
        yield Mutation.CALL, f"{node.id} -> {_CALLS[node.id]}", _setter("id", _CALLS.__getitem__)
    elif isinstance(node, ast.Attribute) and node.attr in _CALLS:
        text = f"{node.attr} -> {_CALLS[node.attr]}"
        yield Mutation.CALL, text, _setter("attr", _CALLS.__getitem__)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield Mutation.RETURN, "None", _setter("value", lambda _: ast.Constant(None))
    elif isinstance(node, ast.Slice) and node.lower is not None:
        yield Mutation.SLICE, "start + 1", _setter("lower", _plus_one)
    elif isinstance(node, ast.For):
        yield Mutation.LOOP, "first item left out", _setter("iter", _without_first)
    if hasattr(node, "body") and isinstance(node.body, list) and len(node.body) > 1:
        for at, statement in enumerate(node.body):
            if isinstance(statement, (ast.Assign, ast.AugAssign, ast.If, ast.Expr)):
                if _is_doc(statement) or isinstance(node, ast.Module):
                    continue
                yield (
                    Mutation.STATEMENT,
                    f"line {statement.lineno} dropped",
                    _setter("body", lambda body, i=at: [*body[:i], ast.Pass(), *body[i + 1 :]]),
                )


def _plus_one(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def _without_first(node: ast.expr) -> ast.expr:
    items = ast.Call(ast.Name("list", ast.Load()), [node], [])
    return ast.Subscript(items, ast.Slice(lower=ast.Constant(1)), ast.Load())


def _setter(name: str, change: Callable[..., object]) -> Callable[[ast.AST], None]:
    def apply(node: ast.AST) -> None:
        setattr(node, name, change(getattr(node, name)))

    return apply
