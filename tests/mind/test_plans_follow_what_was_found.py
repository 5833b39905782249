"""A plan is written anew where a result contradicts it; a council sits where no check decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_mind import ask, math_step, plan

from manyhands.hands.contracts import Status
from manyhands.journal.events import CouncilDone, Framed, Note, NoteReason
from manyhands.rehearsal.script import Reply
from manyhands.settings import Settings

CLAIM = {"id": "v", "hand": "verify", "task": "every b is twice a", "data": ["d"]}
FALSE = "```python\ndef claim(df):\n    return bool((df['b'] == 2 * df['a']).all())\n```"


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n2,5\n3,6\n4,9\n")
    return settings_in(tmp_path)


@pytest.mark.anyio
async def test_a_refuted_premise_stops_what_rests_on_it_and_the_mind_plans_again(
    settings: Settings,
) -> None:
    def says(role: str, prompt: str) -> str:
        if role == "framer" and "proved false" in prompt:
            assert "every b is twice a" in prompt
            return plan(math_step("other", "x**2", replaces="rests"))
        if role == "framer":
            return plan(CLAIM, math_step("rests", "x**3", needs=["v"]))
        texts = {"mathematician": "```\n2*x\n```", "verifier": FALSE, "skeptic": FALSE}
        return texts.get(role, "It is 2*x, and b is not always twice a.")

    data = {"d": settings.journal.path.parent / "d.csv"}
    seen = await ask(settings, says, data=data)
    (replan,) = [n for n in seen.kinds(Note) if n.reason is NoteReason.REPLAN]
    assert replan.text == "the plan rests on what proved false (every b is twice a)"
    assert seen.answer is not None
    by_id = {step.id: step.result for step in seen.answer.steps}
    assert by_id["rests"].status is Status.CANNOT
    assert "rests on v, which was refuted" in by_id["rests"].summary
    assert by_id["other"].status is Status.VERIFIED
    assert seen.answer.status is Status.VERIFIED
    assert [role for role, _ in seen.prompts].count("mathematician") == 1


@pytest.mark.anyio
async def test_where_checks_cannot_decide_the_mind_may_call_a_council(settings: Settings) -> None:
    def says(role: str, prompt: str) -> str:
        if role == "framer" and "brought nothing that holds" in prompt:
            return json.dumps({"goal": "g", "route": "council"})
        if role == "framer":
            return plan(math_step("d", "x**2"))
        return "```\n3*x\n```" if role == "mathematician" else "ANSWER: 2*x"

    seen = await ask(settings, says)
    (sat,) = seen.kinds(CouncilDone)
    assert sat.answer == "2*x"
    drafts = [prompt for role, prompt in seen.prompts if role == "councillor"]
    assert len(drafts) == 4
    assert all("step d (math)" in prompt for prompt in drafts), "they see what was found"
    assert seen.kinds(Framed)[-1].route == "council"
    assert seen.answer is not None
    assert seen.answer.status is Status.UNVERIFIED
    assert [step.id for step in seen.answer.steps] == ["d"]


LIMITS = {
    "tokens": 1,
    "seconds": 1.5,
    "gpu_seconds": 1e-9,
    "loads": 1,
}


@pytest.mark.anyio
@pytest.mark.parametrize("limit", LIMITS)
async def test_each_budget_ends_a_run_with_its_event_its_message_and_what_was_reached(
    settings: Settings, limit: str
) -> None:
    """The limit is reached by the framing call, or for `loads` by the first hand's."""
    given = plan(math_step("d", "x**2"), math_step("e", "sin(x)"))
    budgets = settings.budgets.model_copy(update={limit: LIMITS[limit]})
    limited = settings.model_copy(update={"budgets": budgets})
    texts = {"framer": given, "mathematician": "```\n2*x\n```"}
    pace = 2.0 / len(given) * 4 if limit == "seconds" else 0.0
    seen = await ask(limited, lambda role, _: Reply(texts.get(role, "done"), pace_s=pace))
    (told,) = [note for note in seen.kinds(Note) if note.reason is NoteReason.BUDGET]
    assert f"{limit} is used up" in told.text
    assert seen.answer is not None
    assert seen.answer.status is not Status.VERIFIED
    assert seen.answer.text.count(f"{limit} is used up") == 1
    assert seen.answer.exhausted == limit
    assert len(seen.prompts) <= 2, "overrun by at most one call"
    assert [step.id for step in seen.answer.steps] == ["d", "e"]


@pytest.mark.anyio
async def test_a_plan_over_the_budget_of_steps_goes_back_once(settings: Settings) -> None:
    budgets = settings.budgets.model_copy(update={"steps": 1})
    limited = settings.model_copy(update={"budgets": budgets})
    given = plan(math_step("d", "x**2"), math_step("e", "sin(x)"))
    seen = await ask(limited, lambda role, _: given)
    told = [note.text for note in seen.kinds(Note) if note.reason is NoteReason.RETRY]
    assert told == ["2 steps, but the budget allows 1"] * 2
    assert seen.answer is not None
    assert seen.answer.status is Status.FAILED
