"""What the command line cannot use is told in one sentence, and nothing is lost or left hanging."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers_cli import Stage
from helpers_commands import own_environment

from manyhands.cli.main import cli
from manyhands.errors import InputError
from manyhands.journal.events import RunStarted
from manyhands.journal.store import Journal
from manyhands.mind.data import open_data
from manyhands.mind.mind import Mind
from manyhands.settings import Settings


def manyhands(folder: Path, *args: str | bytes, said: bytes = b"") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", *args],
        input=said,
        capture_output=True,
        env=own_environment(folder),
        cwd=folder,
        timeout=60,
    )
    told = done.stderr.decode()
    assert "Traceback" not in told, told
    return done.returncode, told


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    code, told = manyhands(tmp_path, "ask", "-", said=b"ab\xff")
    assert (code, "0xff" in told) == (2, True), told
    code, told = manyhands(tmp_path, "ask", os.fsencode("\udcff hi"))
    assert (code, "0xff" in told) == (2, True), told
    code, told = manyhands(tmp_path, "memory", "add", "-", said=b"\xfe")
    assert (code, "0xfe" in told) == (2, True), told
    (tmp_path / "bin.jsonl").write_bytes(b"\xff\xfe")
    code, told = manyhands(tmp_path, "memory", "import", "bin.jsonl")
    assert (code, "0xff" in told) == (2, True), told
    code, told = manyhands(tmp_path, "chat", said=b"\xff hi\n/quit\n")
    assert (code, "0xff" in told) == (0, True), told


@pytest.mark.parametrize(
    "args",
    [
        ("mcp", "--http", "--port", "99999"),
        ("rehearsal", "serve", __file__, "--port", "-4"),
        ("serve", "--idle", "-3"),
        ("serve", "--idle", "nan"),
        ("doctor", "--fit", "--vram", "nan"),
        ("doctor", "--fit", "--vram", "-3"),
        ("runs", "list", "--limit", "0"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(args: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 2, done.output
    assert args[-2] in done.output


def test_a_file_that_cannot_be_written_is_told_before_the_work(stage: Stage) -> None:
    asked: list[str] = []
    stage.say = lambda request: asked.append("asked") or "{}"
    done = stage.run("eval", "--only", "code-runs", "--out", "nowhere/e.json")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == []


def test_ids_are_shortened_but_are_no_patterns(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        for name in ("run_ab1", "run_ab2", "run_cd3"):
            started = RunStarted(question="q", conversation_id=f"conv_{name}", door="cli")
            journal.begin_run(name, f"conv_{name}", started)
        check = journal.keep("run_ab1", "case", "application/json", b"{}")
        assert journal.run("run_c").id == "run_cd3"
        for pattern in ("%", "run_a_1", "run_ab"):
            with pytest.raises(InputError):
                journal.run(pattern)
        assert journal.whole_id("conversations", "conv_run_c") == "conv_run_cd3"
        assert journal.whole_id("artifacts", check[:12]) == check
        assert journal.whole_id("artifacts", "sha256:%") == "sha256:%"
        with pytest.raises(InputError, match="Several"):
            journal.whole_id("conversations", "conv_run_ab")
        assert len(journal.runs(2)) == 2


def test_what_is_not_remembered_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    code, told = manyhands(tmp_path, "memory", "add", "The tide table is in a.csv", "--id", "tide")
    assert code == 0, told
    code, told = manyhands(tmp_path, "memory", "forget", "nosuch", said=b"y\n")
    assert code == 2
    assert "nosuch" in told


def test_the_demo_builds_the_hands_python_before_its_first_attempt(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "demo"],
        capture_output=True,
        text=True,
        env=own_environment(tmp_path, MANYHANDS_HANDS_PYTHON="/nowhere/bin/python"),
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 4
    assert "Building the hands' Python" in done.stdout
    assert "attempt" not in done.stdout


def test_a_question_back_says_how_to_answer_it_and_a_long_one_is_not_printed_whole(
    stage: Stage,
) -> None:
    stage.say = lambda request: '{"goal": "g", "route": "ask", "question": "Which file?"}'
    done = stage.run("ask", "-", said="which one? " * 1000)
    assert "ask --continue" in done.stdout
    assert len(done.stdout) < 5000


def test_one_path_is_one_data_file(tmp_path: Path) -> None:
    path = tmp_path / "co2.csv"
    path.write_text("year,co2\n2000,369.7\n")
    assert list(open_data(str(path))) == list(open_data(path)) == ["co2"]
    with pytest.raises(InputError, match="no path"):
        open_data([1])  # type: ignore[list-item]


@pytest.mark.anyio
async def test_half_of_a_surrogate_pair_is_told_by_its_place(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    with pytest.raises(InputError, match=r"udcff' after 3 characters"):
        await Mind(settings_in(tmp_path)).ask("Hi \udcff")
