"""What the protocol's security pages ask of a server beyond HTTP: 23 to 40 of the forty."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_mcp import stdio_server
from helpers_requirements import MODERN
from manyhands_mcp.door import open_door
from manyhands_mcp.http import running_http, serve_http
from manyhands_mcp.server import build_server
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult

from manyhands.clean import clean
from manyhands.errors import InputError
from manyhands.jobs.records import QuestionKind
from manyhands.jobs.runner import Jobs
from manyhands.jobs.store import KEPT_S, JobStore
from manyhands.mind.mind import Mind
from manyhands.settings import ApprovalRule

# --- the state of a question -------------------------------------------------------------------


@asynccontextmanager
async def asking_client(door: Any) -> AsyncIterator[tuple[Any, str, dict[str, Any]]]:
    """A modern client that handles questions itself, with one sealed state in its hands."""

    async def unused(context: Any, params: Any) -> ElicitResult:
        raise AssertionError

    async with Client(
        build_server(door), mode=MODERN, elicitation_callback=unused
    ) as client:  # its session does not answer for us
        arguments = {"text": "CO2 rises."}
        first = await client.session.call_tool("remember", arguments, allow_input_required=True)
        assert first.request_state
        yield client, first.request_state, arguments


def yes() -> dict[str, Any]:
    return {"answer": ElicitResult(action="accept", content={"answer": True})}


@pytest.mark.anyio
async def test_23_a_request_state_does_not_show_what_it_holds(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (_, state, _):
        job = door.jobs.live("local")[0]
        assert job.question is not None
        assert job.id not in state
        assert job.question.id not in state


@pytest.mark.anyio
@pytest.mark.parametrize("at", [0, 10, -1])
async def test_24_a_request_state_that_was_changed_is_refused(door_on: Any, at: int) -> None:
    async with door_on() as door, asking_client(door) as (client, state, arguments):
        letters = list(state)
        letters[at] = "A" if letters[at] != "A" else "B"
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember", arguments, input_responses=yes(), request_state="".join(letters)
            )
        assert door.jobs.live("local")[0].question is not None


@pytest.mark.anyio
async def test_25_a_request_state_made_up_by_a_client_is_refused(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, _, arguments):
        job = door.jobs.live("local")[0]
        assert job.question is not None
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember",
                arguments,
                input_responses=yes(),
                request_state=f"{job.id} {job.question.id} approval",
            )


@pytest.mark.anyio
async def test_26_a_request_state_is_good_for_its_own_call_only(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, state, _):
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember",
                {"text": "Something else."},
                input_responses=yes(),
                request_state=state,
            )


@pytest.mark.anyio
async def test_27_a_request_state_answers_once(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, state, arguments):
        for _ in range(2):
            got = await client.session.call_tool(
                "remember", arguments, input_responses=yes(), request_state=state
            )
            assert "user's word" in (got.structured_content or {})["summary"]
        assert len(door.jobs.store.recent("local")) == 1


# --- handles and whose they are ----------------------------------------------------------------


@pytest.mark.anyio
async def test_28_to_hold_a_job_id_is_not_to_own_the_job(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        mine = (await client.call_tool("ask_mind", {"question": "hi"})).structured_content or {}
        door.principal_of = lambda request: "http:other"
        for action in ("wait", "fetch", "cancel", "answer"):
            got = await client.call_tool("job", {"job_id": mine["job_id"], "action": action})
            assert got.is_error
            assert "There is no job" in got.content[0].text
        with pytest.raises(MCPError):
            await client.read_resource(f"manyhands://jobs/{mine['job_id']}")


@pytest.mark.anyio
async def test_29_runs_and_artifacts_are_read_by_their_owner_only(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        mine = (await client.call_tool("ask_mind", {"question": "hi"})).structured_content or {}
        artifact = door.journal.keep(mine["run_id"], "a.txt", "text/plain", b"secret")
        uris = (f"manyhands://runs/{mine['run_id']}", f"manyhands://artifacts/{artifact[7:]}")
        for uri in uris:
            await client.read_resource(uri)
        door.principal_of = lambda request: "http:other"
        for uri in uris:
            with pytest.raises(MCPError):
                await client.read_resource(uri)


@pytest.mark.anyio
async def test_30_handles_are_random_and_expire(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = JobStore.open(tmp_path / "handles.db", lambda: now[0])

    async def work(live: Any) -> dict[str, Any]:
        return {}

    async with Jobs(store) as jobs:
        ids = {(await jobs.start("p", "k", {"n": n}, work)).id for n in range(100)}
        for one in ids:
            await jobs.wait(one, "p", 5)
        assert len({one[4:10] for one in ids}) == 100  # already the beginnings differ
        now[0] += KEPT_S + 1
        for one in ids:
            with pytest.raises(InputError):
                jobs.get(one, "p")
    store.close()


# --- tools -------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_31_no_schema_refers_to_the_network(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for tool in (await client.list_tools()).tools:
            assert "$ref" not in json.dumps([tool.input_schema, tool.output_schema])


@pytest.mark.anyio
async def test_32_the_list_of_tools_is_always_the_same(door_on: Any) -> None:
    async with door_on() as door:
        lists = []
        for _ in range(2):
            async with Client(build_server(door)) as client:
                tools = (await client.list_tools()).tools
                lists.append([tool.model_dump_json() for tool in tools])
        assert lists[0] == lists[1]


@pytest.mark.anyio
async def test_33_permission_is_checked_in_the_call(settings: Any) -> None:
    approvals = settings.approvals.model_copy(update={"remember": ApprovalRule.NEVER})
    mind = Mind(settings.model_copy(update={"approvals": approvals}))
    async with open_door(mind) as door, Client(build_server(door)) as client:
        got = await client.call_tool("remember", {"text": "x"})
        assert got.is_error
        assert not settings.memory.path.exists()


@pytest.mark.anyio
async def test_34_an_effect_asked_for_twice_happens_once(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for _ in range(3):
            assert not (await client.call_tool("remember", {"text": "CO2 rises."})).is_error
        found = (await client.call_tool("recall", {"query": "CO2"})).structured_content or {}
        assert found["value"].count("CO2 rises.") == 1


@pytest.mark.anyio
async def test_35_inputs_are_validated_and_not_repeated_in_the_error(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for bad in (
            {},
            {"task": None},
            {"task": ["sk-secret"]},
            {"task": "x", "entry_point": "é;"},
        ):
            got = await client.call_tool("code", bad)
            assert got.is_error
            assert "sk-secret" not in got.content[0].text
        with pytest.raises(MCPError):
            await client.read_resource("manyhands://artifacts/" + "../" * 50 + "etc/passwd")


def test_36_outputs_hold_nothing_that_a_terminal_or_a_model_obeys_unseen() -> None:
    hidden = "\x1b[2Jred\u202egnp.exe\u2069\U000e0041\u200bx\x07\r"
    assert clean(hidden) == "redgnp.exex"
    assert clean("naïve\n\ttext 数学 🙂") == "naïve\n\ttext 数学 🙂"


@pytest.mark.anyio
async def test_37_calls_are_bounded_and_written_down(tmp_path: Path) -> None:
    store = JobStore.open(tmp_path / "audit.db")

    async def endless(live: Any) -> dict[str, Any]:
        return {"said": await live.ask(QuestionKind.QUESTION, "?")}

    async with Jobs(store, most_open=5) as jobs:
        for number in range(5):
            await jobs.start("p", "code", {"task": f"t{number}"}, endless)
        with pytest.raises(InputError, match="open already"):
            await jobs.start("p", "code", {"task": "one more"}, endless)
        told = store.recent("p")
        assert {record.arguments["task"] for record in told} == {f"t{n}" for n in range(5)}
        assert all(record.created > 0 and record.principal == "p" for record in told)
    store.close()


# --- how it is started -------------------------------------------------------------------------


def test_38_stdout_carries_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "recall", "arguments": {"query": "x"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "nothing"}},
    ]  # fmt: skip
    with stdio_server(tmp_path) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(b"not json\n")
        for message in messages:
            server.stdin.write(json.dumps(message).encode() + b"\n")
        server.stdin.flush()
        seen: set[int] = set()
        lines = []
        while not {1, 2, 3} <= seen:
            line = server.stdout.readline()
            assert line, "the server ended"
            lines.append(json.loads(line))
            seen.add(lines[-1].get("id"))
        server.stdin.close()
        rest = server.stdout.read()
        assert server.wait(20) == 0
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert rest == b""


def test_39_it_binds_to_this_machine_unless_told_otherwise() -> None:
    import inspect

    for starter in (serve_http, running_http):
        assert inspect.signature(starter).parameters["host"].default == "127.0.0.1"


def test_40_installing_shows_the_exact_command(tmp_path: Path) -> None:
    from manyhands_mcp.install import CLIENTS, snippet

    for name in CLIENTS:
        told = snippet(name, ["/opt/bin/manyhands", "mcp"])
        assert "/opt/bin/manyhands" in told, name
        assert "mcp" in told


def test_there_are_forty() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_mcp_requirements*.py")]
    found = re.findall(r"^(?:async )?def test_(\d\d)_", "\n".join(texts), re.MULTILINE)
    assert sorted(map(int, found)) == list(range(1, 41))
