"""What a text says of two formulas: one is the derivative or an integral of the other. Pure.

Two formulas may each be right and the sentence still wrong, when it tells them the other way
round. A statement that is found here becomes a case of the maths checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from manyhands.hands.contracts import MathKind
from manyhands.mind.formulas import Formula, letters_in, parts_of, sides_of

__all__ = ["Relation", "relations_in"]

_WORDS = {
    MathKind.DERIVATIVE: r"derivatives?|Ableitung|dérivée|derivada|derivata",
    MathKind.ANTIDERIVATIVE: (
        r"antiderivatives?|(?:indefinite )?integrals?|primitives?|Stammfunktion|primitiva"
    ),
}
#: Words that make another relation of it: only the plain first one is read.
_OTHER = re.compile(
    r"(?i)\b(?:second|third|fourth|n-?th|\d+(?:st|nd|rd|th)|partial|half|twice|no|not|definite|zweite"
    r"|dritte|partielle|kein\w*|nicht|seconde|deuxième|troisième|segunda|tercera)\b"
)
_OF = r"\s+(?:the function\s+|der Funktion\s+)?(?:of|von|de|di)\s*$"
_OF_BEFORE = {
    kind: re.compile(rf"(?i)([^.!?\n]*)\b(?:{words}){_OF}") for kind, words in _WORDS.items()
}
_IS = re.compile(
    r"(?i)^\s*,?\s*(?:(?:with respect to|nach) \$?\w\$?\s*,?\s*)?"
    r"(?:is|equals|gives|ist|lautet|ergibt|est|es|è)"
    r"(?:\s+(?:equal to|gleich|simply))?\s*:?\s*$"
)
_IS_OF = {
    kind: re.compile(
        rf"(?i)^\s*,?\s*(?:is|ist|est|es|è)\s+(?:an?|the|eine?|die|une|la)?\s*(?:{words}){_OF}"
    )
    for kind, words in _WORDS.items()
}
#: The operators in front of a side, with the variable where it stands in them.
_OPERATORS = (
    (
        MathKind.DERIVATIVE,
        re.compile(r"^(?:\(?d/d(?P<var>[a-z])\)?|\\frac\{d\}\{d(?P<tex>[a-z])\})"),
    ),
    (MathKind.ANTIDERIVATIVE, re.compile(r"^(?:∫|\\int)(?![\s\\]*[_^₀-₉⁰¹²³⁴-⁹])")),
)
_NAMED = re.compile(r"^\s*([A-Za-z])(')?(?:\(\s*[a-z]\s*\))?(')?\s*=(?!=)(.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Relation:
    """`value` is said to be the derivative or an antiderivative of `given`, by `variable`."""

    kind: MathKind
    given: str
    value: str
    variable: str

    def case(self) -> dict[str, str]:
        """The case of the maths checks (`docs/checks.md`)."""
        result = "df" if self.kind is MathKind.DERIVATIVE else "F"
        return {
            "kind": self.kind.value,
            "f": self.given,
            result: self.value,
            "var": self.variable,
        }

    def __str__(self) -> str:
        name = "derivative" if self.kind is MathKind.DERIVATIVE else "integral"
        return f"the {name} of {self.given} is {self.value}"


def relations_in(text: str, formulas: Sequence[Formula]) -> list[Relation]:
    """Each such statement of a text whose variable is plain, in English and four languages more.

    Args:
        formulas: those of the text.
    """
    found = (
        *_between(text, formulas),
        *(relation for formula in formulas for relation in _inside(formula)),
        *_named(formulas),
    )
    return list(dict.fromkeys(relation for relation in found if relation is not None))


def _between(text: str, formulas: Sequence[Formula]) -> Iterator[Relation | None]:
    """`the derivative of A is B`, and `B is the derivative of A`."""
    for at, (one, other) in enumerate(pairwise(formulas)):
        before = text[formulas[at - 1].end if at else 0 : one.start]
        middle = text[one.end : other.start]
        if text[one.start : one.end].rstrip()[-1:] in ".!?;":
            continue
        for kind in _WORDS:
            if _IS.match(middle) and (said := _OF_BEFORE[kind].search(before)):
                if not _OTHER.search(said[1]):
                    yield _relation(kind, one.sides[-1], other.sides[-1])
            elif _IS_OF[kind].match(middle):
                yield _relation(kind, other.sides[0], one.sides[-1])


def _inside(formula: Formula) -> Iterator[Relation | None]:
    """`d/dx A = B` and `∫ A dx = B`."""
    for part in parts_of(formula.inner):
        first, *rest = part
        for kind, operator in _OPERATORS:
            said = operator.match(first.strip())
            sides = [side for one in rest for side in sides_of(one)]
            given = sides_of(first)
            if said and sides and given:
                variable = said.groupdict().get("var") or said.groupdict().get("tex")
                yield _relation(kind, given[0], sides[-1], variable)


def _named(formulas: Sequence[Formula]) -> Iterator[Relation | None]:
    """`f(x) = A` and later `f'(x) = B`."""
    functions: dict[str, str] = {}
    for formula in formulas:
        for part in parts_of(formula.inner):
            said = _NAMED.match("=".join(part))
            sides = sides_of("=".join(part))
            if not said or not sides:
                continue
            if not (said[2] or said[3]):
                functions[said[1]] = sides[-1]
            elif said[1] in functions:
                yield _relation(MathKind.DERIVATIVE, functions[said[1]], sides[-1])


def _relation(
    kind: MathKind, given: str, value: str, variable: str | None = None
) -> Relation | None:
    letters = letters_in(given)
    if variable is None:
        if len(letters) != 1:
            return None
        (variable,) = letters
    told = letters_in(value)
    # y' = -2y tells no expression in x, and an integral without its variable is a definite one.
    if not told <= letters | {variable} or (
        kind is MathKind.ANTIDERIVATIVE and variable not in told
    ):
        return None
    return Relation(kind, given, value, variable)
