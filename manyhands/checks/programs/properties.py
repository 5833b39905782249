"""Metamorphic properties that somebody declared for a function, as tests on generated inputs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

__all__ = ["ANY_ARGUMENTS", "Property", "property_tests"]


class Property(StrEnum):
    """What must hold between calls of one function of one argument (`same_length` etc.)."""

    IDEMPOTENT = "idempotent"  # f(f(x)) == f(x)
    INVOLUTION = "involution"  # f(f(x)) == x
    ORDER_FREE = "order_free"  # f of the reversed list is the same
    SAME_LENGTH = "same_length"
    SAME_ITEMS = "same_items"  # a rearrangement
    SORTED = "sorted"
    DETERMINISTIC = "deterministic"
    ARGUMENT_KEPT = "argument_kept"  # its argument is not changed


_BODIES = {
    Property.IDEMPOTENT: "once = candidate(given()); assert candidate(copy.deepcopy(once)) == once",
    Property.INVOLUTION: "assert candidate(candidate(given())) == given()",
    Property.ORDER_FREE: "assert candidate(given()[::-1]) == candidate(given())",
    Property.SAME_LENGTH: "assert len(candidate(given())) == len(given())",
    Property.SAME_ITEMS: "assert sorted(candidate(given())) == sorted(given())",
    Property.SORTED: "out = list(candidate(given())); assert out == sorted(out)",
    Property.DETERMINISTIC: "assert same(outcome(all_given()), outcome(all_given()))",
    Property.ARGUMENT_KEPT: "x = all_given(); outcome(x); assert same(x, all_given())",
}
#: Properties of any function of any number of arguments; a call that raises is an outcome too.
ANY_ARGUMENTS = frozenset({Property.DETERMINISTIC, Property.ARGUMENT_KEPT})


_HELPERS = """import copy
def same(a, b):
    return a == b or repr(a) == repr(b)  # a NaN is no other NaN's equal
def check(candidate):
    def outcome(row):
        try:
            return candidate(*row)
        except Exception as error:
            return "raised", type(error).__name__"""


def property_tests(declared: Sequence[Property], inputs: Sequence[tuple[Any, ...]]) -> str:
    """Tests for `judge`: every declared property on every argument list (plain literals)."""
    lines = [_HELPERS, f"    for row in {list(inputs)!r}:"]
    lines.append("        given = lambda: copy.deepcopy(row[0])")
    lines.append("        all_given = lambda: copy.deepcopy(row)")
    lines += [f"        {_BODIES[one]}" for one in declared]
    return "\n".join([*lines, ""])
