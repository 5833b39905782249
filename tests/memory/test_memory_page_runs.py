"""The examples of `docs/memory.md` run and print what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_the_python_example_finds_the_tide_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = _blocks("python")
    exec(compile(example, "docs/memory.md", "exec"), {})
    assert capsys.readouterr().out == "tides The tide table is in data/tides.csv.\n"


def test_the_console_example_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "s.toml"))
    monkeypatch.setenv("MANYHANDS_MEMORY__PATH", str(tmp_path / "memory.db"))
    monkeypatch.setenv("MANYHANDS_MEMORY__EMBEDDER", "none")
    (example,) = _blocks("console")
    for part in re.split(r"^\$ manyhands ", example, flags=re.M)[1:]:
        command, _, said = part.partition("\n")
        done = CliRunner().invoke(cli, shlex.split(command))
        assert done.exit_code == 0, done.output
        assert done.stdout == said


def test_every_subcommand_is_on_the_page() -> None:
    from manyhands.cli.commands.memory import command

    page = PAGE.read_text(encoding="utf-8")
    missing = [
        name for name in command.commands if f"`{name} " not in page and f"`{name}`" not in page
    ]
    assert missing == []
