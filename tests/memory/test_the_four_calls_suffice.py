"""`open`, `add`, `recall` and `fit` with only their required arguments do the whole work."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from manyhands.errors import InputError
from manyhands.memory import Memory
from manyhands.memory.records import Refusal, RefusedItem

pytestmark = pytest.mark.anyio


class Letters:
    """The least that an embedder may be."""

    model = "letters"

    async def embed(self, texts: list[str]) -> list[list[float]]:
        return [[text.lower().count(one) + 0.01 for one in "aeiorstnlk"] for text in texts]


def _count(number: int) -> str:
    """A name for a number that is one word."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:05}")


@pytest.mark.slow
async def test_twenty_thousand_items_in_one_call(tmp_path: Path) -> None:
    items = [
        {"id": f"i{n}", "kind": "note", "text": f"Crate {_count(n)} holds lamp {_count(n * 7)}."}
        for n in range(20_000)
    ]
    memory = await Memory.open(tmp_path / "m.db", embedder=Letters())
    written = await memory.add(items)
    assert len(written.new) == 20_000
    hits = await memory.recall(f"What does crate {_count(12_345)} hold?", k=5)
    assert hits[0].id == "i12345"
    assert hits[0].text == items[12_345]["text"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert (await memory.add(items)).same == written.new
    await memory.close()


ODD: list[dict[str, Any]] = [
    {"id": "seconds", "kind": "turn", "text": "A kiln in the yard.", "time": 1_700_000_000.5},
    {"id": "iso", "kind": "Voice Memo", "text": "A loom at home.", "time": "2024-02-29T12:00:00Z"},
    {"id": "spoken", "kind": "turn", "text": "An anvil!", "time": "1:56 pm on 8 May, 2023"},
    {"id": "loose", "kind": "turn", "text": "A lathe, oiled.", "time": "some Tuesday"},
    {"id": "moment", "kind": "x-1", "text": "A bellows.",
     "time": datetime(2024, 3, 1, tzinfo=timezone(timedelta(hours=9)))},
    {"id": "day", "kind": "turn", "text": "A chisel.", "time": date(2024, 3, 2)},
    {"id": "none", "kind": "turn", "text": "A trowel.", "time": None, "speaker": None,
     "scope": None, "source": None, "meta": None},
    {"id": "ünïcode-世界", "kind": "turn", "text": "Ein Hobel für Bretter — 世界の工具 🪚",
     "speaker": "Zoë Ångström", "meta": {"blip_caption": "a plane on a bench", "n": [1, {}]}},
]  # fmt: skip


async def test_odd_kinds_times_and_speakers_are_all_found(tmp_path: Path) -> None:
    memory = await Memory.open(tmp_path / "m.db", embedder=Letters())
    await memory.add(ODD)
    for query, expected in [
        ("kiln", "seconds"), ("loom", "iso"), ("anvil", "spoken"), ("lathe", "loose"),
        ("bellows", "moment"), ("chisel", "day"), ("trowel", "none"), ("Hobel", "ünïcode-世界"),
        ("世界", "ünïcode-世界"), ("plane bench", "ünïcode-世界"),
        ("What was said on some Tuesday?", "loose"),
    ]:  # fmt: skip
        assert (await memory.recall(query, k=1))[0].id == expected, query
    everything = await memory.recall("kiln", k=1_000)
    assert {hit.id for hit in everything} == {item["id"] for item in ODD}
    assert [hit.id for hit in await memory.recall("loom", k=9, kinds=["voice memo"])] == ["iso"]
    assert await memory.recall("loom", k=9, kinds=["no such kind"]) == []
    await memory.close()


async def test_scope_and_budget_hold_however_large_k_is(tmp_path: Path) -> None:
    memory = await Memory.open(tmp_path / "m.db", embedder=Letters())
    await memory.add(
        {"id": f"{scope}{n}", "kind": "turn", "text": f"Boat {n} of {scope}. " + "Sails. " * n,
         "scope": scope, "speaker": ("Ann", "Joe")[n % 2]}
        for scope in ("north", "south") for n in range(30)
    )  # fmt: skip
    hits = await memory.recall("Which boat does Ann sail?", k=500, scope="north")
    assert {hit.id for hit in hits} == {f"north{n}" for n in range(30)}
    packed = await memory.recall("Which boat?", k=500, scope=["north"], budget_tokens=120)
    # A token is at most about five letters of English: no budget was read as something else.
    assert 200 < sum(len(hit.text) for hit in packed) < 120 * 5
    assert {hit.scope for hit in packed} == {"north"}
    assert await memory.recall("boat", budget_tokens=1) == []
    for wrong in (0, -3, 1_001, 2.5, True):
        with pytest.raises(InputError, match=rf"k is {re.escape(repr(wrong))}; it must be"):
            await memory.recall("boat", k=wrong)  # type: ignore[arg-type]
    await memory.close()


async def test_fit_says_what_it_could_not_use(tmp_path: Path) -> None:
    memory = await Memory.open(tmp_path / "m.db", embedder=Letters())
    empty = await memory.fit([])
    assert (empty.families, empty.unused) == ((), 0)
    assert (await memory.fit([("lamp", ["nobody"])])).unused == 1
    await memory.add(
        {"id": f"i{n}", "kind": "note", "text": f"lamp {_count(n)}"} for n in range(50)
    )
    few = await memory.fit([(f"lamp {_count(n)}", [f"i{n}"]) for n in range(3)])
    assert (few.families, few.unused) == ((), 3)
    pairs = [(f"lamp {_count(n)}", [f"i{n}", "nobody"]) for n in range(20)]
    (family,) = (await memory.fit([*pairs, ("lamp", []), ("", ["i1"])])).families
    assert family.pairs == 20
    for wrong in (["lamp"], [("lamp",)], [(7, ["i1"])], [{"query": "lamp"}]):
        with pytest.raises(InputError, match=r"A pair is .* Give \(question"):
            await memory.fit(wrong)  # type: ignore[arg-type]
    with pytest.raises(RefusedItem) as told:
        await memory.add([{"id": "new", "kind": "note", "text": "a"}, {"id": "b", "kind": "note"}])
    assert told.value.reason is Refusal.NO_TEXT
    assert not await memory.holds("new")
    await memory.close()
