"""Derivatives and antiderivatives: by differentiating, then comparing."""

from __future__ import annotations

import re
from typing import Any

from balls import names_in
from judge import Found, equal, symbol_of
from notation import NotReadable, read
from slopes import derivative_of
from statements import integrand, right_of

#: `, C \in \mathbb{R}`
_ANY = re.compile(
    r"\s*,?\s*(?:\\quad|\\text\{[^{}]*\}|\bfor\b|\bwhere\b)?\s*[CcKk]\s*(?:\\in|∈)\s*(?:\\mathbb\s*\{?\s*R\s*\}?|ℝ)\s*$"
)
_CONSTANT = re.compile(
    r"\s*\+\s*(?:C|c|K|k|constant|C_?\{?[0-9]\}?|\\text\{\s*const(?:ant)?\.?\s*\}|\\mathrm\{[Cc]\}|const)\s*\$*\s*$"
)


def derivative(case: dict[str, Any]) -> Found:
    """`df` is the derivative of `f` (of order `order`, 1 when absent)."""
    var = symbol_of(case)
    match = re.fullmatch(r"([1-6])(?:\.0)?", str(case.get("order") or 1).strip())
    if match is None:
        raise NotReadable("the order is a whole number from 1 to 6")
    order = int(match[1])
    f, claimed = read(right_of(case["f"])), read(right_of(case["df"]))
    return _compared(derivative_of(f, var, order), claimed, f, var, "the derivative and df", case)


def antiderivative(case: dict[str, Any]) -> Found:
    """The derivative of `F` is `f`; a constant that is added to `F` is passed over."""
    var = symbol_of(case)
    f = read(integrand(case["f"]))
    claimed = read(_without_constant(str(right_of(case["F"]))))
    made = derivative_of(claimed, var)
    return _compared(made, f, claimed, var, "the derivative of F and f", case)


def _compared(
    made: Any, wanted: Any, function: Any, var: Any, what: str, case: dict[str, Any]
) -> Found:
    """Compared where the function is real. Other names may have any sign; when it fails only for
    negative ones, they are taken as the positive parameters that tables of integrals mean."""
    found = equal(made, wanted, what, case, guards=[function])
    others = sorted(map(str, names_in(made, wanted, function) - {var}))
    if found[0] != "refuted" or not others or "assume" in case:
        return found
    positive = {**case, "assume": dict.fromkeys(others, "positive")}
    again = equal(made, wanted, what, positive, guards=[function])
    if again[0] != "supported":
        return found
    evidence = {**again[2], "fails_at": found[2]["counterexample"]}
    return "supported", f"{again[1]}; for positive {', '.join(others)} only", evidence


def _without_constant(text: str) -> str:
    return _CONSTANT.sub("", _ANY.sub("", text))
