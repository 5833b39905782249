"""The functions of ball arithmetic: for each SymPy function a rule from balls to a ball."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flint import acb, arb, fmpz

_NAMED = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "coth": "coth", "sech": "sech", "csch": "csch", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "exp": "exp", "erf": "erf", "erfc": "erfc",
    "erfi": "erfi", "gamma": "gamma", "loggamma": "lgamma", "digamma": "digamma",
    "LambertW": "lambertw", "Ei": "ei", "li": "li", "Si": "si", "Ci": "ci", "Chi": "chi",
    "Shi": "shi", "fresnels": "fresnel_s", "fresnelc": "fresnel_c",
}  # fmt: skip
#: Functions of the reciprocal, by SymPy's definition.
_RECIPROCAL = {
    "acot": "atan", "asec": "acos", "acsc": "asin", "acoth": "atanh", "asech": "acosh",
    "acsch": "asinh",
}  # fmt: skip
STEPS = {"sign": "real_sgn", "floor": "real_floor", "ceiling": "real_ceil"}
_NOT_ANALYTIC = {
    "re", "im", "arg", "conjugate", "Max", "Min", "Heaviside", "Mod", "atan2", "bessely", "besselk",
    "uppergamma", "lowergamma", "expint", "polylog", "elliptic_k", "elliptic_e", "binomial", "beta",
}  # fmt: skip
_FAR_FOR_ZETA = 10**5
_LARGEST_DEGREE = 1000

#: One node's work: (analytic, all values so far, places of its operands) -> its value.
Step = Callable[[bool | None, list[Any], tuple[int, ...]], Any]


class Undefined(ArithmeticError):
    """The expression has no finite value there, or no rule here can give it one."""


class Pole(Undefined):
    """A division by what is exactly zero."""


def is_real(ball: Any) -> bool:
    """Whether the imaginary part is exactly zero."""
    return bool(ball.imag.is_zero())


def whole_number(ball: Any) -> int | None:
    """The whole number that an exact ball is; None for any other."""
    found = ball.real.unique_fmpz() if is_real(ball) and ball.real.is_exact() else None
    return int(found) if found is not None and ball.real == fmpz(found) else None


def on_values(rule: Callable[..., Any]) -> Step:
    """A rule `(analytic, *balls)` as a step of a tape."""

    def step(analytic: bool | None, values: list[Any], args: tuple[int, ...]) -> Any:
        return rule(analytic, *[values[index] for index in args])

    return step


def not_zero(ball: Any) -> None:
    """Raises Pole for zero, Undefined for a ball that holds zero."""
    if ball.is_zero():
        raise Pole("a division by zero")
    if ball.contains(0):
        raise Undefined("a division by zero")


def function_rule(expr: Any) -> Step:
    """The step for a function's node. Raises Undefined when there is no rule."""
    name, many = type(expr).__name__, len(expr.args)
    if name == "log" and many == 1:
        return on_values(_log)
    if name == "Abs":
        return on_values(
            lambda analytic, one: (
                acb(abs(one)) if analytic is None else one.real_abs(analytic=analytic)
            )
        )
    if name in _NAMED and many == 1:
        return on_values(_named(name, getattr(acb, _NAMED[name])))
    if name in _RECIPROCAL and many == 1:
        inner = _named(name, getattr(acb, _RECIPROCAL[name]))

        def reciprocal(analytic: bool | None, one: Any) -> Any:
            not_zero(one)
            return inner(analytic, 1 / one)

        return on_values(reciprocal)
    if name in STEPS:
        return on_values(_step_function(name, getattr(acb, STEPS[name])))
    rule = _RULES.get(name)
    if rule is None:
        raise Undefined(f"no rule for {name} in {str(expr)[:60]}")

    def rare(analytic: bool | None, *args: Any) -> Any:
        if analytic and name in _NOT_ANALYTIC:
            return acb(arb("nan"))
        return rule(*args)

    return on_values(rare)


def _log(analytic: bool | None, one: Any) -> Any:
    if one.is_zero():
        raise Pole("the logarithm of zero")
    return one.log(analytic=bool(analytic))


def _named(name: str, method: Callable[[Any], Any]) -> Callable[..., Any]:
    away = _AWAY.get(name, lambda _: name not in _RECIPROCAL)

    def call(analytic: bool | None, one: Any) -> Any:
        if analytic and not away(one):
            return acb(arb("nan"))
        return method(one)

    return call


def _off_real(one: Any) -> bool:
    """Away from cuts on the real axis outside (-1, 1)."""
    return bool(abs(one) < 1) or not one.imag.contains(0)


def _off_imaginary(one: Any) -> bool:
    """Away from cuts on the imaginary axis outside (-i, i)."""
    return bool(abs(one) < 1) or not one.real.contains(0)


def _right_of_zero(one: Any) -> bool:
    return bool(one.real > 0)


#: Where functions with branch cuts are analytic: a ball for which this holds meets no cut.
_AWAY: dict[str, Callable[[Any], bool]] = {
    "asin": _off_real,
    "acos": _off_real,
    "atanh": _off_real,
    "atan": _off_imaginary,
    "asinh": _off_imaginary,
    "acosh": lambda one: bool(one.real > 1),
    "LambertW": lambda one: bool(one.real * 3 > -1),
    **dict.fromkeys(("loggamma", "li", "Ei", "Ci", "Chi"), _right_of_zero),
}


def _step_function(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(analytic: bool | None, one: Any) -> Any:
        if analytic is None and not is_real(one):
            raise Undefined(f"the {name} of a complex value")
        return method(one, analytic=bool(analytic))

    return call


def _binomial(top: Any, below: Any) -> Any:
    whole = below.real.unique_fmpz() if is_real(below) else None
    if whole is not None and below.real == whole and 0 <= whole <= 10_000:
        product = acb(1)
        for step in range(int(whole)):
            product = product * (top - step) / (step + 1)
        return product
    return (top + 1).gamma() * (below + 1).rgamma() * (top - below + 1).rgamma()


def _greatest(*args: Any, lowest: bool = False) -> Any:
    if not all(is_real(arg) for arg in args):
        raise Undefined("the largest of complex values")
    found = args[0]
    for other in args[1:]:
        found = found.real_min(other) if lowest else found.real_max(other)
    return found


def _polygamma(order: Any, one: Any) -> Any:
    whole = order.real.unique_fmpz()
    if whole is None or not 0 <= whole <= 200:
        raise Undefined("a polygamma function of that order")
    return one.polygamma(int(whole))


def _order(letter: str) -> Callable[..., Any]:
    def bessel(order: Any, one: Any) -> Any:
        if not abs(order) < 10_000:
            raise Undefined("a Bessel function of that order")
        return getattr(one, f"bessel_{letter}")(order)

    return bessel


def _polynomial(method: str) -> Callable[..., Any]:
    def at(degree: Any, one: Any) -> Any:
        if not abs(degree) < _LARGEST_DEGREE:
            raise Undefined("a polynomial of that degree")
        return getattr(one, method)(degree)

    return at


def _zeta(one: Any) -> Any:
    if not abs(one) < _FAR_FOR_ZETA:  # the work grows with the distance from the origin
        raise Undefined("the zeta function that far out")
    return one.zeta()


def _mod(one: Any, base: Any) -> Any:
    if not (is_real(one) and is_real(base)):
        raise Undefined("a remainder of complex values")
    not_zero(base)
    return one - base * (one / base).real_floor()


_RULES: dict[str, Callable[..., Any]] = {
    "factorial": lambda one: (one + 1).gamma(),
    "zeta": _zeta,
    "binomial": _binomial,
    "beta": lambda one, two: one.gamma() * two.gamma() * (one + two).rgamma(),
    "re": lambda one: acb(one.real),
    "im": lambda one: acb(one.imag),
    "arg": lambda one: acb(one.arg()),
    "conjugate": lambda one: one.conjugate(),
    "Max": _greatest,
    "Min": lambda *args: _greatest(*args, lowest=True),
    "Heaviside": lambda one, *_: one.real_heaviside(),
    "polygamma": _polygamma,
    "besselj": _order("j"),
    "bessely": _order("y"),
    "besseli": _order("i"),
    "besselk": _order("k"),
    "Mod": _mod,
    "uppergamma": lambda s, one: one.gamma_upper(s),
    "lowergamma": lambda s, one: one.gamma_lower(s),
    "expint": lambda s, one: one.expint(s),
    "polylog": lambda s, one: one.polylog(s),
    "elliptic_k": lambda one: one.elliptic_k(),
    "elliptic_e": lambda one: one.elliptic_e(),
    "legendre": _polynomial("legendre_p"),
    "hermite": _polynomial("hermite_h"),
    "chebyshevt": _polynomial("chebyshev_t"),
    "chebyshevu": _polynomial("chebyshev_u"),
    "laguerre": _polynomial("laguerre_l"),
    "airyai": lambda one: one.airy_ai(),
    "airybi": lambda one: one.airy_bi(),
    "harmonic": lambda one: (one + 1).digamma() + acb(arb.const_euler()),
    "dirichlet_eta": lambda one: one.dirichlet_eta(),
    "RisingFactorial": lambda one, count: (one + count).gamma() * one.rgamma(),
    "atan2": lambda y, x: acb(acb(x.real, y.real).arg()),
}
