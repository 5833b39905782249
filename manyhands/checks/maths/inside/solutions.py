"""Solutions of equations: the values are put in."""

from __future__ import annotations

import itertools
import re
from typing import Any

import sympy as sp
from balls import Pole, Tape, Undefined, holds, is_real, plain, precision, shown, substituted
from domain import symbol_named
from flint import acb, arb
from judge import Found, equal, half_unit, last_place
from notation import NotReadable, at_commas, read, read_condition, read_name, sides
from statements import says_none
from tokens import trimmed

_RELATION = re.compile(r"<|>|!=|\\(?:le|ge|lt|gt|neq?|leq|geq)(?![A-Za-z])|[≤≥≠]")
_OR = re.compile(r"\\text\{\s*or\s*\}|\bor\b|\\lor(?![A-Za-z])|∨")
_SET = re.compile(
    r"(?:(\\?[A-Za-z]\w*|\([^()]*\))\s*(?:\\in(?![A-Za-z])|∈|=)\s*)?\\?\{(.*?)\\?\}", re.DOTALL
)
#: `(x, y) = (1, 2)`
_TUPLES = re.compile(r"\(([^()]*,[^()]*)\)\s*=\s*(\(.*\))", re.DOTALL)
#: `, n \in \mathbb{Z}` behind a family of solutions.
_WHOLE = re.compile(
    r"\s*(?:,|;|\\quad|\\text\{[^{}]*\}|\bfor\b|\bwhere\b|\()?\s*(?:\bany\b|\binteger\b)?\s*"
    r"\b[a-zA-Z]\s*(?:\\in(?![A-Za-z])|∈|\bin\b)\s*(?:\\mathbb\s*\{?\s*Z\s*\}?|ℤ|Z\b|integers)\s*\)?"
)
#: Names that a family of solutions gives to a whole number.
_COUNTS = ("n", "k", "m")
_MOST = 200


def solution(case: dict[str, Any]) -> Found:
    """Each equation holds when the values are put in. That there are no others is not claimed.

    `values` maps names to expressions; a list of such maps is a list of solutions, a list of
    values for a name stands for one solution each. `x = 2 or x = -2` is understood, too.
    """
    listed = _equations(case["equations"])
    many = _solutions(case["values"], listed)
    if not listed or not many or len(listed) * len(many) > _MOST:
        raise NotReadable("there must be equations and values")
    worst: Found | None = None
    for one in many:
        for text in listed:
            found = _holds(text, one, case)
            if found[0] == "refuted":
                return found
            if worst is None or found[0] != "supported":
                worst = found
    assert worst is not None
    if worst[0] != "supported":
        return worst
    said = f"all {len(listed)} equations hold" if len(listed) > 1 else "the equation holds"
    if len(many) > 1:
        said += f" for all {len(many)} solutions"
    return "supported", f"{said}; that there are no other solutions was not checked", worst[2]


def _equations(given: Any) -> list[str]:
    """The equations of a text, a list of texts, or of pairs of sides."""
    if isinstance(given, dict) and {"lhs", "rhs"} <= given.keys():
        return [f"{given['lhs']} = {given['rhs']}"]
    if isinstance(given, list):
        return [
            f"{one[0]} = {one[1]}" if isinstance(one, list) and len(one) == 2 else text
            for one in given
            for text in (["pair"] if isinstance(one, list) else _equations(one))
        ]
    if not isinstance(given, str):
        raise NotReadable("an equation is a text")
    text = re.sub(r"\\begin\{(?:cases|aligned|align\*?)\}|\\end\{\w+\*?\}", "", trimmed(given))
    text = re.sub(r"\\\\(?:\[\w+\])?|\n|;|\\land(?![A-Za-z])|\band\b", ",", text)
    parts = [part.strip() for part in at_commas(text.replace("&", "")) if part.strip()]
    whole = len(parts) > 1 and not all("=" in part or _RELATION.search(part) for part in parts)
    return [trimmed(given)] if whole else parts


def _solutions(given: Any, equations: list[str]) -> list[dict[str, Any]]:
    """Each solution as a map from names to expressions."""
    if isinstance(given, dict):
        given = {
            name: pair if isinstance(said, str) and len(pair := both_signs(said)) > 1 else said
            for name, said in given.items()
        }
        columns = {name: said for name, said in given.items() if isinstance(said, list)}
        if not columns:
            return [given]
        lengths = {len(said) for said in columns.values()}
        if len(lengths) != 1 or not lengths.pop():
            raise NotReadable("the lists of values have different lengths")
        rows = zip(*columns.values(), strict=True)
        return [{**given, **dict(zip(columns, row, strict=True))} for row in rows]
    if isinstance(given, str):
        given = _without_sets(given)
    if isinstance(given, list):
        if given and all(isinstance(one, str) and "=" in one for one in given):
            pairs = [pair for one in given for pair in _assignments(one)]
            names = [name for name, _ in pairs]
            if len(set(names)) == len(names):
                return [dict(pairs)]
            return [{name: said} for name, said in pairs]
        return [one for part in given for one in _solutions(part, equations)]
    if isinstance(given, str) and (named := _TUPLES.fullmatch(given.strip())):
        return _tuples(at_commas(named[1]), named[2])
    if isinstance(given, str) and "=" in given:
        parts = _OR.split(trimmed(given))
        return [
            dict(chosen)
            for part in parts
            for group in _groups(_assignments(part))
            for chosen in itertools.product(
                *([(name, one) for one in both_signs(said)] for name, said in group)
            )
        ]
    expressions = [read(side) for text in equations for side in sides(text)]
    names = sorted({str(name) for made in expressions for name in made.free_symbols})
    if len(names) != 1 or says_none(given):
        raise NotReadable("values must map names to expressions")
    texts = _one_by_one(str(given)) if isinstance(given, str) else [str(given)]
    return [{names[0]: one} for text in texts for one in both_signs(text)]


def _one_by_one(text: str) -> list[str]:
    """The values of `2, -2` and `2 or -2`."""
    return [part.strip() for part in at_commas(_OR.sub(",", trimmed(text))) if part.strip()]


def _without_sets(text: str) -> str:
    r"""`x \in \{1, 2\}` as `x = 1, 2`, `{1, 2}` as `1, 2`; that a name is whole is passed over."""
    text = _WHOLE.sub("", trimmed(text))
    match = _SET.fullmatch(text.strip())
    if match is None:
        return text
    return f"{match[1]} = {match[2]}" if match[1] else match[2]


def _assignments(text: str) -> list[tuple[str, str]]:
    """Names and values of `x = 1, y = 2`; of `x = 2, -2` two values of x."""
    text = re.sub(r";|\\text\{\s*and\s*\}|\band\b|\\quad|\\land(?![A-Za-z])", ",", trimmed(text))
    pairs: list[tuple[str, str]] = []
    for part in filter(str.strip, at_commas(text)):
        left, sign, right = part.partition("=")
        if not sign and not pairs:
            raise NotReadable("values must map names to expressions")
        pairs.append((left.strip(), right.strip()) if sign else (pairs[-1][0], part.strip()))
    return pairs


def _tuples(names: list[str], text: str) -> list[dict[str, Any]]:
    """The solutions of `(x, y) = (1, 2), (2, 1)`, whose right side is `text`."""
    rows = [one.strip() for one in at_commas(_OR.sub(",", text)) if one.strip()]
    split = [at_commas(row[1:-1]) for row in rows if row.startswith("(") and row.endswith(")")]
    if len(split) != len(rows) or any(len(row) != len(names) for row in split):
        raise NotReadable("a solution has a value for each name")
    return [dict(zip(map(str.strip, names), row, strict=True)) for row in split]


def _groups(pairs: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """One group for each solution: a name that comes again begins the next."""
    groups: list[list[tuple[str, str]]] = [[]]
    for pair in pairs:
        if any(pair[0] == name for name, _ in groups[-1]):
            groups.append([])
        groups[-1].append(pair)
    return groups


def both_signs(text: str) -> list[str]:
    """Both values of `\\pm 2`."""
    both = re.sub(r"\\pm(?![A-Za-z])|±|\+/-|\+-", "\0", text)
    return [both.replace("\0", sign) for sign in "+-"] if "\0" in both else [text]


def _holds(text: str, values: dict[str, Any], case: dict[str, Any]) -> Found:
    known = {symbol_named(read_name(name)): read(said) for name, said in values.items()}
    if _RELATION.search(text):
        return _condition_holds(text, known)
    left, right = (read(side) for side in sides(text))
    if not (left.free_symbols | right.free_symbols) & known.keys():
        raise NotReadable(f"no value stands in {text[:60]!r}")
    put = [substituted(side, known) for side in (left, right)]
    if not put[0].free_symbols and not put[1].free_symbols:
        if why := _undefined(put):
            return "refuted", f"{text[:60]} is not defined there: {why}", {"equation": text}
        rounded = _rounded(left, right, values) or _within_rounding(left, right, values)
        if rounded is not None:
            return rounded
    what = f"the sides of {text[:80]}"
    found = equal(put[0], put[1], what, case)
    counts = [name for name in _new_names(put, left, right, case) if name in _COUNTS]
    if found[0] == "refuted" and counts:
        whole = {**(case.get("assume") or {}), **dict.fromkeys(counts, "integer")}
        again = equal(put[0], put[1], what, {**case, "assume": whole})
        if again[0] == "supported":
            found = again[0], f"{again[1]}; for whole {', '.join(counts)}", again[2]
    return found[0], found[1], {**found[2], "equation": text}


def _new_names(put: list[Any], left: Any, right: Any, case: dict[str, Any]) -> list[str]:
    """The names that the values bring in and of which the case assumes nothing."""
    assume = case.get("assume") or {}
    if not isinstance(assume, dict):
        return []
    new = (put[0].free_symbols | put[1].free_symbols) - left.free_symbols - right.free_symbols
    return sorted({str(name) for name in new} - assume.keys())


def _condition_holds(text: str, known: dict[Any, Any]) -> Found:
    """An inequality among the equations, with numbers put in."""
    condition = read_condition(text)
    with precision(256):
        at = {name: Tape([said], []).run([])[0] for name, said in known.items()}
        good = holds(condition, at)
    evidence = {"equation": text, "method": "ball arithmetic"}
    return (
        ("supported" if good else "refuted"),
        f"{text[:60]} {'holds' if good else 'fails'}",
        evidence,
    )


def _undefined(put: list[Any]) -> str:
    """Why a side has no value: a division by exactly zero; empty when it has one."""
    try:
        with precision(256):
            Tape([_folded(side) for side in put], []).run([])
    except Pole as why:
        return str(why)
    except (Undefined, ZeroDivisionError):
        return ""
    return ""


def _folded(node: Any) -> Any:
    """The same tree with rational arithmetic done, so that a zero is exactly zero."""
    node = plain(node)
    if not node.args or node.is_Piecewise:
        return node
    return plain(node.func(*[_folded(arg) for arg in node.args], evaluate=False))


def _rounded(left: Any, right: Any, values: dict[str, Any]) -> Found | None:
    """A decimal of six digits or more stands for a root that rounds to it; None if it is none.

    The sign of the difference must change within half a unit of the last place.
    """
    if len(values) != 1:
        return None
    ((name, text),) = values.items()
    half = half_unit(text)
    if half is None:
        return None
    symbol = symbol_named(read_name(name))
    middle = read(text)
    tape = Tape([sp.Add(left, sp.Mul(-1, right, evaluate=False), evaluate=False)], [symbol])
    with precision(256):
        at = Tape([middle], []).run([])[0]
        try:
            low, high = (tape.run([at + side * half])[0] for side in (-1, 1))
        except (Undefined, ZeroDivisionError):
            return None
        if not (is_real(low) and is_real(high)) or low.contains(0) or high.contains(0):
            return None
        if (low.real > 0) == (high.real > 0):
            return None
    digits = last_place(text)
    assert digits is not None
    return (
        "supported",
        f"a root rounds to it: the sides cross within half a unit of digit {digits[0]}",
        {"method": "change of sign", "below": shown(low, 5), "above": shown(high, 5)},
    )


def _within_rounding(left: Any, right: Any, values: dict[str, Any]) -> Found | None:
    """Decimals of six digits or more stand for all numbers that round to them.

    Supported when the sides agree for some of these, refuted when they differ for all; None
    when no value is such a decimal.
    """
    halves = {name: half_unit(text) for name, text in values.items()}
    if not any(half is not None for half in halves.values()):
        return None
    symbols, balls = [], []
    with precision(256):
        for name, text in values.items():
            symbols.append(symbol_named(read_name(name)))
            middle, half = Tape([read(text)], []).run([])[0], halves[name]
            spread = arb(0, half.upper()) if half is not None else arb(0)
            balls.append(acb(middle.real + spread, middle.imag))
        try:
            one, two = Tape([left, right], symbols).run(balls)
        except (Undefined, ZeroDivisionError):
            return None
        gap = one - two
        if not gap.is_finite() or not is_real(gap):
            return None
        evidence = {"method": "interval of the rounded values", "gap": gap.str(8)}
        if not gap.contains(0):
            return "refuted", "the sides differ for all numbers that round to these", evidence
        size = abs(one).upper() + abs(two).upper() + 1
        if gap.real.rad() > size * arb("1e-3"):
            return None
    return "supported", "the sides agree within the rounding of the values", evidence
