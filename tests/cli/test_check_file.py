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
