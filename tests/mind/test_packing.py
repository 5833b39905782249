"""A prompt either holds the question whole or the user is told; what is left out is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import ContextOverflow
from manyhands.hands.tokens import expect_tokens
from manyhands.hands.work import Source
from manyhands.mind.packing import Part, Turn, pack
from manyhands.mind.prompts import frame_prompt
from manyhands.mind.question import Question

texts = st.text(max_size=400) | st.text(alphabet="ab \n", min_size=200, max_size=4000)
turns = st.lists(st.builds(Turn, texts, texts), max_size=12)


@given(question=texts, history=turns, memory=texts, room=st.integers(100, 6000))
def test_the_last_turn_and_the_rules_reach_the_wire_whole_or_the_user_is_told(
    question: str, history: list[Turn], memory: str, room: int
) -> None:
    asked = Question("Q" + question, "r", "c", turns=tuple(history))
    source = Source("d", "/d.csv", "d.csv", ("a",), "a table with one column", "")
    try:
        prompt, packed = frame_prompt(
            asked, [source], recalled=memory, system="be good", room_tokens=room
        )
    except ContextOverflow:
        return
    assert prompt.endswith(asked.text.strip())
    assert prompt.startswith("Choose a route.")
    assert expect_tokens("be good" + prompt) <= room + 200
    kept = [turn for turn in history if turn.whole() in packed.turns]
    whole = [turn for turn in history if turn.whole()]
    if len(kept) < len(whole):
        assert packed.left_out


@given(must=st.lists(texts, max_size=3), parts=st.lists(texts, max_size=3), history=turns)
def test_nothing_is_packed_over_the_room(
    must: list[str], parts: list[str], history: list[Turn]
) -> None:
    room = 900
    try:
        packed = pack(must, [Part(str(n), text) for n, text in enumerate(parts)], history, room)
    except ContextOverflow:
        assert sum(map(expect_tokens, must)) > room
        return
    assert packed.tokens <= room
    used = [*must, *packed.parts]
    assert sum(map(expect_tokens, filter(None, used))) <= room


def test_older_turns_go_first_and_are_counted() -> None:
    history = [Turn(f"question {n}", "long answer " * 60) for n in range(20)]
    packed = pack(["rules", "question"], [], history, 700)
    assert "question 19" in packed.turns
    assert "question 0" not in packed.turns
    left = packed.left_out[-1]
    assert left.endswith("earlier turns")
    assert f"[{left.split()[0]} earlier turns left out]" in packed.turns


def test_a_part_is_shortened_before_it_is_left_out() -> None:
    packed = pack([], [Part("data", "x" * 3000, "short")], [], 100)
    assert packed.parts == ("short",)
    assert packed.left_out == ("data (shortened)",)


def test_a_question_that_is_too_long_says_what_to_do() -> None:
    with pytest.raises(ContextOverflow, match=r"about \d+ tokens") as told:
        pack(["word " * 5000], [], [], 1000)
    assert "--data" in told.value.hint
