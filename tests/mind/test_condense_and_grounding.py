"""Notes keep status, evidence and numbers; numbers in an answer must come from somewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.hands.contracts import Attempt, Evidence, HandName, HandResult, Status
from manyhands.hands.tokens import expect_tokens
from manyhands.mind.answer import StepReport, judge_answer
from manyhands.mind.condense import condense
from manyhands.mind.grounding import ungrounded


def result(
    value: str, status: Status = Status.VERIFIED, hand: HandName = HandName.CODE
) -> HandResult:
    evidence = Evidence(name="blind_tests", passed=True, evidence="12 of 12", independent=True)
    attempt = Attempt(number=1, role="coder", tier="heavy", model="m", checks=(evidence,))
    return HandResult(
        hand=hand, status=status, summary="s", value=value, attempts=(attempt,), accepted=1
    )


@given(st.text(max_size=20_000), st.integers(80, 2000))
def test_a_note_keeps_the_head_and_stays_within_its_budget(value: str, budget: int) -> None:
    note = condense("a", result(value), budget)
    assert "verified" in note.note
    assert "12 of 12" in note.note
    assert note.kept_tokens <= note.full_tokens
    if note.cut:
        assert "characters left out" in note.note
        assert expect_tokens(note.note.encode("ascii", "replace").decode()) <= budget + 40


def test_head_and_tail_of_a_long_value_are_kept() -> None:
    note = condense("a", result("START" + "x" * 50_000 + "END"), 300).note
    assert "START" in note
    assert note.endswith("END")


@pytest.mark.parametrize(
    ("answer", "sources", "missing"),
    [
        ("It rose by 2.42 ppm.", ['{"last": 2.4187}'], []),
        ("It rose by 2.43 ppm.", ['{"last": 2.4187}'], ["2.43"]),
        ("It fell by 3.1.", ["slope -3.1"], []),
        ("That is 24 %.", ["share 0.24"], []),
        ("Two of 3 steps.", [], []),
        ("In 1958 it was 1,234.5.", ["1958-03-01", "1234.5"], []),
        ("About 417 now.", ["last value 416.6"], []),
        ("x1 and v2.0a are names", [], []),
    ],
)
def test_a_number_is_grounded_when_a_source_rounds_to_it(
    answer: str, sources: list[str], missing: list[str]
) -> None:
    assert ungrounded(answer, sources) == missing


def report(status: Status, hand: HandName = HandName.CODE) -> StepReport:
    return StepReport(id="a", hand=hand, task="t", result=result("", status, hand))


def test_an_answer_is_verified_only_with_every_step_and_number() -> None:
    good = report(Status.VERIFIED)
    assert judge_answer([good], [])[0] is Status.VERIFIED
    assert judge_answer([good], ["7.5"])[0] is Status.UNVERIFIED
    assert judge_answer([good, report(Status.UNVERIFIED)], [])[0] is Status.UNVERIFIED
    assert judge_answer([], [])[0] is Status.UNVERIFIED


def test_a_refuted_claim_does_not_count_against_the_answer() -> None:
    steps = [report(Status.VERIFIED), report(Status.REFUTED, HandName.VERIFY)]
    assert judge_answer(steps, [])[0] is Status.VERIFIED
    assert judge_answer([report(Status.REFUTED)], [])[0] is not Status.VERIFIED


def test_nothing_but_failures_is_a_failure() -> None:
    assert judge_answer([report(Status.FAILED)], [])[0] is Status.FAILED
    assert judge_answer([report(Status.FAILED), report(Status.CANNOT)], [])[0] is Status.CANNOT
