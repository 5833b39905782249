"""Each kind of case and its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from algebra import inequality
from calculus import antiderivative, derivative
from equations import ode
from integrals import definite_integral
from judge import Found
from limits import limit
from linear import matrix
from solutions import solution
from sums import sum_
from units import units
from whole import integer_claim
from whole_signs import identity_of_any

RULES: dict[str, Callable[[dict[str, Any]], Found]] = {
    "antiderivative": antiderivative,
    "derivative": derivative,
    "definite_integral": definite_integral,
    "identity": identity_of_any,
    "inequality": inequality,
    "integer_claim": integer_claim,
    "limit": limit,
    "sum": sum_,
    "solution": solution,
    "ode": ode,
    "matrix": matrix,
    "units": units,
}
