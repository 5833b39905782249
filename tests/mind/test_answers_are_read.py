"""What a note leaves out can be read on: by offset and by words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manyhands.mind.reading import read_at, search

LONG = "\n".join(f"line {n}: nothing here" for n in range(2000))
MARKED = LONG.replace("line 1234: nothing", "line 1234: the treasure is under the oak")


def test_words_are_found_where_they_stand_together() -> None:
    (first, *_) = search(MARKED, "where is the treasure oak")
    assert "under the oak" in first.text
    assert MARKED[first.start : first.end] == first.text


def test_what_is_not_there_is_not_found() -> None:
    assert search(MARKED, "submarine") == []
    assert search(MARKED, "?!") == []


@given(text=st.text(max_size=200), offset=st.integers(-300, 300), limit=st.integers(-5, 300))
def test_reading_never_leaves_the_text(text: str, offset: int, limit: int) -> None:
    passage = read_at(text, offset, limit)
    assert text[passage.start : passage.end] == passage.text
    assert len(passage.text) <= max(limit, 0)
    assert 0 <= passage.start <= passage.end <= passage.total == len(text)


@given(text=st.text(max_size=3000), query=st.text(max_size=30))
def test_passages_do_not_overlap_and_hold_a_word_of_the_query(text: str, query: str) -> None:
    found = search(text, query)
    for one in found:
        assert text[one.start : one.end] == one.text
    ordered = sorted(found, key=lambda one: one.start)
    for before, after in pairwise(ordered):
        assert before.end <= after.start
