"""Where `manyhands serve` runs, an IDE may end its server: the jobs go on and are fetched later."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_mcp import role_of
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult

from manyhands.memory.opening import open_memory, project_of
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Script:
    """A model that answers at once, asks a question, or waits until it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.working = threading.Event()

    def __call__(self, request: Any) -> str:
        said = str(request.messages)
        if "slow" in said:
            self.working.set()
            self.let.wait(120)
        if "paint" in said and "blue" not in said and role_of(request) == "framer":
            return '{"goal": "g", "route": "ask", "question": "Which colour?"}'
        answer = "It melts late." if "tungsten melts" in said else "Here it is."
        return json.dumps({"goal": "g", "route": "direct", "answer": answer})


@pytest.fixture
def script() -> Script:
    return Script()


class Machine:
    """One user's machine: settings, models, and the environment of every process on it."""

    def __init__(self, folder: Path, settings: Settings, url: str) -> None:
        home = folder / "home"
        home.mkdir()
        (folder / "settings.toml").write_text(
            "\n".join(f"[hosts.{name}]\nurl = '{url}'" for name in settings.hosts)
        )
        self.folder = folder
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "MANYHANDS_CONFIG": str(folder / "settings.toml"),
            "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
            "MANYHANDS_MEMORY__EMBEDDER": "none",
            "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
            "MANYHANDS_SERVE__FOLDER": str(folder / "serve"),
            "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
            "MANYHANDS_BUDGETS__WAIT_UNKNOWN_CLIENT_S": "1",
        }

    def served(self) -> list[bool]:
        """Of each job, the oldest first, whether the service worked on it."""
        pid = json.loads((self.folder / "serve" / "serve.json").read_text())["pid"]
        with sqlite3.connect(self.folder / "jobs.db") as db:
            rows = db.execute("SELECT owner FROM jobs ORDER BY created").fetchall()
        return [owner.startswith(f"{pid}:") for (owner,) in rows]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[anyio.abc.Process]:
        """`manyhands serve`, until the body ends."""
        async with await anyio.open_process(
            [sys.executable, "-m", "manyhands", "serve"], env=self.environment, stderr=None
        ) as process:
            try:
                assert process.stdout is not None
                with anyio.fail_after(60):
                    told = await process.stdout.receive()
                assert b"jobs" in told, told
                yield process
            finally:
                if process.returncode is None:
                    process.terminate()

    def client(self, folder: Path | None = None, settings: Any = (), **options: Any) -> Client:
        """An IDE that starts the server over standard input, and ends it when it leaves."""
        return Client(
            StdioServerParameters(
                command=sys.executable,
                args=["-m", "manyhands", "mcp"],
                env={**self.environment, **dict(settings)},
                cwd=folder or self.folder,
            ),
            **options,
        )


@pytest.fixture
def machine(settings: Settings, tmp_path: Path, script: Script) -> Iterator[Machine]:
    models = [
        ScriptedModel(name=name, reply=script, size=1_000)
        for name in {tier.model for tier in settings.tiers.values()}
    ]
    with running_server(models) as server:
        yield Machine(tmp_path, settings, server.url)
        script.let.set()  # before its server waits for it to end


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    return dict(result.structured_content or {})


async def finished(client: Client, job_id: str) -> dict[str, Any]:
    got = await call(client, "job", job_id=job_id)
    while got["status"] == "running":
        got = await call(client, "job", job_id=job_id)
    return got


async def answered(client: Client, question: str) -> dict[str, Any]:
    got = await call(client, "ask_mind", question=question)
    return got if got["status"] != "running" else await finished(client, got["job_id"])


async def test_a_job_outlives_the_server_that_its_ide_ended(
    machine: Machine, script: Script
) -> None:
    async with machine.serve():
        async with machine.client() as client:
            begun = await call(client, "ask_mind", question="something slow")
            assert begun["status"] == "running"
        script.let.set()
        async with machine.client() as client:
            done = await finished(client, begun["job_id"])
            assert (done["status"], done["value"]) == ("unverified", "Here it is.")
            run = await client.read_resource(f"manyhands://runs/{done['run_id']}")
            assert "something slow" in run.contents[0].text  # type: ignore[union-attr]


async def test_a_served_job_tells_progress_asks_its_person_and_is_cancelled(
    machine: Machine, script: Script
) -> None:
    shown: list[str] = []

    async def answer(context: Any, params: Any) -> ElicitResult:
        shown.append(params.message)
        return ElicitResult(action="accept", content={"answer": "blue"})

    async with machine.serve(), machine.client(elicitation_callback=answer) as client:
        got = await answered(client, "paint it")
        assert shown == ["Which colour?"]
        assert got["value"] == "Here it is."

        told: list[str] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            told.append(message or "")

        begun = (
            await client.call_tool(
                "ask_mind", {"question": "something slow"}, progress_callback=progress
            )
        ).structured_content or {}
        assert told
        assert begun["phase"], begun
        ended = await call(client, "job", job_id=begun["job_id"], action="cancel")
        assert ended["status"] == "cancelled"


async def test_kill_9_of_the_service_hides_no_cut_and_the_next_call_works_here(
    machine: Machine, script: Script
) -> None:
    async with machine.serve() as service, machine.client() as client:
        begun = await call(client, "ask_mind", question="something slow")
        service.send_signal(signal.SIGKILL)
        await service.wait()
        cut = await call(client, "job", job_id=begun["job_id"])
        assert cut["status"] == "cut"
        script.let.set()
        again = await answered(client, "something slow")
        assert again["value"] == "Here it is."
        assert again["job_id"] != begun["job_id"]


async def test_a_served_job_has_the_project_and_the_settings_of_who_asked(
    machine: Machine, settings: Settings
) -> None:
    project = machine.folder / "project"
    project.mkdir()
    async with open_memory(settings, scope=project_of(project), words_only=True) as memory:
        await memory.add({"id": "f1", "kind": "fact", "text": "the tungsten melts at 3695 K"})
    question = "when does our furnace metal melts?"
    async with machine.serve():  # started in the folder of the tests
        async with machine.client(project) as client:
            got = await answered(client, question)
            assert got["value"] == "It melts late."
            assert machine.served() == [True]
        async with machine.client() as client:
            got = await answered(client, question)
            assert got["value"] == "Here it is."
            assert machine.served() == [True, True]
        other = {"MANYHANDS_MEMORY__ENABLED": "false"}
        async with machine.client(project, other) as client:
            got = await answered(client, question)
            assert got["value"] == "Here it is."
            assert machine.served() == [True, True, False]


def test_the_service_takes_no_job_from_who_has_not_its_token(machine: Machine) -> None:
    import httpx

    with subprocess.Popen(
        [sys.executable, "-m", "manyhands", "serve"],
        env=machine.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            url = json.loads((machine.folder / "serve" / "serve.json").read_text())["url"]
            body = {"kind": "recall", "arguments": {"query": "x", "most": 1}}
            assert httpx.post(f"{url}/v1/jobs", json=body, trust_env=False).status_code == 401
        finally:
            process.terminate()
