"""What a stranger gives is read in the way that is meant, or refused with its reason."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers_memory import HashEmbedder

from manyhands.errors import InputError
from manyhands.memory import Memory
from manyhands.memory.records import Refusal, RefusedItem

ON_BOTH = True
pytestmark = pytest.mark.anyio

ONE = {"id": "one", "kind": "document", "text": "The walrus sleeps."}


async def test_a_whole_number_serves_as_an_id_everywhere(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add({**ONE, "id": np.int64(n), "text": f"walrus {n}"} for n in range(40))
        assert (await memory.recall("walrus 7", k=np.int64(3)))[0].id == "7"
        report = await memory.fit([(f"walrus {n}", [n]) for n in range(40)])
        assert (report.unused, report.families[0].pairs) == (0, 40)
        assert (await memory.forget([7, np.int32(8)])).items == 2
        assert not await memory.holds("7")


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"kind": "Code Snippet"}, {"kind": "code-snippet"}),
        ({"scope": 7, "source": Path("a/b.md"), "speaker": 4}, {"scope": "7", "source": "a/b.md"}),
        ({"tags": "ice"}, {"tags": ("ice",)}),
        ({"time": "1:56 pm on 8 May, 2023"}, {"time": 1683554160.0}),
        ({"time": "around noon"}, {"time": None, "meta": {"time_text": "around noon"}}),
        ({"title": "Ice", "page": 3}, {"meta": {"title": "Ice", "page": 3}, "context": "Ice"}),
        (
            {"meta": {"day": date(2026, 1, 31), "n": np.int64(3), "v": np.ones(2), "s": {2, 1}}},
            {"meta": {"day": "2026-01-31", "n": 3, "v": [1.0, 1.0], "s": [1, 2]}},
        ),
    ],
)
async def test_what_is_meant_is_kept(
    file: Path, tmp_path: Path, given: dict[str, Any], held: dict[str, Any]
) -> None:
    async with await Memory.open(file) as memory:
        await memory.add({**ONE, **given})
        item = (await memory.show("one")).item
        assert {name: getattr(item, name) for name in held} == held
        lines = await memory.export()
    async with await Memory.open(tmp_path / "copy.db") as copy:
        await copy.import_(lines)
        assert await copy.export() == lines


async def test_one_that_is_no_item_refuses_all(file: Path) -> None:
    async with await Memory.open(file) as memory:
        with pytest.raises(RefusedItem) as told:
            await memory.add([ONE, "a text"])  # type: ignore[list-item]
        assert told.value.reason is Refusal.NO_ITEM
        assert memory.store.counts() == {}


async def test_a_query_that_is_none_is_told(file: Path) -> None:
    async with await Memory.open(file) as memory:
        with pytest.raises(InputError, match="no text"):
            await memory.recall(None)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="k is '3'"):
            await memory.recall("walrus", k="3")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="A pair is"):
            await memory.fit([{"query": "walrus", "relevant": ["one"]}])  # type: ignore[list-item]
    with pytest.raises(InputError, match="':memory:' is none"):
        await Memory.open(":memory:")


async def test_an_embedder_that_does_not_wait_serves_as_well(file: Path) -> None:
    class Plain:
        model = "plain"

        def embed(self, texts: list[str]) -> np.ndarray:
            return np.array([[len(text), 1.0] for text in texts])

    async with await Memory.open(file, embedder=Plain()) as memory:  # type: ignore[arg-type]
        await memory.add(ONE)
        assert memory.notices == []
        assert (await memory.stats())["searched by"] == "words and vectors of plain, 2 numbers"
