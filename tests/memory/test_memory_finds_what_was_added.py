"""What is added is found again: by its words, by its vector, within its scope, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_memory import HashEmbedder

from manyhands.errors import InputError
from manyhands.memory import Memory
from manyhands.memory.records import Refusal, RefusedItem

ON_BOTH = True
pytestmark = pytest.mark.anyio

ITEMS = [
    {"id": "oak", "kind": "fact", "text": "The oak table is two metres long.", "scope": "house"},
    {"id": "pine", "kind": "fact", "text": "Pine shelves hold the paint.", "scope": "shed"},
    {"id": "fit", "kind": "lesson", "text": "Ridge regression beat the tree here.", "scope": "ml"},
    {"id": "load", "kind": "code", "text": "def loadCsvFile(path):\n    return read(path)"},
]


@pytest.mark.parametrize("embedder", [None, HashEmbedder()], ids=["words", "vectors"])
async def test_the_best_hit_is_the_one_that_says_it(file: Path, embedder: HashEmbedder) -> None:
    async with await Memory.open(file, embedder=embedder) as memory:
        written = await memory.add(ITEMS)
        assert written.new == ("oak", "pine", "fit", "load")
        for question, expected in [
            ("How long is the oak table?", "oak"),
            ("shelf for paints", "pine"),
            ("which regression won", "fit"),
            ("load a csv file", "load"),
        ]:
            hits = await memory.recall(question, k=2)
            assert hits[0].id == expected, question
            assert hits[0].handle == f"memory:{expected}"
            assert hits[0].score == pytest.approx(sum(hits[0].parts.values()), abs=0.01)


async def test_without_an_embedder_it_says_that_words_alone_are_searched(file: Path) -> None:
    async with await Memory.open(file) as memory:
        assert memory.notices == ["No embedder: words alone are searched."]


async def test_scope_kind_and_time_leave_out_the_rest(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(
            [
                {"id": f"{scope}{year}", "kind": kind, "scope": scope, "text": "the same words",
                 "time": f"{year}-05-01", "source": f"{scope}{year}"}
                for scope in ("a", "b")
                for kind, year in (("fact", 2020), ("lesson", 2024))
            ]
        )  # fmt: skip

        async def found(**where: object) -> set[str]:
            hits = await memory.recall("same words", **where)  # type: ignore[arg-type]
            return {item for hit in hits for item in (hit.id, *hit.copies)}

        assert await found() == {"a2020", "a2024", "b2020", "b2024"}
        assert await found(scope="a") == {"a2020", "a2024"}
        assert await found(scope=["a", "b"], kinds=["fact"]) == {"a2020", "b2020"}
        assert await found(since="2022-01-01") == {"a2024", "b2024"}
        assert await found(until="2022-01-01", scope="b") == {"b2020"}
        assert await found(scope="nowhere") == set()


async def test_the_same_text_twice_is_one_hit_that_names_its_copies(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(
            [{"id": f"n{n}", "kind": "document", "text": "import  pandas"} for n in range(5)]
        )
        (hit,) = await memory.recall("pandas")
        assert {hit.id, *hit.copies} == {"n0", "n1", "n2", "n3", "n4"}


async def test_the_same_text_is_embedded_once(file: Path) -> None:
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.add([{"id": "a", "kind": "document", "text": "one text"}])
        await memory.add([{"id": "b", "kind": "document", "text": "one text"}] * 1)
        assert embedder.texts == ["one text"]


async def test_hits_keep_to_the_token_budget_and_none_is_cut(file: Path) -> None:
    async with await Memory.open(file) as memory:
        texts = {f"i{n}": "glacier " + "ice and snow " * n for n in range(1, 30)}
        await memory.add([{"id": i, "kind": "fact", "text": t} for i, t in texts.items()])
        hits = await memory.recall("glacier", k=30, budget_tokens=200)
        assert hits
        assert all(hit.text == texts[hit.id] for hit in hits)
        assert sum(len(hit.text) for hit in hits) / 3.5 <= 200


async def test_what_was_forgotten_is_not_found(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(ITEMS)
        assert await memory.recall("oak table", k=1)
        assert (await memory.forget("oak")).items == 1
        assert "oak" not in [hit.id for hit in await memory.recall("oak table")]
        assert (await memory.forget("oak")).items == 0
        with pytest.raises(InputError, match="no memory 'oak'"):
            await memory.show("oak")


async def test_a_changed_memory_is_found_by_what_it_says_now(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(ITEMS)
        written = await memory.add([{**ITEMS[0], "text": "A brass lamp."}, ITEMS[1]])
        assert (written.changed, written.same) == (("oak",), ("pine",))
        assert (await memory.recall("brass lamp"))[0].id == "oak"
        assert (await memory.recall("oak table"))[0].text != ITEMS[0]["text"]


async def test_another_process_sees_what_this_one_writes(file: Path) -> None:
    async with await Memory.open(file) as ours, await Memory.open(file) as theirs:
        assert await theirs.recall("walnut") == []
        await ours.add([{"id": "w", "kind": "fact", "text": "walnut"}])
        assert [hit.id for hit in await theirs.recall("walnut")] == ["w"]
        await theirs.forget("w")
        assert await ours.recall("walnut") == []


async def test_it_is_all_there_when_opened_again(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(ITEMS)
        before = [(hit.id, hit.score) for hit in await memory.recall("the oak table")]
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        after = [(hit.id, hit.score) for hit in await memory.recall("the oak table")]
    assert before == after
    assert embedder.texts == ["the oak table"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, Refusal.NO_ID),
        ({"id": 1.5}, Refusal.NO_ID),
        ({"id": True}, Refusal.NO_ID),
        ({"id": "x" * 1001}, Refusal.NO_ID),
        ({"kind": "Zwei Wörter"}, Refusal.BAD_KIND),
        ({"kind": None}, Refusal.BAD_KIND),
        ({"text": " \n"}, Refusal.EMPTY),
        ({"text": None}, Refusal.NO_TEXT),
        ({"text": b"bytes"}, Refusal.NO_TEXT),
        ({"text": "x" * 4_000_001}, Refusal.TOO_LONG),
        ({"time": "x" * 1001}, Refusal.BAD_TIME),
        ({"time": [2024]}, Refusal.BAD_TIME),
        ({"time": float("nan")}, Refusal.BAD_TIME),
        ({"trust": "angel"}, Refusal.BAD_TRUST),
        ({"meta": [1]}, Refusal.BAD_META),
        ({"meta": {"a": object()}}, Refusal.BAD_META),
        ({"meta": {"a": float("nan")}}, Refusal.BAD_META),
        ({"scope": [3]}, Refusal.BAD_FIELD),
        ({"tags": 5}, Refusal.BAD_FIELD),
        ({"position": "first"}, Refusal.BAD_FIELD),
    ],
)
async def test_what_cannot_be_remembered_is_refused_with_a_reason(
    file: Path, change: dict[str, object], reason: Refusal
) -> None:
    async with await Memory.open(file) as memory:
        bad = {"id": "bad", "kind": "fact", "text": "text", **change}
        with pytest.raises(RefusedItem) as refused:
            await memory.add([ITEMS[0], bad])
        assert refused.value.reason is reason
        assert await memory.recall("oak table") == []


@pytest.mark.parametrize("wrong", ["nan", "count", "dims", "ragged"])
async def test_a_wrong_vector_is_never_kept(file: Path, wrong: str) -> None:
    class Broken(HashEmbedder):
        async def embed(self, texts: list[str]) -> list[list[float]]:
            good = await super().embed(texts)
            if wrong == "nan":
                good[0][0] = float("nan")
            elif wrong == "count":
                good.append(good[0])
            elif wrong == "dims":
                good = [vector[:-1] for vector in good]
            else:
                good[0] = good[0][:-3]
            return good

    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add(ITEMS)
    async with await Memory.open(file, embedder=Broken()) as memory:
        await memory.add(
            [{"id": i, "kind": "fact", "text": f"the {i} lamp"} for i in ("brass", "iron")]
        )
        assert any("Not embedded yet" in notice for notice in memory.notices)
        assert (await memory.recall("brass lamp"))[0].id == "brass"
