"""Metamorphic properties that somebody declared for a function, as tests on generated inputs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

__all__ = ["Property", "property_tests"]


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
    Property.DETERMINISTIC: "assert candidate(given()) == candidate(given())",
    Property.ARGUMENT_KEPT: "x = given(); candidate(x); assert x == given()",
}


def property_tests(declared: Sequence[Property], inputs: Sequence[Any]) -> str:
    """Tests for `judge`: every declared property on every input (plain literals)."""
    lines = ["import copy", "def check(candidate):", f"    for value in {list(inputs)!r}:"]
    lines.append("        given = lambda: copy.deepcopy(value)")
    lines += [f"        {_BODIES[one]}" for one in declared]
    return "\n".join([*lines, ""])
