"""Whether the words of an answer say what was checked, and what was checked is what was asked.

A status is worth what it stands for: a step may be proved while the sentence about it says
something else. Each formula of a text is compared with the checked ones by the maths checks, each
number with those that stand in a result. The sentences between them no machine can judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.hands.contracts import HandName, MathKind, Status
from manyhands.mind.answer import StepReport, current
from manyhands.mind.formulas import Formula, formulas_in, sides_of, statements_in
from manyhands.mind.frame import PlanStep
from manyhands.mind.grounding import SMALL, ungrounded
from manyhands.mind.relations import relations_in

__all__ = ["Checks", "loose_ends"]

#: Formulas of one text that are compared; what stands beyond them counts as not compared.
_MOST = 24
_CONSTANTS = frozenset({"pi", "e", "E", "sqrt", "exp", "log", "ln", "oo"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_COUNTING = re.compile(r"(?i)\b(?:step|part|case|schritt|teil|étape|paso|fall)\s+\d+")


class Checks(Protocol):
    """What compares two expressions: the workbench of a run."""

    async def maths(self, case: Mapping[str, Any]) -> CheckOutcome: ...


class _Equal:
    """Whether two expressions are equal; each pair is asked of the checks once."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._known: dict[frozenset[str], Verdict] = {}

    async def verdict(self, one: str, other: str) -> Verdict:
        pair = frozenset((one, other))
        if pair not in self._known:
            outcome = await self._checks.maths({"kind": "identity", "lhs": one, "rhs": other})
            self._known[pair] = outcome.verdict
        return self._known[pair]

    async def holds(self, one: str, other: str) -> bool:
        return await self.verdict(one, other) is Verdict.SUPPORTED

    async def one_of(self, side: str, known: Sequence[str]) -> bool | None:
        """Whether an expression equals one of several; None where it cannot be read."""
        verdicts = set()
        for other in known:
            verdicts.add(await self.verdict(side, other))
            if Verdict.SUPPORTED in verdicts:
                return True
        return False if Verdict.REFUTED in verdicts else None


@dataclass(frozen=True, slots=True)
class _Sum:
    """A verified step of mathematics: what was given, and what came out."""

    id: str
    kind: MathKind
    given: tuple[str, ...]
    value: str


async def loose_ends(
    text: str,
    question: str,
    steps: Sequence[PlanStep],
    reports: Iterable[StepReport],
    ground: Iterable[str],
    checks: Checks,
) -> list[str]:
    """What stands between an answer and `verified`, each in words for a person.

    Args:
        text: the answer.
        ground: texts whose numbers the answer may repeat: notes, results, data, the question.
    """
    counted = current(reports)
    sums = [
        found
        for report in counted
        if report.result.status is Status.VERIFIED and (found := _sum(report, steps)) is not None
    ]
    if not sums:
        return [_no_number(number) for number in ungrounded(text, ground)]
    alone = all(report.hand is HandName.MATH for report in counted)
    # Of data and programs small numbers are told for many reasons; of mathematics alone they are
    # its results.
    small = 0 if alone else SMALL
    equal = _Equal(checks)
    told, asked = formulas_in(text), _all_sides(formulas_in(question))
    loose = await _unlike_the_checked(text, told, asked, sums, ground, equal, small)
    inner = {needed for step in steps for needed in step.needs}
    last = [one for one in sums if one.id not in inner]
    loose += await _said_wrongly(text, told[:_MOST], checks)
    loose += await _unsaid(text, _all_sides(told[:_MOST]), last, equal)
    if alone:
        loose += await _not_asked(asked[:_MOST], sums, equal)
    return loose


def _all_sides(formulas: Iterable[Formula]) -> list[str]:
    return [side for formula in formulas for side in formula.sides]


def _no_number(number: str) -> str:
    return f"the number {number} stands in no result"


def _sum(report: StepReport, steps: Sequence[PlanStep]) -> _Sum | None:
    if report.hand is not HandName.MATH:
        return None
    step = next((one for one in steps if one.id == report.id), None)
    if step is None:
        return None
    given = tuple(value for key, value in step.given.items() if key not in ("var", "op"))
    return _Sum(report.id, step.kind, given, report.result.value)


async def _unlike_the_checked(
    text: str,
    told: Sequence[Formula],
    asked: Sequence[str],
    sums: Sequence[_Sum],
    ground: Iterable[str],
    equal: _Equal,
    small: int,
) -> list[str]:
    """Formulas and numbers of the text that are none of those that were checked."""
    checked = (
        side
        for one in sums
        for source in (one.value, *one.given, *_listed(one.value))
        for side in sides_of(source)
    )
    known = list(dict.fromkeys((*checked, *asked)))
    loose, left, at_end = [], text, []
    for at, formula in enumerate(told):
        unlike = [
            side
            for side in formula.sides
            if at >= _MOST or await equal.one_of(side, known) is False
        ]
        loose += [f"the formula {side} is none of those that were checked" for side in unlike]
        # Its numbers are judged with it: 6x + 2 is as good as 2(3x + 1).
        blank = " " * (formula.end - formula.start)
        left = left[: formula.start] + blank + left[formula.end :]
        at_end.append(formula.numbers)
    left = " ".join([_COUNTING.sub(" ", left), *at_end])
    counts = [str(len(listed)) for one in sums if (listed := _listed(one.value))]
    missing = ungrounded(left, [*ground, *counts], small=small)
    numbers = [number for number in missing if not await _rounds(number, sums, equal)]
    return [*loose, *map(_no_number, numbers), *_other_statements(text, sums)]


async def _unsaid(text: str, told: Sequence[str], sums: Sequence[_Sum], equal: _Equal) -> list[str]:
    """Checked results that no later step took up, and that the text does not tell."""
    numbers = re.findall(r"[-\u2212]?\d[\d.,]*", text)
    missing = []
    for one in sums:
        parts = _listed(one.value) or [one.value]
        for part in parts:
            sides = sides_of(part)
            if sides and await equal.one_of(sides[-1], told):
                continue
            value = part.rpartition("=")[2].strip()
            if _NUMBER.fullmatch(value) and not ungrounded(value, [text], small=0):
                continue
            if any([await _rounds(number.rstrip(".,"), [one], equal) for number in numbers]):
                continue
            missing.append(f"the text does not tell what was checked: {part.strip()}")
    return missing


async def _said_wrongly(text: str, told: Sequence[Formula], checks: Checks) -> list[str]:
    """Statements of two formulas that the checks refute, be each of them right by itself."""
    return [
        f"the text says that {relation}, which a check refuted"
        for relation in relations_in(text, told)
        if (await checks.maths(relation.case())).verdict is Verdict.REFUTED
    ]


async def _not_asked(asked: Sequence[str], sums: Sequence[_Sum], equal: _Equal) -> list[str]:
    """Formulas of the question that no step took up: something else was worked out."""
    taken = [side for one in sums for source in (one.value, *one.given) for side in _sides(source)]
    return [
        f"{side} of the question is not what was worked out"
        for side in asked
        if await equal.one_of(side, taken) is False
    ]


def _sides(source: str) -> list[str]:
    """The sides of a given, which may be several equations as JSON."""
    return [side for part in re.split(r'[\[\]{},]|"', source) for side in sides_of(part)] or (
        sides_of(source)
    )


def _listed(value: str) -> list[str]:
    """The parts of `x = 2, y = 3`; none where a value is one expression."""
    pairs = re.findall(r"[A-Za-z]\w*\s*=\s*[^,;\n]+", value)
    return pairs if len(pairs) > 1 else []


def _other_statements(text: str, sums: Sequence[_Sum]) -> list[str]:
    """`x = 3` where x was found to be 2."""
    checked: dict[str, list[str]] = {}
    for one in sums:
        if one.kind is MathKind.SOLUTION:
            for name, number in statements_in(one.value):
                checked.setdefault(name, []).append(number)
    return [
        f"{name} = {number} is not what was checked"
        for name, number in statements_in(text)
        if name in checked and ungrounded(number, checked[name], small=0)
    ]


def _has_symbol(value: str) -> bool:
    return any(name not in _CONSTANTS for name in re.findall(r"[A-Za-z]+", value))


async def _rounds(number: str, sums: Sequence[_Sum], equal: _Equal) -> bool:
    """Whether a checked constant such as pi/4, rounded as the number is written, equals it."""
    digits = number.replace("\u2212", "-").replace(",", "")
    decimals = len(digits.partition(".")[2])
    if not decimals or not _NUMBER.fullmatch(digits):
        return False  # an exact whole number is a result of its own, not a rounded one
    whole = digits.replace(".", "")
    for one in sums:
        value = one.value.rpartition("=")[2].strip()
        if value and not _has_symbol(value) and re.search(r"[A-Za-z/]", value):
            rounded = f"floor(({value})*10**{decimals} + 1/2)"
            if await equal.holds(rounded, str(int(whole))):
                return True
    return False
