"""A batch gives each task one result line, tells bad lines, groups by model, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from manyhands.cli.batch.ledger import Ledger
from manyhands.cli.batch.running import grouped, run_batch
from manyhands.cli.batch.tasks import read_tasks
from manyhands.errors import InputError
from manyhands.mind.mind import Mind
from manyhands.rehearsal.profile import GB, Profile
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings, Tier, load_settings

MATH = {
    "hand": "math",
    "task": "Integrate x.",
    "kind": "antiderivative",
    "given": {"f": "x", "var": "x"},
}


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "tasks.jsonl"
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answered(request: ScriptedRequest) -> str | Reply:
    if "mathematician" in request.system:
        return "```\nx**2/2\n```"
    if "break" in request.last:
        return Reply("", fault=Fault.HTTP_500)
    return json.dumps({"goal": "g", "route": "direct", "answer": f"To {request.last[-20:]}"})


class Home:
    """A user's folder, and the command run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "config.toml").write_text(
            f'profile = "tiny"\n[journal]\npath = "{folder}/journal.db"\n'
            f'[memory]\nenabled = false\n[routing]\npath = "{folder}/learning.db"\n'
            f'[serve]\nfolder = "{folder}/serve"\ntimes = "{folder}/loads.db"\n'
        )

    def command(self, url: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "manyhands",
                "batch",
                str(self.folder / "tasks.jsonl"),
                *options,
            ],
            env={
                **os.environ,
                "MANYHANDS_CONFIG": str(self.folder / "config.toml"),
                "MANYHANDS_HOSTS__LOCAL__URL": url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, url: str, *options: str) -> tuple[int, str, str]:
        process = self.command(url, *options)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def models(reply: Callable[[ScriptedRequest], Any]) -> list[ScriptedModel]:
    names = {spec.model for spec in load_settings(env={"MANYHANDS_PROFILE": "tiny"}).tiers.values()}
    return [ScriptedModel(name, reply) for name in sorted(names)]


def chats(server: RehearsalServer) -> int:
    return len([one for one in server.requests if one.path == "/api/chat"])


def test_each_task_has_one_result_and_what_failed_stands_apart(home: Home) -> None:
    written(
        home.folder,
        {"id": "q1", "question": "What is a mean?"},
        "this is no JSON",
        {"id": "m1", **MATH},
        "",
        {"id": "q2", "question": "Please break."},
        {"question": "And a median?"},
        {"id": "q1", "question": "What is a mode?"},
        {"id": "x", "question": "Which?", "hand": "math"},
        {"id": "y", "hand": "math", "task": "t", "colour": "red"},
        ["a list"],
    )
    with running_server(models(answered)) as server:
        code, out, err = home.run(server.url)
        before = chats(server)
        again, said, _ = home.run(server.url)
        repeated = chats(server) - before
    results = lines_of(home.folder / "tasks.results.jsonl")
    failures = lines_of(home.folder / "tasks.results.failures.jsonl")
    assert (code, again) == (1, 1)
    by_id = {one["id"]: one for one in results}
    assert sorted(by_id) == ["line-6", "m1", "q1"]
    assert len(results) == 3
    assert (by_id["m1"]["status"], by_id["m1"]["text"]) == ("verified", "x**2/2")
    assert by_id["q1"]["text"].startswith("To ")
    assert by_id["line-6"]["line"] == 6
    assert all(one["run_id"].startswith("run") for one in results)
    (broken,) = [one for one in failures if one.get("id") == "q2"]
    assert broken["kind"] == "ServerFault"
    bad = {one["line"]: one["error"] for one in failures if one["kind"] == "bad line"}
    assert sorted(bad) == [2, 7, 8, 9, 10]
    assert "no JSON" in bad[2]
    assert "stands in line 1" in bad[7]
    assert "either a `question` or a `hand`" in bad[8]
    assert "colour" in bad[9]
    assert [one["text"] for one in failures if one["line"] == 2] == ["this is no JSON"]
    assert "tasks.jsonl:2:" in err
    assert "1 failed, 5 bad lines" in out
    assert repeated == 1, "only what failed is tried again"
    assert "1 failed" in said


def test_a_changed_task_is_done_again_under_its_old_id(home: Home) -> None:
    with running_server(models(answered)) as server:
        written(home.folder, {"id": "a", "question": "One?"}, {"id": "b", "question": "Two?"})
        assert home.run(server.url)[0] == 0
        written(home.folder, {"id": "a", "question": "Three?"}, {"id": "b", "question": "Two?"})
        assert home.run(server.url)[0] == 0
        assert chats(server) == 3
    ids = [one["id"] for one in lines_of(home.folder / "tasks.results.jsonl")]
    assert sorted(ids) == ["a", "a", "b"]


def test_killed_in_the_middle_it_goes_on_and_repeats_nothing_that_was_done(home: Home) -> None:
    questions = [f"Question number {number}?" for number in range(12)]
    written(home.folder, *({"id": f"t{at}", "question": one} for at, one in enumerate(questions)))
    asked: Counter[str] = Counter()
    enough = threading.Event()

    def reply(request: ScriptedRequest) -> Reply:
        (question,) = [one for one in questions if one in request.last]
        asked[question] += 1
        if sum(asked.values()) >= 7:
            enough.set()
        return Reply(answered(request), pace_s=0.01)  # type: ignore[arg-type]

    results = home.folder / "tasks.results.jsonl"
    with running_server(models(reply)) as server:
        process = home.command(server.url, "--at-once", "2")
        assert enough.wait(60)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = {one["id"] for one in lines_of(results)}
        with results.open("ab") as file:
            file.write(b'{"id": "t11", "dig')  # as a crash leaves it
        code, out, _ = home.run(server.url)
    assert code == 0, out
    found = lines_of(results)
    assert sorted(one["id"] for one in found) == sorted(f"t{at}" for at in range(12))
    assert 1 <= len(done) < 12
    for at, question in enumerate(questions):
        assert asked[question] <= (1 if f"t{at}" in done else 2)
    assert not list(home.folder.glob("*.starts.jsonl"))
    assert not list(home.folder.glob("*.failures.jsonl"))


def test_a_run_that_was_cut_is_gone_on_with_in_the_journal(home: Home) -> None:
    written(home.folder, {"id": "a", "question": "One?"})
    reached = threading.Event()

    def reply(request: ScriptedRequest) -> Reply:
        reached.set()
        return Reply(answered(request), pace_s=0.05)  # type: ignore[arg-type]

    with running_server(models(reply)) as server:
        process = home.command(server.url)
        assert reached.wait(60)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (started,) = lines_of(home.folder / "tasks.results.starts.jsonl")
        assert home.run(server.url)[0] == 0
    (result,) = lines_of(home.folder / "tasks.results.jsonl")
    assert result["run_id"] == started["run_id"]


def test_a_server_that_is_away_ends_the_batch_with_its_code(home: Home, unused_port: int) -> None:
    written(home.folder, *({"id": f"t{at}", "question": "Q?"} for at in range(5)))
    code, _, err = home.run(f"http://127.0.0.1:{unused_port}", "--at-once", "1")
    assert code == 3
    assert "It ended early: Nobody answers at" in err
    assert len(lines_of(home.folder / "tasks.results.failures.jsonl")) == 1


def test_a_stop_is_clean_and_leaves_the_rest_for_later(home: Home) -> None:
    written(home.folder, *({"id": f"t{at}", "question": "Q?"} for at in range(6)))
    first = threading.Event()

    def reply(request: ScriptedRequest) -> Reply:
        first.set()
        return Reply(answered(request), pace_s=0.05)  # type: ignore[arg-type]

    with running_server(models(reply)) as server:
        process = home.command(server.url, "--at-once", "1")
        assert first.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Run it again to go on" in err
        assert home.run(server.url)[0] == 0
    assert len(lines_of(home.folder / "tasks.results.jsonl")) == 6


def test_another_file_than_results_is_not_written_to(tmp_path: Path) -> None:
    other = tmp_path / "notes.jsonl"
    other.write_text('{"mine": true}\n')
    with pytest.raises(InputError, match="other lines than results"), Ledger(other):
        pass
    assert other.read_text() == '{"mine": true}\n'


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def mixed(folder: Path) -> Path:
    """Tasks for two models in turn."""
    (folder / "d.csv").write_text("year,value\n2000,1\n2001,2\n")
    draw = {"hand": "visualize", "task": "Draw it.", "data": ["d.csv"], "chart": "line"}
    return written(folder, *({"id": f"t{at}", **(draw if at % 2 else MATH)} for at in range(8)))


def two_models(settings: Settings, url: str) -> Mind:
    """The mathematician on the heavy tier, the illustrator on the expert; nothing is escalated."""
    roles = load_roles()
    heavy = roles["mathematician"].model_copy(update={"tier": Tier.HEAVY})
    routing = settings.routing.model_copy(update={"escalate": False})
    hosts = {"local": HostSettings(url=url)}
    changed = settings.model_copy(update={"routing": routing, "hosts": hosts})
    return Mind(changed, roles={**roles, "mathematician": heavy}, background=True)


@pytest.mark.anyio
async def test_tasks_of_one_model_are_worked_on_together(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    tasks, bad = read_tasks(mixed(tmp_path))
    assert not bad
    served = [
        ScriptedModel(settings.tiers[tier].model, lambda _: "CANNOT: not today", size=40 * GB)
        for tier in (Tier.HEAVY, Tier.EXPERT)
    ]
    one_at_a_time = Profile("a card for one model", vram=60 * GB)
    async with RehearsalServer(served, one_at_a_time) as server:
        mind = two_models(settings, server.url)
        ids = [task.id for task in grouped(tasks, mind)]
        with Ledger(tmp_path / "out.jsonl") as ledger:
            outcome = await run_batch(mind, tasks, ledger, at_once=1, tell=lambda *_: None)
        loaded = [model for model, _ in groupby(one.model for one in server.loads)]
        assert len(loaded) == 2, "one switch of the model; in the file's order it were seven"
    assert ids == ["t0", "t2", "t4", "t6", "t1", "t3", "t5", "t7"]
    assert outcome.statuses == {"cannot": 8}


def test_a_second_process_on_the_same_results_is_told_and_changes_nothing(tmp_path: Path) -> None:
    (task,), _ = read_tasks(written(tmp_path, {"id": "q", "question": "What is a mean?"}))
    results = tmp_path / "tasks.results.jsonl"
    with Ledger(results) as first:
        first.started(task, "run_1")
        first.failed(task, "Kind", "It failed.", "")
        before = first.starts.read_bytes(), first.failures.read_bytes()
        with pytest.raises(InputError, match="Another process works on"), Ledger(results):
            pass
        assert (first.starts.read_bytes(), first.failures.read_bytes()) == before
        first.finished(task, {"status": "unverified"})
    with Ledger(results) as again:
        assert again.is_done(task)
