"""The same server over streamable HTTP: guarded, in both eras, and with many clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
TOKEN = "0123456789abcdef" * 4


@asynccontextmanager
async def client_on(port: int, mode: Any) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as web:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.anyio
@ERAS
async def test_tools_resources_and_prompts_work_over_http(door_on: Any, mode: Any) -> None:
    async with door_on() as door, running_http(door, GuardRules(TOKEN)) as port:
        async with client_on(port, mode) as client:
            assert len((await client.list_tools()).tools) == 8
            got = (await client.call_tool("ask_mind", {"question": "hi"})).structured_content or {}
            assert got["status"] == "unverified"
            run = await client.read_resource(f"manyhands://runs/{got['run_id']}")
            assert "hi" in run.contents[0].text  # type: ignore[union-attr]
            assert (await client.list_prompts()).prompts
        async with client_on(port, mode) as client:  # a restarted client finds its job
            again = await client.call_tool("job", {"job_id": got["job_id"]})
            assert (again.structured_content or {})["value"] == got["value"]


@pytest.mark.anyio
async def test_many_clients_at_once_each_get_their_own_answer(door_on: Any) -> None:
    async with door_on() as door, running_http(door, GuardRules(TOKEN)) as port:
        found: dict[int, str] = {}

        async def one(number: int) -> None:
            async with client_on(port, "auto") as client:
                got = await client.call_tool("ask_mind", {"question": f"n{number}"})
                found[number] = (got.structured_content or {})["job_id"]

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, number)
        assert len(set(found.values())) == 20


@pytest.mark.anyio
async def test_a_client_that_vanishes_leaves_the_others_and_its_job_alone(door_on: Any) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "ask_mind", "arguments": {"question": "hi"}},
    }
    async with door_on() as door, running_http(door, GuardRules(TOKEN)) as port:
        raw = json.dumps(body).encode()
        for _ in range(5):
            stream = await anyio.connect_tcp("127.0.0.1", port)
            head = (
                f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
                "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
                f"Content-Length: {len(raw)}\r\n\r\n"
            )
            await stream.send(head.encode() + raw[: len(raw) // 2])
            await stream.aclose()
        async with client_on(port, "auto") as client:
            assert not (await client.call_tool("ask_mind", {"question": "x"})).is_error
