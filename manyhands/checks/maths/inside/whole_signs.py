r"""An identity one side of which is a whole `\sum`, `\int` or `\lim`: a case of that kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from algebra import identity
from integrals import definite_integral
from judge import Found
from limits import limit
from sums import sum_
from tokens import NotReadable, trimmed

__all__ = ["identity_of_any"]

_PART = r"(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\\[A-Za-z]+|[^\s{}\\])"
_SIGN = re.compile(r"\s*\\(?:sum|int|lim)(?![A-Za-z])(?:\\limits)?\s*")
_SUM = re.compile(
    rf"\s*\\sum(?:\\limits)?\s*_\s*\{{\s*(\\?\w+)\s*=(.*?)\}}\s*\^\s*{_PART}(.*)", re.DOTALL
)
_INTEGRAL = re.compile(
    rf"\s*\\int(?:\\limits)?\s*_\s*{_PART}\s*\^\s*{_PART}(.*?)(?:\\[,;!: ]|\s)*"
    r"(?:\\mathrm\{d\}|d)\s*(\\?[A-Za-z]\w*)\s*",
    re.DOTALL,
)
_LIMIT = re.compile(
    r"\s*\\lim(?:\\limits)?\s*_\s*\{\s*(\\?\w+)\s*(?:\\to|\\rightarrow|→)\s*(.*?)\}(?!\})(.*)",
    re.DOTALL,
)


def identity_of_any(case: dict[str, Any]) -> Found:
    """`lhs = rhs`; what no expression can hold is judged by its own kind."""
    try:
        return identity(case)
    except NotReadable as why:
        for one, other in (("lhs", "rhs"), ("rhs", "lhs")):
            made = _named(str(case[one]), case[other])
            if made is not None and not _SIGN.match(str(case[other])):
                rule, fields = made
                return rule({**case, **fields})
        raise why


def _named(
    text: str, value: Any
) -> tuple[Callable[[dict[str, Any]], Found], dict[str, Any]] | None:
    text = trimmed(text)
    if match := _SUM.fullmatch(text):
        name, first, last, term = match.groups()
        if _is_one_term(term):
            fields = {"var": name, "from": first, "to": _bare(last), "term": term, "value": value}
            return sum_, fields
    if match := _INTEGRAL.fullmatch(text):
        low, high, f, name = match.groups()
        if not _SIGN.search(f):
            return definite_integral, {"var": name, "a": _bare(low), "b": _bare(high), "f": f,
                                       "value": value}  # fmt: skip
    if match := _LIMIT.fullmatch(text):
        name, to, f = match.groups()
        if _is_one_term(f):
            return limit, {"var": name, "to": to, "f": f, "value": value}
    return None


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("{") else text


def _is_one_term(text: str) -> bool:
    """Whether nothing is added behind the term, which may or may not belong to it."""
    depth = 0
    for at, char in enumerate(text.strip()):
        depth += (char in "([{") - (char in ")]}")
        if not depth and at and char in "+-":
            return False
    return bool(text.strip()) and not _SIGN.search(text)
