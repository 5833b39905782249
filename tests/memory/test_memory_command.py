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


def test_what_is_not_there_is_not_told_as_forgotten(terminal: Terminal) -> None:
    terminal.run("add", "The tide is high.", "--id", "a")
    done = terminal.fails("forget", "a", "zz", "--yes")
    assert done.stdout == "1 of 2 forgotten: a\n"
    assert isinstance(done.exception, InputError)
    assert done.exception.message == "There is no memory 'zz'."
    assert terminal.run("forget", "a", "--yes") == "0 of 1 forgotten.\n", "it may be run again"
    again = terminal.fails("forget", "zz", "--yes").exception
    assert isinstance(again, InputError), "asking for it made it no memory that was forgotten"


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


def test_the_newest_are_listed_first_by_kind_tag_and_time(terminal: Terminal) -> None:
    terminal.run("add", "old and red", "--id", "a", "--tag", "red")
    terminal.run("add", "red and blue", "--id", "b", "--tag", "red", "--tag", "blue")
    terminal.run("add", "for all", "--id", "c", "--kind", "lesson", "--global")

    def listed(*words: str) -> list[str]:
        return [row["id"] for row in json.loads(terminal.run("list", "--json", *words))]

    assert listed() == ["c", "b", "a"]
    assert listed("--limit", "2") == ["c", "b"]
    assert listed("--tag", "red") == ["b", "a"]
    assert listed("--tag", "red", "--tag", "blue") == ["b"]
    assert listed("--kind", "lesson") == ["c"]
    assert listed("--since", "2999-01-01") == []
    assert listed("--until", "2999-01-01") == ["c", "b", "a"]
    assert [line.split()[0] for line in terminal.run("list").splitlines()] == ["c", "b", "a"]
    assert "more than 1" in terminal.fails("list", "--limit", "1").stderr


def test_a_mistyped_kind_or_time_is_told(terminal: Terminal) -> None:
    terminal.run("add", "kept", "--kind", "lesson")
    done = terminal.fails("list", "--kind", "leson")
    assert "Kinds that are remembered, in all projects: lesson." in done.stderr
    refused = str(terminal.fails("list", "--since", "yesterdy").exception)
    assert "'yesterdy'" in refused
    assert "2026-01-31" in refused


def test_a_line_that_is_no_memory_is_named(terminal: Terminal, tmp_path: Path) -> None:
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"id": "a", "kind": "fact", "text": "one"}\n\n{"text": "two"}\n')
    refused = str(terminal.fails("import", str(lines)).exception)
    assert "Line 3: The memory 'None' is refused" in refused
    assert json.loads(terminal.run("list", "--json")) == []


def test_an_id_is_shortened_while_it_is_unique(terminal: Terminal) -> None:
    for name in ("fact-1a", "fact-1b", "fact-1"):
        terminal.run("add", f"about {name}", "--id", name)
    assert "about fact-1a" in terminal.run("show", "memory:fact-1a")
    assert "about fact-1\n" in terminal.run("show", "fact-1")
    assert "begin with 'fact'" in str(terminal.fails("show", "fact").exception)
    terminal.run("forget", "fact-1", "--yes")
    # Once more, as after a reader in the way: no other memory takes its place.
    assert "0 of 1 forgotten" in terminal.run("forget", "fact-1", "--yes")
    terminal.run("forget", "fact-1a", "--yes")
    assert "1 of 1 forgotten: fact-1b" in terminal.run("forget", "f", "--yes")


def test_an_editor_is_opened_on_a_terminal_only(terminal: Terminal) -> None:
    terminal.run("add", "kept", "--id", "k")
    assert "no terminal" in str(terminal.fails("edit", "k").exception)


def test_export_and_import(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("add", "one ü", "--id", "a")
    terminal.run("add", "everywhere", "--id", "b", "--global")
    out = str(tmp_path / "out.jsonl")
    assert "2 memories written" in terminal.run("export", out)
    assert "0 new, 0 changed, 2 known already" in terminal.run("import", out)
    terminal.run("forget", "a", "b", "--yes")
    assert "2 new" in terminal.run("import", out)
    assert "one ü" in terminal.run("show", "a")
    scopes = {row["id"]: row["scope"] for row in json.loads(terminal.run("list", "--json"))}
    assert scopes == {"a": str(tmp_path / "work"), "b": ""}


def test_what_belongs_to_no_project_stays_so_when_it_is_corrected(terminal: Terminal) -> None:
    terminal.run("add", "every where", "--id", "g", "--global")
    terminal.run("edit", "g", "--text", "everywhere")
    assert json.loads(terminal.run("list", "--json"))[0]["scope"] == ""


def test_index_reads_a_folder_and_stats_count_it(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "work" / "notes.md").write_text("# Ice\nThe glacier retreats\n")
    assert "1 file, 0 unchanged; 1 piece new" in terminal.run("index", ".")
    told = json.loads(terminal.run("stats", "--json"))
    assert told["kinds"] == {"document": 1}
    assert told["integrity"] == "ok"
    assert "1 memory indexed anew" in terminal.run("index", "--rebuild")
    assert "glacier retreats" in terminal.run("search", "glacier")


def test_a_fault_is_told_in_words(terminal: Terminal) -> None:
    done = terminal.fails("stats")
    assert isinstance(done.exception, InputError)
    assert "Nothing is remembered yet" in str(done.exception)
    assert terminal.fails("index").exit_code == 2
    done = terminal.fails("index", "--words", ".", "nofile")
    assert isinstance(done.exception, InputError)
    assert "no file or folder 'nofile'" in str(done.exception)
    assert "Check the path" in done.exception.hint
    assert done.output == ""
