"""The tasks extension: a client that polls sees the same jobs, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import anyio
import httpx
import pytest
from helpers_mcp import direct, role_of
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from manyhands_mcp.server import build_server
from manyhands_mcp.tasks import TASKS, TaskParams, TaskUpdateParams
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ElicitResult, Request, Result
from pydantic import TypeAdapter

pytestmark = pytest.mark.anyio
TOKEN = "0123456789abcdef" * 4
ANY = TypeAdapter(dict[str, Any])


class Created(Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class Get(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class Update(Request[TaskUpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


class Cancel(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


async def get(session: Any, task_id: str) -> dict[str, Any]:
    return dict(await session.send_request(Get(params=TaskParams(task_id=task_id)), ANY))


class Polling(ClientExtension):
    """What a client that knows tasks does with one: poll, and answer what it is asked.

    Args:
        replies: taken one after the other.
    """

    identifier = TASKS

    def __init__(self, *replies: dict[str, Any]) -> None:
        self.seen: list[dict[str, Any]] = []
        self._replies = list(replies)

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return (ResultClaim(result_type="task", model=Created, resolve=self._finish),)

    async def _finish(self, created: Created, context: ClaimContext) -> CallToolResult:
        while True:
            task = await get(context.session, created.task_id)
            self.seen.append(task)
            for key in task.get("inputRequests", {}):
                answer = ElicitResult(action="accept", content=self._replies.pop(0))
                params = TaskUpdateParams(
                    task_id=created.task_id, input_responses={key: answer.model_dump()}
                )
                await context.session.send_request(Update(params=params), ANY)
            if "result" in task:
                return CallToolResult.model_validate(task["result"])
            await anyio.sleep(0.05)


async def shown(context: Any, params: Any) -> ElicitResult:
    """Declares that the client can ask; a task never asks this way."""
    raise AssertionError("asked outside of the task")


class Gate:
    """A scripted model that answers only once it is let."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, request: Any) -> str:
        self.open.wait(60)
        return direct("The slow answer.")


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


async def begun(client: Client, question: str) -> str:
    """A call that became a task; its id."""
    result = await client.session.call_tool("ask_mind", {"question": question}, allow_claimed=True)
    assert isinstance(result, Created), result
    return result.task_id


async def test_a_call_that_takes_long_is_a_task_and_a_job_alike(door_on: Any, gate: Gate) -> None:
    polling = Polling()
    async with (
        door_on(gate) as door,
        Client(build_server(door), extensions=[polling]) as client,
    ):
        task_id = await begun(client, "slow?")
        assert (await get(client.session, task_id))["status"] == "working"
        waited = await client.call_tool("job", {"job_id": task_id, "wait_s": 0})
        assert (waited.structured_content or {})["status"] == "running"
        gate.open.set()
        done = await client.call_tool("ask_mind", {"question": "slow?"})  # the same job
        assert (done.structured_content or {})["job_id"] == task_id
        assert (done.structured_content or {})["value"] == "The slow answer."
        told = await get(client.session, task_id)
        assert told["status"] == "completed"
        assert told["result"]["structuredContent"] == done.structured_content


async def test_a_client_that_does_not_declare_tasks_sees_none(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        got = await client.call_tool("ask_mind", {"question": "hi"})
        assert got.structured_content
        with pytest.raises(MCPError, match="did not declare") as refused:
            await get(client.session, got.structured_content["job_id"])
        assert refused.value.error.code == -32021


async def test_the_minds_question_is_asked_and_answered_in_the_task(door_on: Any) -> None:
    def asking(request: Any) -> str:
        if role_of(request) == "framer" and "blue" not in str(request.messages):
            return '{"goal": "g", "route": "ask", "question": "Which colour?"}'
        return direct("Blue it is.")

    polling = Polling({"answer": "blue"})
    async with (
        door_on(asking) as door,
        Client(build_server(door), extensions=[polling], elicitation_callback=shown) as client,
    ):
        done = await client.call_tool("ask_mind", {"question": "Paint it."})
        assert (done.structured_content or {})["value"] == "Blue it is."
    asked = next(task for task in polling.seen if task["status"] == "input_required")
    (request,) = asked["inputRequests"].values()
    assert request["method"] == "elicitation/create"
    assert "Which colour?" in request["params"]["message"]


async def test_a_cancelled_task_ends_its_work(door_on: Any, gate: Gate) -> None:
    async with (
        door_on(gate) as door,
        Client(build_server(door), extensions=[Polling()]) as client,
    ):
        task_id = await begun(client, "slow?")
        await client.session.send_request(Cancel(params=TaskParams(task_id=task_id)), ANY)
        assert (await get(client.session, task_id))["status"] == "cancelled"
        assert not door.jobs.live("local")
        gate.open.set()  # the scripted model holds its server's loop


async def test_a_task_of_another_principal_does_not_exist(door_on: Any, gate: Gate) -> None:
    async with (
        door_on(gate) as door,
        Client(build_server(door), extensions=[Polling()]) as local,
    ):
        task_id = await begun(local, "slow?")
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            running_http(door, GuardRules(TOKEN)) as port,
            httpx.AsyncClient(headers=headers, timeout=30) as web,
            Client(
                streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web),
                extensions=[Polling()],
            ) as other,
        ):
            for request in (Get, Cancel):
                params = TaskParams(task_id=task_id)
                with pytest.raises(MCPError, match="There is no job") as refused:
                    await other.session.send_request(request(params=params), ANY)
                assert refused.value.error.code == -32602
        assert (await get(local.session, task_id))["status"] == "working"
        gate.open.set()  # the scripted model holds its server's loop
