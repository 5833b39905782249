"""The script on the page about rehearsals answers as it says, and the page names all faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from helpers_commands import own_environment

from manyhands.rehearsal.script import Fault
from manyhands.rehearsal.server import running_server
from manyhands.rehearsal.written import read_script

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rehearsal.md").read_text()


def test_the_script_of_the_page_is_answered_and_verified(tmp_path: Path) -> None:
    script = tmp_path / "play.toml"
    (block,) = re.findall(r"^````toml\n(.*?)^````$", PAGE, re.M | re.S)
    script.write_text(block)
    (asked,) = re.findall(r'manyhands ask "(.+)"', PAGE)
    play = read_script(script)
    with running_server(play.models, play.machine, announced=True) as server:
        env = own_environment(tmp_path, OLLAMA_HOST=server.url)
        done = subprocess.run(
            [sys.executable, "-m", "manyhands", "ask", asked, "--json"],
            capture_output=True,
            text=True,
            env=env,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"] == {"text": "The derivative of x³ is 3x².", "status": "verified"}
    assert told["simulated"]
    assert not (tmp_path / "memory.db").exists()
    assert not (tmp_path / "learning.db").exists()
    loaded = [load.model for load in server.loads]
    assert loaded == ["qwen3:30b-a3b", "llama3.3:70b", "qwen3:30b-a3b"], "48 GB hold one of them"


def test_the_page_names_every_fault() -> None:
    assert set(re.findall(r"`([a-z0-9_]+)`", PAGE.split("A fault is one of")[1])) >= set(Fault)
