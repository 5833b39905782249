"""`manyhands check file` at the terminal: what was found is told, whatever is wrong around it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from manyhands.cli.commands.check import command
from manyhands.errors import InputError

TABLE = "day,sales\n1,10\n2,30\n"


@pytest.mark.parametrize("journal", ["good", "closed", "none"])
def test_what_was_found_is_told_whatever_the_names_and_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    file = tmp_path / os.fsdecode(b"reads\xff.py")
    file.write_text("print(open('data.csv').read())\n")
    table = tmp_path / os.fsdecode(b"sales\xff.csv")
    table.write_text(TABLE)
    place = tmp_path / "own" / "journal.db"
    if journal == "closed":
        (tmp_path / "own").touch()  # a file is no folder
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(place))
    monkeypatch.setenv("MANYHANDS_SANDBOX__WALL_S", "120")
    options = ["--no-journal"] if journal == "none" else []
    told = CliRunner().invoke(
        command, ["file", str(file), "--data", str(table), "--json", *options]
    )
    assert told.exit_code == 10, told
    criteria = json.loads(told.stdout)["criteria"]
    assert [one["verdict"] for one in criteria] == ["supported", "supported"]
    assert criteria[1]["case"]["data"]["path"] == str(table)
    assert all(bool(one["rerun"]) == (journal == "good") for one in criteria)
    assert ("Not kept in the journal." in told.stderr) == (journal == "closed")
    assert place.is_file() == (journal == "good")


@pytest.mark.parametrize(
    "program",
    [
        "assert open('data.csv').read() == 'day,sales\\n1,10\\n2,30\\n'\n",
        "assert open('sales.parquet', 'rb').read(4) == b'PAR1'\n",
    ],
)
def test_a_table_in_parquet_is_read_as_csv_or_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(tmp_path / "journal.db"))
    monkeypatch.setenv("MANYHANDS_SANDBOX__WALL_S", "120")
    pq.write_table(pa.table({"day": [1, 2], "sales": [10, 30]}), tmp_path / "sales.parquet")
    file = tmp_path / "subject.py"
    file.write_text(program)
    told = CliRunner().invoke(
        command, ["file", str(file), "--data", str(tmp_path / "sales.parquet"), "--json"]
    )
    assert told.exit_code == 10, told
    criteria = json.loads(told.stdout)["criteria"]
    assert [one["verdict"] for one in criteria] == ["supported", "supported"]


NOTEBOOK = {
    "nbformat": 4,
    "cells": [
        {"cell_type": "markdown", "source": "# Sales"},
        {"cell_type": "code", "source": ["x = 1\n"]},
        {"cell_type": "code", "source": "print(x)\n"},
    ],
}


@pytest.mark.parametrize(
    ("subject", "data", "why"),
    [
        ("book.ipynb", "", "Name a code cell: --cell 1 to 2"),
        ("sales.csv", "", "'sales.csv' is a table"),
        ("claim.py", "picture.csv", "is a picture, no table"),
        ("claim.py", "empty.csv", "is empty"),
        ("claim.py", "claim.py", "is a program, no table"),
        ("claim.py", "book.ipynb", "is a notebook, no table"),
    ],
)
def test_what_cannot_be_judged_is_refused_and_recorded_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str, data: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(tmp_path / "journal.db"))
    Path("book.ipynb").write_text(json.dumps(NOTEBOOK))
    Path("sales.csv").write_text(TABLE)
    Path("claim.py").write_text("import csv, sys\nx, y = 1, 2\n")  # reads like a table
    Path("picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("empty.csv").touch()
    options = ["--data", data] if data else []
    told = CliRunner().invoke(command, ["file", subject, *options])
    assert isinstance(told.exception, InputError)
    assert told.exception.exit_code == 2
    assert why in str(told.exception)
    assert not Path("journal.db").exists()


def test_a_table_in_json_is_read_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(tmp_path / "journal.db"))
    monkeypatch.setenv("MANYHANDS_SANDBOX__WALL_S", "120")
    table = tmp_path / "sales.json"
    table.write_text('[{"day": 1, "sales": 10}, {"day": 2, "sales": 30}]')
    file = tmp_path / "subject.py"
    file.write_text("assert open('data.csv').read().split() == ['day,sales', '1,10', '2,30']\n")
    told = CliRunner().invoke(command, ["file", str(file), "--data", str(table), "--json"])
    assert told.exit_code == 10, told
    criteria = json.loads(told.stdout)["criteria"]
    assert [one["verdict"] for one in criteria] == ["supported", "supported"]


def test_a_case_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["run", str(tmp_path / "nope.json")])
    assert str(told.exception).count("nope.json") == 1
    assert "No such file or directory." in str(told.exception)
    assert "Errno" not in str(told.exception)
