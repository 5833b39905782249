"""Three `manyhands ask` at once on a card that holds one model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_serve import CARD, GB

from manyhands.journal.store import Journal
from manyhands.rehearsal.script import ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.roles.loader import load_roles
from manyhands.serve.place import read_owner
from manyhands.settings import load_settings

pytestmark = pytest.mark.slow

PROMPTS = {role.prompt: name for name, role in load_roles(extra_dirs=[]).items()}
SIZES = {"mind": 19 * GB, "expert": 43 * GB, "heavy": 142 * GB}
PLAN = {
    "goal": "a derivative",
    "route": "plan",
    "steps": [
        {
            "id": "slope",
            "hand": "math",
            "task": "differentiate x**2",
            "kind": "derivative",
            "given": {"f": "x**2", "var": "x"},
        }
    ],
}


def say(request: ScriptedRequest) -> str:
    role = PROMPTS.get(request.system, "")
    if role == "framer":
        return json.dumps(PLAN)
    return "```\n2*x\n```" if role == "mathematician" else "The derivative is 2*x."


def models(folder: Path) -> list[ScriptedModel]:
    (folder / "config.toml").touch()
    tiers = load_settings(folder / "config.toml", env={}).tiers
    return [
        ScriptedModel(tier.model, reply=say, size=SIZES.get(name, GB))
        for name, tier in tiers.items()
    ]


def terminal(folder: Path, url: str, *args: str) -> subprocess.Popen[str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(folder)),
        "MANYHANDS_CONFIG": str(folder / "config.toml"),
        "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
        "MANYHANDS_MEMORY__ENABLED": "false",
        "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        "MANYHANDS_SERVE__FOLDER": str(folder / "run"),
        "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
        "MANYHANDS_HOSTS__LOCAL__URL": url,
        "MANYHANDS_HOSTS__LOCAL__VRAM_GB": "48",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "manyhands", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def ask(folder: Path, url: str) -> subprocess.Popen[str]:
    return terminal(folder, url, "ask", "--json", "What is the derivative of x**2?")


def verified(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["answer"]["status"] == "verified"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def loads(server: RehearsalServer) -> int:
    assert all(load.done for load in server.loads)
    return len(server.loads)


def test_three_at_once_load_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    with running_server(models(tmp_path), CARD) as server:
        for _ in range(3):
            verified(ask(tmp_path, server.url))
        after_another = loads(server)
    assert after_another == 7
    with running_server(models(tmp_path), CARD) as server:
        at_once = [ask(tmp_path, server.url) for _ in range(3)]
        for process in at_once:
            verified(process)
        assert loads(server) <= after_another
    assert read_owner(tmp_path / "run") is None


def test_killing_the_terminal_that_owns_the_models_loses_nothing(tmp_path: Path) -> None:
    with running_server(models(tmp_path), CARD) as server:
        at_once = {
            process.pid: process for process in (ask(tmp_path, server.url) for _ in range(3))
        }
        until(lambda: bool(server.loads) and server.loads[0].done)
        owner = read_owner(tmp_path / "run")
        assert owner is not None
        killed = at_once.pop(owner.pid)
        killed.kill()
        killed.communicate(timeout=60)
        for process in at_once.values():
            verified(process)
        with Journal.open(tmp_path / "journal.db") as journal:
            (cut,) = (run.id for run in journal.runs() if run.state == "cut")
        resumed = terminal(tmp_path, server.url, "runs", "resume", cut)
        _, err = resumed.communicate(timeout=120)
        assert resumed.returncode == 0, err
        with Journal.open(tmp_path / "journal.db") as journal:
            assert [run.state for run in journal.runs()] == ["answered"] * 3
