"""A question is also asked without the names that it has in common with everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_memory import HashEmbedder

from manyhands.memory import Memory

ON_BOTH = True
pytestmark = pytest.mark.anyio

TALK = [
    {"id": "t0", "kind": "turn", "speaker": "Ada Byron", "text": "Good morning, everybody!"},
    {"id": "t1", "kind": "turn", "speaker": "Bob", "text": "The ferry to Skye leaves at noon."},
    {"id": "t2", "kind": "turn", "speaker": "Ada Byron", "text": "I have sold my old bicycle."},
]
CODE = {
    "id": "f",
    "kind": "code",
    "text": 'def readCsvRows(path):\n    """Yield the rows of a table.\n\n    Slowly."""\n    pass',
}


@pytest.mark.parametrize(
    ("items", "question", "bare"),
    [
        (TALK, "What has Ada sold?", "What has sold?"),
        (TALK, "What is Ada's bicycle like?", "What is bicycle like?"),
        (TALK, "did ada sell a bicycle in python", ""),  # no name as names are written
        (TALK[:1], "What has Ada sold?", ""),  # who speaks alone is in no one's way
        (TALK, "Who is Bob?", ""),  # nothing else is asked
        ([CODE], "python read rows", "read rows"),
        ([CODE], "Read rows", ""),
    ],
)
async def test_names_are_left_out_of_a_second_text_of_the_same_call(
    file: Path, items: list[dict[str, str]], question: str, bare: str
) -> None:
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.add(items)
        embedder.texts.clear()
        await memory.recall(question)  # the first one, before anything was looked up
        assert embedder.texts == [question, *([bare] if bare else [])]


async def test_fitting_a_memory_that_was_just_opened_leaves_the_names_out_too(file: Path) -> None:
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.add(CODE)
    embedder.texts.clear()
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.fit([("python read rows", [CODE["id"]])])
    assert embedder.texts == ["python read rows", "read rows"]


async def test_the_turn_that_says_it_comes_before_the_one_that_has_the_name(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(TALK)
        hits = await memory.recall("What has Ada sold?", k=3)
        assert hits[0].id == "t2"
        assert hits[0].parts["bare_part"] > hits[-1].parts.get("bare_part", 0)


async def test_a_function_is_embedded_by_its_name_and_what_it_says_it_does(file: Path) -> None:
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.add([CODE, {**CODE, "id": "g", "text": "func addTwo(a, b) { return a + b }"}])
        assert "read csv rows: Yield the rows of a table." in embedder.texts
        assert "add two(a, b)" in embedder.texts
