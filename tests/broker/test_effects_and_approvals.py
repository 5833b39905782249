"""Effects happen only as decided, are written down before they happen, and never happen twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from manyhands.broker.broker import Broker
from manyhands.broker.contracts import (
    Choice,
    Decision,
    Effect,
    EffectState,
    Origin,
    Outcome,
    Rule,
    Verdict,
)
from manyhands.broker.policy import Approvals, decide
from manyhands.errors import StorageError
from manyhands.journal.events import (
    Body,
    EffectDecided,
    EffectFinished,
    EffectIntended,
    Event,
    RunStarted,
)
from manyhands.journal.store import Journal

SAVE = Effect("save_file", {"path": "/tmp/a.png", "content": "ab"}, "save a.png")
CLEAN = (Origin.USER, Origin.MODEL)
OUTSIDE = (Origin.USER, Origin.OUTSIDE)


class Log:
    """Events as the journal would hold them, and a person who answers in a set way."""

    def __init__(self, choice: Choice = Choice.NO) -> None:
        self.bodies: list[Body] = []
        self.asked: list[str] = []
        self.acts = 0
        self._choice = choice

    async def emit(self, body: Body) -> None:
        self.bodies.append(body)

    async def approve(self, effect: Effect, decision: Decision) -> Choice:
        self.asked.append(decision.why)
        return self._choice

    async def act(self) -> JsonValue:
        assert isinstance(self.bodies[-1], EffectIntended), "the intent is written first"
        self.acts += 1
        return "done"

    def events(self) -> list[Event]:
        return [
            Event(run_id="r", seq=number, at=0.0, body=body)
            for number, body in enumerate(self.bodies, start=1)
        ]


@pytest.mark.anyio
async def test_without_anybody_to_ask_nothing_that_needs_asking_happens() -> None:
    log = Log()
    outcome = await Broker(log.emit).perform(SAVE, CLEAN, log.act)
    assert (outcome.state, log.acts) == (EffectState.DENIED, 0)
    (decided,) = log.bodies
    assert isinstance(decided, EffectDecided)
    assert not decided.allowed


@pytest.mark.anyio
async def test_an_approved_effect_happens_once_and_is_told() -> None:
    log = Log(Choice.ONCE)
    broker = Broker(log.emit, log.approve)
    outcome = await broker.perform(SAVE, CLEAN, log.act)
    assert outcome == Outcome(EffectState.DONE, "save a.png", "done")
    again = await broker.perform(SAVE, CLEAN, log.act)
    assert again.detail.startswith("already done")
    assert log.acts == 1


@pytest.mark.anyio
async def test_a_session_approval_ends_where_text_from_outside_begins() -> None:
    log = Log(Choice.SESSION)
    broker = Broker(log.emit, log.approve)
    await broker.perform(SAVE, CLEAN, log.act)
    await broker.perform(Effect("save_file", {"path": "/tmp/b"}), CLEAN, log.act)
    assert len(log.asked) == 1
    await broker.perform(Effect("save_file", {"path": "/tmp/c"}), OUTSIDE, log.act)
    assert len(log.asked) == 2


@pytest.mark.anyio
async def test_a_fault_of_the_effect_is_an_outcome() -> None:
    log = Log(Choice.ONCE)

    async def act() -> JsonValue:
        raise StorageError("The disk is full.")

    outcome = await Broker(log.emit, log.approve).perform(SAVE, CLEAN, act)
    assert (outcome.state, outcome.detail) == (EffectState.FAILED, "The disk is full.")


@pytest.mark.anyio
@pytest.mark.parametrize("rule", [Rule.TRUSTED, Rule.ASK])
async def test_after_a_crash_an_uncertain_effect_is_asked_about_and_never_just_repeated(
    rule: Rule,
) -> None:
    before = Log(Choice.ONCE)

    async def crash() -> JsonValue:
        raise KeyboardInterrupt

    broker = Broker(before.emit, before.approve)
    with pytest.raises(KeyboardInterrupt):
        await broker.perform(SAVE, CLEAN, crash)
    after = Log(Choice.NO)
    resumed = Broker(after.emit, after.approve, rules={"save_file": rule}, events=before.events())
    outcome = await resumed.perform(SAVE, CLEAN, after.act)
    assert (outcome.state, after.acts) == (EffectState.UNCERTAIN, 0)
    assert "before a crash" in after.asked[0]


@pytest.mark.anyio
async def test_after_a_crash_a_finished_effect_is_not_done_again() -> None:
    before = Log(Choice.ONCE)
    await Broker(before.emit, before.approve).perform(SAVE, CLEAN, before.act)
    after = Log(Choice.ONCE)
    outcome = await Broker(after.emit, after.approve, events=before.events()).perform(
        SAVE, CLEAN, after.act
    )
    assert (outcome.state, after.acts, after.asked) == (EffectState.DONE, 0, [])


@pytest.mark.anyio
async def test_a_stop_lets_an_effect_that_has_begun_end_and_writes_its_end() -> None:
    log = Log(Choice.ONCE)
    begun = anyio.Event()

    async def act() -> JsonValue:
        begun.set()
        await anyio.sleep(0.05)
        return "written"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Broker(log.emit, log.approve).perform, SAVE, CLEAN, act)
        await begun.wait()
        tasks.cancel_scope.cancel()
    last = log.bodies[-1]
    assert isinstance(last, EffectFinished)
    assert last.state == "done"


def test_the_effects_are_in_the_journal(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        started = RunStarted(question="q", conversation_id="c", door="test")
        journal.begin_run("run", "c", started)
        body = EffectIntended(tool="save_file", digest=SAVE.digest, summary="s")
        journal.append(Event(run_id="run", seq=2, at=time.time(), body=body))
        assert journal.events("run")[1].body == body


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
effects = st.builds(
    Effect,
    tool=st.sampled_from(["save_file", "run_cell"]),
    arguments=st.dictionaries(st.text(max_size=8), values, max_size=3),
)


@given(asked=effects, proposed=effects)
def test_an_approval_is_good_for_its_exact_arguments_only(asked: Effect, proposed: Effect) -> None:
    decision = decide(proposed, OUTSIDE, {}, Approvals(digests=frozenset({asked.digest})))
    same = (asked.tool, json.dumps(asked.arguments, sort_keys=True)) == (
        proposed.tool,
        json.dumps(proposed.arguments, sort_keys=True),
    )
    assert (decision.verdict is Verdict.ALLOW) == same


@given(effect=effects, rule=st.sampled_from([Rule.ASK, Rule.TRUSTED]), tools=st.booleans())
def test_with_text_from_outside_nothing_happens_unasked(
    effect: Effect, rule: Rule, tools: bool
) -> None:
    approvals = Approvals(tools=frozenset({effect.tool}) if tools else frozenset())
    decision = decide(effect, OUTSIDE, {effect.tool: rule}, approvals)
    assert decision.verdict is Verdict.ASK


@given(effect=effects)
def test_what_the_settings_forbid_no_approval_opens(effect: Effect) -> None:
    approvals = Approvals(frozenset({effect.digest}), frozenset({effect.tool}))
    decision = decide(effect, CLEAN, {effect.tool: Rule.NEVER}, approvals)
    assert decision.verdict is Verdict.DENY
