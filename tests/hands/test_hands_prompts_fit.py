"""A hand's prompt fits its window: task and system prompt whole, the rest shortened and told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest
from helpers_models import ReadyModels
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.engines.contracts import ChatRequest, Delta, DoneReason, Reply, Usage
from manyhands.errors import ContextOverflow
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import Artifact, Evidence, HandName
from manyhands.hands.fitting import Piece, fit
from manyhands.hands.places import ModelPlace
from manyhands.hands.registry import HANDS
from manyhands.hands.tokens import expect_tokens
from manyhands.hands.voice import Voice
from manyhands.hands.work import ABSTAIN, Desk, Draft, Source, artifact_of
from manyhands.journal.events import Body, Note, NoteReason
from manyhands.mind.frame import PlanStep, request_of
from manyhands.roles.loader import load_roles

ROLES = load_roles()
STEPS = {
    HandName.CODE: {"entry_point": "solve", "data": ("d",)},
    HandName.MATH: {"kind": "derivative", "given": {"f": "x**2", "var": "x"}},
    HandName.VISUALIZE: {"data": ("d",), "chart": "line", "x": "a", "y": "b"},
    HandName.VERIFY: {"data": ("d",)},
}


class Listening(ReadyModels):
    """Models with a given window that abstain; keeps what they are asked."""

    def __init__(self, num_ctx: int) -> None:
        super().__init__(num_ctx)
        self.asked: list[ChatRequest] = []

    async def stream(
        self, place: ModelPlace, request: ChatRequest
    ) -> AsyncGenerator[Delta | Reply]:
        self.asked.append(request)
        tests = "```python\nassert solve({}) == 1\n```"
        said = tests if request.messages[0].content == ROLES["tester"].prompt else f"{ABSTAIN} no"
        usage = Usage(prompt_tokens=sum(expect_tokens(m.content) for m in request.messages))
        yield Reply(said, "", (), DoneReason.STOP, usage, "m")


async def drafted(
    hand: HandName, models: Listening, task: str, data: str, notes: Sequence[str], last: Draft
) -> list[str]:
    """Have a hand draft once; what it told a person about its prompt."""
    told: list[str] = []

    async def emit(body: Body) -> None:
        if isinstance(body, Note) and body.reason is NoteReason.CONTEXT:
            told.append(body.text)

    async def keep(name: str, media_type: str, content: bytes) -> Artifact:
        return artifact_of(name, media_type, content)

    voice = Voice(models, ROLES, emit, lambda spend: None)
    source = Source("d", "/d.csv", "d.csv", ("a", "b"), data, "")
    desk = Desk("s", voice, Bench(SandboxPolicy()), emit, {"d": source}, notes, keep)
    request = request_of(PlanStep(id="s", hand=hand, task=task, **STEPS[hand]))  # type: ignore[arg-type]
    draft = await HANDS[hand]().draft(request, desk, "heavy", last)
    assert draft.abstained
    return told


def long_text(words: list[str], times: int) -> str:
    return "\n".join(f"{word} {n}" for n, word in enumerate(words * times))


words = st.lists(
    st.sampled_from(["the level rises", "12.5,13.25,77", "水位は上がる", "{'a': 1}", "x = f(y)"]),
    min_size=1,
    max_size=6,
)
texts = st.builds(long_text, words, st.integers(0, 60))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(STEPS)),
    st.integers(2048, 6000),
    texts,
    st.lists(texts, max_size=4),
    texts,
    texts,
    texts,
)
def test_task_and_system_prompt_reach_the_wire_whole_or_a_person_is_told(
    hand: HandName,
    window: int,
    task: str,
    values: list[str],
    data: str,
    work: str,
    failed: str,
) -> None:
    task = f"T {task}".strip()[:7_900]
    heads = [f"step s{n} (code): verified. 42\n  passed tests: 12 of 12" for n in range(9)]
    notes = [f"{head}\nvalue:\n{text}" for head, text in zip(heads, values, strict=False)]
    last = Draft(
        work=f"W {work}".strip(), checks=[Evidence(name="c", passed=False, evidence=failed)]
    )
    models = Listening(window)
    try:
        told = anyio.run(drafted, hand, models, task, data, notes, last)
    except ContextOverflow:
        assert expect_tokens(task) > 0.3 * window, "packing would have done"
        return
    said = ", ".join(told)
    for request in models.asked:
        system, *_, user = request.messages
        assert system.content in {role.prompt for role in ROLES.values()}
        assert task in user.content
        if expect_tokens(task) < 0.3 * window:
            assert sum(expect_tokens(m.content) for m in request.messages) <= window
    if hand is HandName.VERIFY:
        return  # what a claim is judged by sees neither notes nor another's work
    prompt = models.asked[-1].messages[-1].content
    assert last.work in prompt or "the last version" in said
    for head, note in zip(heads, notes, strict=False):
        name = f"the note on {' '.join(head.split()[:2])}"
        assert note.strip() in prompt or name in said
        if f"{name} (shortened)" in said:
            assert head in prompt, "status and evidence stay"


@pytest.mark.anyio
async def test_a_hand_whose_history_is_far_too_long_still_works() -> None:
    notes = [
        f"step s{n} (code): verified. {n}.5\n  passed tests: 12 of 12\nvalue:\n"
        + f"row {n}, 3.25, 4.5\n" * 2_000
        for n in range(3)
    ]
    last = Draft(
        work="def solve(d):\n    return 1\n" * 2_000,
        checks=[Evidence(name="blind_tests", passed=False, evidence="expected 3, got 1 " * 900)],
    )
    models = Listening(4096)
    told = await drafted(HandName.CODE, models, "the mean", "a table", notes, last)
    (text,) = told
    assert text.startswith("left out of the prompt to fit the window: the note on step s0")
    assert "what failed (shortened)" in text
    prompt = models.asked[-1].messages[-1].content
    assert all(f"step s{n} (code): verified. {n}.5" in prompt for n in range(3))
    assert "characters left out" in prompt
    assert "expected 3, got 1" in prompt


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, max_size=5), st.integers(0, 3000))
def test_short_pieces_stay_whole_and_long_ones_share_the_rest(pieces: list[str], room: int) -> None:
    parts = [Piece(str(n), text) for n, text in enumerate(pieces)]
    fitted = fit(parts, room, expect_tokens)
    assert sum(expect_tokens(text) for text in fitted.parts if text) <= room
    sizes = [expect_tokens(text) for text in pieces]
    whole = [n for n, text in enumerate(pieces) if fitted.parts[n] == text]
    cut = [n for n in range(len(pieces)) if n not in whole]
    assert [name.split(" ")[0] for name in fitted.left_out] == [str(n) for n in cut]
    assert all(sizes[a] <= sizes[b] for a in whole for b in cut)
