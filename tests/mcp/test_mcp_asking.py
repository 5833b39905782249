"""The person at the client answers and approves; a model never does it in their place."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server
from mcp import Client
from mcp.types import ElicitResult

from manyhands.jobs.records import JobState, QuestionKind

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


def asks_back(request: Any) -> str:
    text = str(request.messages[-1]["content"])
    if "sales.csv" in text:
        return json.dumps({"goal": "g", "route": "direct", "answer": "From sales.csv."})
    return json.dumps({"goal": "g", "route": "ask", "question": "Which file?"})


def person(action: str, answer: Any) -> tuple[Any, list[str]]:
    asked: list[str] = []

    async def callback(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        content = {"answer": answer} if action == "accept" else None
        return ElicitResult(action=action, content=content)  # type: ignore[arg-type]

    return callback, asked


def structured(result: Any) -> dict[str, Any]:
    return dict(result.structured_content or {})


@pytest.mark.anyio
@ERAS
async def test_the_minds_question_reaches_the_person_and_the_answer_the_mind(
    door_on: Any, mode: Any
) -> None:
    callback, asked = person("accept", "sales.csv")
    async with (
        door_on(asks_back) as door,
        Client(build_server(door), mode=mode, elicitation_callback=callback) as client,
    ):
        got = structured(await client.call_tool("ask_mind", {"question": "plot it"}))
        assert asked == ["Which file?"]
        assert got["value"] == "From sales.csv."
        assert len(door.jobs.store.recent("local")) == 1


@pytest.mark.anyio
@ERAS
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_does_not_answer_gets_the_question_as_the_result(
    door_on: Any, mode: Any, action: str
) -> None:
    callback, _ = person(action, "")
    async with (
        door_on(asks_back) as door,
        Client(build_server(door), mode=mode, elicitation_callback=callback) as client,
    ):
        got = structured(await client.call_tool("ask_mind", {"question": "plot it"}))
        assert got["question"] == "Which file?"


@pytest.mark.anyio
@ERAS
async def test_a_client_that_cannot_ask_answers_through_job(door_on: Any, mode: Any) -> None:
    async with door_on(asks_back) as door, Client(build_server(door), mode=mode) as client:
        got = structured(await client.call_tool("ask_mind", {"question": "plot it"}))
        assert got["status"] == "needs_input"
        assert got["question"] == "Which file?"
        assert "Ask the user" in got["summary"]
        again = structured(await client.call_tool("job", {"job_id": got["job_id"]}))
        assert again["status"] == "needs_input"
        empty = await client.call_tool("job", {"job_id": got["job_id"], "action": "answer"})
        assert empty.is_error
        done = structured(
            await client.call_tool(
                "job", {"job_id": got["job_id"], "action": "answer", "text": "sales.csv"}
            )
        )
        assert done["value"] == "From sales.csv."


@pytest.mark.anyio
@ERAS
@pytest.mark.parametrize("allowed", [True, False])
async def test_remembering_as_a_fact_needs_the_persons_own_yes(
    door_on: Any, mode: Any, allowed: bool
) -> None:
    callback, asked = person("accept", allowed)
    async with (
        door_on() as door,
        Client(build_server(door), mode=mode, elicitation_callback=callback) as client,
    ):
        got = structured(await client.call_tool("remember", {"text": "CO2 rises."}))
        assert len(asked) == 1
        assert "CO2 rises." in asked[0]
        found = structured(await client.call_tool("recall", {"query": "CO2"}))
        if allowed:
            assert "user's word" in got["summary"]
            assert "fact · user" in found["value"]
        else:
            assert got["status"] == "cannot"
            assert "value" not in found


@pytest.mark.anyio
@ERAS
async def test_a_question_that_comes_up_while_job_waits_takes_its_answer(
    door_on: Any, mode: Any
) -> None:
    callback, asked = person("accept", "blue")
    asks = anyio.Event()

    async def work(live: Any) -> dict[str, Any]:
        await asks.wait()
        said = await live.ask(QuestionKind.QUESTION, "Which colour?")
        return {"status": "ok", "summary": said}

    async with (
        door_on() as door,
        Client(build_server(door), mode=mode, elicitation_callback=callback) as client,
    ):
        record = await door.jobs.start("local", "ask_mind", {}, work)
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                got = structured(await client.call_tool("job", {"job_id": record.id}))
                assert got["summary"] == "blue"

            tasks.start_soon(wait)
            asks.set()
    assert asked == ["Which colour?"]


@pytest.mark.anyio
@ERAS
async def test_a_model_cannot_approve_through_job(door_on: Any, mode: Any) -> None:
    said: list[str] = []

    async def work(live: Any) -> dict[str, Any]:
        said.append(await live.ask(QuestionKind.APPROVAL, "Write the file?"))
        return {"status": "ok", "summary": "done"}

    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        record = await door.jobs.start("local", "ask_mind", {}, work)
        waiting = await door.jobs.wait(record.id, "local", 5)
        assert waiting.state is JobState.NEEDS_INPUT
        refused = await client.call_tool(
            "job", {"job_id": record.id, "action": "answer", "text": "yes"}
        )
        assert refused.is_error
        assert "a person's to give" in refused.content[0].text  # type: ignore[union-attr]
        assert said == []
        ended = structured(await client.call_tool("job", {"job_id": record.id, "action": "cancel"}))
        assert ended["status"] == "cancelled"


@pytest.mark.anyio
async def test_a_person_who_takes_long_costs_the_call_nothing(door_on: Any) -> None:
    async def never(context: Any, params: Any) -> ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    async with (
        door_on(asks_back, Limits(known_s=1.5, unknown_s=1.5)) as door,
        Client(build_server(door), mode="legacy", elicitation_callback=never) as client,
    ):
        with anyio.fail_after(20):
            got = structured(await client.call_tool("ask_mind", {"question": "plot it"}))
        assert got["status"] == "needs_input"
