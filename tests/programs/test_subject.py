"""`manyhands check file`: a file, a cell or a claim is checked without a model, by what it says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from manyhands.checks.kinds import check_case
from manyhands.checks.outcome import Verdict
from manyhands.checks.subject import last_with_what_it_needs
from manyhands.cli.commands.check import command
from manyhands.errors import InputError

DOUBLE = 'def double(n):\n    """Twice n.\n\n    >>> double(2)\n    4\n    """\n    return {}\n'
TABLE = "day,sales\n1,10\n2,30\n"
CLAIM = (
    'def claim(df):\n    """The mean of sales is {}."""\n'
    '    return bool(df["sales"].mean() == {})\n'
)


@pytest.fixture(autouse=True)
def own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(tmp_path / "own.db"))


def check(subject: Path, *args: str, text: str | None = None) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "check", "file", str(subject), "--json", *args],
        capture_output=True, text=True, input=text, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}


@pytest.mark.parametrize(
    ("text", "code", "criteria"),
    [
        (DOUBLE.format("2 * n"), 0, ["supported", "supported"]),
        (DOUBLE.format("n * n + 1"), 1, ["supported", "refuted"]),
        ("print(len('abc'))\n", 10, ["supported", "supported"]),  # that it runs decides nothing
        ("print(nowhere)\n", 1, ["refuted"]),
        ("raise SystemExit(3)\n", 1, ["supported", "refuted"]),
        ('{"kind": "identity", "lhs": "x + x", "rhs": "2*x"}', 0, ["supported"]),
        ('{"kind": "identity", "lhs": "x + x", "rhs": "x**2"}', 1, ["refuted"]),
    ],
)
def test_the_checks_that_fit_a_file_are_picked(
    tmp_path: Path, text: str, code: int, criteria: list[str]
) -> None:
    file = tmp_path / "subject.txt"
    file.write_text(text)
    status, told = check(file)
    assert status == code, told
    assert [one["verdict"] for one in told["criteria"]] == criteria


@pytest.mark.parametrize(("mean", "code"), [("20", 0), ("21", 1)])
def test_a_claim_is_checked_against_its_data(tmp_path: Path, mean: str, code: int) -> None:
    (tmp_path / "sales.csv").write_text(TABLE)
    (tmp_path / "claim.py").write_text(CLAIM.format(mean, mean))
    status, told = check(tmp_path / "claim.py", "--data", str(tmp_path / "sales.csv"))
    assert status == code, told
    again = subprocess.run(
        [sys.executable, "-m", "manyhands", "check", "run", "-"],
        capture_output=True, text=True, timeout=120,
        input=json.dumps(told["criteria"][1]["case"]),
    )  # fmt: skip
    assert again.returncode == code, again.stderr


def test_a_cell_is_checked_with_the_cells_before_it(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "x = 2\n"]},
        {"cell_type": "markdown", "source": "words"},
        {"cell_type": "code", "source": "print(x + 1)"},
        {"cell_type": "code", "source": "print(y)"},
    ]
    notebook = tmp_path / "book.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    status, told = check(notebook, "--cell", "2")
    assert status == 10, told
    assert [one["verdict"] for one in told["criteria"]] == ["supported", "supported"]
    assert check(notebook, "--cell", "3")[0] == 1
    assert check(notebook, "--cell", "9")[0] == 2


def test_of_what_a_kernel_ran_only_what_a_cell_needs_comes_along() -> None:
    typed = ["import math", "values = [3, 1]", "%mind hello\nother = 1", "values.sort()",
             "values[0] = 2", "print(nowhere)", "x = math.pi", "print(values, x)"]  # fmt: skip
    program = last_with_what_it_needs(typed)
    assert "nowhere" not in program
    assert "other" not in program
    made: dict[str, Any] = {}
    exec(program, made)
    assert made["values"] == [2, 3]


def test_what_is_not_there_or_no_case_is_told_in_one_line(tmp_path: Path) -> None:
    assert check(tmp_path / "absent.py")[0] == 2
    (tmp_path / "other.json").write_text('{"a": 1}')
    assert check(tmp_path / "other.json")[0] == 2


def test_a_case_with_a_large_table_is_refused_before_the_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("it was read")

    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(300_000)
    monkeypatch.setattr("hashlib.file_digest", read)
    for named in (str(large), {"name": "a.csv", "path": str(large), "sha256": "0" * 64}):
        case = tmp_path / "case.json"
        case.write_text(json.dumps({"kind": "program", "code": "pass", "data": named}))
        told = CliRunner().invoke(command, ["file", str(case)])
        assert isinstance(told.exception, InputError)
        assert "has 300,000 bytes; at most 262,144" in str(told.exception)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["sales.tab", "sales"])
async def test_a_program_finds_its_table_under_its_own_name_whatever_the_ending(
    tmp_path: Path, name: str
) -> None:
    table = tmp_path / name
    table.write_text(TABLE)
    code = f"print(open({name!r}).read(), open({str(table)!r}).read())\n"
    told = await check_case({"kind": "program", "code": code, "data": str(table)})
    assert told.verdict is Verdict.SUPPORTED, told


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["pandas.py", "matplotlibrc"])
async def test_a_table_called_like_a_module_is_there_as_data_csv_alone(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(TABLE)
    code = "import os\nassert os.path.exists('data.csv')\n"
    code += f"assert not os.path.exists({name!r})\n"
    told = await check_case({"kind": "program", "code": code, "data": str(tmp_path / name)})
    assert told.verdict is Verdict.SUPPORTED, told


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["", "o"])
async def test_where_a_table_lies_changes_nothing_else_in_a_program(path: str) -> None:
    sha256 = hashlib.sha256(TABLE.encode()).hexdigest()
    data = {"name": "a.csv", "path": path, "sha256": sha256, "text": TABLE}
    code = "print(1.5, open('data.csv').read())\n"
    told = await check_case({"kind": "program", "code": code, "data": data})
    assert told.verdict is Verdict.SUPPORTED, told


def test_an_artifact_is_found_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from manyhands.journal.events import RunStarted
    from manyhands.journal.store import Journal

    path = tmp_path / "journal.db"
    started = RunStarted(question="q", conversation_id="conv_1", door="test")
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(path))
    with Journal.open(path) as journal:
        journal.begin_run("run_1", "conv_1", started)
        kept = journal.keep("run_1", "a.py", "text/x-python", DOUBLE.format("2 * n").encode())
    for name in (kept, kept.removeprefix("sha256:")):
        assert check(Path(name))[0] == 0
