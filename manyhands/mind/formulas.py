"""The formulas that stand in a text: where they are, and what is said to be equal. Pure.

A formula is what the maths checks could read: between the marks of LaTeX, in a code span, or a run
of words without an ordinary word among them. Whether one is right is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Formula", "formulas_in", "letters_in", "parts_of", "sides_of", "statements_in"]

_MARKED = re.compile(
    r"\$\$(?P<a>.+?)\$\$|(?<!\\)\$(?![\s$])(?P<b>[^$\n]+)(?<![\s\\])\$(?![\d$])|\\\((?P<c>.+?)\\\)|\\\[(?P<d>.+?)\\\]|`(?P<e>[^`\n]+)`",
    re.DOTALL,
)
#: Words of more than one letter that an expression may hold.
_NAMES = frozenset(
    """sin cos tan cot sec csc asin acos atan arcsin arccos arctan sinh cosh tanh exp log ln lg sqrt
    cbrt abs Abs erf gamma floor ceil sign pi oo dx dy dz dt du alpha beta lambda mu sigma theta
    omega""".split()  # noqa: SIM905
)
_RAISED = "⁰¹²³⁴-⁹⁺⁻ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_LETTERS = re.compile(rf"[^\W\d_{_RAISED}₀-₉]+")
_LETTER = re.compile(r"[A-Za-zπ]")
_VARIABLE = re.compile(r"[A-Za-zα-ω](?<![eEπ])")
_SIGNAL = re.compile(
    rf"[\^√∫π{_RAISED}]|\*\*|[A-Za-z)]\s*[*·×/]|[*·×/+\u2212-]\s*[A-Za-z(√]"
    r"|\d[A-Za-z]\b|\d\(|[a-zA-Z]\([^()]*[A-Za-z]|[A-Za-z]\s*[+\u2212-]\s*[\w(]|\w\s*=\s*\S"
)
#: Words of one letter that are words of a language as well.
_WORDS = frozenset(("a", "A", "I"))
_WORD = re.compile(r"\S+")
_EDGES = ".,;:!?\"'“”„"
#: What only says what is done: an integral sign and its variable, a derivative, a name.
_OPERATOR = re.compile(
    r"^(?:\\int|∫|\\frac\{d\}\{d[a-z]\}|d/d[a-z]|\(d/d[a-z]\))\s*|\s*(?:\\,)?\s*d[a-z]\s*$|\s*\+\s*(?:C|const\.?)\s*$"
)
_NAMED = re.compile(
    r"^\\?[A-Za-zα-ω](?:_\w+)?'{0,3}(?:\(\s*[A-Za-z]?\s*\))?'{0,3}$|^d\w?/d\w$|^\\frac\{d\w?\}\{d\w\}$"
)
_EQUALS = re.compile(r":=|\\implies|\\to|(?<![<>!=])=(?!=)|[≈⇒→]")


@dataclass(frozen=True, slots=True)
class Formula:
    """A stretch of a text, and its sides: what it says to be equal, without names and operators.

    Attributes:
        inner: the stretch itself, without the marks around it.
        numbers: its sides that are plain numbers, `0.79` of `pi/4 ≈ 0.79`, in one text.
    """

    start: int
    end: int
    inner: str
    sides: tuple[str, ...]
    numbers: str = ""


def formulas_in(text: str) -> list[Formula]:
    """Every stretch of `text` that could be read as a formula with a letter in it."""
    found = []
    for start, end, inner in _stretches(text):
        plain = [side for part in parts_of(inner) for side in part]
        sides = tuple(side for one in plain for side in sides_of(one))
        if sides:
            numbers = " ".join(side for side in plain if not _LETTER.search(side))
            found.append(Formula(start, end, inner, sides, numbers))
    return found


def parts_of(inner: str) -> list[list[str]]:
    """The equations of a formula, each as its sides: names and operators are still there."""
    return [_EQUALS.split(part) for part in _split(inner)]


def letters_in(side: str) -> frozenset[str]:
    """The letters of an expression that stand for something: no functions, no constants."""
    words = re.findall(r"\\?[^\W\d_]+", side)
    plain = (word for word in words if word[0] != "\\" and word not in _NAMES)
    return frozenset(letter for word in plain for letter in word if _VARIABLE.match(letter))


def sides_of(text: str) -> list[str]:
    """The sides of `f(x) = x**2` that hold an expression in letters: `x**2`."""
    sides = []
    for side in _EQUALS.split(text):
        plain = side.strip().strip(_EDGES).strip()
        while (shorter := _OPERATOR.sub("", plain).strip()) != plain:
            plain = shorter
        if plain and _LETTER.search(plain) and not _NAMED.match(plain):
            sides.append(plain)
    return sides


def statements_in(text: str) -> list[tuple[str, str]]:
    """Each `x = 3` of a text, as the letter and the number that it is said to be."""
    pairs = re.findall(r"\b([A-Za-z])\s*=\s*([-\u2212+]?\d[\d.,]*)(?![\w^*/(])", text)
    return [(name, number.rstrip(".,")) for name, number in pairs]


def _stretches(text: str) -> Iterator[tuple[int, int, str]]:
    at = 0
    for match in _MARKED.finditer(text):
        yield from _bare(text, at, match.start())
        yield match.start(), match.end(), next(part for part in match.groups() if part is not None)
        at = match.end()
    yield from _bare(text, at, len(text))


def _bare(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Runs of words that are no ordinary words, with a sign of mathematics in them."""
    run: list[re.Match[str]] = []
    for word in [*_WORD.finditer(text, start, end), None]:
        if word is not None and (
            _letter(word, text, run)
            if word.group().strip(_EDGES) in _WORDS
            else _mathematical(word.group())
        ):
            run.append(word)
            if word.group()[-1] not in ",;:.?!":
                continue
        if run:
            inner = text[run[0].start() : run[-1].end()].strip(_EDGES)
            inner = inner.lstrip("+*/·×= ").rstrip("+-*/·×= ")
            if _SIGNAL.search(inner):
                yield run[0].start(), run[-1].end(), inner
            run = []


def _letter(word: re.Match[str], text: str, run: list[re.Match[str]]) -> bool:
    """Whether an `a` is a letter of a formula: an operator stands before or behind it."""
    after = re.match(r"\s*[-+*/^=·×\u2212]", text[word.end() : word.end() + 4])
    return bool(after) or bool(run and run[-1].group()[-1] in "+-*/^=·×\u2212")


def _mathematical(word: str) -> bool:
    core = word.strip(_EDGES)
    if not core or core in _WORDS or re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+)+", core):
        return False
    core = re.sub(r"(\d)([a-z])([a-z])(?![A-Za-z])", r"\1\2*\3", core)  # 2ct, though 5kg is too
    return all(len(part) == 1 or part in _NAMES for part in _LETTERS.findall(core)) and (
        "/" not in core or not re.fullmatch(r"[A-Za-z]/[A-Za-z][²³]?", core)  # m/s is a unit
    )


def _split(inner: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    parts, depth, last = [], 0, 0
    for at, sign in enumerate(inner):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append(inner[last:at])
            last = at + 1
    return [*parts, inner[last:]]
