"""A memory on PostgreSQL: what only a server can do to it is told in words, and nothing is lost.

That it adds, finds, supersedes, embeds, fits and indexes as a file does is tested beside the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import psycopg
import pytest
from click.testing import CliRunner
from helpers_memory import HashEmbedder

from manyhands.cli.main import cli
from manyhands.errors import InputError, NewerFormat, StorageError
from manyhands.memory import Memory
from manyhands.memory.postgres import without_password
from manyhands.settings import load_settings

pytestmark = pytest.mark.anyio


def item(name: str, text: str = "The walrus sleeps.") -> dict[str, str]:
    return {"id": name, "kind": "document", "text": text}


@pytest.fixture
def url(on_server: Callable[[], str]) -> str:
    return on_server()


async def test_several_machines_write_and_read_at_once(url: str) -> None:
    async def write(name: str) -> None:
        async with await Memory.open(url, embedder=HashEmbedder()) as memory:
            for number in range(12):
                await memory.add(item(f"{name}-{number}", f"walrus {name} {number}"))
                assert await memory.recall(f"walrus {name} {number}", k=3)

    async with await Memory.open(url, embedder=HashEmbedder()) as watching:
        await watching.recall("walrus")
        async with anyio.create_task_group() as group:
            for name in ("ada", "bo", "cy"):
                group.start_soon(write, name)
        assert len(await watching.recall("walrus", k=100)) == 36
        assert (await watching.recall("walrus bo 7"))[0].id == "bo-7"
        assert (await watching.stats())["on disk"] == "PostgreSQL and pgvector"


async def test_a_database_of_ones_own_needs_no_preparation(postgres: str) -> None:
    if "/postgres?" not in postgres:
        pytest.skip("no PostgreSQL of our own")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS fresh")
        connection.execute("CREATE DATABASE fresh")
    fresh = postgres.replace("/postgres?", "/fresh?")
    async with await Memory.open(fresh, embedder=HashEmbedder(), in_memory=False) as memory:
        await memory.add([item(f"i{n}", f"walrus {n}") for n in range(30)])
        assert (await memory.stats())["on disk"] == "PostgreSQL and pgvector"
        assert (await memory.recall("walrus 7"))[0].id == "i7"
        ((schema,),) = memory.store.reader.execute(
            "SELECT schemaname FROM pg_tables WHERE tablename = 'tombstone'"
        )
        assert schema == "manyhands"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE fresh WITH (FORCE)")


async def test_a_connection_that_was_cut_is_made_again(url: str) -> None:
    async with await Memory.open(url, embedder=HashEmbedder()) as memory:
        await memory.add(item("one"))
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        await memory.add(item("two"))
        assert len(await memory.recall("walrus")) == 1  # both say the same
        assert memory.store.counts() == {"document": 2}


async def test_what_was_forgotten_is_in_no_table(url: str) -> None:
    async with await Memory.open(url, embedder=HashEmbedder()) as memory:
        await memory.add([item("one", "narwhal secret"), item("two")])
        done = await memory.forget("one")
        assert (done.items, done.clean) == (1, False)  # the server's own log may still hold it
        assert "write-ahead log" in done.left
        for (table,) in memory.store.reader.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        ):
            held = memory.store.reader.execute(f"SELECT t::text FROM {table} t")
            assert not any("narwhal" in text for (text,) in held), table


async def test_a_text_with_null_bytes_is_kept_without_them(url: str) -> None:
    async with await Memory.open(url) as memory:
        await memory.add(item("one", "null \0 byte \ud800"))
        assert (await memory.show("one")).item.text == "null \ufffd byte \ufffd"


async def test_tables_of_a_newer_version_are_not_touched(url: str) -> None:
    async with await Memory.open(url) as memory:
        memory.store.writer.execute("UPDATE setting SET value = '99' WHERE name = 'format'")
    with pytest.raises(NewerFormat, match="format 99"):
        await Memory.open(url)


async def test_reading_only_reads_and_makes_no_table(url: str) -> None:
    with pytest.raises(InputError, match="Nothing is remembered yet"):
        await Memory.open(url, read_only=True)
    async with await Memory.open(url) as memory:
        await memory.add(item("one"))
    async with await Memory.open(url, read_only=True) as memory:
        assert (await memory.recall("walrus"))[0].id == "one"
        with pytest.raises(StorageError, match="reading only"):
            await memory.add(item("two"))


async def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    away = "postgresql://me:hush@127.0.0.1:9/notes"
    with pytest.raises(StorageError, match="does not answer") as told:
        await Memory.open(away)
    assert "hush" not in str(told.value)
    assert without_password(away) == "postgresql://me:…@127.0.0.1:9/notes"


def test_the_command_line_uses_the_url_of_the_settings(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("MANYHANDS_MEMORY__URL", url)
    monkeypatch.setenv("MANYHANDS_MEMORY__EMBEDDER", "none")
    runner = CliRunner()
    assert runner.invoke(cli, ["memory", "add", "Tides are in a.csv"]).exit_code == 0
    assert "Tides are in a.csv" in runner.invoke(cli, ["memory", "search", "tides"]).stdout
    assert "answers, PostgreSQL" in " ".join(runner.invoke(cli, ["doctor"]).output.split())
    monkeypatch.setenv("MANYHANDS_MEMORY__URL", "postgresql://me:hush@db/notes")
    with pytest.raises(Exception, match="must not hold a password"):
        load_settings()
