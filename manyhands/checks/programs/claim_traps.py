"""Traps that make a wrong claim about a table look right, found in the claim's program; pure."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from typing import Any

from manyhands.checks.programs.claim_changes import (
    TableFacts,
    Trap,
    TrapKind,
    called,
    keyword,
    mentions,
    replaced,
)
from manyhands.checks.programs.claim_text import number_steps, numbers_named, statistic_named
from manyhands.checks.programs.static import find_function

__all__ = ["traps_in"]


_GAP_WORDS = ("complete", "missing", "gap", "filled", "treat", "known", "null", "recorded")
_ABOUT = ("about", "approximately", "roughly", "around", "nearly", "almost", "close to")
_COUNTED = ("rolling", "head", "tail", "nlargest", "nsmallest")
_STATISTICS = ("mean", "median", "sum", "max", "min", "std")
_ONCE = ("nunique", "unique", "set", "drop_duplicates", "value_counts", "groupby")
_STRICT: tuple[tuple[str, type[ast.cmpop], type[ast.cmpop]], ...] = (
    (r"(?:more than|over|above|greater than|exceed\w*|higher than|older than)", ast.GtE, ast.Gt),
    (r"(?:at least|no less than|not less than|or more)", ast.Gt, ast.GtE),
    (r"(?:less than|under|below|fewer than|lower than|younger than)", ast.LtE, ast.Lt),
    (r"(?:at most|no more than|not more than|up to)", ast.Lt, ast.LtE),
)


def traps_in(code: str, text: str = "", table: TableFacts | None = None) -> list[Trap]:
    """Traps that a claim's program shows next to its sentence. Raises SyntaxError."""
    tree = ast.parse(ast.unparse(ast.parse(code)))
    said = text.lower()
    found: list[Trap] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            found += _comparison(tree, node, said)
        elif isinstance(node, ast.Call):
            found += _call(tree, node, said)
        elif isinstance(node, ast.Slice):
            found += _slice(node, said)
    found += _statistic(tree, said)
    if table is not None:
        found += _names(tree, text, table)
        found += _text_order(tree, table)
    function = find_function(tree, "claim")
    if function is not None and function.args.args:
        name = function.args.args[0].arg
        if not any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(function)):
            found.append(Trap(TrapKind.CONSTANT, function.lineno, "the table is not used"))
    return found


def _given(call: ast.Call, *names: str) -> Any:
    """The first argument's constant value, positional or by one of `names`."""
    if call.args and isinstance(call.args[0], ast.Constant):
        return call.args[0].value
    values = [k.value for k in call.keywords if k.arg in names]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


# --- calls ---------------------------------------------------------------------------------


def _call(tree: ast.Module, node: ast.Call, said: str) -> Iterator[Trap]:
    name, line, whole = called(node), node.lineno, ast.unparse(node)
    method = isinstance(node.func, ast.Attribute)
    if name in ("dropna", "fillna") and method:
        kind = TrapKind.DROPPED_GAPS if name == "dropna" else TrapKind.FILLED_GAPS
        about_gaps = any(word in said for word in _GAP_WORDS)
        if not about_gaps and (name == "fillna" or _whole_rows(node)):
            yield Trap(kind, line, whole, replaced(tree, node, lambda n: n.func.value))
    elif name == "merge":
        how = next((k.value for k in node.keywords if k.arg == "how"), None)
        if how is None or (isinstance(how, ast.Constant) and how.value == "inner"):
            left = replaced(tree, node, lambda n: keyword(n, "how", ast.Constant("left")))
            yield Trap(TrapKind.INNER_JOIN, line, whole, left)
        yield Trap(TrapKind.MANY_JOIN, line, whole, replaced(tree, node, _one_to_one))
    elif name in ("std", "var", "sem"):
        yield from _degrees(tree, node, said, whole)
    elif name in _COUNTED:
        named, given = numbers_named(said).get(name), _given(node, "window", "n")
        if named is not None and isinstance(given, int) and given != named:
            what = f"{whole}, the text says {named}"
            yield Trap(TrapKind.WINDOW, line, what, decides=True)
        if any(k.arg == "center" and getattr(k.value, "value", 0) for k in node.keywords):
            plain = replaced(tree, node, lambda n: keyword(n, "center", ast.Constant(False)))
            yield Trap(TrapKind.LEAKAGE, line, whole, plain)
    elif name == "shift" and node.args and ast.unparse(node.args[0]).startswith("-"):
        decides = any(w in said for w in ("predict", "forecast", "lagged", "previous"))
        yield Trap(TrapKind.LEAKAGE, line, whole, decides=decides)
    elif name in ("bfill", "backfill") and method:
        yield Trap(TrapKind.LEAKAGE, line, whole, replaced(tree, node, lambda n: n.func.value))
    elif name in ("count", "len") and re.search(r"\b(?:different|distinct|unique)\b", said):
        if not any(isinstance(n, ast.Call) and called(n) in _ONCE for n in ast.walk(tree)):
            yield Trap(TrapKind.REPEATS, line, whole, replaced(tree, node, _nunique))
    elif name in ("isclose", "allclose"):
        yield from _close_call(tree, node, said, whole)


def _whole_rows(call: ast.Call) -> bool:
    """Whether gaps in any column cost the row; one column's gaps never count in its statistics."""
    target = call.func.value if isinstance(call.func, ast.Attribute) else None
    one = isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant)
    return not one and not any(k.arg in ("subset", "axis") for k in call.keywords)


def _one_to_one(call: ast.Call) -> ast.expr:
    """The join with one row of the right table for each key."""
    keys = next((k.value for k in call.keywords if k.arg in ("on", "right_on")), None)
    bound = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") != "pd"
    at = 0 if bound else 1
    if keys is None or len(call.args) <= at:
        return call
    subset = keys if isinstance(keys, ast.List) else ast.List([keys], ast.Load())
    drop = ast.Attribute(call.args[at], "drop_duplicates", ast.Load())
    args = list(call.args)
    args[at] = ast.Call(drop, [], [ast.keyword("subset", subset)])
    return ast.Call(call.func, args, call.keywords)


def _nunique(call: ast.Call) -> ast.expr:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call.args[0]
    return ast.Call(ast.Attribute(owner, "nunique", ast.Load()), [], [])


def _degrees(tree: ast.Module, node: ast.Call, said: str, whole: str) -> Iterator[Trap]:
    """A standard deviation of a sample divides by n - 1, of a population by n."""
    owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
    given = next((k.value for k in node.keywords if k.arg == "ddof"), None)
    default = 0 if owner in ("np", "numpy") else 1
    value = given.value if isinstance(given, ast.Constant) else default
    wanted = 0 if "population" in said else 1
    if value != wanted:
        new = replaced(tree, node, lambda n: keyword(n, "ddof", ast.Constant(wanted)))
        yield Trap(TrapKind.DEGREES, node.lineno, whole, new)


# --- comparisons and slices ----------------------------------------------------------------


def _comparison(tree: ast.Module, node: ast.Compare, said: str) -> Iterator[Trap]:
    first, bound = node.ops[0], node.comparators[0]
    if not isinstance(bound, ast.Constant) or isinstance(bound.value, (bool, str)):
        return
    if isinstance(first, (ast.Eq, ast.NotEq)):
        if isinstance(bound.value, float):
            yield Trap(TrapKind.FLOAT_EQUAL, node.lineno, ast.unparse(node))
        return
    if not isinstance(bound.value, (int, float)):
        return
    if isinstance(first, (ast.Lt, ast.LtE)) and _distance_to(node.left) is not None:
        yield from _wide(tree, node, bound, said)
        return
    for words, wrong, right in _STRICT:
        stated = rf"{words}\s+\D{{0,3}}{re.escape(f'{bound.value:g}')}(?![\d.]*\d)"
        after = rf"(?<![\d.]){re.escape(f'{bound.value:g}')} {words}"
        if isinstance(first, wrong) and (re.search(stated, said) or re.search(after, said)):
            if any(re.search(rf"{w}\s+\D{{0,3}}{bound.value:g}\b", said) for w, _, r in _STRICT if r is wrong):  # noqa: E501  # fmt: skip
                continue  # the text has the bound both ways
            new = replaced(tree, node, functools.partial(_with_bound, operator=right))
            yield Trap(TrapKind.BOUNDARY, node.lineno, ast.unparse(node), new)


def _with_bound(node: ast.Compare, operator: type[ast.cmpop]) -> ast.Compare:
    return ast.Compare(node.left, [operator(), *node.ops[1:]], node.comparators)


def _distance_to(node: ast.expr) -> float | None:
    """N for `abs(… - N)`."""
    if not isinstance(node, ast.Call) or called(node) not in ("abs", "fabs") or not node.args:
        return None
    inner = node.args[0]
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub):
        for side in (inner.right, inner.left):
            if isinstance(side, ast.Constant) and isinstance(side.value, (int, float)):
                return float(side.value)
    return None


def _wide(tree: ast.Module, node: ast.Compare, bound: ast.Constant, said: str) -> Iterator[Trap]:
    """`abs(x - N) < tolerance`: the digits of N in the text say how far off x may be."""
    target = _distance_to(node.left)
    allowed = _allowed(target, said)
    if allowed is not None and float(str(bound.value)) > 2 * allowed:
        new = replaced(
            tree, node,
            lambda n: ast.Compare(n.left, n.ops, [ast.Constant(allowed * (1 + 1e-6) + 1e-9)]),
        )  # fmt: skip
        yield Trap(TrapKind.TOLERANCE, node.lineno, ast.unparse(node), new)


def _allowed(target: float | None, said: str) -> float | None:
    """Half a unit of the last digit that the text gives of `target`; 5 % where it says `about`."""
    steps = [step for number, step in number_steps(said) if target is not None and number == target]
    if not steps or target is None:
        return None
    return max(steps[0], 0.05 * abs(target)) if any(w in said for w in _ABOUT) else steps[0]


def _close_call(tree: ast.Module, node: ast.Call, said: str, whole: str) -> Iterator[Trap]:
    numbers = [a.value for a in node.args if isinstance(a, ast.Constant)]
    given = {k.arg: getattr(k.value, "value", 0.0) for k in node.keywords}
    if not numbers or not isinstance(numbers[0], (int, float)):
        return
    allowed = _allowed(float(numbers[0]), said)
    wide = float(given.get("atol", given.get("abs_tol", 0.0)) or 0.0)
    wide += abs(numbers[0]) * float(given.get("rtol", given.get("rel_tol", 0.0)) or 0.0)
    if allowed is not None and wide > 2 * allowed:
        names = ("abs_tol", "rel_tol") if "abs_tol" in given or "rel_tol" in given else ("atol", "rtol")  # noqa: E501  # fmt: skip

        def narrow(call: ast.Call) -> ast.Call:
            call = keyword(call, names[0], ast.Constant(allowed * (1 + 1e-6) + 1e-9))
            return keyword(call, names[1], ast.Constant(0.0))

        yield Trap(TrapKind.TOLERANCE, node.lineno, whole, replaced(tree, node, narrow))


def _slice(node: ast.Slice, said: str) -> Iterator[Trap]:
    """`[-6:]` where the text says the last 7, `[:9]` where it says the first 10."""
    named = numbers_named(said)
    lower, upper = _integer(node.lower), _integer(node.upper)
    line = getattr(node, "lineno", 0)
    if "tail" in named and lower is not None and lower < 0:
        if node.upper is None and -lower != named["tail"]:
            what = f"[{lower}:], the text says the last {named['tail']}"
            yield Trap(TrapKind.WINDOW, line, what, decides=True)
        elif upper is not None and upper < 0:
            what = f"[{lower}:{upper}], the text says the last {named['tail']}"
            yield Trap(TrapKind.WINDOW, line, what, decides=True)
    if "head" in named and upper is not None and upper > 0:
        count = upper - (lower or 0)
        if count != named["head"] or (lower or 0) != 0:
            what = f"[{lower or 0}:{upper}], the text says the first {named['head']}"
            yield Trap(TrapKind.WINDOW, line, what, decides=True)


def _integer(node: ast.expr | None) -> int | None:
    try:
        value = None if node is None else ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError):
        return None
    return value if isinstance(value, int) else None


# --- words of the text ---------------------------------------------------------------------


def _statistic(tree: ast.Module, said: str) -> Iterator[Trap]:
    """The one statistic of the program is not the one statistic of the text."""
    named = statistic_named(said)
    used = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) in _STATISTICS
            and isinstance(n.func, ast.Attribute)]  # fmt: skip
    if named is None or len(used) != 1 or called(used[0]) == named:
        return
    if any(word in ast.unparse(tree) for word in (f"'{named}'", f".{named}(", "len(", "/")):
        return  # it may compute the statistic in another way

    def other(call: Any) -> ast.Call:
        function = ast.Attribute(call.func.value, named, ast.Load())
        return ast.Call(function, call.args, [k for k in call.keywords if k.arg != "ddof"])

    what = f"{ast.unparse(used[0])}, the text says {named}"
    yield Trap(TrapKind.STATISTIC, used[0].lineno, what, replaced(tree, used[0], other))


def _names(tree: ast.Module, text: str, table: TableFacts) -> Iterator[Trap]:
    """One column (or group) of the text that the program leaves out, one that it uses instead."""
    constants = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}  # noqa: E501  # fmt: skip
    constants |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    texts = tuple(name for name in table.columns if name not in table.numeric)
    pools = [(TrapKind.COLUMN, table.numeric), (TrapKind.COLUMN, texts)]
    pools += [(TrapKind.VALUE, tuple(values)) for values in table.groups.values()]
    for kind, names in pools:
        told = {n for n in names if mentions(text, n)}
        used = constants & set(names)
        left_out, instead = sorted(told - used), sorted(used - told)
        if len(left_out) != 1 or len(instead) != 1:
            continue
        new = _renamed(tree, instead[0], left_out[0])
        yield Trap(kind, 1, f"{instead[0]!r}, the text says {left_out[0]!r}", new)


def _text_order(tree: ast.Module, table: TableFacts) -> Iterator[Trap]:
    """The largest or smallest of a column whose numbers are texts."""
    ends = {"max": "max", "idxmax": "max", "min": "min", "idxmin": "min"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called(node) not in ends:
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(owner, ast.Subscript) and isinstance(owner.slice, ast.Constant):
            wrong = table.misordered.get(str(owner.slice.value), ())
            if ends[called(node)] in wrong:
                what = f"{ast.unparse(node)}: {owner.slice.value!r} holds texts"
                yield Trap(TrapKind.TEXT_ORDER, node.lineno, what, decides=True)


def _renamed(tree: ast.Module, old: str, new: str) -> str:
    copy = ast.parse(ast.unparse(tree))
    for node in ast.walk(copy):
        if isinstance(node, ast.Constant) and node.value == old:
            node.value = new
        elif isinstance(node, ast.Attribute) and node.attr == old:
            node.attr = new
    return ast.unparse(copy)
