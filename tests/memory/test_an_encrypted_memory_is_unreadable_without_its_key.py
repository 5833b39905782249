# ruff: noqa: ASYNC240 - the files of a test are small
"""Encryption at rest: no byte is readable without the key, and nothing is lost by a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers_memory import HashEmbedder

from manyhands.cli.main import cli
from manyhands.errors import SettingsError, StorageError
from manyhands.memory import Memory
from manyhands.memory.encrypting import change_key, is_encrypted
from manyhands.memory.erase import traces_of

KEY = "sea ice 'quoted' \u2603"
NEEDLES = ["walrus", "SQLite format", "CREATE TABLE"]


def item(number: int) -> dict[str, str]:
    return {"id": f"i{number}", "kind": "document", "text": f"The walrus number {number} sleeps."}


@pytest.mark.anyio
async def test_no_byte_is_readable_and_all_of_it_works(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder(), key=KEY) as memory:
        await memory.add([item(number) for number in range(300)])
        assert memory.store.lookup.near  # sqlite-vec works on encrypted pages
        assert (await memory.recall("walrus number 7"))[0].id == "i7"
        assert traces_of(file, NEEDLES) == []  # with the log that lies beside it
    assert traces_of(file, NEEDLES) == []
    async with await Memory.open(file, embedder=HashEmbedder(), key=KEY) as memory:
        assert (await memory.forget("i7")).clean
        assert (await memory.stats())["integrity"] == "ok"
        assert memory.store.counts() == {"document": 299}
    async with await Memory.open(file, embedder=HashEmbedder(), key=KEY, in_memory=False) as memory:
        assert (await memory.recall("walrus number 8"))[0].id == "i8"


@pytest.mark.anyio
@pytest.mark.parametrize(("key", "told"), [("wrong", "does not open"), ("", "or is encrypted")])
async def test_another_key_or_none_is_told_and_nothing_is_touched(
    file: Path, key: str, told: str
) -> None:
    async with await Memory.open(file, key=KEY) as memory:
        await memory.add(item(1))
    before = file.read_bytes()
    with pytest.raises(StorageError, match=told):
        await Memory.open(file, key=key)
    assert file.read_bytes() == before


@pytest.mark.anyio
async def test_a_plain_file_is_encrypted_in_place_and_made_plain_again(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        await memory.add([item(number) for number in range(50)])
        lines = await memory.export()
        with pytest.raises(StorageError, match="open in another process"):
            change_key(file, "", KEY)
    with pytest.raises(StorageError, match="is not encrypted") as told:
        await Memory.open(file, key=KEY)
    assert "manyhands memory encrypt" in told.value.hint
    change_key(file, "", KEY)
    assert is_encrypted(file)
    assert traces_of(file, NEEDLES) == []
    with pytest.raises(StorageError, match="does not open"):
        change_key(file, "wrong", "")
    async with await Memory.open(file, key=KEY) as memory:
        assert await memory.export() == lines
    change_key(file, KEY, "")
    async with await Memory.open(file) as memory:
        assert await memory.export() == lines


def test_the_settings_name_the_variable_that_holds_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").touch()
    file = tmp_path / "memory.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("MANYHANDS_MEMORY__PATH", str(file))
    monkeypatch.setenv("MANYHANDS_MEMORY__EMBEDDER", "none")
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(cli, ["memory", *words])

    assert run("add", "Tides are in a.csv").exit_code == 0
    monkeypatch.setenv("MANYHANDS_MEMORY__KEY_ENV", "SEA_KEY")
    refused = run("search", "tides")
    assert isinstance(refused.exception, SettingsError)
    assert "SEA_KEY" in str(refused.exception)
    monkeypatch.setenv("SEA_KEY", KEY)
    assert ": encrypted" in run("encrypt").stdout
    assert "already" in run("encrypt").stdout
    assert is_encrypted(file)
    assert "Tides are in a.csv" in run("search", "tides").stdout
    assert f"{file.name}: whole" in " ".join(_doctor(runner).split())
    monkeypatch.delenv("SEA_KEY")
    assert "SEA_KEY" in _doctor(runner)
    monkeypatch.setenv("SEA_KEY", KEY)
    assert ": plain" in run("encrypt", "--undo").stdout
    assert not is_encrypted(file)


def _doctor(runner: CliRunner) -> str:
    return runner.invoke(cli, ["doctor"]).output
