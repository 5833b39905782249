"""Each kind of case and its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from algebra import identity, inequality, ode, solution
from calculus import antiderivative, definite_integral, derivative, limit
from judge import Found
from linear import matrix
from sums import sum_

RULES: dict[str, Callable[[dict[str, Any]], Found]] = {
    "antiderivative": antiderivative,
    "derivative": derivative,
    "definite_integral": definite_integral,
    "identity": identity,
    "inequality": inequality,
    "limit": limit,
    "sum": sum_,
    "solution": solution,
    "ode": ode,
    "matrix": matrix,
}
