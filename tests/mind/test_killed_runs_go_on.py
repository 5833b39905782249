"""kill -9 at every event of a run: nothing finished is repeated, nothing is lost, same answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from manyhands.rehearsal.script import ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import load_settings

ROLES = {role.prompt: name for name, role in load_roles().items()}
FRAME = {
    "goal": "both derivatives",
    "route": "plan",
    "steps": [
        {
            "id": name,
            "hand": "math",
            "task": f"differentiate {f}",
            "kind": "derivative",
            "given": {"f": f, "var": "x"},
        }
        for name, f in (("first", "x**2"), ("second", "sin(x)"), ("third", "exp(x)"))
    ],
    "effects": [
        {"tool": "save_file", "step": "first", "path": "out.txt"},
        {"tool": "save_file", "step": "second", "path": "more.txt"},
    ],
}
ANSWERS = {"x**2": "2*x", "sin(x)": "cos(x)", "exp(x)": "exp(x)"}


def say(request: ScriptedRequest, calls: list[str]) -> str:
    role = ROLES.get(str(request.messages[0]["content"]), "?")
    calls.append(role)
    if role == "framer":
        return json.dumps(FRAME)
    if role == "mathematician":
        return f"```\n{next(ANSWERS[f] for f in ANSWERS if f in request.last)}\n```"
    return "The derivatives are 2*x, cos(x) and exp(x)."


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("killed")
    (folder / "none.toml").touch()
    calls: list[str] = []
    models = [
        ScriptedModel(name=tier.model, reply=lambda request: say(request, calls))
        for tier in load_settings(folder / "none.toml", env={}).tiers.values()
    ]
    found: list[dict[str, Any]] = []
    script = Path(__file__).with_name("killed_runs.py")
    with running_server(models) as server:
        with subprocess.Popen(
            [sys.executable, str(script), str(folder), server.url],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                record = json.loads(line)
                if "mark" in record:
                    calls.clear()
                else:
                    found.append({**record, "calls": list(calls)})
        assert process.returncode == 0
    return found


@pytest.mark.slow
def test_a_run_is_cut_at_each_of_its_events(lives: list[dict[str, Any]]) -> None:
    whole, *cuts = lives
    assert len(cuts) == len(whole["after"]["kinds"]) >= 30
    assert whole["after"]["status"] == "verified"
    for life in cuts[:-1]:
        assert life["before"]["kinds"] == whole["after"]["kinds"][: life["cut"]]
        assert life["before"]["state"] == "cut"
        assert life["after"]["kinds"][: life["cut"]] == life["before"]["kinds"]


@pytest.mark.slow
def test_every_cut_run_ends_in_the_same_answer(lives: list[dict[str, Any]]) -> None:
    whole, *cuts = lives
    for life in cuts[:-1]:
        after = life["after"]
        assert after["error"] == "", life
        assert (after["text"], after["status"]) == (whole["after"]["text"], "verified"), life
        assert after["state"] == "answered"


@pytest.mark.slow
def test_no_finished_hand_works_again(lives: list[dict[str, Any]]) -> None:
    for life in lives[1:-1]:
        before, after = life["before"]["kinds"], life["after"]["kinds"]
        finished = before.count("step_done")
        again = after[len(before) :].count("step_started")
        assert finished + again == 3, life
        underway = before.count("step_started") - finished
        assert life["calls"].count("mathematician") <= 3 + underway, life


@pytest.mark.slow
def test_no_effect_happens_twice_and_no_artifact_is_lost(lives: list[dict[str, Any]]) -> None:
    whole, *cuts = lives
    for life in cuts[:-1]:
        kinds = life["after"]["kinds"]
        assert kinds.count("effect_intended") <= 2, life
        digests = life["after"]["intended"]
        assert len(digests) == len(set(digests)), "an effect was begun twice"
        assert set(life["before"]["artifacts"]) <= set(life["after"]["artifacts"])
        assert life["after"]["artifacts"] == whole["after"]["artifacts"]
        uncertain = life["before"]["kinds"][-1:] == ["effect_intended"]
        assert ("before a crash" in life["after"]["asked"]) == uncertain
        same = life["after"]["files"] == whole["after"]["files"]
        assert same != uncertain, life
