"""`manyhands memory`: the user finds, corrects, moves and forgets what is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manyhands.cli.main import cli
from manyhands.errors import InputError


class Terminal:
    def __init__(self) -> None:
        self._runner = CliRunner()

    def fails(self, *words: str) -> Result:
        return self._runner.invoke(cli, ["memory", *words])

    def run(self, *words: str, given: str = "") -> str:
        done = self._runner.invoke(cli, ["memory", *words], input=given)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    (tmp_path / "work").mkdir()
    (tmp_path / "settings.toml").touch()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("MANYHANDS_MEMORY__PATH", str(tmp_path / "memory.db"))
    monkeypatch.setenv("MANYHANDS_MEMORY__EMBEDDER", "none")
    return Terminal()


def test_add_search_show_edit_forget(terminal: Terminal) -> None:
    assert "t1: remembered" in terminal.run("add", "Tides are in a.csv", "--id", "t1")
    assert "t1: known already" in terminal.run("add", "Tides are in a.csv", "--id", "t1")
    assert "Tides are in a.csv" in terminal.run("search", "where are the tides")
    terminal.run("edit", "memory:t1", "--text", "Tides are in b.csv")
    assert "Tides are in b.csv" in terminal.run("show", "t1")
    assert "1 of 1 forgotten" in terminal.run("forget", "memory:t1", "--yes")
    assert "Nothing is remembered" in terminal.run("search", "tides")


def test_forget_asks_first(terminal: Terminal) -> None:
    terminal.run("add", "kept", "--id", "k")
    assert terminal.fails("forget", "k").exit_code != 0
    assert "kept" in terminal.run("show", "k")


def test_a_newer_fact_names_what_it_supersedes(terminal: Terminal) -> None:
    terminal.run("add", "Port 1", "--id", "old", "--subject", "port")
    assert "supersedes old" in terminal.run("add", "Port 2", "--id", "new", "--subject", "port")
    assert "superseded by  new" in terminal.run("show", "old")


def test_search_stays_in_the_project_unless_told(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.run("add", "walrus here", "--id", "here")
    terminal.run("add", "walrus anywhere", "--id", "global", "--global")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    found = json.loads(terminal.run("search", "walrus", "--json"))
    assert [hit["id"] for hit in found] == ["global"]
    everywhere = json.loads(terminal.run("search", "walrus", "--json", "--everywhere"))
    assert {hit["id"] for hit in everywhere} == {"here", "global"}


def test_why_names_every_part_of_the_score(terminal: Terminal) -> None:
    terminal.run("add", "The glacier retreats", "--id", "g")
    told = terminal.run("why", "glacier")
    assert "looked up by the stems: glacier" in told
    assert "profile: text built-in" in told
    assert "BM25, as a share of the best" in told


def test_export_and_import(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("add", "one ü", "--id", "a")
    terminal.run("export", str(tmp_path / "out.jsonl"))
    terminal.run("forget", "a", "--yes")
    assert "1 new" in terminal.run("import", str(tmp_path / "out.jsonl"))
    assert "one ü" in terminal.run("show", "a")


def test_index_reads_a_folder_and_stats_count_it(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "work" / "notes.md").write_text("# Ice\nThe glacier retreats\n")
    assert "1 files, 0 unchanged; 1 pieces new" in terminal.run("index", ".")
    told = json.loads(terminal.run("stats", "--json"))
    assert told["kinds"] == {"document": 1}
    assert told["integrity"] == "ok"
    assert "1 memories indexed anew" in terminal.run("index", "--rebuild")
    assert "glacier retreats" in terminal.run("search", "glacier")


def test_a_fault_is_told_in_words(terminal: Terminal) -> None:
    done = terminal.fails("stats")
    assert isinstance(done.exception, InputError)
    assert "Nothing is remembered yet" in str(done.exception)
    assert terminal.fails("index").exit_code == 2
