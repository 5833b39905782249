"""Matrices: the operation is done exactly, the claimed value compared entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from judge import Found, equal
from notation import NotReadable, read


def matrix(case: dict[str, Any]) -> Found:
    op = str(case["op"])
    args = case["args"]
    many = isinstance(args, list) and args and isinstance(args[0], list) and args[0] and isinstance(
        args[0][0], list
    )  # fmt: skip
    given = [_matrix(one) for one in (args if many else [args])]
    work = _MATRIX.get(op)
    if work is None:
        raise NotReadable(f"the operation {op!r} is not known; known: {', '.join(_MATRIX)}")
    found = work(*given)
    claimed = case["value"]
    if isinstance(found, list):
        return _same_values(found, claimed, case)
    if not isinstance(found, sp.MatrixBase):
        return equal(sp.sympify(found), read(str(claimed)), f"the {op} and the value", case)
    wanted = _matrix(claimed)
    if found.shape != wanted.shape:
        return "refuted", f"the shape is {found.shape}, not {wanted.shape}", {}
    last: Found = ("undetermined", "an empty matrix", {})
    for index in range(found.rows * found.cols):
        last = equal(found[index], wanted[index], f"entry {index + 1}", case)
        if last[0] != "supported":
            return last
    return last[0], f"all {found.rows * found.cols} entries are equal", last[2]


def _matrix(rows: Any) -> Any:
    listed = rows if isinstance(rows, list) and rows else None
    if listed is None or len(listed) > 40:
        raise NotReadable("a matrix is a list of rows")
    if not isinstance(listed[0], list):
        listed = [[entry] for entry in listed]
    if len({len(row) for row in listed}) != 1:
        raise NotReadable("the rows have different lengths")
    return sp.Matrix([[read(str(entry)).doit() for entry in row] for row in listed])


def _same_values(found: list[Any], claimed: Any, case: dict[str, Any]) -> Found:
    """Values without order, each as often as it occurs."""
    if not isinstance(claimed, list):
        raise NotReadable("the value is a list")
    rest = [read(str(text)) for text in claimed]
    if len(rest) != len(found):
        return "refuted", f"there are {len(found)} values, not {len(rest)}", {}
    for one in found:
        for other in rest:
            if equal(one, other, "the values", case)[0] == "supported":
                rest.remove(other)
                break
        else:
            return "refuted", f"{one} is missing", {}
    return "supported", f"all {len(found)} values are there", {}


def _eigenvalues(one: Any) -> list[Any]:
    return [root for root, times in one.eigenvals().items() for _ in range(times)]


def _power(one: Any, exponent: Any) -> Any:
    return one ** int(exponent[0])


_MATRIX: dict[str, Callable[..., Any]] = {
    "det": lambda one: one.det(),
    "determinant": lambda one: one.det(),
    "trace": lambda one: one.trace(),
    "rank": lambda one: one.rank(),
    "transpose": lambda one: one.T,
    "inverse": lambda one: one.inv(),
    "product": lambda one, other: one * other,
    "multiply": lambda one, other: one * other,
    "add": lambda one, other: one + other,
    "power": _power,
    "solve": lambda one, other: one.LUsolve(other),
    "eigenvalues": _eigenvalues,
    "rref": lambda one: one.rref()[0],
}
