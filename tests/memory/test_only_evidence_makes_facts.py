"""Nothing a model said becomes a fact without evidence or the user's word; nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manyhands.memory import Memory, Trust

ON_BOTH = True
pytestmark = pytest.mark.anyio

CHECK = {"evidence": [{"check": "tests", "passed": True}]}


def _fact(item_id: str, text: str, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "kind": "fact", "text": text, "subject": "port", **more}


@pytest.mark.parametrize(
    ("given", "kind", "trust"),
    [
        ({"trust": "user"}, "fact", Trust.USER),
        ({}, "fact", Trust.USER),
        ({"trust": "file"}, "fact", Trust.FILE),
        ({"trust": "model"}, "proposal", Trust.MODEL),
        ({"trust": "model", "meta": CHECK}, "fact", Trust.CHECKED),
        ({"trust": "checked", "meta": CHECK}, "fact", Trust.CHECKED),
        ({"trust": "checked"}, "proposal", Trust.MODEL),
        ({"trust": "checked", "meta": {"evidence": "I am sure"}}, "proposal", Trust.MODEL),
        (
            {"trust": "model", "meta": {"evidence": [{"check": "reviewed", "passed": True}]}},
            "proposal",
            Trust.MODEL,
        ),
        (
            {"trust": "model", "meta": {"evidence": [{"check": "tests", "passed": False}]}},
            "proposal",
            Trust.MODEL,
        ),
        ({"kind": "lesson", "trust": "file"}, "proposal", Trust.FILE),
        ({"kind": "lesson", "trust": "model"}, "proposal", Trust.MODEL),
        ({"kind": "episode", "trust": "model"}, "episode", Trust.MODEL),
    ],
)
async def test_who_said_it_decides_what_it_becomes(
    file: Path, given: dict[str, Any], kind: str, trust: Trust
) -> None:
    async with await Memory.open(file) as memory:
        await memory.add({**_fact("f", "The port is 8080."), **given})
        item = (await memory.show("f")).item
        assert (item.kind, item.trust) == (kind, trust)
        facts = await memory.recall("port", kinds=["fact", "lesson"])
        assert bool(facts) == (kind in ("fact", "lesson"))


async def test_the_user_makes_a_proposal_a_fact(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("f", "The port is 8080.", trust="model"))
        await memory.confirm("f")
        item = (await memory.show("f")).item
        assert (item.kind, item.trust, "proposed" in item.meta) == ("fact", Trust.USER, False)


async def test_a_newer_fact_comes_first_and_the_older_stays_visible(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("old", "The port is 8080.", time="2024-01-01"))
        written = await memory.add(_fact("new", "The port is 9090.", time="2025-01-01"))
        assert written.superseded == ("old",)
        hits = await memory.recall("the port")
        assert [(hit.id, hit.superseded_by) for hit in hits] == [("new", ""), ("old", "new")]
        old = await memory.show("old")
        assert old.valid_to == (await memory.show("new")).valid_from
        assert [row.item.id for row in await memory.contradictions("new")] == ["old"]


async def test_an_older_fact_that_comes_late_does_not_supersede(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("new", "The port is 9090.", time="2025-01-01"))
        await memory.add(_fact("late", "The port is 8080.", time="2024-01-01"))
        assert (await memory.show("new")).superseded_by == ""
        assert (await memory.show("late")).superseded_by == "new"


async def test_a_file_never_closes_what_the_user_said(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("said", "The port is 9090.", time="2024-01-01"))
        await memory.add(_fact("read", "The port is 1.", time="2025-01-01", trust="file"))
        assert (await memory.show("said")).superseded_by == ""
        assert (await memory.show("read")).superseded_by == ""
        assert [row.item.id for row in await memory.contradictions("said")] == ["read"]


async def test_facts_of_two_projects_do_not_meet(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("a", "The port is 1.", scope="a"))
        await memory.add(_fact("b", "The port is 2.", scope="b"))
        assert (await memory.show("a")).superseded_by == ""
        assert await memory.contradictions("a") == []


async def test_forgetting_the_newer_fact_lets_the_older_hold_again(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("old", "The port is 8080.", time="2024-01-01"))
        await memory.add(_fact("new", "The port is 9090.", time="2025-01-01"))
        await memory.forget("new")
        row = await memory.show("old")
        assert (row.superseded_by, row.valid_to) == ("", None)


async def test_export_and_import_lose_nothing(file: Path, tmp_path: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(_fact("old", "The port is 8080.", time="2024-01-01", tags=["net", "ü"]))
        await memory.add(_fact("new", "Port 9090.", time="2025-01-01", meta={"a": [1, None]}))
        await memory.add(_fact("said", "No port at all.", trust="model"))
        await memory.add(
            [
                {
                    "id": f"t{n}",
                    "kind": "turn",
                    "text": f"turn {n}",
                    "speaker": "Ada",
                    "source": "s",
                }
                for n in range(3)
            ]
        )
        lines = await memory.export()
        assert not (await memory.import_(lines)).changed
    async with await Memory.open(tmp_path / "other.db") as other:
        await other.import_(lines)
        assert await other.export() == lines
        assert (await other.import_(lines)).same == ("old", "new", "said", "t0", "t1", "t2")
