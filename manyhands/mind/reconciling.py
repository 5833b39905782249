"""Results that cannot both be true: found by their words and numbers, settled by evidence. Pure.

Two results answer one question when a step says so (`same_as`), or when their hand, data and words
are the same. A claim that was judged and what the frame takes as given are read as statements of
one number. What is found is only asked about: a `verify` step of the plan decides.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from manyhands.hands.contracts import HandName, MathKind, Status
from manyhands.mind.answer import StepReport, current
from manyhands.mind.frame import Frame, PlanStep

__all__ = ["Conflict", "Settled", "conflicts_in", "settle"]

#: Words that do not change what a task asks for. The article `a` is none: columns are called so.
_FORM = (
    "the an of in for and to by with from this that what which is are it its as on return returns "
    "compute computes computed calculate calculates find give gives get value result function "
    "another other way method again independently separately data table column columns"
)
_EMPTY_WORDS = frozenset(_FORM.split())
_WORD = re.compile(r"\w+")
_NUMBER = r"[-+\u2212]?\d[\d,_]*(?:\.\d+)?(?:[eE][-+]?\d+)?"
#: A sentence that says one number of something; comparisons ("at least") are none.
_STATEMENT = re.compile(
    rf"^(?P<what>.+?)\s*(?:\bis\b|\bare\b|\bequals?\b|=|:)\s*(?:about|roughly|≈|~)?\s*"
    rf"(?P<number>{_NUMBER})\s*(?P<unit>[^\d\s.,]\S{{0,11}}?)?\s*\.?$",
    re.IGNORECASE,
)
#: Numbers that differ by less than this share say the same, or by half of their last digit.
_CLOSE = 0.005
_DECIDED = (Status.VERIFIED, Status.REFUTED)


@dataclass(frozen=True, slots=True)
class _Fact:
    """What one side says: `words` tell of what, `value` what it is.

    Attributes:
        step: whose result it is; empty for a given of the frame.
        claim: the same as a sentence that can be true or false.
        key: under which it stands in a result of several values.
        denied: the statement is that it is not so: a claim that was refuted.
        judged: it is a verdict already, of two programs that agree.
    """

    step: str
    words: frozenset[str]
    value: str
    claim: str
    data: tuple[str, ...] = ()
    key: str = ""
    denied: bool = False
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two statements of which at most one is true.

    Attributes:
        told: who contradicts whom and how, in words.
        end: how it ended, in words.
        wants: the claim that the next `verify` step is to judge, with its data name; None when it
            is settled, or when nothing here can settle it.
        wrong: steps whose result a check showed to be wrong.
        undecided: neither side was shown to be the right one.
    """

    told: str
    end: str
    wants: tuple[str, str] | None = None
    wrong: frozenset[str] = frozenset()
    undecided: bool = True

    def __str__(self) -> str:
        return f"{self.told}; {self.end}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What the conflicts of a plan came to.

    Attributes:
        wrong: step -> why it does not count: a check decided against it.
        open_points: what stayed undecided, and steps that rest on a wrong one.
    """

    wrong: Mapping[str, str]
    open_points: tuple[str, ...]


def conflicts_in(frame: Frame, reports: Sequence[StepReport]) -> list[Conflict]:
    """Every contradiction between results, judged claims and givens, as far as it is settled."""
    now = {report.id: report for report in current(reports)}
    steps = {step.id: step for step in frame.steps if step.id in now}
    verdicts = {
        (step.task, step.data): now[step.id].result.status
        for step in steps.values()
        if step.hand is HandName.VERIFY
    }
    pairs = [pair for pair in _pairs(frame, steps, now) if not _agree(*pair)]
    return [*(_settled(*pair, verdicts) for pair in pairs), *_other_maths(steps, now)]


def settle(frame: Frame, reports: Sequence[StepReport]) -> Settled:
    """Which steps do not count any more, and what must be told as open."""
    found = conflicts_in(frame, reports)
    wrong = {name: str(conflict) for conflict in found for name in sorted(conflict.wrong)}
    resting = [
        f"step {step.id} rests on {need}, which was shown to be wrong"
        for step in frame.steps
        for need in step.needs
        if need in wrong and step.id not in wrong
    ]
    undecided = [str(conflict) for conflict in found if conflict.undecided]
    return Settled(wrong, (*dict.fromkeys(undecided), *resting))


# --- finding -------------------------------------------------------------------------------------


def _pairs(
    frame: Frame, steps: Mapping[str, PlanStep], now: Mapping[str, StepReport]
) -> Iterator[tuple[_Fact, _Fact]]:
    """Statements about one thing, each pair once; what was found before what was given."""
    facts = {name: list(_facts(step, now[name])) for name, step in steps.items()}
    givens = [given for given in map(_stated, frame.givens) if given is not None]
    every = [fact for of_step in facts.values() for fact in of_step]
    # The verdict on a side of a conflict is no side itself.
    claimed = {fact.claim for fact in (*every, *givens) if not fact.judged}
    sides = [fact for fact in every if not (fact.judged and fact.claim in claimed)]
    declared = {frozenset((step.id, step.same_as)) for step in steps.values() if step.same_as}
    for one, other in itertools.combinations(sides, 2):
        if one.step == other.step:
            continue
        if frozenset((one.step, other.step)) in declared:
            alone = len(facts[one.step]) == len(facts[other.step]) == 1
            same = alone or one.key == other.key
        else:
            same_data = one.data == other.data or not (one.data and other.data)
            same = bool(one.words) and one.words == other.words and same_data
        if same:
            yield one, other
    for given in givens:
        yield from ((fact, given) for fact in sides if given.words == fact.words)


def _facts(step: PlanStep, report: StepReport) -> Iterator[_Fact]:
    """What a step's result says, in scalars."""
    result, words = report.result, _words(step.task)
    if step.hand is HandName.VERIFY:
        stated = _stated(step.task)
        if stated is not None and result.status in _DECIDED:
            denied = result.status is Status.REFUTED
            yield replace(stated, step=step.id, data=step.data, denied=denied, judged=True)
        return
    is_value = (step.hand is HandName.CODE and step.data) or step.hand is HandName.TOOL
    if not is_value or not result.value:
        return
    try:
        value = json.loads(result.value)
    except ValueError:
        return
    if not isinstance(value, dict):
        text = _scalar(value)
        if text:
            claim = f"{step.task.rstrip('.')}: the result is {text}"
            yield _Fact(step.id, words, text, claim, step.data)
        return
    for key, item in value.items():
        text = _scalar(item)
        if text:
            claim = f"{step.task.rstrip('.')}: {key} is {text}"
            yield _Fact(step.id, words | _words(key), text, claim, step.data, key)


def _stated(sentence: str) -> _Fact | None:
    """A sentence that says one number of something."""
    read = _STATEMENT.match(" ".join(sentence.split()))
    if read is None:
        return None
    unit = {read["unit"].casefold()} if read["unit"] else set()
    return _Fact("", _words(read["what"]) | unit, read["number"], sentence)


def _other_maths(
    steps: Mapping[str, PlanStep], now: Mapping[str, StepReport]
) -> Iterator[Conflict]:
    """Different expressions for one mathematical request: a check of them already decides."""
    maths = [s for s in steps.values() if s.hand is HandName.MATH and s.kind is not MathKind.FREE]
    for one, other in itertools.combinations(maths, 2):
        first, second = now[one.id].result, now[other.id].result
        same = (one.kind, one.given) == (other.kind, other.given) and one.given
        values = ["".join(found.value.split()) for found in (first, second)]
        verified = [found.status is Status.VERIFIED for found in (first, second)]
        if not same or not all(values) or values[0] == values[1] or all(verified):
            continue  # two that were checked are two forms of one expression
        told = f"steps {one.id} and {other.id} differ: {first.value} and {second.value}"
        if any(verified):
            wrong = other.id if verified[0] else one.id
            yield Conflict(told, f"a check shows {wrong} wrong", None, frozenset({wrong}), False)
        else:
            yield Conflict(told, "no check could decide")


# --- settling ------------------------------------------------------------------------------------


def _settled(
    one: _Fact, other: _Fact, verdicts: Mapping[tuple[str, tuple[str, ...]], Status]
) -> Conflict:
    """How far the verdicts on its two claims settle a conflict, and what is to be asked next."""
    data = one.data or other.data
    told = f"{_who(one)} and {_who(other)} contradict each other ({_says(one)}, {_says(other)})"
    sides = [(side, _holds(side, data, verdicts)) for side in (one, other)]
    right = [side for side, verdict in sides if verdict is Status.VERIFIED]
    refuted = [side for side, verdict in sides if verdict is Status.REFUTED]
    if len(right) == 1 and (refuted or not right[0].judged):
        wrong = other if right[0] is one else one
        return Conflict(told, f"a check decides for {_who(right[0])}", None, _named(wrong), False)
    unasked = [side.claim for side, verdict in sides if verdict is None]
    wants = (unasked[0], data[0]) if unasked and len(data) == 1 and len(right) < 2 else None
    end = "neither was borne out" if len(refuted) == 2 else "no check could decide"
    return Conflict(told, end, wants, frozenset().union(*map(_named, refuted)))


def _holds(
    fact: _Fact, data: tuple[str, ...], verdicts: Mapping[tuple[str, tuple[str, ...]], Status]
) -> Status | None:
    """The verdict on one side; None while nobody was asked."""
    if fact.judged:
        return Status.VERIFIED
    return verdicts.get((fact.claim, data))


def _named(fact: _Fact) -> frozenset[str]:
    return frozenset({fact.step} if fact.step else ())


def _who(fact: _Fact) -> str:
    return f"step {fact.step}" if fact.step else "what was given"


def _says(fact: _Fact) -> str:
    return f"{'not ' if fact.denied else ''}{fact.value}"


# --- comparing -----------------------------------------------------------------------------------


def _agree(one: _Fact, other: _Fact) -> bool:
    if one.denied and other.denied:
        return True
    return _same(one.value, other.value) is not (one.denied or other.denied)


def _same(first: str, second: str) -> bool:
    x, y = _number(first), _number(second)
    if x is None or y is None:
        return first.strip().casefold() == second.strip().casefold()
    rounding = max(_half_digit(first), _half_digit(second))
    return abs(x - y) <= max(rounding, _CLOSE * max(abs(x), abs(y)))


def _number(text: str) -> float | None:
    plain = text.replace(",", "").replace("_", "").replace("\u2212", "-")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _half_digit(text: str) -> float:
    """Half of the last digit that is written behind a point; whole numbers are exact."""
    digits = re.search(r"\.(\d+)(?:[eE]([-+]?\d+))?", text)
    return 0.5 * 10.0 ** (int(digits[2] or 0) - len(digits[1])) if digits else 0.0


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value.strip() if len(value) <= 80 else ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return ""


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - _EMPTY_WORDS
