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
#: Any other word before it may make another statement of it: the second derivative, minus the
#: derivative, one might think that the derivative.
_PLAIN = re.compile(
    r"(?i)^\s*(?:(?:so|thus|hence|and|also|therefore|donc)\s*,?\s+)?(?:the|an?|die|eine|la|une|a)?\s*$"
)
_OF = r"\s+(?:the function\s+|der Funktion\s+)?(?:of|von|de|di)\s*$"
_OF_BEFORE = {
    kind: re.compile(rf"(?i)([^.!?:;\n]*)\b(?:{words}){_OF}") for kind, words in _WORDS.items()
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
_NAMED = re.compile(r"^\s*([A-Za-z])(')?\(\s*[a-z]\s*\)\s*=(?!=)(.+)$", re.DOTALL)


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
                if _PLAIN.match(said[1]):
                    yield _relation(kind, one.sides[-1], other.sides[-1])
            elif _IS_OF[kind].match(middle):
                yield _relation(kind, other.sides[0], one.sides[-1])


def _inside(formula: Formula) -> Iterator[Relation | None]:
    """`d/dx A = B` and `∫ A dx = B`."""
    for part in parts_of(formula.inner):
        first, *rest = part
        for kind, operator in _OPERATORS:
            first = first.strip()
            said = operator.match(first)
            sides = [side for one in rest for side in sides_of(one)]
            given = sides_of(first)
            if said and sides and given and _covers(first[said.end() :]):
                variable = said.groupdict().get("var") or said.groupdict().get("tex")
                yield _relation(kind, given[0], sides[-1], variable)


def _named(formulas: Sequence[Formula]) -> Iterator[Relation | None]:
    """`f(x) = A` and later `f'(x) = B`."""
    told: dict[tuple[str, bool], list[str]] = {}
    for formula in formulas:
        for part in parts_of(formula.inner):
            said = _NAMED.match("=".join(part))
            sides = sides_of("=".join(part))
            if said and sides:
                told.setdefault((said[1], bool(said[2])), []).append(sides[-1])
    for (name, primed), slopes in told.items():
        functions = told.get((name, False), [])
        if primed and len(slopes) == len(functions) == 1:  # told twice, a name is two functions
            yield _relation(MathKind.DERIVATIVE, functions[0], slopes[0])


def _covers(operand: str) -> bool:
    """Whether an operator in front reaches to the end: of `d/dx(x^2) + 3` it does not."""
    if re.search(r"d/d|\\frac\{d|∫|\\int", operand):
        return False
    depth, closed = 0, False
    for sign in re.sub(r"\\(?:cdot|times)", "*", re.sub(r"\\(?:left|right)", "", operand)):
        if depth == 0 and (sign in "+-\u2212" or (closed and sign in "*·×")):
            return False
        depth += (sign in "([{") - (sign in ")]}")
        closed = closed or (depth == 0 and sign in ")]}")
    return True


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
