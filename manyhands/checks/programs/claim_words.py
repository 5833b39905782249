"""Words of a claim's sentence that its program does not heed: percent, weighted, alone; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from manyhands.checks.programs.claim_changes import (
    TableFacts,
    Trap,
    TrapKind,
    called,
    keyword,
    mentions,
    replaced,
)
from manyhands.checks.programs.claim_text import number_steps

__all__ = ["words_unheeded"]

_ONE = re.compile(r"\b(?:alone|only|sole|single|unique|uniquely|outright|strictly)\b")
_KNOWN = re.compile(r"\b(?:known|recorded|non-missing|available|valid|reported|answered)\b")
_TOTAL = re.compile(r"\b(?:total|revenue|sum|turnover|altogether)\b")
_CHANGE = re.compile(r"\b(?:changed|grew|rose|fell|increased?|decreased?|dropped|growth|change)\b")
_LAST = re.compile(r"iloc\[-1\]|last|final|(?<![a-z])(?:end|new|after)(?![a-z])", re.IGNORECASE)
_EVERY = re.compile(r"\b(?:every|each|all)\b")
_SOME = re.compile(r"\b(?:some|any|at least one|there (?:is|are|was|were)|ha[sd] an?|have an?)\b")
_GROUPED = re.compile(
    r"\b(?:per|each|by|across|between|unweighted|macro)\b|\b(?:means|averages|medians)\b"
    r"|\bmean of (?:the )?(?:\w+ )?(?:means|averages)\b"
)
_EXACTLY = re.compile(r"\b(?:exact|exactly|spell\w*|written|literal\w*|verbatim)\b")
_PERCENTILE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)(?:st|nd|rd|th)?[- ]percentile")
_SLOPE = re.compile(r"\b(?:slope|regression|regress\w*)\b.*?\b(?:of )?(\w+) (?:on|against) (\w+)")
_MEASURED = (
    r"(?:\d ?(?:%|percent|per cent) of (?:all |the |total )*"
    r"|\b(?:total|sum|mean|average|median|highest|lowest|maximum|minimum) (?:of )?(?:the )?)"
)
#: Access to columns that names none of them.
_WHOLE_TABLE = {"iloc", "columns", "select_dtypes", "describe", "values", "to_numpy", "itertuples"}
_SHORTEST_WORD = 4  # shorter texts may be codes that differ in their case


def words_unheeded(code: str, text: str, table: TableFacts) -> list[Trap]:
    """Traps in what the program leaves out of its sentence. Raises SyntaxError."""
    tree = ast.parse(ast.unparse(ast.parse(code)))
    said = text.lower()
    found = [*_share(tree, said), *_unread(tree, text, table)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += _call(tree, node, said, table)
        elif isinstance(node, ast.BinOp):
            found += [*_product(tree, node, said), *_growth(tree, node, said)]
        elif isinstance(node, ast.Compare):
            found += _spelling(tree, node, said)
    return found


def _share(tree: ast.Module, said: str) -> Iterator[Trap]:
    """A fraction compared with the number that the text gives in percent."""
    stated = [float(n) for n in re.findall(r"(?<![\d.])(\d*\.?\d+) ?(?:%|percent|per cent)", said)]
    numbers = [n for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    if any(n.value in (100, 0.01) and not isinstance(n.value, bool) for n in numbers):
        return
    if not any(isinstance(n, ast.Div) for n in ast.walk(tree)) and not any(
        isinstance(n, ast.Call) and called(n) == "mean" and _compares(n) for n in ast.walk(tree)
    ):
        return
    for node in numbers:
        if isinstance(node.value, float) and 0 < node.value <= 1 and node.value in stated:
            new = replaced(tree, node, lambda n: ast.Constant(n.value / 100))
            yield Trap(TrapKind.SHARE, node.lineno, f"{node.value:g}, the text says percent", new)


def _compares(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Compare)


def _unread(tree: ast.Module, text: str, table: TableFacts) -> Iterator[Trap]:
    """A column of numbers that the text measures, and that the program does not name."""
    names = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    if names & _WHOLE_TABLE:
        return
    for column in table.numeric:
        words = re.escape(column).replace("_", "[ _]")
        if column not in names and re.search(rf"{_MEASURED}{words}(?!\w)", text, re.IGNORECASE):
            yield Trap(TrapKind.UNREAD, 1, f"{column!r} is not read", decides=True)


def _call(tree: ast.Module, node: ast.Call, said: str, table: TableFacts) -> Iterator[Trap]:
    name, line, whole = called(node), node.lineno, ast.unparse(node)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if name == "corr":
        yield from _method(tree, node, said)
    elif name == "mean" and owner is not None:
        yield from _mean(tree, node, owner, said, table)
    elif name in ("idxmax", "idxmin") and owner is not None and _ONE.search(said):
        other = f"({ast.unparse(owner)}).iloc[::-1].{name}()"
        yield Trap(TrapKind.TIE, line, whole, replaced(tree, node, lambda _: _expression(other)))
    elif name == "any" and owner is not None and _EVERY.search(said) and not _SOME.search(said):
        if _compares(node) and not _is_turned(tree, node) and ".all(" not in ast.unparse(tree):
            every = f"{ast.unparse(owner)}.all()" if not isinstance(owner, ast.Compare) else (
                f"({ast.unparse(owner)}).all()"
            )  # fmt: skip
            new = replaced(tree, node, lambda _: _expression(every))
            yield Trap(TrapKind.QUANTIFIER, line, whole, new)
    elif name in ("percentile", "nanpercentile", "quantile", "nanquantile"):
        yield from _percentile(tree, node, said)
    elif name in ("polyfit", "linregress") and len(node.args) >= 2:
        match = _SLOPE.search(said)
        first, second = (ast.unparse(a).lower() for a in node.args[:2])
        if match and match[1] in first and match[2] in second and match[1] not in second:
            new = replaced(tree, node, _exchanged)
            yield Trap(TrapKind.AXES, line, whole, new)


def _expression(text: str) -> ast.expr:
    return ast.parse(f"({text})", mode="eval").body


def _exchanged(call: ast.Call) -> ast.Call:
    return ast.Call(call.func, [call.args[1], call.args[0], *call.args[2:]], call.keywords)


def _is_turned(tree: ast.Module, node: ast.AST) -> bool:
    """Whether the value is negated or compared around it: `not (…).any()`."""
    return any(
        isinstance(outer, ast.UnaryOp | ast.Compare) and any(n is node for n in ast.walk(outer))
        for outer in ast.walk(tree)
        if outer is not node
    )


def _method(tree: ast.Module, node: ast.Call, said: str) -> Iterator[Trap]:
    """A correlation of another name than the text's."""
    words = {"pearson": "pearson", "spearman": "spearman", "kendall": "kendall"}
    told = [method for word, method in words.items() if word in said]
    given = [k.value.value for k in node.keywords
             if k.arg == "method" and isinstance(k.value, ast.Constant)]  # fmt: skip
    used = given[0] if given else "pearson"
    if len(told) == 1 and used in words and used != told[0]:
        new = replaced(tree, node, lambda n: keyword(n, "method", ast.Constant(told[0])))
        yield Trap(TrapKind.METHOD, node.lineno, f"{used}, the text says {told[0]}", new)


def _mean(
    tree: ast.Module, node: ast.Call, owner: ast.expr, said: str, table: TableFacts
) -> Iterator[Trap]:
    line, whole = node.lineno, ast.unparse(node)
    if isinstance(owner, ast.Compare) and _KNOWN.search(said):
        left = ast.unparse(owner.left)
        known = ast.Compare(_expression(f"({left}).dropna()"), owner.ops, owner.comparators)
        new = replaced(tree, owner, lambda _: known)
        yield Trap(TrapKind.UNKNOWN, line, whole, new)
    grouped = _grouped(owner)
    if grouped is not None and not _GROUPED.search(said):
        keys, values = grouped
        if not any(mentions(said, name.lower()) for name in table.columns if name in keys):
            new = replaced(tree, node, lambda _: _expression(f"{values}.mean()"))
            yield Trap(TrapKind.MEAN_OF_MEANS, line, whole, new)
    weight = re.search(r"(\w+)-weighted|\bweighted by (?:the )?(\w+)", said)
    uses = {called(n) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    times = any(isinstance(n, ast.Mult | ast.MatMult) for n in ast.walk(tree))
    if weight and not times and not uses & {"average", "dot", "mul", "multiply"}:
        names = {c.lower(): c for c in table.numeric}
        column = names.get(weight[1] or weight[2])
        if column and isinstance(owner, ast.Subscript):
            heavy = f"{ast.unparse(owner.value)}[{column!r}]"
            value = f"({ast.unparse(owner)} * {heavy}).sum() / {heavy}.sum()"
            new = replaced(tree, node, lambda _: _expression(value))
            yield Trap(TrapKind.WEIGHTS, line, f"{whole}, the text says weighted", new)


def _grouped(owner: ast.expr) -> tuple[str, str] | None:
    """The keys and the values of `df.groupby(keys)[column].mean()`; None for anything else."""
    match owner:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Subscript(
                    value=ast.Call(func=ast.Attribute(value=base, attr="groupby"), args=[keys, *_]),
                    slice=column,
                ),
                attr="mean",
            )
        ):
            return ast.unparse(keys), f"{ast.unparse(base)}[{ast.unparse(column)}]"
    return None


def _product(tree: ast.Module, node: ast.BinOp, said: str) -> Iterator[Trap]:
    """`a.sum() * b.mean()` where the text asks for the sum of the products."""
    sides = (node.left, node.right)
    calls = [s for s in sides if isinstance(s, ast.Call) and isinstance(s.func, ast.Attribute)]
    if not isinstance(node.op, ast.Mult) or len(calls) != 2 or not _TOTAL.search(said):
        return
    if {called(one) for one in calls} != {"sum", "mean"}:
        return
    one, other = (ast.unparse(c.func.value) for c in calls if isinstance(c.func, ast.Attribute))
    if one != other:
        new = replaced(tree, node, lambda _: _expression(f"({one} * {other}).sum()"))
        yield Trap(TrapKind.PRODUCT, node.lineno, ast.unparse(node), new)


def _growth(tree: ast.Module, node: ast.BinOp, said: str) -> Iterator[Trap]:
    """`(last - first) / last`: a change is told in parts of where it began."""
    match node:
        case ast.BinOp(left=ast.BinOp(left=last, op=ast.Sub(), right=first), op=ast.Div()):
            base = ast.unparse(node.right)
        case _:
            return
    if base == ast.unparse(last) and _LAST.search(base) and _CHANGE.search(said):
        new = replaced(tree, node.right, lambda _: first)
        yield Trap(TrapKind.GROWTH, node.lineno, ast.unparse(node), new)


def _percentile(tree: ast.Module, node: ast.Call, said: str) -> Iterator[Trap]:
    match = _PERCENTILE.search(said)
    name = called(node)
    base = getattr(getattr(node.func, "value", None), "id", "")
    at = 1 if base in ("np", "numpy") or isinstance(node.func, ast.Name) else 0
    if match is None or len(node.args) <= at or len(number_steps(said)) > 2:
        return
    wanted = float(match[1]) / (1 if name.endswith("percentile") else 100)
    given = node.args[at]
    if not isinstance(given, ast.Constant) or not isinstance(given.value, int | float):
        return
    if abs(given.value - wanted) > 1e-9:
        new = replaced(tree, given, lambda _: ast.Constant(wanted))
        yield Trap(TrapKind.PERCENTILE, node.lineno, ast.unparse(node), new)


def _spelling(tree: ast.Module, node: ast.Compare, said: str) -> Iterator[Trap]:
    """`df[c] == 'Berlin'` passes over ` Berlin` and `berlin`."""
    bound = node.comparators[0]
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq) or _EXACTLY.search(said):
        return
    if not isinstance(bound, ast.Constant) or not isinstance(bound.value, str):
        return
    if not isinstance(node.left, ast.Subscript | ast.Attribute):
        return
    folded = len(bound.value.strip()) >= _SHORTEST_WORD
    plain = f"({ast.unparse(node.left)}).str.strip()" + (".str.casefold()" if folded else "")
    value = bound.value.strip().casefold() if folded else bound.value.strip()
    new = replaced(tree, node, lambda _: _expression(f"{plain} == {value!r}"))
    yield Trap(TrapKind.SPELLING, node.lineno, ast.unparse(node), new)
