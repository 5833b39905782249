"""Text to an unevaluated SymPy expression, through an allow-list of Python's syntax.

Nothing is ever evaluated by Python: the text is parsed to a syntax tree, and only numbers, names,
arithmetic and calls of known functions are turned into SymPy nodes. `sympify` and `parse_expr`
would run code.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import forms
import sympy as sp
from balls import Undefined, is_constant, log2, precision, value
from latex_text import NotLatex, looks_like_latex, to_python
from tokens import (
    EXACT,
    MAX_DIGITS,
    RENAMED,
    NotReadable,
    is_rule,
    plain_signs,
    trimmed,
    units_in,
    written_out,
)
from vocabulary import CONSTANTS, FUNCTIONS, LETTERS, NO_VALUE, over

__all__ = [
    "Builder", "NotReadable", "at_commas", "read", "read_condition", "read_name", "sides",
]  # fmt: skip

MAX_TEXT = 4000
MAX_NODES = 1000
#: Binary digits that a constant may have: about 20,000 decimal ones.
MAX_BITS = 66_000
#: The largest exponent of a variable.
MAX_EXPONENT = 10**6
_ABOUT = re.compile(r"\\approx(?:eq)?(?![A-Za-z])|\\simeq(?![A-Za-z])|≈|≃")
#: An equals sign that a side keeps from its equation.
_EQUALS = re.compile(r"^\s*=(?!=)\s*|\s*(?:(?<![=<>!])=|\\equiv|≡)\s*$")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def read(text: Any, given: dict[str, Any] | None = None) -> Any:
    """The expression that `text` writes, unevaluated; names that are no constants are real symbols.

    Args:
        given: name -> SymPy object that stands for it.

    Raises:
        NotReadable: no expression, an unknown function, or too large.
    """
    tree, names = _tree(text, given or {})
    try:
        return Builder(names).build(tree)
    except RecursionError as error:
        raise NotReadable("nested too deeply") from error


def read_condition(text: Any, given: dict[str, Any] | None = None) -> Any:
    """The relation that `text` writes: `0 < x <= pi`, `x > 0 and y != 1`. Raises NotReadable."""
    tree, names = _tree(text, given or {})
    try:
        return Builder(names).condition(tree)
    except RecursionError as error:
        raise NotReadable("nested too deeply") from error


def read_name(text: Any) -> str:
    """The name of a variable as `read` writes it. Raises NotReadable."""
    name = plain_signs(trimmed(str(text)))
    name = name.strip().lstrip("\\").replace("{", "").replace("}", "")
    if not re.fullmatch(r"[^\W\d_]\w{0,39}", name):
        raise NotReadable(f"{str(text)[:40]!r} is no variable")
    return str(RENAMED.get(name, name))


def sides(text: Any) -> tuple[str, str]:
    """The texts on both sides of `a = b`, `a == b` or `Eq(a, b)`; `0` for a missing one."""
    text = trimmed(str(text))
    call = re.fullmatch(r"(?:Eq|Equality)\s*\((.*)\)", text, re.DOTALL)
    parts = (
        at_commas(call[1]) if call else re.split(r"(?<![<>=!\\])==?(?!=)", text.replace("&=", "="))
    )
    if len(parts) > 2:
        raise NotReadable(f"no equation: {text[:80]!r}")
    return parts[0], parts[1] if len(parts) == 2 else "0"


def at_commas(text: str) -> list[str]:
    """The parts of a text between commas that no bracket encloses."""
    depth, parts = 0, [""]
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _tree(text: Any, given: dict[str, Any]) -> tuple[ast.expr, dict[str, Any]]:
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        raise NotReadable(f"{str(text)[:40]!r} is no text")
    text = repr(text) if isinstance(text, float) else str(text)
    text = trimmed(text) if len(text) <= MAX_TEXT else text
    if not text or len(text) > MAX_TEXT:
        raise NotReadable("empty" if not text else f"longer than {MAX_TEXT} characters")
    text = _exact_side(_EQUALS.sub("", text))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    latex = looks_like_latex(text)
    given = {**units_in(latex), **given}
    if latex:
        try:
            text = to_python(text)
        except (NotLatex, RecursionError) as error:
            raise NotReadable(f"no LaTeX that this reader knows: {str(error)[:80]}") from error
    try:
        tree = ast.parse(written_out(text, given), mode="eval")
    except NotReadable:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotReadable(f"no expression: {text[:80]!r}") from error
    return tree.body, given


def _exact_side(text: str) -> str:
    r"""`1/3` of `1/3 \approx 0.333`; the number of `x \approx 1.2`."""
    left, _, right = (part.strip() for part in _ABOUT.sub("\0", text, count=1).partition("\0"))
    return right if right and (not left or re.fullmatch(r"\\?[A-Za-z]\w*", left)) else left


class Builder:
    """SymPy nodes out of syntax nodes; everything that is not named here is refused."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._count = 0

    def build(self, node: ast.expr) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise NotReadable("too many terms")
        match node:
            case ast.Constant(value=number):
                return _number(number)
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _negative(self.build(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.build(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.build(left), self.build(right))
            case ast.Call(func=ast.Name(id="Piecewise"), args=args, keywords=[]):
                return self._piecewise(args)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, args)
            case ast.IfExp(test=test, body=body, orelse=other):
                branch = (self.build(body), self.condition(test))
                return sp.Piecewise(branch, (self.build(other), True), evaluate=False)
            case _:
                raise NotReadable(f"{type(node).__name__} is not part of an expression")

    def condition(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=True) | ast.Name(id="otherwise"):
                return sp.true
            case ast.Compare(left=left, ops=ops, comparators=others):
                values = [self.build(part) for part in (left, *others)]
                pairs = zip(ops, values, values[1:], strict=False)
                parts = [_relation(op, one, two) for op, one, two in pairs]
                return parts[0] if len(parts) == 1 else sp.And(*parts, evaluate=False)
            case ast.BoolOp(op=ast.And(), values=parts) | ast.BoolOp(op=ast.Or(), values=parts):
                join = sp.And if isinstance(node.op, ast.And) else sp.Or
                return join(*[self.condition(part) for part in parts], evaluate=False)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return sp.And(self.condition(left), self.condition(right), evaluate=False)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return sp.Not(self.condition(operand), evaluate=False)
            case _:
                raise NotReadable(f"{type(node).__name__} is no condition")

    def _piecewise(self, args: list[ast.expr]) -> Any:
        branches = []
        for arg in args:
            if not isinstance(arg, ast.Tuple) or len(arg.elts) != 2:
                raise NotReadable("a branch is written (value, condition)")
            branches.append((self.build(arg.elts[0]), self.condition(arg.elts[1])))
        if not branches:
            raise NotReadable("no branches")
        return sp.Piecewise(*branches, evaluate=False)

    def _name(self, name: str) -> Any:
        if name in self._given and isinstance(self._given[name], sp.Basic):
            return self._given[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in NO_VALUE:
            raise NotReadable(f"{name!r} is no number")
        if (name in FUNCTIONS and name not in LETTERS) or name.startswith("_") or len(name) > 40:
            raise NotReadable(f"{name!r} is not a variable")
        return sp.Symbol(name, real=True)

    def _call(self, name: str, nodes: list[ast.expr]) -> Any:
        own: Any = self._given.get(name)
        if is_rule(own):
            return own(self, nodes)
        if name in forms.RULES:
            return forms.RULES[name](self, nodes)
        if name == EXACT:
            above, below = (self.build(node) for node in nodes)
            return sp.Rational(above, below)
        function = FUNCTIONS.get(name)
        if function is None:
            raise NotReadable(f"the function {name!r} is not known")
        args = [self.build(node) for node in nodes]
        try:
            made = function(*args)
        except (TypeError, ValueError, AttributeError) as error:
            raise NotReadable(f"{name} with {len(args)} arguments: {str(error)[:80]}") from error
        if name in ("factorial", "gamma", "Gamma", "binomial", "beta"):
            _not_too_large(made)
        return made

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        match op:
            case ast.Add():
                return sp.Add(left, right, evaluate=False)
            case ast.Sub():
                return sp.Add(left, _negative(right), evaluate=False)
            case ast.Mult():
                return sp.Mul(left, right, evaluate=False)
            case ast.Div():
                return over(left, right)
            case ast.Pow():
                return _power(left, right)
            case ast.Mod():
                return sp.Mod(left, right, evaluate=False)
            case ast.FloorDiv():
                return sp.floor(over(left, right), evaluate=False)
            case _:
                raise NotReadable(f"the operator {type(op).__name__} is not known")


def _relation(op: ast.cmpop, left: Any, right: Any) -> Any:
    makers = {
        ast.Lt: sp.Lt,
        ast.LtE: sp.Le,
        ast.Gt: sp.Gt,
        ast.GtE: sp.Ge,
        ast.Eq: sp.Eq,
        ast.NotEq: sp.Ne,
    }
    make = makers.get(type(op))
    if make is None:
        raise NotReadable(f"the comparison {type(op).__name__} is not known")
    return make(left, right, evaluate=False)


def _number(number: Any) -> Any:
    if isinstance(number, bool) or not isinstance(number, int):
        raise NotReadable(f"{str(number)[:40]!r} is no number")
    if number.bit_length() > 2 * MAX_DIGITS * 3.33:
        raise NotReadable("a number with too many digits")
    return sp.Integer(number)


def _negative(made: Any) -> Any:
    return -made if made.is_Rational else sp.Mul(sp.S.NegativeOne, made, evaluate=False)


def _power(base: Any, exponent: Any) -> Any:
    """A power, unless it is a constant such as 9**9**9: SymPy would write out its digits."""
    made = sp.Pow(base, exponent, evaluate=False)
    if is_constant(exponent):
        if not is_constant(base):
            size = _size(exponent)
            if size is not None and not size < MAX_EXPONENT:
                raise NotReadable("an exponent that is too large")
        else:
            _not_too_large(made)
    return made


def _not_too_large(constant: Any) -> None:
    """Refuse a constant whose digits would fill the memory, should SymPy work it out."""
    if constant.is_Rational or not is_constant(constant):
        return
    size = _size(constant)
    if size is None:
        return
    if size.is_finite():
        large = not size.contains(0) and abs(log2(size)) > MAX_BITS
    else:
        args = [_size(arg) for arg in constant.args]
        large = any(arg is not None and arg.is_finite() and arg > 1000 for arg in args)
    if large:
        raise NotReadable("a constant with too many digits")


def _size(constant: Any) -> Any:
    """The absolute value of a constant as a ball, which may not be finite; None without one."""
    try:
        with precision(64):
            return abs(value(constant))
    except (Undefined, ZeroDivisionError, ValueError, OverflowError):
        return None
