"""The script on the page about rehearsals answers as it says, and the page names all faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_commands import own_environment

from manyhands.rehearsal.script import Fault
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.rehearsal.written import read_script

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rehearsal.md").read_text()


@contextmanager
def page_played(folder: Path) -> Iterator[RehearsalServer]:
    script = folder / "play.toml"
    (block,) = re.findall(r"^````toml\n(.*?)^````$", PAGE, re.M | re.S)
    script.write_text(block)
    play = read_script(script)
    with running_server(play.models, play.machine, announced=True) as server:
        yield server


def command_on(
    server: RehearsalServer, folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manyhands", *words],
        capture_output=True,
        text=True,
        env=own_environment(folder, OLLAMA_HOST=server.url, COLUMNS="200"),
        timeout=120,
    )


def said_by(server: RehearsalServer, folder: Path, *words: str) -> str:
    done = command_on(server, folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked_on_the_page() -> str:
    (asked,) = re.findall(r'manyhands ask "(.+)"', PAGE)
    return str(asked)


def ask_on(server: RehearsalServer, folder: Path, *options: str) -> dict[str, Any]:
    said = said_by(server, folder, "ask", asked_on_the_page(), "--json", *options)
    return dict(json.loads(said))


def test_the_script_of_the_page_is_answered_and_verified(tmp_path: Path) -> None:
    with page_played(tmp_path) as server:
        told = ask_on(server, tmp_path)
    assert told["answer"] == {"text": "The derivative of x³ is 3x².", "status": "verified"}
    assert told["simulated"]
    assert not (tmp_path / "memory.db").exists()
    assert not (tmp_path / "learning.db").exists()
    loaded = [load.model for load in server.loads]
    assert loaded == ["qwen3:30b-a3b", "llama3.3:70b", "qwen3:30b-a3b"], "48 GB hold one of them"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (
            "--council",
            "**`3*x**2`**\n\nThe derivative of x³ is 3x².\n\nDecided by evidence",
        ),
        ("--no-hands", "It is 3x²."),
    ],
)
def test_the_script_of_the_page_answers_in_other_ways_too(
    tmp_path: Path, option: str, told: str
) -> None:
    with page_played(tmp_path) as server:
        answer = ask_on(server, tmp_path, option)["answer"]
    assert answer["text"].startswith(told)


def test_a_terminal_is_told_that_the_models_are_scripted(tmp_path: Path) -> None:
    asked = asked_on_the_page()
    with page_played(tmp_path) as server:
        said = said_by(server, tmp_path, "ask", asked, "--no-hands")
        (run_id,) = re.findall(r"run (\S+) · The models are scripted \(rehearsal\)\.", said)
        shown = said_by(server, tmp_path, "runs", "show", run_id)
    for trace in (said, shown):
        assert f"? {asked} (the models are scripted)" in trace


def test_the_script_of_the_page_plans_no_other_question(tmp_path: Path) -> None:
    with page_played(tmp_path) as server:
        done = command_on(server, tmp_path, "ask", "What is the capital of France?", "--json")
    told = json.loads(done.stdout)
    assert (told["answer"]["status"], told["steps"]) == ("failed", [])
    assert told["answer"]["text"].startswith("The mind gave no frame")


def test_the_page_names_every_fault() -> None:
    assert set(re.findall(r"`([a-z0-9_]+)`", PAGE.split("A fault is one of")[1])) >= set(Fault)
