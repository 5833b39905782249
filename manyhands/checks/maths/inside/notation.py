"""Text to an unevaluated SymPy expression, through an allow-list of Python's syntax.

Nothing is ever evaluated by Python: the text is parsed to a syntax tree, and only numbers, names,
arithmetic and calls of known functions are turned into SymPy nodes. `sympify` and `parse_expr`
would run code.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import Any

import sympy as sp
from latex_text import looks_like_latex, to_python

MAX_TEXT = 4000
MAX_NODES = 1500
MAX_DIGITS = 400
#: Decimal digits that a power of constants may have.
MAX_POWER_DIGITS = 20_000


class NotReadable(ValueError):
    """The text is no expression that this reader knows; the message says why."""


def _root(value: Any, n: Any = sp.S(2)) -> Any:  # noqa: B008  an immutable number
    return sp.Pow(value, sp.Pow(n, -1, evaluate=False), evaluate=False)


def _log(value: Any, base: Any = None) -> Any:
    over = sp.log(value, evaluate=False)
    if base is None:
        return over
    return sp.Mul(over, sp.Pow(sp.log(base, evaluate=False), -1), evaluate=False)


def _plain(function: Any) -> Any:
    return lambda *args: function(*args, evaluate=False)


_SAME = (
    "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc",
    "sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth", "exp",
    "erf", "erfc", "erfi", "gamma", "loggamma", "digamma", "zeta", "LambertW", "factorial",
    "binomial", "beta", "sign", "floor", "ceiling", "Abs", "re", "im", "conjugate", "Heaviside",
    "Ei", "li", "Si", "Ci", "Chi", "Shi", "fresnels", "fresnelc", "polygamma", "besselj",
    "bessely", "besseli", "besselk",
)  # fmt: skip
FUNCTIONS: dict[str, Any] = {name: _plain(getattr(sp, name)) for name in _SAME}
FUNCTIONS |= {
    "sqrt": lambda value: _root(value),
    "cbrt": lambda value: _root(value, sp.Integer(3)),
    "root": _root,
    "log": _log,
    "ln": _log,
    "log2": lambda value: _log(value, sp.Integer(2)),
    "log10": lambda value: _log(value, sp.Integer(10)),
    "abs": FUNCTIONS["Abs"],
    "ceil": FUNCTIONS["ceiling"],
    "sgn": FUNCTIONS["sign"],
    "Gamma": FUNCTIONS["gamma"],
    "lgamma": FUNCTIONS["loggamma"],
    "psi": FUNCTIONS["digamma"],
    "arcsin": FUNCTIONS["asin"],
    "arccos": FUNCTIONS["acos"],
    "arctan": FUNCTIONS["atan"],
    "arsinh": FUNCTIONS["asinh"],
    "arcosh": FUNCTIONS["acosh"],
    "artanh": FUNCTIONS["atanh"],
    "arcsinh": FUNCTIONS["asinh"],
    "arccosh": FUNCTIONS["acosh"],
    "arctanh": FUNCTIONS["atanh"],
    "Max": lambda *args: sp.Max(*args, evaluate=False),
    "Min": lambda *args: sp.Min(*args, evaluate=False),
    "Rational": lambda p, q: sp.Mul(p, sp.Pow(q, -1, evaluate=False), evaluate=False),
    "Integer": lambda value: value,
}
CONSTANTS: dict[str, Any] = {
    "pi": sp.pi,
    "E": sp.E,
    "e": sp.E,
    "I": sp.I,
    "oo": sp.oo,
    "inf": sp.oo,
    "infinity": sp.oo,
    "zoo": sp.zoo,
    "EulerGamma": sp.EulerGamma,
    "Catalan": sp.Catalan,
    "GoldenRatio": sp.GoldenRatio,
}
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "·": "*", "×": "*", "⋅": "*", "÷": "/", "π": " pi ", "∞": " oo ",
     "²": "**2", "³": "**3", "⁴": "**4", "^": "**", "√": "sqrt", "\u00a0": " "}
)  # fmt: skip
_TOKEN = re.compile(r"(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([^\W\d]\w*)|(\S)|\s+")


def read(text: str, given: dict[str, Any] | None = None) -> Any:
    """The expression that `text` writes, unevaluated; names that are no constants are real symbols.

    Args:
        given: name -> SymPy object that stands for it.

    Raises:
        NotReadable: no expression, an unknown function, or too large.
    """
    text = str(text).strip().strip("$").strip()
    if not text or len(text) > MAX_TEXT:
        raise NotReadable("empty" if not text else f"longer than {MAX_TEXT} characters")
    if looks_like_latex(text):
        text = to_python(text)
    source = _explicit(text.translate(_SIGNS))
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotReadable(f"no expression: {text[:80]!r}") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise NotReadable("too many terms")
    try:
        return _Builder(given or {}).build(tree.body)
    except RecursionError as error:
        raise NotReadable("nested too deeply") from error


def _explicit(text: str) -> str:
    """Products written without a sign get one: `2x`, `3 sin(x)`, `(a)(b)`; `n!` is a call."""
    out: list[str] = []
    before = ""
    for match in _TOKEN.finditer(text):
        number, name, sign = match.groups()
        piece = match.group().strip()
        if not piece:
            continue
        kind = "number" if number else "name" if name else piece
        starts = kind in ("number", "name") or piece == "("
        ends = before in ("number", "name", ")")
        calls = before == "name" and piece == "(" and out[-1] in FUNCTIONS
        if starts and ends and not calls:
            if before == "name" and piece == "(" and out[-1] not in CONSTANTS and len(out[-1]) > 1:
                raise NotReadable(f"the function {out[-1]!r} is not known")
            out.append("*")
        if sign == "!":
            _factorial(out)
            before = ")"
            continue
        out.append(piece)
        before = kind
    return " ".join(out).replace("* *", "**")


def _factorial(out: list[str]) -> None:
    """Wrap the operand that ends `out` in a call of factorial."""
    if not out:
        raise NotReadable("a factorial of nothing")
    start = len(out) - 1
    if out[start] == ")":
        depth = 0
        while start >= 0:
            depth += (out[start] == ")") - (out[start] == "(")
            if not depth:
                break
            start -= 1
        if start > 0 and out[start - 1] in FUNCTIONS:
            start -= 1
    out[max(start, 0) :] = ["factorial", "(", *out[max(start, 0) :], ")"]


class _Builder:
    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    def build(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return _number(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return sp.Mul(sp.Integer(-1), self.build(operand), evaluate=False)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.build(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.build(left), self.build(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, [self.build(arg) for arg in args])
            case _:
                raise NotReadable(f"{type(node).__name__} is not part of an expression")

    def _name(self, name: str) -> Any:
        if name in self._given:
            return self._given[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in FUNCTIONS or name.startswith("_") or len(name) > 40:
            raise NotReadable(f"{name!r} is not a variable")
        return sp.Symbol(name, real=True)

    def _call(self, name: str, args: list[Any]) -> Any:
        given = self._given.get(name)
        if given is not None and isinstance(given, sp.core.function.UndefinedFunction):
            return given(*args)
        function = FUNCTIONS.get(name)
        if function is None:
            raise NotReadable(f"the function {name!r} is not known")
        try:
            return function(*args)
        except (TypeError, ValueError) as error:
            raise NotReadable(f"{name} with {len(args)} arguments: {error}") from error

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        match op:
            case ast.Add():
                return sp.Add(left, right, evaluate=False)
            case ast.Sub():
                return sp.Add(left, sp.Mul(-1, right, evaluate=False), evaluate=False)
            case ast.Mult():
                return sp.Mul(left, right, evaluate=False)
            case ast.Div():
                return sp.Mul(left, sp.Pow(right, -1, evaluate=False), evaluate=False)
            case ast.Pow():
                _no_tower(left, right)
                return sp.Pow(left, right, evaluate=False)
            case _:
                raise NotReadable(f"the operator {type(op).__name__} is not known")


def _number(value: Any) -> Any:
    """Decimals are exact: 0.1 is one tenth."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotReadable(f"{value!r} is no number")
    if isinstance(value, int):
        if value.bit_length() > MAX_DIGITS * 3.33:
            raise NotReadable("a number with too many digits")
        return sp.Integer(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise NotReadable("a number that is too large")
    exact = Fraction(repr(value))
    return sp.Rational(exact.numerator, exact.denominator)


def _no_tower(base: Any, exponent: Any) -> None:
    """Refuse constants such as 9**9**9: SymPy would compute them digit by digit."""
    if exponent.free_symbols:
        return
    if not base.is_number or not exponent.is_number:
        if exponent.is_number and _size(exponent) > 5:
            raise NotReadable("an exponent that is too large")
        return
    size = _size(exponent)
    if size > 7 or (_size(base) + 1) * 10**size > MAX_POWER_DIGITS:
        raise NotReadable("a power that is too large")


def _size(value: Any) -> float:
    """About how many decimal digits a constant has before the point."""
    if value.is_Integer or value.is_Rational:
        return max(len(str(abs(value.p))) - len(str(value.q)), 0)
    if value.is_Pow and value.base.is_Integer and value.exp.is_Integer:
        return min(float(len(str(abs(value.base.p)))) * abs(float(value.exp.p)), 1e9)
    if value.is_Mul or value.is_Add:
        return sum(_size(arg) for arg in value.args)
    return 1.0
