"""The functions and constants that a text may name, each made without evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp


def over(above: Any, below: Any) -> Any:
    """A quotient that stays as it is written, unless both are numbers."""
    if above.is_Rational and below.is_Rational and below != 0:
        return above / below
    return sp.Mul(above, sp.Pow(below, -1, evaluate=False), evaluate=False)


def _root(inside: Any, n: Any = sp.S(2)) -> Any:  # noqa: B008  an immutable number
    return sp.Pow(inside, over(sp.S.One, n), evaluate=False)


def _log(inside: Any, base: Any = None) -> Any:
    above = sp.log(inside, evaluate=False)
    return above if base is None else over(above, sp.log(base, evaluate=False))


def _unevaluated(function: Any) -> Callable[..., Any]:
    return lambda *args: function(*args, evaluate=False)


_SAME = (
    "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc",
    "sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth", "asech",
    "acsch", "exp", "erf", "erfc", "erfi", "gamma", "loggamma", "digamma", "zeta", "LambertW",
    "factorial", "binomial", "beta", "sign", "floor", "ceiling", "Abs", "re", "im", "arg",
    "conjugate", "Heaviside", "Ei", "li", "Si", "Ci", "Chi", "Shi", "fresnels", "fresnelc",
    "polygamma", "uppergamma", "lowergamma", "expint", "polylog", "elliptic_k", "elliptic_e",
    "legendre", "hermite", "chebyshevt", "chebyshevu", "laguerre", "airyai", "airybi", "harmonic",
    "dirichlet_eta", "rf", "besselj", "bessely", "besseli", "besselk", "atan2", "Max", "Min", "Mod",
)  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {name: _unevaluated(getattr(sp, name)) for name in _SAME}
FUNCTIONS |= {
    "sqrt": lambda inside: _root(inside),
    "cbrt": lambda inside: _root(inside, sp.Integer(3)),
    "root": _root,
    "log": _log,
    "log2": lambda inside: _log(inside, sp.Integer(2)),
    "log10": lambda inside: _log(inside, sp.Integer(10)),
    "pow": lambda base, power: sp.Pow(base, power, evaluate=False),
    "Rational": over,
    "Integer": lambda inside: inside,
    "S": lambda inside: inside,
    "sinc": lambda inside: over(sp.sin(inside, evaluate=False), inside),
}
FUNCTIONS |= {
    other: FUNCTIONS[name]
    for other, name in {
        "ln": "log", "lg": "log10", "abs": "Abs", "ceil": "ceiling", "sgn": "sign",
        "Gamma": "gamma", "lgamma": "loggamma", "psi": "digamma", "W": "LambertW", "tg": "tan",
        "ctg": "cot", "cosec": "csc", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
        "arccot": "acot", "arcsec": "asec", "arccsc": "acsc", "arsinh": "asinh",
        "arcosh": "acosh", "artanh": "atanh", "arcsinh": "asinh", "arccosh": "acosh",
        "arctanh": "atanh", "max": "Max", "min": "Min", "mod": "Mod", "arctan2": "atan2",
    }.items()
}  # fmt: skip
#: Names of functions that are also common names of variables.
LETTERS = {"beta", "gamma", "zeta", "psi", "S", "W", "root"}
CONSTANTS: dict[str, Any] = {
    "pi": sp.pi,
    "E": sp.E,
    "e": sp.E,
    "I": sp.I,
    "oo": sp.oo,
    "inf": sp.oo,
    "infty": sp.oo,
    "infinity": sp.oo,
    "Infinity": sp.oo,
    "INFINITY": sp.oo,
    "EulerGamma": sp.EulerGamma,
    "Catalan": sp.Catalan,
    "GoldenRatio": sp.GoldenRatio,
}
#: Words for "there is no such number"; no variable has such a name.
NO_VALUE = {"nan", "NaN", "NAN", "DNE", "dne", "undefined", "divergent", "diverges", "none", "zoo"}
#: Inverses as `sin^{-1}` means them.
INVERSE = {
    "sin": "asin", "cos": "acos", "tan": "atan", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh",
    "cot": "acot", "sec": "asec", "csc": "acsc",
}  # fmt: skip
#: Functions that are written without brackets, too: `sin 2x`.
BARE = {
    *INVERSE, *INVERSE.values(), "ln", "log", "lg", "exp", "sqrt", "sech", "csch", "coth", "arcsin",
    "arccos", "arctan", "arccot", "arsinh", "arcosh", "artanh", "arcsinh", "arccosh", "arctanh",
    "tg", "ctg", "erf", "erfc",
}  # fmt: skip
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lamda Xi Pi Sigma Phi Psi Omega phi epsilon theta"
)
#: Greek letters as LaTeX names them.
GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩϕϵϑ", _GREEK_NAMES.split(" "), strict=True))
