"""Results that contradict each other are settled by a check, or told as open; never sold."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from helpers_mind import ROLES, ask, plan, role_of
from hypothesis import given
from hypothesis import strategies as st

from manyhands.hands.contracts import Attempt, Evidence, HandName, HandResult, MathKind, Status
from manyhands.journal.events import Framed, Note, NoteReason, StepDone
from manyhands.journal.records import RunState
from manyhands.mind.answer import Answer, StepReport
from manyhands.mind.frame import Frame, PlanStep, Route
from manyhands.mind.mind import Mind
from manyhands.mind.reconciling import conflicts_in, settle
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.settings import Settings

# --- pure: what is found, and how it is settled --------------------------------------------------


def step(name: str, hand: HandName = HandName.CODE, **more: Any) -> PlanStep:
    more.setdefault("data", ("d",) if hand is not HandName.MATH else ())
    return PlanStep(id=name, hand=hand, **{"task": "the mean of a", **more})


def report(of: PlanStep, value: str = "", status: Status = Status.VERIFIED) -> StepReport:
    check = Evidence(name="blind_tests", passed=True, evidence="ok", independent=True)
    attempt = Attempt(number=1, role="coder", tier="heavy", model="m", checks=(check,))
    result = HandResult(
        hand=of.hand, status=status, summary="s", value=value, attempts=(attempt,), accepted=1
    )
    return StepReport(id=of.id, hand=of.hand, task=of.task, result=result)


def frame(*steps: PlanStep, givens: tuple[str, ...] = ()) -> Frame:
    return Frame(goal="g", route=Route.PLAN, steps=steps, givens=givens)


def found(*results: tuple[PlanStep, StepReport], givens: tuple[str, ...] = ()) -> list[str]:
    steps, reports = zip(*results, strict=True)
    return [str(one) for one in conflicts_in(frame(*steps, givens=givens), reports)]


def both(first: PlanStep, value: str, second: PlanStep, other: str) -> list[str]:
    return found((first, report(first, value)), (second, report(second, other)))


@pytest.mark.parametrize(
    ("first", "value", "second", "other"),
    [
        (step("a"), "3.0", step("b", task="Compute the mean of a in another way"), "4"),
        (step("a"), '{"mean": 3}', step("b"), '{"mean": 4}'),
        (step("a"), '"north"', step("b"), '"south"'),
        (step("a"), "true", step("b"), "false"),
        (step("a"), "3", step("b", task="average over every row", same_as="a"), "4"),
    ],
)
def test_two_answers_to_one_question_are_found(
    first: PlanStep, value: str, second: PlanStep, other: str
) -> None:
    assert len(both(first, value, second, other)) == 1


@pytest.mark.parametrize(
    ("first", "value", "second", "other"),
    [
        (step("a"), "3", step("b", task="the mean of b"), "4"),
        (step("a"), "3", step("b", data=("e",)), "4"),
        (step("a"), '{"mean": 3}', step("b"), '{"n": 4}'),
        (step("a"), "3.14159", step("b"), "3.14"),
        (step("a"), "[3]", step("b"), "[4]"),
        (step("a"), '"North"', step("b"), '"north"'),
        (step("a"), "no JSON", step("b"), "at all"),
        (step("a", data=()), "3", step("b", data=()), "4"),  # the values are programs
    ],
)
def test_different_questions_and_roundings_are_no_contradiction(
    first: PlanStep, value: str, second: PlanStep, other: str
) -> None:
    assert both(first, value, second, other) == []


@given(st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-3), st.integers(2, 12))
def test_a_number_never_contradicts_its_own_rounding(value: float, digits: int) -> None:
    assert both(step("a"), repr(value), step("b"), f"{value:.{digits}f}") == []


@given(st.floats(-1e6, 1e6), st.floats(1.02, 100))
def test_a_number_that_is_off_by_more_than_a_rounding_is_found(value: float, by: float) -> None:
    if abs(value) > 10:
        assert len(both(step("a"), repr(value), step("b"), repr(value * by))) == 1


CLAIM = step("v", HandName.VERIFY, task="The mean of a is 3.")


@pytest.mark.parametrize(
    ("status", "value", "count"),
    [
        (Status.VERIFIED, "4", 1),
        (Status.VERIFIED, "3", 0),
        (Status.REFUTED, "3", 1),
        (Status.REFUTED, "4", 0),
        (Status.UNVERIFIED, "4", 0),
    ],
)
def test_a_judged_claim_and_a_result_may_contradict(status: Status, value: str, count: int) -> None:
    judged = report(CLAIM, status=status)
    assert len(found((CLAIM, judged), (step("a"), report(step("a"), value)))) == count


@pytest.mark.parametrize(
    ("given_", "count"),
    [
        ("the mean of a is 4", 1),
        ("the mean of a = 3", 0),
        ("the mean of a is about 3.0", 0),
        ("the mean of a is at least 4", 0),
        ("the mean of a is 4 km", 0),
        ("the mean of b is 4", 0),
    ],
)
def test_what_was_given_may_be_contradicted(given_: str, count: int) -> None:
    of = step("a")
    assert len(found((of, report(of, "3")), givens=(given_,))) == count


def maths(name: str, value: str, status: Status) -> tuple[PlanStep, StepReport]:
    of = step(
        name, HandName.MATH, task=name, kind=MathKind.DERIVATIVE, given={"f": "x**2", "var": "x"}
    )
    return of, report(of, value, status)


def test_of_two_expressions_for_one_request_the_checked_one_counts() -> None:
    one, other = maths("m", "2*x", Status.VERIFIED), maths("n", "3*x", Status.UNVERIFIED)
    settled = settle(frame(one[0], other[0]), [one[1], other[1]])
    assert list(settled.wrong) == ["n"]
    assert settled.open_points == ()
    loose = maths("m", "2*x", Status.UNVERIFIED)
    settled = settle(frame(loose[0], other[0]), [loose[1], other[1]])
    assert not settled.wrong
    assert "no check could decide" in settled.open_points[0]
    forms = maths("n", "x + x", Status.VERIFIED)
    assert not settle(frame(one[0], forms[0]), [one[1], forms[1]]).wrong


V, R, U = Status.VERIFIED, Status.REFUTED, Status.UNVERIFIED


@pytest.mark.parametrize(
    ("verdicts", "wrong", "open_"),
    [
        ([V], {"b"}, False),
        ([R, V], {"a"}, False),
        ([R, R], {"a", "b"}, True),
        ([R, U], {"a"}, True),
        ([U, V], {"a"}, False),
        ([U, R], {"b"}, True),
        ([U, U], set(), True),
    ],
)
def test_only_a_verdict_settles(verdicts: list[Status], wrong: set[str], open_: bool) -> None:
    steps = [step("a"), step("b")]
    reports = [report(steps[0], "3"), report(steps[1], "4")]
    for n, verdict in enumerate(verdicts):
        (conflict,) = conflicts_in(frame(*steps), reports)
        assert conflict.wants is not None
        claim, data = conflict.wants
        steps.append(step(f"settle{n}", HandName.VERIFY, task=claim, data=(data,)))
        reports.append(report(steps[-1], status=verdict))
    (conflict,) = conflicts_in(frame(*steps), reports)
    assert conflict.wants is None
    settled = settle(frame(*steps), reports)
    assert set(settled.wrong) == wrong
    assert bool(settled.open_points) == open_


def test_what_rests_on_a_wrong_result_is_told() -> None:
    steps = [step("a"), step("b"), step("c", task="twice the mean", needs=("b",))]
    reports = [report(one, value) for one, value in zip(steps, ("3", "4", "8"), strict=True)]
    (conflict,) = conflicts_in(frame(*steps), reports)
    assert conflict.wants is not None
    steps.append(step("settle1", HandName.VERIFY, task=conflict.wants[0]))
    reports.append(report(steps[-1], status=V))
    assert settle(frame(*steps), reports).open_points == (
        "step c rests on b, which was shown to be wrong",
    )


# --- a scripted adversary: the second hand contradicts the first ---------------------------------

FIRST = {"id": "a", "hand": "code", "task": "the mean of x", "entry_point": "mean", "data": ["d"]}
SECOND = {**FIRST, "id": "b", "task": "The mean of x, by another method", "entry_point": "average"}
TESTS = "```python\ndef check(candidate):\n    assert candidate({'x': [4.0, 4.0]}) == 4\n```"
HONEST = "```python\ndef mean(d):\n    return sum(d['x']) / len(d['x'])\n```"
#: It passes the tests: they cannot tell the mean from the largest value.
LIAR = "```python\ndef average(d):\n    return max(d['x'])\n```"
IS = "```python\ndef claim(df):\n    return abs(df['x'].mean() - {0}) < 1e-9\n```"
NEVER = "```python\ndef claim(df):\n    return not abs(df['x'].mean() - {0}) < 1e-9\n```"
MEAN, LARGEST = 2.0, 3.0


def number_in(prompt: str) -> float:
    return next(n for n in (MEAN, LARGEST) if f"the result is {n}" in prompt)


def script(skeptic: str = IS, first: str = "a", answer: str = "The mean is 2.0.") -> Any:
    """Models of which the coder of step `b` lies; `first` says which step the plan begins with."""
    steps = (FIRST, SECOND) if first == "a" else (SECOND, FIRST)

    def says(role: str, prompt: str) -> str:
        match role:
            case "framer":
                return plan(*steps)
            case "tester":
                return TESTS
            case "coder":
                return LIAR if "`average`" in prompt else HONEST
            case "verifier":
                return IS.format(number_in(prompt))
            case "skeptic" if "Claim:" not in prompt:
                return "CANNOT: no second program"
            case "skeptic":
                return skeptic.format(number_in(prompt))
        return answer

    return says


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    (tmp_path / "d.csv").write_text("x\n1\n2\n3\n")
    return settings_in(tmp_path)


def data_of(settings: Settings) -> dict[str, Path]:
    return {"d": settings.journal.path.parent / "d.csv"}


@pytest.mark.anyio
@pytest.mark.parametrize(("first", "asked"), [("a", 1), ("b", 2)])
async def test_a_hand_that_contradicts_an_earlier_one_is_found_out(
    settings: Settings, first: str, asked: int
) -> None:
    seen = await ask(settings, script(first=first), data=data_of(settings))
    answer = seen.answer
    assert answer is not None
    assert answer.status is Status.VERIFIED, answer.open_points
    by_id = {one.id: one.result.status for one in answer.steps}
    assert (by_id["a"], by_id["b"]) == (Status.VERIFIED, Status.REFUTED)
    settling = [one for one in answer.steps if one.id.startswith("settle")]
    assert len(settling) == asked
    assert all(one.hand is HandName.VERIFY for one in settling)
    notes = [one.text for one in seen.kinds(Note) if one.reason is NoteReason.CONTRADICTION]
    assert "a verify step is to decide" in notes[0]
    *_, last = seen.kinds(Framed)
    assert {s["id"] for s in last.frame["steps"]} == set(by_id), "they are steps of the plan"
    (prompt,) = [prompt for role, prompt in seen.prompts if role == "editor"]
    liar = next(line for line in prompt.splitlines() if line.startswith("step b "))
    assert "refuted" in liar
    assert "gives 3.0" not in prompt, "the mind does not get to see a value that was overruled"


@pytest.mark.anyio
async def test_what_no_check_can_decide_is_told_and_never_verified(settings: Settings) -> None:
    seen = await ask(settings, script(skeptic=NEVER), data=data_of(settings))
    answer = seen.answer
    assert answer is not None
    assert answer.status is Status.UNVERIFIED
    assert "step a and step b contradict each other (2.0, 3.0)" in answer.open_points[0]
    (prompt,) = [prompt for role, prompt in seen.prompts if role == "editor"]
    assert "To be told as open: step a and step b contradict each other" in prompt


@pytest.mark.anyio
async def test_without_a_step_left_the_contradiction_is_told(settings: Settings) -> None:
    budgets = settings.budgets.model_copy(update={"steps": 2})
    tight = settings.model_copy(update={"budgets": budgets})
    seen = await ask(tight, script(), data=data_of(settings))
    assert seen.answer is not None
    assert seen.answer.status is Status.UNVERIFIED
    assert "contradict each other" in seen.answer.open_points[0]
    assert len(seen.answer.steps) == 2


@pytest.mark.anyio
async def test_a_run_that_is_stopped_while_it_settles_goes_on_and_ends_the_same(
    settings: Settings,
) -> None:
    says = script(first="b")
    roles: list[str] = []

    def reply(request: ScriptedRequest) -> str:
        roles.append(role_of(request))
        return str(says(role_of(request), request.last))

    with scripted_tiers(settings, reply) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True)
        bodies: list[Any] = []
        async with aclosing(mind.stream("What is the mean?", data=data_of(settings))) as items:
            async for item in items:
                assert not isinstance(item, Answer)
                bodies.append(item)
                if isinstance(item.body, StepDone) and item.body.step == "settle1":
                    break
        run_id = bodies[0].run_id
        with mind.journal() as journal:
            assert journal.run(run_id).state is RunState.STOPPED
        before = roles.count("coder"), roles.count("verifier"), roles.count("framer")
        answer = None
        async with aclosing(mind.resume(run_id)) as items:
            async for item in items:
                answer = item
        assert isinstance(answer, Answer)
        assert answer.status is Status.VERIFIED, answer.open_points
        after = roles.count("coder"), roles.count("verifier"), roles.count("framer")
        assert after == (before[0], before[1] + 1, before[2]), "only what was left is done"
        with mind.journal() as journal:
            events = journal.events(run_id)
        done = [event.body.step for event in events if isinstance(event.body, StepDone)]
        assert sorted(done) == ["a", "b", "b", "settle1", "settle2"], "told once, overruled once"
        texts = [json.dumps(event.body.frame) for event in events if isinstance(event.body, Framed)]
        assert "settle2" in texts[-1]
