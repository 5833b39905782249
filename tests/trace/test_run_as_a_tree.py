"""The tree that panels draw: the same from a live stream and from the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.data_files import data_path
from manyhands.journal.events import AnswerDelta, Event, Note, NoteReason
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings
from manyhands.trace.tree import Tree, TreeState, grow, text_of, tree_of

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}
CO2 = data_path("examples") / f"{DATA}.csv"


@pytest.mark.anyio
async def test_a_run_grows_into_a_tree_that_the_journal_can_grow_again(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    live = Tree()
    seen: list[str] = []
    with scripted_tiers(settings_in(tmp_path), lambda r: say(r, PROMPTS)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True)
        async for item in mind.stream(QUESTION, data={DATA: CO2}):
            if isinstance(item, Event):
                grow(live, item)
                seen.extend(node.state for node in live.steps)
            else:
                answer = item
    assert isinstance(answer, Answer)
    assert {TreeState.WAITING, TreeState.RUNNING, "verified"} <= set(seen)
    # The tree shows the order in which a plan runs, the answer that of the plan as written.
    nodes = {node.id: node for node in live.steps}
    assert set(nodes) == {step.id for step in answer.steps}
    for step in answer.steps:
        node = nodes[step.id]
        assert node.state == step.result.status
        assert [badge.name for badge in node.badges] == [c.name for c in step.result.evidence]
        assert node.tokens == step.result.spend.prompt_tokens + step.result.spend.completion_tokens
        assert node.role
        assert node.model
        assert not node.doing
    assert live.answer == answer.text
    assert live.tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    with mind.journal() as journal:
        again = tree_of(journal.events(answer.run_id))
    assert again.as_json() == live.as_json()
    assert json.loads(json.dumps(live.as_json())) == live.as_json()
    told = text_of(again)
    assert "scripted models" in told
    assert "rates · code: verified" in told
    assert "steady · verify: refuted" in told


@pytest.mark.parametrize("reason", [NoteReason.FAILOVER, NoteReason.RETRY])
def test_an_answer_that_is_written_anew_is_not_shown_twice(reason: NoteReason) -> None:
    tree = Tree()
    bodies = [
        AnswerDelta(text="It is "),
        Note(reason=reason, text="host0 died"),
        AnswerDelta(text="It "),
        AnswerDelta(text="is 2."),
        Note(reason=reason, text="of a step's own call", step="s1"),
    ]
    for seq, body in enumerate(bodies, start=1):
        grow(tree, Event(run_id="r", seq=seq, at=0.0, body=body))
    assert tree.answer == "It is 2."
