"""What the documents say exists, exists; the README's Python example runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from manyhands.cli.main import cli
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMAND = re.compile(r"(?<![\w/.])manyhands ((?:[a-z][a-z-]*)(?: [a-z][a-z-]+)?)")


def known(words: list[str]) -> bool:
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    if command is None:
        return False
    if isinstance(command, click.Group) and len(words) > 1:
        return command.get_command(context, words[1]) is not None
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    code = re.findall(
        r"```(?:console|sh|bash)\n(.*?)```|`(manyhands [^`]*)`", page.read_text(), re.S
    )
    named = [match for block in code for match in COMMAND.findall(" ".join(block))]
    assert [words for words in named if not known(words.split())] == []


def test_the_command_lines_page_names_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    context = click.Context(cli)
    missing = []
    for name in cli.list_commands(context):
        rows = "".join(re.findall(rf"^\| `manyhands {name}\b.*$", page, re.M))
        command = cli.get_command(context, name)
        parts = command.list_commands(context) if isinstance(command, click.Group) else []
        missing += [f"{name} {part}" for part in parts if not re.search(rf"\b{part}\b", rows)]
        missing += [] if rows else [name]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_no_page_and_no_hint_installs_by_a_name_that_is_another_projects() -> None:
    """`manyhands` on PyPI is not this project, so everything is installed from the clone."""
    rooms = [ROOT / name for name in ("manyhands", "mcp_server", "jupyter_ext")]
    texts = [*PAGES, *(path for room in rooms for path in room.rglob("*.py"))]
    by_name = re.compile(r"(?:pip|uv tool) install [^\n`#&]*\bmanyhands\b")
    assert [path.name for path in texts if by_name.search(path.read_text(encoding="utf-8"))] == []


def test_the_readmes_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (tmp_path / "co2.csv").write_text("year,co2\n2000,369.7\n2001,371.3\n")
    (tmp_path / "config.toml").touch()
    direct = '{"goal": "g", "route": "direct", "answer": "By 1.6 ppm."}'
    tiers = load_settings(tmp_path / "config.toml", env={}).tiers.values()
    models = [ScriptedModel(name=tier.model, reply=lambda request: direct) for tier in tiers]
    with running_server(models) as server:
        done = subprocess.run(
            [sys.executable, "-c", example],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "OLLAMA_HOST": server.url,
                "MANYHANDS_CONFIG": str(tmp_path / "config.toml"),
                "MANYHANDS_SERVE__FOLDER": str(tmp_path / "serve"),
            },
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("By 1.6 ppm. unverified")
