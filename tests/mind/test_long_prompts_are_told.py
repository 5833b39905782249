"""A prompt that is too long is told, whoever should notice; notes fit by the server's count."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from helpers_mind import ROLES, ask, plan
from helpers_models import ReadyModels
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.engines.contracts import ChatRequest, Delta, DoneReason, Reply, Usage
from manyhands.errors import ContextOverflow
from manyhands.hands.contracts import Attempt, Evidence, HandName, HandResult, Status
from manyhands.hands.places import ModelPlace
from manyhands.hands.tokens import Meter
from manyhands.hands.voice import Voice
from manyhands.journal.events import Body, Note, NoteReason
from manyhands.mind.condense import condense
from manyhands.settings import Settings

WINDOW = 4096
DIRECT = json.dumps({"goal": "g", "route": "direct", "answer": "ok"})


def wordy(rng: random.Random, tokens: int) -> str:
    """Prose, digits and another script, about so many tokens by the rehearsal server's count."""
    kinds = ("rise and fall of the level", "3.1415 2.7182 1.4142", "水位は上がる", "x = f(y) + 1")
    text = ""
    while len(text.encode()) < 4 * tokens:
        text += f"{rng.choice(kinds)} "
    return text


@pytest.mark.anyio
async def test_seeded_long_prompts_reach_the_server_whole_or_are_told(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    """Questions, contexts and data of 0.01 to 1.2 windows: 100 % detected, none silently cut."""
    settings, wide = settings_in(tmp_path), 4 * WINDOW
    tiers = {
        name: tier.model_copy(update={"num_ctx": wide}) for name, tier in settings.tiers.items()
    }
    small = settings.model_copy(update={"tiers": tiers})
    rng = random.Random(7)
    refused = told = whole = 0
    for n in range(40):
        length = int(wide * rng.uniform(0.01, 1.2))
        question, context = f"Question {n}?", {}
        if n % 2:
            question = f"{question} {wordy(rng, length)} End {n}."
        else:
            context = {"cell 1": f"{wordy(rng, length)} End {n}."}
        try:
            seen = await ask(small, lambda role, prompt: DIRECT, question, context=context)
        except ContextOverflow:
            refused += 1
            continue
        ((_, prompt),) = seen.prompts
        assert prompt.endswith(question.strip()), "the question is whole or refused"
        notes = [note.text for note in seen.kinds(Note) if note.reason is NoteReason.CONTEXT]
        if context and f"End {n}." not in prompt:
            assert "the notebook's context" in notes[0]
            told += 1
        else:
            assert not notes
            whole += 1
    assert min(refused, told, whole) > 3, (refused, told, whole)


class Cutting(ReadyModels):
    """Models on a server that ignores `truncate: false`; its tokens are `per` bytes long."""

    def __init__(self, per: float, *, drops: bool) -> None:
        super().__init__(WINDOW)
        self._per = per
        self._drops = drops
        self.true = 0

    async def stream(
        self, place: ModelPlace, request: ChatRequest
    ) -> AsyncGenerator[Delta | Reply]:
        self.true = int(sum(len(m.content.encode()) for m in request.messages) / self._per) + 16
        read = self.true
        if read > WINDOW:
            read = int(WINDOW * 0.6) if self._drops else WINDOW
        yield Reply(
            content="ok",
            thinking="",
            tool_calls=(),
            done_reason=DoneReason.STOP,
            usage=Usage(prompt_tokens=read),
            model="m",
        )


@pytest.mark.anyio
@pytest.mark.parametrize("per", [2.5, 3.7, 5.0])
@pytest.mark.parametrize("drops", [False, True])
async def test_a_server_that_cuts_without_a_word_is_caught(per: float, drops: bool) -> None:
    models = Cutting(per, drops=drops)

    async def emit(body: Body) -> None:
        pass

    voice = Voice(models, ROLES, emit, lambda spend: None)
    rng = random.Random(3)
    prose = "the level of the lake rises in spring and falls in autumn as it did before "
    fine = caught = 0
    for n in range(200):
        prompt = prose * int(WINDOW * rng.uniform(0.05, 2.5) * per / len(prose)) if n else prose * 9
        try:
            await voice.say("editor", prompt)
            assert models.true <= WINDOW, "a cut prompt was taken for whole"
            fine += 1
        except ContextOverflow:
            caught += 1
    assert fine > 30
    assert caught > 60


def tokens_of(text: str, per: float) -> int:
    return int(len(text.encode()) / per) + 1


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["rise of the level", "12.5,13.25,77", "水位", "{'a': 1}"]), min_size=9
    ),
    st.sampled_from([1.8, 2.5, 3.3, 4.2]),
    st.integers(150, 900),
)
def test_a_note_is_within_its_budget_by_the_servers_own_count(
    words: list[str], per: float, budget: int
) -> None:
    value = "\n".join(f"{word} {n}" for n, word in enumerate(words * 60))
    meter = Meter()
    for piece in (value[:2000], value[2000:4000], value[-2000:]):
        meter.learn("m", [piece], tokens_of(piece, per))
    check = Evidence(name="blind_tests", passed=True, evidence="12 of 12", independent=True)
    attempt = Attempt(number=1, role="coder", tier="heavy", model="m", checks=(check,))
    result = HandResult(
        hand=HandName.CODE,
        status=Status.VERIFIED,
        summary="s",
        value=value,
        attempts=(attempt,),
        accepted=1,
    )
    note = condense("a", result, budget, "sha256:0", measure=lambda text: meter.tokens(text, "m"))
    assert "verified" in note.note
    assert "12 of 12" in note.note
    # The server's measure is learned from other pieces than the note is made of.
    assert tokens_of(note.note, per) <= 1.3 * budget
    assert note.kept_tokens <= budget


@pytest.mark.anyio
async def test_every_later_prompt_of_a_plan_fits_too_and_says_what_it_leaves_out(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    tiers = {
        name: tier.model_copy(update={"num_ctx": WINDOW}) for name, tier in settings.tiers.items()
    }
    budgets = settings.budgets.model_copy(update={"note_tokens": 4000, "steps": 12})
    small = settings.model_copy(update={"tiers": tiers, "budgets": budgets})
    steps = [
        {"id": f"s{n}", "hand": "math", "task": f"prove lemma {n}", "kind": "free"}
        for n in range(6)
    ]
    long = "therefore the level rises and so it follows " * 90

    def says(role: str, prompt: str) -> str:
        if role == "framer" and "brought nothing" not in prompt:
            return plan(*steps)
        return "It follows." if role == "editor" else f"```\n{long}\n```"

    seen = await ask(small, says)
    assert seen.answer is not None
    assert seen.answer.text == "It follows."
    notes = [note.text for note in seen.kinds(Note) if note.reason is NoteReason.CONTEXT]
    assert any("the note on step s" in text for text in notes)
    assert all(f"step s{n} (math)" in seen.prompts[-1][1] for n in range(3))
