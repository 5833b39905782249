"""Text as people write it to text with every product, call and power written out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp
from latex_text import looks_like_latex
from vocabulary import BARE, CONSTANTS, FUNCTIONS, GREEK, INVERSE

MAX_DIGITS = 400
EXACT = "_exact"
#: Python's own words that are common names of variables.
RENAMED = {"lambda": "lamda"}
#: Functions that are written with a tuple or a variable among their arguments.
FORMS = {"Sum", "summation", "Product", "product", "diff", "Derivative"}

_MOST_BARE_CALLS = 60
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "·": "*", "×": "*", "⋅": "*", "∗": "*", "÷": "/", "∞": " oo ",
     "\u00a0": " ", "\u2009": " ", "≤": "<=", "≥": ">=", "≠": "!=", "∧": " and ", "∨": " or ",
     "°": "*(pi/180)"}
)  # fmt: skip
_RAISED = dict(
    zip(
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        "0123456789+-()abcdefghijklmnoprstuvwxyz",
        strict=True,
    )
)
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}", re.DOTALL)
_TOKEN = re.compile(
    r"(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([^\W\d]\w*)"
    r"|(\*\*|//|<=|>=|==|!=|\S)|\s+"
)
_PREFIX = re.compile(r"(?<![\w.])(?:math|cmath|np|numpy|sp|sympy|mpmath)\.(?=[A-Za-z])")
_ENDLESS = re.compile(r"(?<!\w)float\(\s*['\"]([-+]?)(?:inf|infinity)['\"]\s*\)", re.IGNORECASE)
_FRACTION = re.compile(r"(?<!\w)(?:Fraction|Decimal)\(\s*['\"]([-+\d./eE]+)['\"]\s*\)")
_NAMES = "|".join(sorted(BARE, key=len, reverse=True))
#: A function applied without brackets, or with a power between its name and them.
_BARE_CALL = re.compile(
    rf"(?<![^\W\d.])({_NAMES})(?!\w)\s*(?:(?:\*\*|\^)\s*\(?(?:(\d+)|(-1))\)?)?\s*(?=[\w|(.])"
)
#: `sinx`, which nobody means as a name.
_GLUED = re.compile(r"(?<![^\W\d.])(x?)(sin|cos|tan|ln|log|exp)x(?!\w)")
#: `C1exp(2x)` and `xsin(x)`: a factor of one letter stuck to a function.
_STUCK = re.compile(rf"(?<![^\W\d])([^\W\d_]_?\d*)({_NAMES})(?=\s*\()")
#: `Ce^(2x)` and `C1e**(-x)`; the power of a name such as `Re^2` is a plain number.
_STUCK_E = re.compile(r"(?<![^\W\d])([^\W\d_]_?\d*)(e\s*(?:\^|\*\*)\s*(?![\d.]+(?![\w.(]|\s*\()))")
_ATOM = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|([^\W\d]\w*)|(\|)|(\())")
_RAISE = re.compile(r"\s*(?:\*\*|\^)\s*(?:\d+\.?\d*|[^\W\d]\w*)")
_WORDS = {"and", "or", "not", "if", "else"}


class NotReadable(ValueError):
    """The text is no expression that this reader knows; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the whole case tells about a text of it.

    Attributes:
        letters: names of one letter that stand alone somewhere in the case.
        latex: whether some text of the case is LaTeX, where letters side by side are a product.
        known: longer names that the case declares.
        imaginary: whether `i` is the imaginary unit in every text.
    """

    letters: frozenset[str] = frozenset()
    latex: bool = False
    known: frozenset[str] = frozenset()
    imaginary: bool = False


_reading = Reading()


@contextmanager
def reading(case: Mapping[str, Any]) -> Iterator[None]:
    """Read texts inside the block as parts of `case`."""
    global _reading
    texts = list(_texts({k: v for k, v in case.items() if k not in ("kind", "id", "op")}))
    letters = {m[0] for text in texts for m in re.finditer(r"(?<![^\W_])[^\W\d_](?![^\W_])", text)}
    assume = case.get("assume")
    declared = [case.get("var"), case.get("func"), *(assume if isinstance(assume, dict) else ())]
    known = {str(name) for name in declared if name}
    _reading = Reading(
        frozenset(letters | {"x"}), any(map(looks_like_latex, texts)), frozenset(known)
    )
    try:
        yield
    finally:
        _reading = Reading()


@contextmanager
def imaginary_i() -> Iterator[None]:
    """Read `i` as the imaginary unit inside the block, as LaTeX does."""
    global _reading
    before, _reading = _reading, replace(_reading, imaginary=True)
    try:
        yield
    finally:
        _reading = before


def units_in(latex: bool) -> dict[str, Any]:
    """What `i` stands for in a text."""
    if "i" in _reading.known or not (latex or _reading.latex or _reading.imaginary):
        return {}
    return {"i": sp.I}


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value[:4000]
    elif isinstance(value, dict | list) and depth < 6:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)
        if isinstance(value, dict):
            yield from (str(key) for key in value)


def trimmed(text: str) -> str:
    r"""Without the marks around a formula (`$…$`, `\(…\)`, `\boxed{…}`), a full stop behind it."""
    text = text.strip().rstrip(".;,").strip().strip("$").strip()
    if (boxed := _BOXED.fullmatch(text)) and not _unbalanced(boxed[1]):
        text = boxed[1].strip()
    for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]")):
        if text.startswith(opening) and text.endswith(closing):
            text = text[2:-2].strip()
    return text.rstrip(".;,").strip()


def _unbalanced(text: str) -> bool:
    """Whether a brace closes that does not open in the text."""
    depth = 0
    for char in re.sub(r"\\[{}]", "", text):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return True
    return depth != 0


def plain_signs(text: str) -> str:
    """Signs that Unicode has for it (√, π, x², ∞, α₁) in the letters of the notation."""
    if text.isascii():
        return text
    text = re.sub("[₀-₉]+", lambda m: "_" + m[0].translate(_LOWERED), text)
    text = re.sub(
        f"[{''.join(_RAISED)}]+", lambda m: f"**({''.join(_RAISED[c] for c in m[0])})", text
    )
    text = re.sub(r"√\s*(\d+\.?\d*|[^\W\d]\w*)", r" sqrt(\1)", text).replace("√", " sqrt")
    text = re.sub(f"([{''.join(GREEK)}])(_\\w+)?", lambda m: f" {GREEK[m[1]]}{m[2] or ''} ", text)
    return text.translate(_SIGNS)


def written_out(text: str, given: Mapping[str, Any]) -> str:
    """The same expression as Python would write it, `^` as `**` and decimals as quotients.

    Raises:
        NotReadable: an unknown function, a number too long, brackets missing.
    """
    text = plain_signs(_ENDLESS.sub(r"\1oo", _FRACTION.sub(r"(\1)", _PREFIX.sub("", text))))
    if "j" not in _reading.letters and "j" not in given:
        text = re.sub(r"(?<![\w.])(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)[jJ](?!\w)", r"(\1*I)", text)
    text = _unstuck(text, given)
    return _explicit(_bare_calls(text).replace("^", "**"), given)


def _unstuck(text: str, given: Mapping[str, Any]) -> str:
    """`C1exp(2x)` as `C1*exp(2x)`, `Ce^x` as `C*e^x`."""

    def apart(match: re.Match[str]) -> str:
        letter, name = match[1], match[2]
        whole = (letter + name).split("^")[0].split("*")[0].strip()
        if _is_function(whole, given) or whole in given or whole in _reading.known:
            return match[0]
        if letter == "A" and name in INVERSE and len(set(capitals)) == 1:
            return match[0]  # Asin may be the inverse sine
        return f"{letter}*{name}"

    capitals = [match[1] for match in _STUCK.finditer(text) if match[1].isupper()]
    return _STUCK_E.sub(apart, _STUCK.sub(apart, text))


def separated(text: str, given: Mapping[str, Any], keep: str = r"(?!)") -> str:
    """Names that are products by what the case tells written apart: `ky` as `k*y`.

    Args:
        keep: a pattern of names to leave as they are.
    """

    def apart(match: re.Match[str]) -> str:
        name = match[0]
        product = not re.fullmatch(keep, name) and _is_product(name, set(), given)
        return _factors(name, "", text[match.end() :].lstrip()) if product else name

    return re.sub(r"(?<![^\W\d])(?<!\\)[^\W\d_]{2,4}(?![\w'])", apart, text)


def _bare_calls(text: str) -> str:
    """`sin 2x` as `sin(2x)`, `sin^2(x)` as `(sin(x))**2`, `sin^-1 x` as `asin(x)`."""
    text = _GLUED.sub(r"\1 \2 x", text)
    at, done = len(text), 0
    while True:
        found = [match for match in _BARE_CALL.finditer(text) if match.start() < at]
        if not found:
            return text
        match = found[-1]  # what it is applied to holds no other
        at, power = match.start(), match[2] or match[3]
        if not power and text[match.end()] == "(":
            continue
        done += 1
        if done > _MOST_BARE_CALLS:
            raise NotReadable("too many functions without brackets")
        end, inside = _operand(text, match)
        name = match[1]
        if match[3] and name in INVERSE:
            name, power = INVERSE[name], ""
        call = f"{name}({inside})"
        text = text[:at] + (f"(({call})**({power}))" if power else call) + text[end:]


def _operand(text: str, match: re.Match[str]) -> tuple[int, str]:
    """Where the operand of a function without brackets ends, and its text."""
    start = end = match.end()
    if text[start] == "(":
        end = bracket_end(text, start)
        return end, text[start + 1 : end - 1]
    constant, atoms = True, 0
    while atom := _ATOM.match(text, end):
        _, name, bar, bracket = atom.groups()
        if bracket or (bar and atoms) or name in _WORDS:
            break
        if atoms and name in ("e", "exp") and _RAISE.match(text, atom.end()):
            break  # sin x e^x is a product
        if name in FUNCTIONS and text[atom.end() :].lstrip().startswith("("):
            if atoms:
                break
            end = bracket_end(text, text.index("(", atom.end()))
            constant = False
            break
        if bar:
            close = text.find("|", atom.end())
            if close < 0:
                raise NotReadable("a bar that does not close")
            end, constant = close + 1, False
        else:
            if name and name not in CONSTANTS:
                constant = False
            end = atom.end()
        atoms += 1
        if raised := _RAISE.match(text, end):
            end = raised.end()
        if match[1] == "sqrt" or bar:
            break
    rest = text[end:].lstrip()
    ours = re.match(rf"\(\((?:{_NAMES})\(", rest)
    unclear = (rest[:1] == "(" and not ours) or text[end : end + 1] == "/"
    unclear = unclear or (constant and rest[:1] in ("*", "/"))
    if match[1] == "sqrt" and _ATOM.match(rest):
        unclear = True
    if end == start or unclear:
        raise NotReadable(f"brackets are missing after {match[1]!r}")
    return end, text[start:end]


def bracket_end(text: str, opening: int) -> int:
    """The place behind the bracket that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if not depth:
            return index + 1
    raise NotReadable("a bracket that does not close")


def _explicit(text: str, given: Mapping[str, Any]) -> str:
    """Products written without a sign get one: `2x`, `3 sin(x)`, `(a)(b)`; `n!` is a call."""
    if re.search(r"(?<![\w.])0[xXoObB][0-9a-fA-F]", text):
        raise NotReadable("a number that is not decimal")
    out: list[str] = []
    before, bars = "", 0
    letters = {m[2] for m in _TOKEN.finditer(text) if m[2] and len(m[2]) == 1}
    for match in _TOKEN.finditer(text):
        number, name, sign = match.groups()
        piece = RENAMED.get(match.group().strip(), match.group().strip())
        if not piece:
            continue
        kind = "word" if name in _WORDS else "number" if number else "name" if name else piece
        ends = before in ("number", "name", ")")
        if sign == "|":
            closes = ends and bars > 0
            bars += -1 if closes else 1
            piece, kind = (")", ")") if closes else ("Abs(", "(")
        raised = text[match.end() :].lstrip().startswith("**")
        if number and before == "number" and not raised:
            raise NotReadable(f"two numbers side by side, {out[-1]} and {number}")
        if number:
            piece = _decimal(number)
        elif name and _is_product(name, letters, given):
            piece, kind = _factors(name, before, text[match.end() :].lstrip()), ")"
        elif before == "name" and name and _is_word(name) and _is_word(out[-1]):
            raise NotReadable(f"{out[-1]!r} and {name!r} are words, no expression")
        if ends and (kind in ("number", "name", "(") or (name and kind == ")")):
            calls = piece == "(" and before == "name"
            if not (calls and _is_function(out[-1], given)):
                if calls and not _is_factor(out[-1], given):
                    raise NotReadable(f"the function {out[-1]!r} is not known")
                out.append("*")
        if sign == "!":
            _factorial(out)
            before = ")"
            continue
        out.append(piece)
        before = kind
    return " ".join(out)


def _is_factor(name: str, given: Mapping[str, Any]) -> bool:
    """Whether a name before a bracket is a factor of it rather than a function nobody knows."""
    known = name in CONSTANTS or name in given or name in GREEK.values()
    return len(name) == 1 or known or bool(re.fullmatch(r"[^\W\d_]+_\d+", name))


def _factors(name: str, before: str, after: str) -> str:
    """`ab` as a product; a power behind it is one of its last letter, as in `xe^x`."""
    raised = after.startswith(("**", "^"))
    if raised and before in ("/", "**"):
        raise NotReadable(f"brackets are missing around {name!r}")
    return "*".join(name) if raised else "(" + "*".join(name) + ")"


def _is_word(name: str) -> bool:
    known = name in CONSTANTS or name in FUNCTIONS or name in GREEK.values() or name in _WORDS
    return len(name) > 1 and name.isalpha() and not known


def _is_product(name: str, letters: set[str], given: Mapping[str, Any]) -> bool:
    """Whether `ab` means a*b: it is no name that is known, and its letters occur by themselves."""
    if not 1 < len(name) < 5 or name in GREEK.values() or name in RENAMED or name in FORMS:
        return False
    if name in FUNCTIONS or name in CONSTANTS or name in given or name in _WORDS:
        return False
    if name in _reading.known or not name.isalpha():
        return False
    fixed = _reading.known | given.keys()
    if len(name) == 2 and name[0] != "d" and any(letter in fixed for letter in name):
        return True  # ax, where x is the case's variable
    return (_reading.latex and len(name) < 4) or set(name) <= letters | _reading.letters


def _decimal(number: str) -> str:
    """A decimal as an exact quotient: 0.1 is one tenth, and no digit is lost to a float."""
    if number.isdigit():
        return number
    digits, _, exponent = number.lower().partition("e")
    if len(digits) > MAX_DIGITS or abs(int(exponent or 0)) > MAX_DIGITS:
        raise NotReadable("a number with too many digits")
    exact = Fraction(number)
    return f"{EXACT}({exact.numerator},{exact.denominator})"


def _is_function(name: str, given: Mapping[str, Any]) -> bool:
    own = given.get(name)
    return name in FUNCTIONS or name in FORMS or name == "Piecewise" or is_rule(own)


def is_rule(own: Any) -> bool:
    """Whether a given name stands for a rule of its own rather than for a node."""
    return callable(own) and not isinstance(own, sp.Basic)


def _factorial(out: list[str]) -> None:
    """Wrap the operand that ends `out` in a call of factorial."""
    if not out:
        raise NotReadable("a factorial of nothing")
    start = len(out) - 1
    if out[start] == ")":
        depth = 0
        while start >= 0:
            depth += (out[start] == ")") - (out[start] in ("(", "Abs("))
            if not depth:
                break
            start -= 1
        if start > 0 and out[start - 1] in FUNCTIONS:
            start -= 1
    out[max(start, 0) :] = ["factorial", "(", *out[max(start, 0) :], ")"]
