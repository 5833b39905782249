"""A call is about its own project, files and principal; what belongs to another stays there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers_mcp import ROLES, direct
from manyhands_mcp.door import Door, open_door
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server
from mcp import Client

from manyhands.memory.opening import open_memory, project_of
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply
from manyhands.settings import ApprovalRule

pytestmark = pytest.mark.anyio

AT_ONCE = Limits(known_s=0.05, unknown_s=0.05)


def working(_: Any) -> Reply:
    """A model that works on for as long as a test takes; it ends with its server."""
    return Reply("word " * 2000, pace_s=0.05)


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return dict((await client.call_tool(tool, arguments)).structured_content or {})


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    got = await client.call_tool(tool, arguments)
    assert got.is_error
    return str(got.content[0].text)  # type: ignore[union-attr]


def speaks_for(door: Door, principal: str) -> None:
    door.principal_of = lambda request: principal  # type: ignore[method-assign]


async def test_the_same_file_name_in_two_projects_makes_two_jobs(
    door_on: Any, tmp_path: Path
) -> None:
    for name in ("pa", "pb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text("x\n2\n")
    asked = {"question": "the mean of x?", "data": ["data.csv"]}
    async with (
        door_on(working, AT_ONCE, (tmp_path / "pa",)) as a,
        open_door(a.mind, limits=AT_ONCE, folders=(tmp_path / "pb",)) as b,
        Client(build_server(a)) as in_pa,
        Client(build_server(b)) as in_pb,
    ):
        first = await told(in_pa, "ask_mind", **asked)
        other = await told(in_pb, "ask_mind", **asked)
        assert first["status"] == other["status"] == "running"
        assert first["job_id"] != other["job_id"]
        assert (await told(in_pa, "ask_mind", **asked))["job_id"] == first["job_id"]


async def test_a_file_that_changed_makes_another_job(door_on: Any, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n2\n")
    asked = {"question": "the mean of x?", "data": ["data.csv"]}
    async with door_on(working, AT_ONCE) as door, Client(build_server(door)) as client:
        first = await told(client, "ask_mind", **asked)
        (tmp_path / "data.csv").write_text("x\n3\n")
        changed = await told(client, "ask_mind", **asked)
        assert changed["job_id"] != first["job_id"]


async def test_the_same_call_from_another_folder_is_another_call(
    door_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door_on(working, AT_ONCE) as a:
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        async with (
            open_door(a.mind, limits=AT_ONCE) as b,
            Client(build_server(a)) as here,
            Client(build_server(b)) as there,
        ):
            first = await told(here, "ask_mind", question="what is known?")
            assert (await told(there, "ask_mind", question="what is known?"))["job_id"] != first[
                "job_id"
            ]


async def test_a_conversation_is_its_principals_and_nobody_else_learns_of_it(
    door_on: Any,
) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        local = (await told(client, "ask_mind", question="zebra"))["conversation_id"]
        speaks_for(door, "http:one")
        mine = (await told(client, "ask_mind", question="lion"))["conversation_id"]
        again = await told(client, "ask_mind", question="and?", conversation_id=mine)
        assert again["conversation_id"] == mine
        speaks_for(door, "http:other")
        unknown = await refused(client, "ask_mind", question="?", conversation_id="conv_none")
        for foreign in (local, mine):
            said = await refused(client, "ask_mind", question="?", conversation_id=foreign)
            assert said.replace(foreign, "conv_none") == unknown
        with door.mind.journal() as journal:
            assert len(journal.conversation(local).runs) == 1
            assert len(journal.conversation(mine).runs) == 2
        # Once the machine's own user has gone on with it, it is closed to the token.
        speaks_for(door, "local")
        await told(client, "ask_mind", question="and then?", conversation_id=mine)
        speaks_for(door, "http:one")
        assert "No conversation" in await refused(
            client, "ask_mind", question="?", conversation_id=mine
        )


async def test_the_users_memory_is_not_for_a_token_unless_the_settings_say_so(
    door_on: Any, tmp_path: Path
) -> None:
    async with door_on(lambda request: direct(str("tungsten" in str(request.messages)))) as played:
        memory = played.settings.memory.model_copy(update={"embedder": "none"})
        for open_to_all in (False, True):
            kept = memory.model_copy(update={"over_http": open_to_all})
            settings = played.settings.model_copy(update={"memory": kept})
            async with open_memory(settings, scope=project_of(Path.cwd())) as opened:
                await opened.add({"id": "f1", "kind": "fact", "text": "tungsten melts late"})
            async with (
                open_door(Mind(settings, roles=ROLES, door="mcp")) as door,
                Client(build_server(door)) as client,
            ):
                speaks_for(door, "http:one")
                got = await told(client, "ask_mind", question="when does the furnace metal melts")
                assert got["value"] == str(open_to_all)
                if open_to_all:
                    assert "tungsten" in (await told(client, "recall", query="melts"))["value"]
                else:
                    for tool, arguments in (
                        ("recall", {"query": "melts"}),
                        ("remember", {"text": "lead melts early"}),
                    ):
                        said = await refused(client, tool, **arguments)
                        assert "memory.over_http" in said


async def test_ask_means_ask_where_nobody_can_be_asked(door_on: Any, settings: Any) -> None:
    approvals = settings.approvals.model_copy(update={"remember": ApprovalRule.ASK})
    mind = Mind(settings.model_copy(update={"approvals": approvals}), roles=ROLES)
    async with open_door(mind) as door, Client(build_server(door)) as client:
        got = await told(client, "remember", text="CO2 rises.")
        assert got["status"] == "cannot"
        assert not settings.memory.path.exists()
        assert json.dumps(await told(client, "recall", query="CO2")).count("CO2 rises") == 0
