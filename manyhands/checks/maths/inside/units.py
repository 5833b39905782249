"""Quantities with units: both sides in base units, which stand for positive unknowns."""

from __future__ import annotations

from typing import Any

import sympy as sp
from judge import Found, equal
from notation import read

_BASE = {name: sp.Symbol(name, positive=True, real=True) for name in ("m", "kg", "s", "A", "K", "mol", "cd")}  # noqa: E501  # fmt: skip
_M, _KG, _S, _A = (_BASE[name] for name in ("m", "kg", "s", "A"))
_R = sp.Rational
#: Exact by definition: the SI brochure (9th edition) and the international yard and pound (1959).
_NAMED: dict[str, Any] = {
    "g": _KG / 1000, "t": 1000 * _KG, "min": 60 * _S, "h": 3600 * _S, "hour": 3600 * _S,
    "d": 86400 * _S, "day": 86400 * _S, "year": 31557600 * _S, "Hz": 1 / _S, "N": _KG * _M / _S**2,
    "Pa": _KG / (_M * _S**2), "J": _KG * _M**2 / _S**2, "W": _KG * _M**2 / _S**3, "C": _A * _S,
    "V": _KG * _M**2 / (_S**3 * _A), "ohm": _KG * _M**2 / (_S**3 * _A**2),
    "F": _A**2 * _S**4 / (_KG * _M**2), "T": _KG / (_S**2 * _A), "Wb": _KG * _M**2 / (_S**2 * _A),
    "H": _KG * _M**2 / (_S**2 * _A**2), "L": _M**3 / 1000, "l": _M**3 / 1000, "ha": 10000 * _M**2,
    "eV": _R(1602176634, 10**28) * _KG * _M**2 / _S**2, "bar": 10**5 * _KG / (_M * _S**2),
    "atm": 101325 * _KG / (_M * _S**2), "cal": _R(4184, 1000) * _KG * _M**2 / _S**2,
    "inch": _R(254, 10**4) * _M, "ft": _R(3048, 10**4) * _M, "yd": _R(9144, 10**4) * _M,
    "mile": _R(1609344, 1000) * _M, "lb": _R(45359237, 10**8) * _KG, "rad": sp.S.One,
    "deg": sp.pi / 180, "percent": _R(1, 100),
}  # fmt: skip
_PREFIXES = {
    "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6,
    "G": 9, "T": 12,
}  # fmt: skip
_PREFIXED = ("m", "g", "s", "A", "K", "mol", "Hz", "N", "Pa", "J", "W", "C", "V", "ohm", "F", "T",
             "L", "l", "eV", "bar", "cal", "H", "Wb")  # fmt: skip


def _table() -> dict[str, Any]:
    whole = {**_BASE, **_NAMED}
    scaled = {
        prefix + unit: sp.Rational(10) ** power * whole[unit]
        for prefix, power in _PREFIXES.items()
        for unit in _PREFIXED
    }
    return {**scaled, **whole, "kWh": 3600000 * _NAMED["J"]}


UNITS = _table()


def units(case: dict[str, Any]) -> Found:
    """`lhs` and `rhs` are the same quantity, such as `36 km/h` and `10 m/s`."""
    left, right = (read(case[key], UNITS) for key in ("lhs", "rhs"))
    found = equal(left, right, "the quantities", {**case, "assume": _positive(left, right)})
    if found[0] != "refuted":
        return found
    if _dimension(left) != _dimension(right):
        said = f"the dimensions differ: {_dimension(left)} and {_dimension(right)}"
        return "refuted", said, found[2]
    return found


def _positive(*sides: Any) -> dict[str, str]:
    return {str(name): "positive" for side in sides for name in side.free_symbols if name in _BASE.values()}  # noqa: E501  # fmt: skip


def _dimension(expr: Any) -> str:
    """The powers of the base units, as text; `mixed` for a sum of unlike ones."""
    powers = []
    for name in _BASE.values():
        power = sp.simplify(name * sp.diff(expr, name) / expr) if expr != 0 else sp.S.Zero
        if power.free_symbols:
            return "mixed"
        if power != 0:
            powers.append(f"{name}^{power}" if power != 1 else str(name))
    return "·".join(powers) or "none"
