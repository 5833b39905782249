"""`manyhands doctor --smoke` tries a server with tiny models of its own and leaves nothing behind.

The server here is the rehearsal server, which reads the script out of the uploaded weights.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from manyhands.cli.findings import Finding, Mark
from manyhands.cli.smoke import PREFIX, smoke
from manyhands.engines.ollama import OllamaEngine
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.rehearsal.weights.scripted import Line, embedding_weights, script_in
from manyhands.rehearsal.weights.scripted import scripted_weights as weights

pytestmark = pytest.mark.anyio

CHECKS = [
    "create",
    "chat",
    "stream",
    "thinking",
    "tools",
    "format",
    "embedding",
    "role switch",
    "truncate",
    "cancel",
]
OWN = ScriptedModel("own:7b")


async def findings(url: str) -> list[Finding]:
    engine = OllamaEngine(url)
    async with aclosing(smoke(engine)) as results:
        found = [one async for one in results]
    await engine.aclose()
    return found


async def names(url: str) -> list[str]:
    engine = OllamaEngine(url)
    found = await engine.tags()
    await engine.aclose()
    return found


async def test_each_check_is_told_and_the_server_is_as_it_was() -> None:
    async with RehearsalServer([OWN]) as server:
        found = await findings(server.url)
        assert await names(server.url) == ["own:7b"]
        loaded = OllamaEngine(server.url)
        assert await loaded.ps() == []
        await loaded.aclose()
    assert [one.mark for one in found] == [Mark.OK] * (len(CHECKS) + 1), found
    assert [one.text.partition(":")[0] for one in found[:-1]] == CHECKS
    assert found[-1].text == "its models are removed again"
    sent = [one.body for one in server.requests if one.path in ("/api/chat", "/api/embed")]
    assert {body["options"]["num_gpu"] for body in sent} == {0}, "nothing is evicted from a GPU"


async def test_what_a_killed_check_left_is_removed_by_the_next() -> None:
    async with RehearsalServer([OWN, ScriptedModel(f"{PREFIX}abc123")]) as server:
        found = await findings(server.url)
        assert await names(server.url) == ["own:7b"]
    assert found[0].text == f"removed what an earlier check left: {PREFIX}abc123:latest"


def faulty(fault: Callable[[ScriptedRequest], Reply | None]) -> Any:
    """A server that plays the uploaded script but for the answers that a test breaks."""

    def wrap(play: Any) -> Any:
        def reply(request: ScriptedRequest) -> Any:
            return fault(request) or play(request)

        return reply

    return wrap


@pytest.mark.parametrize(
    ("broken", "fault", "words"),
    [
        ("thinking", lambda r: Reply("Then I answer.") if "@think" in r.last else None, "script"),
        ("tools", lambda r: Reply("add(1, 2)") if r.tools else None, "'add(1, 2)'"),
        ("format", lambda r: Reply("ok!") if r.format else None, "'ok!'"),
        (
            "cancel",
            lambda r: Reply("", fault=Fault.RUNNER_CRASH) if "@long" in r.last else None,
            "died",
        ),
    ],
)
async def test_a_check_that_fails_says_what_was_seen_and_the_rest_goes_on(
    broken: str, fault: Any, words: str
) -> None:
    async with RehearsalServer([OWN]) as server:
        server.change_uploads(faulty(fault))
        found = await findings(server.url)
        assert await names(server.url) == ["own:7b"]
    (problem,) = [one for one in found if one.mark is Mark.PROBLEM]
    assert problem.text.startswith(f"{broken}: ")
    assert words in problem.text
    assert problem.next
    assert len(found) == len(CHECKS) + 1


async def test_a_server_that_is_away_is_one_problem(unused_port: int) -> None:
    first, *rest = await findings(f"http://127.0.0.1:{unused_port}")
    assert first.mark is Mark.PROBLEM
    assert first.text.startswith("create: ")
    assert len(rest) <= 1


async def test_leaving_in_the_middle_removes_the_models() -> None:
    async with RehearsalServer([OWN]) as server:
        engine = OllamaEngine(server.url)
        async with aclosing(smoke(engine)) as results:
            async for one in results:
                if one.text.startswith("stream"):
                    break
        await engine.aclose()
        assert await names(server.url) == ["own:7b"]


def test_ctrl_c_at_the_command_line_removes_the_models(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('profile = "tiny"\n')
    with running_server([OWN]) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "manyhands", "doctor", "--smoke"],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "MANYHANDS_CONFIG": str(tmp_path / "config.toml"),
                "MANYHANDS_HOSTS__LOCAL__URL": server.url,
                "PYTHONUNBUFFERED": "1",
            },
        )
        assert process.stdout is not None
        for line in process.stdout:
            if "chat:" in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        process.stdout.close()
        assert process.wait(30) == 130
        deleted = [one for one in server.requests if one.method == "DELETE"]
    assert len(deleted) == 4


def test_the_command_tells_each_result_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from manyhands.cli.main import cli

    (tmp_path / "config.toml").write_text('profile = "tiny"\n')
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    with running_server([OWN]) as server:
        monkeypatch.setenv("MANYHANDS_HOSTS__LOCAL__URL", server.url)
        done = CliRunner().invoke(cli, ["doctor", "--smoke", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["ok"]
    assert len(told["findings"]) == len(CHECKS) + 2


def test_weights_carry_their_script() -> None:
    lines = [Line("hello"), Line("two words", "@t", loops=True)]
    assert script_in(weights(lines)) == lines
    assert script_in(embedding_weights()) == []
    assert script_in(b"GGUF nothing") is None
    assert script_in(b"") is None


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
