"""Comparing what two programs answered to the same call; pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from manyhands.checks.programs.inside.literals import NotPlain, decode
from manyhands.checks.sandbox.contracts import Isolation

__all__ = [
    "ABS_TOLERANCE", "CALL_S", "OUT_OF_TIME", "REL_TOLERANCE", "Answers", "compare", "raised_by",
    "same", "shown",
]  # fmt: skip

REL_TOLERANCE = 1e-9
ABS_TOLERANCE = 1e-12
#: Seconds of one call, and what a longer one is said to have raised.
CALL_S = 2.0
OUT_OF_TIME = "OutOfTime"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a program said to each call, in order; shorter than the calls when it died.

    Attributes:
        broken: why the code did not load; empty when it did.
        died: how the process ended when it ended early.
    """

    replies: tuple[dict[str, Any], ...]
    isolation: Isolation
    broken: str = ""
    died: str = ""


def same(a: Any, b: Any) -> bool:
    """Whether two values on the wire are equal: numbers within the tolerances, types strictly.

    An integer may stand for a float of the same value; a bool is no number.
    """
    if isinstance(a, list) and isinstance(b, list):
        if a[:1] == b[:1] == ["d"]:
            return _same_map(a[1:], b[1:])
        if a and a[0] in ("i", "F") and b and isinstance(b[0], str):
            return a == b
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        return math.isclose(a, b, rel_tol=REL_TOLERANCE, abs_tol=ABS_TOLERANCE)
    return type(a) is type(b) and bool(a == b)


def _same_map(a: list[Any], b: list[Any]) -> bool:
    """Equal as dictionaries are: the order of the pairs does not count."""
    if len(a) != len(b):
        return False
    rest = {json.dumps(key): value for key, value in b}
    plain = all(json.dumps(key) in rest and same(value, rest[json.dumps(key)]) for key, value in a)
    return plain or all(any(same(k, m) and same(v, w) for m, w in b) for k, v in a)


def raised_by(reply: dict[str, Any]) -> str:
    """Name of the exception that a reply tells; empty for none."""
    raised = reply.get("raised")
    return str(raised.get("type")) if isinstance(raised, dict) else ""


def compare(want: dict[str, Any], got: dict[str, Any]) -> str:
    """How one reply differs from the reference's; empty when it does not."""
    if "value" in want:
        if "value" not in got:
            return f"it {_tell(got)}, the reference returned {shown(want['value'])}"
        if not same(want["value"], got["value"]):
            return f"it returned {shown(got['value'])}, the reference {shown(want['value'])}"
    elif raised_by(want) != raised_by(got):
        return f"it {_tell(got)}, the reference raised {raised_by(want)}"
    # Only a reference that changes its arguments says that they must change.
    if want.get("args") and not same_changes(want["args"], got.get("args", {})):
        return "it left its arguments otherwise than the reference"
    return ""


def same_changes(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)


def _tell(reply: dict[str, Any]) -> str:
    if "value" in reply:
        return f"returned {shown(reply['value'])}"
    if "not_plain" in reply:
        return f"returned {reply['not_plain']}"
    name = raised_by(reply)
    return f"took longer than {CALL_S:g} s" if name == OUT_OF_TIME else f"raised {name}"


def shown(wire: Any) -> str:
    try:
        return repr(decode(wire))[:300]
    except NotPlain:
        return "something that is not plain data"
