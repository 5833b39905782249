"""The kinds of traps, and how a claim's program is changed to take one out; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["TableFacts", "Trap", "TrapKind", "called", "keyword", "mentions", "replaced"]


class TrapKind(StrEnum):
    """A fault that makes a wrong claim look right."""

    DROPPED_GAPS = "rows with gaps left out"
    FILLED_GAPS = "gaps filled in"
    INNER_JOIN = "rows lost in a join"
    MANY_JOIN = "rows multiplied in a join"
    DEGREES = "degrees of freedom"
    WINDOW = "off-by-one window"
    LEAKAGE = "later rows used for earlier ones"
    BOUNDARY = "the bound taken in or left out"
    STATISTIC = "another statistic than the text's"
    COLUMN = "another column than the text's"
    NUMBER = "another number than the text's"
    VALUE = "another group than the text's"
    TOLERANCE = "a tolerance wider than the text's digits"
    REPEATS = "repeated values counted as different ones"
    TEXT_ORDER = "numbers ordered as text"
    FLOAT_EQUAL = "floats compared with =="
    SHARE = "a fraction where the text says percent"
    UNREAD = "the column that the text measures"
    METHOD = "another correlation than the text's"
    UNKNOWN = "rows without a value counted in"
    MEAN_OF_MEANS = "a mean of means"
    WEIGHTS = "no weights"
    PRODUCT = "a product of totals for a total of products"
    TIE = "a tie"
    GROWTH = "a change in parts of its end"
    QUANTIFIER = "one where the text says all"
    PERCENTILE = "another percentile than the text's"
    AXES = "x and y of a line exchanged"
    SPELLING = "values that differ only in blanks or case"
    CONSTANT = "does not read the table"


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap in the program's text.

    Attributes:
        without: the program with the trap taken out; empty when there is no such program.
        decides: the trap alone refutes the claim.
    """

    kind: TrapKind
    line: int
    what: str
    without: str = ""
    decides: bool = False


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the words of a claim may name: columns, and column -> its few different texts.

    Attributes:
        numeric: the columns that hold numbers.
        misordered: column of texts such as `9 kg` -> which of `max` and `min` is another row's
            when the texts are ordered as numbers.
    """

    columns: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    misordered: Mapping[str, Sequence[str]] = field(default_factory=dict)


def replaced(tree: ast.Module, node: ast.AST, new: Callable[[Any], ast.AST]) -> str:
    """The program with one node exchanged."""
    index = next(at for at, other in enumerate(ast.walk(tree)) if other is node)
    copy = ast.parse(ast.unparse(tree))
    target = list(ast.walk(copy))[index]

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            if node is target:
                return new(self.generic_visit(node))
            return self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Exchange().visit(copy)))


def keyword(call: ast.Call, name: str, value: ast.expr) -> ast.Call:
    """The call with one keyword argument set."""
    kept = [k for k in call.keywords if k.arg != name]
    return ast.Call(call.func, call.args, [*kept, ast.keyword(name, value)])


def called(call: ast.Call) -> str:
    """The name of the function or method that is called; empty when there is none."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def mentions(text: str, name: str) -> bool:
    """Whether a text has the name of a column or group in it, `_` written as a space too."""
    words = r"[ _-]".join(re.escape(w) for w in re.split(r"[ _-]+", name) if w)
    flags = 0 if len(name) < 3 else re.IGNORECASE
    return bool(words) and re.search(rf"(?<!\w){words}(?!\w)", text, flags) is not None
