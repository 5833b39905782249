"""What a client can read, and that a result is never longer than it can take."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from helpers_mcp import direct
from manyhands_mcp.limits import TEXT_TOKENS, cut_middle
from manyhands_mcp.replies import Outcome
from manyhands_mcp.server import build_server
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from manyhands.mind.condense import estimate_tokens

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
LONG = "".join(f"line {number} of a long answer. " for number in range(6_000))


async def text_of(client: Client, uri: str) -> str:
    return str((await client.read_resource(uri)).contents[0].text)  # type: ignore[union-attr]


@pytest.mark.anyio
@ERAS
async def test_a_long_result_keeps_within_8000_tokens_and_links_to_the_whole(
    door_on: Any, mode: Any
) -> None:
    async def work(live: Any) -> dict[str, Any]:
        lines = tuple(f"passed check {number} " * 20 for number in range(500))
        made = Outcome(status="verified", summary="long", value=LONG, evidence=lines)
        return made.model_dump(mode="json")

    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        record = await door.jobs.start("local", "code", {}, work)
        result = await client.call_tool("job", {"job_id": record.id})
        text = result.content[0].text  # type: ignore[union-attr]
        got = dict(result.structured_content or {})
        assert estimate_tokens(text) <= TEXT_TOKENS
        assert estimate_tokens(json.dumps(got)) <= TEXT_TOKENS
        assert got["links"][0] in text
        whole = json.loads(await text_of(client, got["links"][0]))
        assert whole["result"]["value"] == LONG


@pytest.mark.anyio
async def test_an_artifact_is_read_in_parts_and_with_its_media_type(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        await client.call_tool("ask_mind", {"question": "hi"})
        run_id = door.jobs.store.recent("local")[0].run_id
        text_id = door.journal.keep(run_id, "a.md", "text/markdown", "αβγδε".encode())
        blob_id = door.journal.keep(run_id, "a.png", "image/png", b"\x89PNG\xff")
        uri = f"manyhands://artifacts/{text_id.removeprefix('sha256:')}"
        assert await text_of(client, uri) == "αβγδε"
        assert (await text_of(client, f"{uri}?offset=1&limit=2")).startswith("βγ\n[… 2 more")
        read = (await client.read_resource(uri)).contents[0]
        assert read.mime_type == "text/markdown"
        blob = await client.read_resource(f"manyhands://artifacts/{blob_id[7:]}")
        assert blob.contents[0].mime_type == "image/png"


@pytest.mark.anyio
@ERAS
@pytest.mark.parametrize(
    "uri",
    [
        "manyhands://artifacts/../../etc/passwd",
        "manyhands://artifacts/..%2f..%2fetc%2fpasswd",
        "manyhands://artifacts/" + "0" * 64,
        "manyhands://artifacts/%ff%fe",
        "manyhands://runs/%25",
        "manyhands://runs/../journal.db",
        "manyhands://jobs/job_none",
        "manyhands://jobs/" + "j" * 5_000,
        "manyhands://roles/..",
        "manyhands://roles/nobody",
        "manyhands://nothing",
        "file:///etc/passwd",
    ],
)
async def test_a_wrong_address_is_an_error_and_not_a_file(
    door_on: Any, mode: Any, uri: str
) -> None:
    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        with pytest.raises(MCPError) as told:
            await client.read_resource(uri)
        assert "root:" not in str(told.value)
        assert "Traceback" not in str(told.value)
        assert not (await client.call_tool("recall", {"query": "alive"})).is_error


@pytest.mark.anyio
@ERAS
async def test_runs_roles_and_status_can_be_read(door_on: Any, mode: Any) -> None:
    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        await client.call_tool("ask_mind", {"question": "hi there"})
        run_id = door.jobs.store.recent("local")[0].run_id
        assert "hi there" in await text_of(client, f"manyhands://runs/{run_id}")
        assert "prompt" in json.loads(await text_of(client, "manyhands://roles/scientist"))
        status = json.loads(await text_of(client, "manyhands://status"))
        assert all(host["state"] == "answers" for host in status["hosts"].values())
        templates = await client.list_resource_templates()
        assert len(templates.resource_templates) == 4


@pytest.mark.anyio
async def test_the_status_says_which_host_is_silent(settings: Any) -> None:
    from manyhands_mcp.door import open_door

    from manyhands.mind.mind import Mind
    from manyhands.settings import HostSettings

    silent = {name: HostSettings(url="http://127.0.0.1:9") for name in settings.hosts}
    mind = Mind(settings.model_copy(update={"hosts": silent}))
    async with open_door(mind) as door, Client(build_server(door)) as client:
        status = json.loads(await text_of(client, "manyhands://status"))
        assert all("does not answer" in host["state"] for host in status["hosts"].values())


@pytest.mark.anyio
async def test_a_job_tells_its_subscribers_when_it_has_ended_in_the_2026_era(
    door_on: Any,
) -> None:
    from manyhands_mcp.limits import Limits

    async with (
        door_on(lambda r: direct("x"), Limits(known_s=0.001, unknown_s=0.001)) as door,
        Client(build_server(door), mode="2026-07-28") as client,
    ):
        job_id = (await client.call_tool("ask_mind", {"question": "x"})).structured_content
        assert job_id is not None
        uri = f"manyhands://jobs/{job_id['job_id']}"
        async with client.listen(resource_subscriptions=[uri]) as subscription:
            state = json.loads(await text_of(client, uri))["state"]
            if state == "running":
                async for event in subscription:
                    assert uri in str(event)
                    break
        assert json.loads(await text_of(client, uri))["state"] == "done"


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_client_that_listens_no_more_takes_nobody_elses_word(door_on: Any) -> None:
    heard: list[str] = []
    came = anyio.Event()

    def listening(name: str) -> Any:
        async def hear(message: Any) -> None:
            if getattr(message, "method", "") == "notifications/resources/updated":
                heard.append(name)
                came.set()

        return hear

    let = anyio.Event()

    async def work(live: Any) -> dict[str, Any]:
        await let.wait()
        return {"status": "ok", "summary": "done"}

    async with door_on() as door:
        server = build_server(door)
        async with (
            Client(server, mode="legacy", message_handler=listening("leaves")) as leaves,
            Client(server, mode="legacy", message_handler=listening("stays")) as stays,
        ):
            uri = f"manyhands://jobs/{(await door.jobs.start('local', 'code', {}, work)).id}"
            for client in (leaves, stays):
                await client.session.subscribe_resource(uri)
            await leaves.session.unsubscribe_resource(uri)
            let.set()
            with anyio.fail_after(20):
                await came.wait()
    assert heard == ["stays"]


@pytest.mark.anyio
@ERAS
async def test_a_prompt_per_role_that_answers_people(door_on: Any, mode: Any) -> None:
    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        names = {prompt.name for prompt in (await client.list_prompts()).prompts}
        assert {"coder", "mathematician", "scientist", "skeptic"} <= names
        assert "framer" not in names
        got = await client.get_prompt("coder", {"question": "Sort a list."})
        said = got.messages[0].content.text  # type: ignore[union-attr]
        assert "`code`" in said
        assert said.endswith("Sort a list.")


@pytest.mark.anyio
@ERAS
async def test_names_and_ids_are_completed(door_on: Any, mode: Any) -> None:
    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        await client.call_tool("ask_mind", {"question": "hi"})
        job = door.jobs.store.recent("local")[0]

        async def complete(uri: str, name: str, value: str) -> list[str]:
            ref = ResourceTemplateReference(type="ref/resource", uri=uri)
            return list(
                (await client.complete(ref, {"name": name, "value": value})).completion.values
            )

        assert await complete("manyhands://roles/{name}", "name", "sci") == ["scientist"]
        assert await complete("manyhands://jobs/{id}", "id", "job_") == [job.id]
        assert await complete("manyhands://runs/{id}", "id", "run_") == [job.run_id]
        prompt = PromptReference(type="ref/prompt", name="coder")
        none = await client.complete(prompt, {"name": "question", "value": "x"})
        assert none.completion.values == []
        door.local_only = False
        assert await complete("manyhands://jobs/{id}", "id", "") == []


def test_a_cut_keeps_head_and_tail_and_never_breaks_a_letter() -> None:
    whole = "ä" * 50_000 + "ω"
    text, cut = cut_middle(whole, 1_000, "manyhands://jobs/x")
    assert cut
    assert estimate_tokens(text) <= 1_000
    assert text.startswith("ää")
    assert text.endswith("ω")
    assert "�" not in text
    assert cut_middle("short", 1_000, "x") == ("short", False)
