"""Derivatives and antiderivatives: by differentiating, then comparing."""

from __future__ import annotations

import re
from typing import Any

from judge import Found, derivative_of, equal, symbol_of
from notation import NotReadable, read

_CONSTANT = re.compile(
    r"\s*\+\s*(?:C|c|K|k|C_?\{?[0-9]\}?|\\text\{\s*const(?:ant)?\.?\s*\}|\\mathrm\{[Cc]\}|const)\s*\$*\s*$"
)


def derivative(case: dict[str, Any]) -> Found:
    """`df` is the derivative of `f` (of order `order`, 1 when absent)."""
    var = symbol_of(case)
    order = case.get("order", 1)
    if not isinstance(order, int) or not 1 <= order <= 6:
        raise NotReadable("the order is a whole number from 1 to 6")
    f, claimed = read(case["f"]), read(case["df"])
    return equal(derivative_of(f, var, order), claimed, "the derivative and df", case, guards=[f])


def antiderivative(case: dict[str, Any]) -> Found:
    """The derivative of `F` is `f`; a constant that is added to `F` is passed over."""
    var = symbol_of(case)
    f, claimed = read(case["f"]), read(_without_constant(str(case["F"])))
    guards = [claimed]
    return equal(derivative_of(claimed, var), f, "the derivative of F and f", case, guards=guards)


def _without_constant(text: str) -> str:
    return _CONSTANT.sub("", text)
