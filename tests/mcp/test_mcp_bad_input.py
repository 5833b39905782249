"""Bad input of every kind: an error that a model can act on, and never a crash."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from helpers_mcp import direct, http_principal, stdio_server
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server
from mcp import Client

TOKEN = "0123456789abcdef" * 4


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("code", {"task": 7}, "`task`"),
        ("code", {"task": "x" * 3_000_000}, "8000"),
        ("code", {"task": "x", "data": ["a\n1\n"] * 1_000}, "8 items"),
        ("code", {"task": "x", "data": 7}, "`data`"),
        ("code", {"task": "x", "data": ["a\n" + "1\n" * 1_100_000]}, "`data"),
        ("code", {"task": "x", "data": ["/etc/passwd"]}, "There is no file"),
        ("code", {"task": "x", "data": "nope.csv"}, "There is no file 'nope.csv'"),
        ("code", {"task": "x", "data": ["a\0b"]}, "no path"),
        ("code", {"task": "x", "entry_point": "os.system"}, "`entry_point`"),
        ("math", {"task": "x", "kind": "magic"}, "`kind`"),
        ("math", {"task": "x", "given": {"f": {"deep": [[[[]]]]}}}, "`given"),
        ("math", {"task": "x", "given": {"f": "t"}, "gvien": {}}, "`gvien`"),
        ("visualize", {"task": "x", "data": []}, "`data`"),
        ("ask_mind", {"question": ""}, "`question`"),
        ("ask_mind", {"question": "x", "role": "nobody"}, "Roles:"),
        ("recall", {"query": "x", "most": 10**9}, "`most`"),
        ("job", {"job_id": "../../etc/passwd"}, "There is no job"),
        ("job", {"job_id": "job_" + "0" * 32, "action": "cancel"}, "There is no job"),
        ("job", {"job_id": "x" * 100_000}, "`job_id`"),
        ("job", {"job_id": "job_1", "wait_s": -1}, "`wait_s`"),
    ],
)
async def test_a_wrong_argument_is_named_and_the_next_call_works(
    door_on: Any, tool: str, arguments: dict[str, Any], told: str
) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        got = await client.call_tool(tool, arguments)
        assert got.is_error
        said = got.content[0].text  # type: ignore[union-attr]
        assert told in said
        assert len(said) < 1_000  # the input is not echoed
        assert "Traceback" not in said
        assert not (await client.call_tool("recall", {"query": "x"})).is_error


def test_noise_on_standard_input_and_a_reader_that_is_slow_lose_no_answer(tmp_path: Path) -> None:
    begin = {
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"}},
    }  # fmt: skip
    noise = [b"\xff\xfe\x00bad\n", b"{\n", b"\n", b'{"jsonrpc":"2.0","id":[1]}\n', b"[]\n"]
    with stdio_server(tmp_path) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        asked = range(1, 101)
        lines = [json.dumps(begin).encode() + b"\n"]
        lines.append(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        for number in asked:  # 100 lists of tools are more than any pipe holds
            lines.append(noise[number % len(noise)])
            listing = {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
            lines.append(json.dumps(listing).encode() + b"\n")

        def write() -> None:
            assert server.stdin is not None
            for line in lines:
                server.stdin.write(line)
            server.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(3)  # meanwhile nobody reads
        seen: set[int] = set()
        while not set(asked) <= seen:
            line = server.stdout.readline()
            assert line, f"the server ended after {len(seen)} answers"
            answer = json.loads(line)
            if answer.get("id") in asked:
                assert len(answer["result"]["tools"]) == 8
                seen.add(answer["id"])
        writer.join(10)
        server.stdin.close()
        assert server.wait(20) == 0


@pytest.mark.anyio
async def test_a_client_that_vanishes_in_the_middle_of_a_stream_leaves_its_job_running(
    door_on: Any,
) -> None:
    let = threading.Event()

    def slow(request: Any) -> str:
        let.wait(60)
        return direct("The slow answer.")

    params: dict[str, Any] = {"name": "ask_mind", "arguments": {"question": "slow?"}}
    begin = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"}},
    }  # fmt: skip
    headers = {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json, text/event-stream",
    }
    limits = Limits(progress_s=0.1)
    try:
        async with door_on(slow, limits) as door, running_http(door, GuardRules(TOKEN)) as port:
            url = f"http://127.0.0.1:{port}/mcp"
            async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as web:
                session = (await web.post(url, json=begin)).headers["mcp-session-id"]
                web.headers["mcp-session-id"] = session
                told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
                await web.post(url, json=told)
                call = {
                    "jsonrpc": "2.0", "id": 2, "method": "tools/call",
                    "params": {**params, "_meta": {"progressToken": 1}},
                }  # fmt: skip
                async with web.stream("POST", url, json=call) as answer:
                    async for line in answer.aiter_lines():
                        if "notifications/progress" in line:
                            break  # and the connection is closed with the answer half read
            async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as web:
                session = (await web.post(url, json=begin)).headers["mcp-session-id"]
                let.set()
                again = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}
                got = await web.post(url, json=again, headers={"mcp-session-id": session})
                assert "The slow answer." in got.text
            (record,) = [
                r for r in door.jobs.store.recent(http_principal(TOKEN)) if r.kind == "ask_mind"
            ]
            assert record.state == "done"
    finally:
        let.set()


@pytest.mark.anyio
async def test_a_reader_that_stops_reading_holds_up_nobody_else(door_on: Any) -> None:
    listing = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    async with door_on() as door, running_http(door, GuardRules(TOKEN)) as port:
        stuck = []
        for _ in range(5):
            stream = await anyio.connect_tcp("127.0.0.1", port)
            head = (
                f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
                "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
                f"Content-Length: {len(listing)}\r\n\r\n"
            )
            for _ in range(50):  # pipelined, and no answer is ever read
                await stream.send(head.encode() + listing)
            stuck.append(stream)
        headers = {"authorization": f"Bearer {TOKEN}", "accept": "application/json"}
        async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as web:
            with anyio.fail_after(30):
                answer = await web.get(f"http://127.0.0.1:{port}/nothing")
        assert answer.status_code == 404
        for stream in stuck:
            await stream.aclose()
