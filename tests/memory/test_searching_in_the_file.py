"""Without its index in memory, a search is done in the file by FTS5 and sqlite-vec, and finds."""

from __future__ import annotations

import random
from pathlib import Path

import anyio
import pytest
from helpers_memory import HashEmbedder

from manyhands.memory import Memory, searching

ON_BOTH = True
pytestmark = pytest.mark.anyio

WORDS = [a + b for a in ("ba", "ko", "mi", "ru", "ze", "tol") for b in ("dak", "fen", "gol", "hum")]


async def _filled(path: Path, count: int = 400) -> None:
    rng = random.Random(5)
    async with await Memory.open(path, embedder=HashEmbedder()) as memory:
        await memory.add(
            [
                {
                    "id": f"i{n}",
                    "kind": "turn" if n % 3 == 0 else "document",
                    "scope": f"s{n % 4}",
                    "speaker": "Ada" if n % 3 == 0 else "",
                    "source": f"f{n % 7}",
                    "time": 1_600_000_000 + n * 86_400,
                    "text": " ".join(rng.choices(WORDS, k=8)) + f" only{n}",
                }
                for n in range(count)
            ]
        )


async def test_both_ways_find_the_same(file: Path) -> None:
    await _filled(file)
    embedder = HashEmbedder()
    async with (
        await Memory.open(file, embedder=embedder) as hot,
        await Memory.open(file, embedder=embedder, in_memory=False) as cold,
    ):
        rng = random.Random(6)
        for number in range(12):
            question = " ".join(rng.choices(WORDS, k=2)) + f" only{number * 31}"
            where = [{}, {"scope": "s1"}, {"kinds": ["turn"]}, {"since": "2021-01-01"}][number % 4]
            ours = [hit.id for hit in await hot.recall(question, k=5, **where)]  # type: ignore[arg-type]
            theirs = [hit.id for hit in await cold.recall(question, k=5, **where)]  # type: ignore[arg-type]
            # Within a filter the index in memory counts rarity among what may be found only.
            assert ours[0] in theirs[: 3 if where else 1]
            assert len(set(ours) & set(theirs)) >= (3 if where else 4)
        assert not cold._searcher.hot.loaded


async def test_words_alone_in_the_file(file: Path) -> None:
    await _filled(file, 60)
    async with await Memory.open(file, in_memory=False) as memory:
        assert (await memory.recall("only17"))[0].id == "i17"
        assert await memory.recall("nothing like it") == []
        await memory.forget("i17")
        assert "i17" not in [hit.id for hit in await memory.recall("only17 badak", k=50)]


async def test_a_large_memory_answers_before_its_index_is_made(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOADED_AT_ONCE", 100)
    await _filled(file)
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        assert (await memory.recall("only217"))[0].id == "i217"
        with anyio.fail_after(30):
            await memory.settled()
        assert memory._searcher.hot.loaded
        assert (await memory.recall("only217"))[0].id == "i217"


async def test_closing_while_the_index_is_made_gives_it_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOADED_AT_ONCE", 100)
    await _filled(file)
    memory = await Memory.open(file, embedder=HashEmbedder())
    await memory.recall("only217")
    with anyio.fail_after(30):
        await memory.close()


async def test_what_is_derived_can_be_made_anew(file: Path) -> None:
    await _filled(file, 60)
    async with await Memory.open(file, embedder=HashEmbedder(), in_memory=False) as memory:
        before = [hit.id for hit in await memory.recall("only17 badak")]
        db = memory.store.writer
        if isinstance(file, Path):
            db.execute("DROP TABLE words_fts")
        for statement in ("DELETE FROM words", "DROP TABLE near_1"):
            db.execute(statement)
        assert await memory.rebuild() == 60
        assert [hit.id for hit in await memory.recall("only17 badak")] == before
        assert (await memory.stats())["integrity"] == "ok"
