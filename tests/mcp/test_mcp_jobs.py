"""No call dies at its client's limit: it gets its result, or a job to come back for."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_mcp import ROLES, role_of
from manyhands_mcp.door import open_door
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import Implementation

from manyhands.mind.mind import Mind
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.script import Reply, ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.settings import HostKind, HostSettings, Settings, Tier

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
DIRECT = '{"goal": "g", "route": "direct", "answer": "The slow answer."}'


class Gate:
    """A scripted model that answers only once it is let."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.calls = 0

    def __call__(self, request: Any) -> str:
        self.calls += 1
        self.open.wait(60)
        return DIRECT


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()  # or the server could not end


def structured(result: Any) -> dict[str, Any]:
    return dict(result.structured_content or {})


@pytest.mark.anyio
@ERAS
async def test_a_client_with_a_short_limit_that_ignores_progress_still_gets_the_answer(
    door_on: Any, gate: Gate, mode: Any
) -> None:
    """In earnest we wait 45 s of a client's 60 s; here 3 s of 10 s."""
    async with (
        door_on(gate, Limits(unknown_s=3.0)) as door,
        Client(
            build_server(door),
            mode=mode,
            read_timeout_seconds=10.0,
            client_info=Implementation(name="impatient", version="1"),
        ) as client,
    ):
        got = structured(await client.call_tool("ask_mind", {"question": "slow?"}))
        assert got["status"] == "running"
        assert "`job`" in got["summary"]
        gate.open.set()
        while got["status"] == "running":
            got = structured(await client.call_tool("job", {"job_id": got["job_id"]}))
        assert got["value"] == "The slow answer."
        assert gate.calls == 1


@pytest.mark.anyio
async def test_a_client_of_60_s_gets_the_answer_of_a_hand_that_loads_longer_than_that(
    settings: Settings, tmp_path: Path
) -> None:
    """Loading 142 GB at 2 GB/s takes 73 s (simulated); every time is divided by 15.

    The client gives up a call after 60 s whatever it is told meanwhile.
    """
    scale = 1 / 15
    slow = Profile("a slow disk", load_gb_s=2.0, fixed_load_s=2.5, clock_scale=scale)
    heavy = ROLES["coder"].model_copy(update={"tier": Tier.HEAVY})

    def reply(request: Any) -> str:
        if role_of(request) == "tester":
            return "```python\ndef check(candidate):\n    assert candidate(3) == 6\n```\n"
        return "```python\ndef solve(n):\n    return n * 2\n```\n"

    with scripted_tiers(settings, reply, slow) as rehearsed:
        mind = Mind(rehearsed, roles={**ROLES, "coder": heavy}, simulated=True)
        async with (
            open_door(mind, limits=Limits(unknown_s=45 * scale)) as door,
            Client(
                build_server(door),
                read_timeout_seconds=60 * scale,
                client_info=Implementation(name="impatient", version="1"),
            ) as client,
        ):
            begun = anyio.current_time()
            got = structured(await client.call_tool("code", {"task": "Double a number."}))
            assert got["status"] == "running"
            calls = 1
            while got["status"] == "running":
                got = structured(await client.call_tool("job", {"job_id": got["job_id"]}))
                calls += 1
            assert got["status"] == "verified", got
            assert calls >= 2
            assert anyio.current_time() - begun > 60 * scale  # one call could not have had it


@pytest.mark.anyio
@ERAS
@pytest.mark.parametrize("how", ["timeout", "cancelled"])
async def test_a_call_that_is_given_up_leaves_its_job_and_the_same_call_finds_it(
    door_on: Any, gate: Gate, mode: Any, how: str
) -> None:
    async with (
        door_on(gate, Limits(known_s=30, unknown_s=30)) as door,
        Client(build_server(door), mode=mode) as client,
    ):
        question = {"question": "slow?"}
        if how == "timeout":
            with pytest.raises(MCPError):
                await client.call_tool("ask_mind", question, read_timeout_seconds=0.3)
        else:
            with anyio.move_on_after(0.3) as given_up:
                await client.call_tool("ask_mind", question)
            assert given_up.cancelled_caught
        assert len(door.jobs.live("local")) == 1
        gate.open.set()
        got = structured(await client.call_tool("ask_mind", question))
        assert got["value"] == "The slow answer."
        assert gate.calls == 1


@pytest.mark.anyio
async def test_where_the_settings_say_so_a_call_that_is_given_up_ends_its_job(
    door_on: Any, gate: Gate
) -> None:
    limits = Limits(known_s=30, unknown_s=30, detach=False)
    async with door_on(gate, limits) as door, Client(build_server(door)) as client:
        with anyio.move_on_after(0.3):
            await client.call_tool("ask_mind", {"question": "slow?"})
        gate.open.set()
        with anyio.fail_after(10):
            while door.jobs.live("local"):
                await anyio.lowlevel.checkpoint()
        assert door.jobs.store.recent("local")[0].state == "cancelled"


@pytest.mark.anyio
async def test_the_same_call_at_the_same_time_is_one_job(door_on: Any, gate: Gate) -> None:
    got: list[dict[str, Any]] = []
    async with door_on(gate) as door, Client(build_server(door)) as client:

        async def ask() -> None:
            got.append(structured(await client.call_tool("ask_mind", {"question": "slow?"})))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
            with anyio.fail_after(20):
                while not gate.calls:
                    await anyio.lowlevel.checkpoint()
            gate.open.set()
    assert len({one["job_id"] for one in got}) == 1
    assert gate.calls == 1


@pytest.mark.anyio
@ERAS
async def test_progress_comes_often_and_in_words_that_help(door_on: Any, mode: Any) -> None:
    told: list[tuple[float, str]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message or ""))

    words = tuple(f"w{n} " for n in range(40))

    def slow(request: Any) -> Reply:
        return Reply(content="".join(words), pieces=words, pace_s=0.02)

    async with (
        door_on(slow, Limits(known_s=20, unknown_s=20, progress_s=0.1)) as door,
        Client(build_server(door), mode=mode) as client,
    ):
        await client.call_tool("math", {"task": "slow", "kind": "free"}, progress_callback=progress)
    assert len(told) >= 3
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert any("mathematician writes" in said and "tokens" in said for _, said in told), told


@pytest.mark.anyio
async def test_cancelling_a_job_ends_the_models_work_within_a_second(
    settings: Settings, tmp_path: Path
) -> None:
    words = tuple(f"w{n} " for n in range(100_000))

    def endless(request: Any) -> Reply:
        return Reply(content="".join(words), pieces=words, pace_s=0.01)

    models = [
        ScriptedModel(name=tier.model, reply=endless, size=1_000)
        for tier in {tier.model: tier for tier in settings.tiers.values()}.values()
    ]
    with running_server(models) as server:
        host = HostSettings(url=server.url, kind=HostKind.OLLAMA)
        rehearsed = settings.model_copy(update={"hosts": dict.fromkeys(settings.hosts, host)})
        async with (
            open_door(Mind(rehearsed, simulated=True), limits=Limits(unknown_s=0.05)) as door,
            Client(build_server(door)) as client,
        ):
            got = structured(await client.call_tool("ask_mind", {"question": "long"}))
            assert got["status"] == "running"

            def generating() -> list[Any]:
                return [one for one in server.requests if one.path == "/api/chat" and one.tokens]

            with anyio.fail_after(20):
                while not generating():
                    await anyio.lowlevel.checkpoint()
            asked = time.monotonic()
            ended = structured(
                await client.call_tool("job", {"job_id": got["job_id"], "action": "cancel"})
            )
            assert ended["status"] == "cancelled"
            with anyio.fail_after(20):
                while generating()[-1].ended is None:
                    await anyio.lowlevel.checkpoint()
            last = generating()[-1]
            assert last.cancelled
            assert last.ended - asked < 10.0


@pytest.mark.anyio
async def test_a_thousand_parallel_calls_all_get_their_own_answer(door_on: Any) -> None:
    failed: list[Any] = []
    async with door_on() as door, Client(build_server(door)) as client:
        ids: set[str] = set()

        async def one(number: int) -> None:
            result = await client.call_tool("recall", {"query": f"number {number}"})
            if result.is_error:
                failed.append(result)
            ids.add(structured(result)["job_id"])

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for number in range(1_000):
                    tasks.start_soon(one, number)
    assert not failed
    assert len(ids) == 1_000


@pytest.mark.anyio
async def test_kill_9_of_the_server_loses_no_result_and_hides_no_cut(
    settings: Settings, tmp_path: Path, gate: Gate
) -> None:
    def reply(request: Any) -> str:
        if "slow" in str(request.messages[-1]["content"]):
            return gate(request)
        return '{"goal": "g", "route": "direct", "answer": "Quick."}'

    models = [
        ScriptedModel(name=name, reply=reply, size=1_000)
        for name in {tier.model for tier in settings.tiers.values()}
    ]
    with running_server(models) as server:
        home = tmp_path / "home"
        await anyio.Path(home).mkdir()
        pid_file = tmp_path / "pid"
        program = (
            "import os, pathlib, sys; from manyhands.cli.main import main;"
            f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()));"
            "sys.argv = ['manyhands', 'mcp']; main()"
        )
        (tmp_path / "settings.toml").write_text(
            "\n".join(f"[hosts.{name}]\nurl = '{server.url}'" for name in settings.hosts)
        )
        environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "MANYHANDS_CONFIG": str(tmp_path / "settings.toml"),
            "MANYHANDS_JOURNAL__PATH": str(tmp_path / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(tmp_path / "memory.db"),
            "MANYHANDS_ROUTING__PATH": str(tmp_path / "learning.db"),
            "MANYHANDS_SERVE__FOLDER": str(tmp_path / "serve"),
            "MANYHANDS_BUDGETS__WAIT_UNKNOWN_CLIENT_S": "1",
        }
        parameters = StdioServerParameters(
            command=sys.executable, args=["-c", program], env=environment, cwd=tmp_path
        )
        async with Client(parameters) as client:
            quick = structured(await client.call_tool("ask_mind", {"question": "hi"}))
            while quick["status"] == "running":
                quick = structured(await client.call_tool("job", {"job_id": quick["job_id"]}))
            assert quick["value"] == "Quick.", quick
            slow = structured(await client.call_tool("ask_mind", {"question": "slow one"}))
            assert slow["status"] == "running", slow
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
        gate.open.set()
        async with Client(parameters) as client:
            again = structured(await client.call_tool("job", {"job_id": quick["job_id"]}))
            assert again["value"] == "Quick."
            cut = structured(await client.call_tool("job", {"job_id": slow["job_id"]}))
            assert cut["status"] == "cut"
            assert "again" in cut["summary"]
            done = structured(await client.call_tool("ask_mind", {"question": "slow one"}))
            while done["status"] == "running":
                done = structured(await client.call_tool("job", {"job_id": done["job_id"]}))
            assert done["value"] == "The slow answer."
