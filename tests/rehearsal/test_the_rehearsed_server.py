"""The rehearsed server keeps Ollama's rules of answering, and shows a test what happened."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from manyhands.rehearsal.embedding import embed_text
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest, pieces_of
from manyhands.rehearsal.server import RehearsalServer, running_server

pytestmark = pytest.mark.anyio

CALL = ("math", {"expression": "6*7"})
TOOL = {"type": "function", "function": {"name": "math", "parameters": {"type": "object"}}}


def play(request: ScriptedRequest) -> Reply | str:
    if "fault" in request.last:
        return Reply("So far so good.", fault=Fault(request.last.partition(" ")[2]))
    if "think" in request.last:
        return Reply("Forty two.", thinking="Six times seven.")
    if "call" in request.last:
        return Reply("Let me see.", tool_calls=(CALL,))
    if request.images:
        return "; ".join(f"{one.width}x{one.height} {one.sha256}" for one in request.images)
    return f"{request.system or 'no system'}; {request.number}; {request.last}"


MODELS = [
    ScriptedModel("m", play),
    ScriptedModel("plain", play, capabilities=("completion",)),
    ScriptedModel("eye", play, capabilities=("completion", "vision")),
    ScriptedModel("emb", capabilities=("embedding",), dimensions=16),
]


@pytest.fixture
async def server() -> AsyncIterator[RehearsalServer]:
    async with RehearsalServer(MODELS) as one:
        yield one


@pytest.fixture
async def client(server: RehearsalServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as one:
        yield one


def chat(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"model": "m", "messages": [message], "stream": False, **more}


async def said(client: httpx.AsyncClient, text: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/api/chat", json=chat(text, **more))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_script_sees_the_conversation_and_counts_calls(client: httpx.AsyncClient) -> None:
    await client.post("/api/create", json={"model": "role", "from": "m", "system": "Be brief."})
    own = {"role": "system", "content": "Be long."}
    answers = [
        await said(client, "Hello"),
        await said(client, "Hello", model="role"),
        await said(client, "Hello", messages=[own, {"role": "user", "content": "Hello"}]),
    ]
    assert [one["message"]["content"] for one in answers] == [
        "no system; 1; Hello",
        "Be brief.; 2; Hello",
        "Be long.; 3; Hello",
    ]


async def test_streamed_pieces_join_to_the_whole_answer(client: httpx.AsyncClient) -> None:
    whole = await said(client, "think hard")
    streamed = await client.post("/api/chat", json=chat("think hard", stream=True))
    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    for part in ("content", "thinking"):
        joined = "".join(line["message"].get(part, "") for line in lines)
        assert joined == whole["message"][part]
    assert lines[-1]["eval_count"] == whole["eval_count"]


async def test_thinking_can_be_switched_off_and_needs_a_model_that_thinks(
    client: httpx.AsyncClient,
) -> None:
    assert "thinking" in (await said(client, "think"))["message"]
    assert "thinking" not in (await said(client, "think", think=False))["message"]
    refused = await client.post("/api/chat", json=chat("think", model="plain", think=True))
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": '"plain" does not support thinking'},
    )


async def test_an_answer_format_wins_over_tools(client: httpx.AsyncClient) -> None:
    called = await said(client, "call", tools=[TOOL])
    held = await said(client, "call", tools=[TOOL], format={"type": "object"})
    function = called["message"]["tool_calls"][0]["function"]
    assert (function["name"], function["arguments"]) == CALL
    assert "tool_calls" not in held["message"]


async def test_the_token_limit_cuts_the_answer_and_says_so(client: httpx.AsyncClient) -> None:
    cut = await said(client, "one two three four five", options={"num_predict": 2})
    assert cut["done_reason"] == "length"
    assert cut["eval_count"] == 3


#: A white picture of 60 by 20 pixels, of the size that is read from its head.
PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (60).to_bytes(4) + (20).to_bytes(4)


def in_parts(*urls: str) -> list[dict[str, Any]]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": "Look."}, *images]


async def test_a_script_is_shown_the_pictures_whichever_way_they_are_sent(
    client: httpx.AsyncClient,
) -> None:
    encoded = base64.b64encode(PICTURE).decode()
    told = f"60x20 {hashlib.sha256(PICTURE).hexdigest()}"
    shown = {"role": "user", "content": "Look.", "images": [encoded, encoded]}
    bare = await said(client, "Look.", model="eye")
    native = await said(client, "", model="eye", messages=[shown])
    assert native["message"]["content"] == f"{told}; {told}"
    assert native["prompt_eval_count"] - bare["prompt_eval_count"] == 2 * 3  # 28 x 28 pixels each
    content = in_parts(f"data:image/png;base64,{encoded}")
    body = {"model": "eye", "messages": [{"role": "user", "content": content}]}
    answer = await client.post("/v1/chat/completions", json=body)
    pieces = [json.loads(line[6:]) for line in answer.text.split("\n\n")[:-2]]
    deltas = [one["choices"][0]["delta"].get("content", "") for one in pieces if one["choices"]]
    assert "".join(deltas) == told


@pytest.mark.parametrize(
    ("model", "image", "status", "why"),
    [
        ("eye", "no base64!", 400, "illegal base64 data"),
        ("eye", base64.b64encode(b"RIFF....WEBP").decode(), 400, "Failed to load image"),
        ("plain", base64.b64encode(PICTURE).decode(), 500, "image input is not supported"),
    ],
)
async def test_a_picture_that_cannot_be_seen_is_refused(
    client: httpx.AsyncClient, model: str, image: str, status: int, why: str
) -> None:
    shown = {"role": "user", "content": "Look.", "images": [image]}
    refused = await client.post("/api/chat", json=chat("", model=model, messages=[shown]))
    assert refused.status_code == status
    assert why in refused.json()["error"]
    content = in_parts(f"data:image/png;base64,{image}")
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    compatible = await client.post("/v1/chat/completions", json=body)
    assert compatible.status_code == 400
    said_there = "is not a multimodal model" if model == "plain" else "Failed to load image"
    assert said_there in compatible.json()["error"]["message"]


async def test_without_truncate_false_the_oldest_messages_go_in_silence(
    client: httpx.AsyncClient,
) -> None:
    old = [{"role": "user", "content": f"{number} " * 150} for number in range(5)]
    messages = [*old, {"role": "user", "content": "last"}]
    options = {"num_ctx": 512}
    body = {"model": "m", "messages": messages, "stream": False, "options": options}
    silent = await client.post("/api/chat", json=body)
    loud = await client.post("/api/chat", json={**body, "truncate": False})
    assert silent.json()["prompt_eval_count"] <= 512
    assert loud.status_code == 400
    inner = json.loads(loud.json()["error"])["error"]
    assert (inner["type"], inner["n_ctx"]) == ("exceed_context_size_error", 512)


@pytest.mark.parametrize("how", ["whole", "chunked"])
async def test_an_adapter_is_uploaded_whole_or_in_chunks(
    client: httpx.AsyncClient, how: str
) -> None:
    data = bytes(range(256)) * 4096
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 100_000):
            yield data[at : at + 100_000]

    path = f"/api/blobs/{digest}"
    statuses = [(await client.head(path)).status_code]
    for _ in range(2):
        content = data if how == "whole" else parts()
        statuses.append((await client.post(path, content=content)).status_code)
    statuses.append((await client.head(path)).status_code)
    wrong = await client.post(f"/api/blobs/sha256:{'0' * 64}", content=parts())
    assert statuses == [404, 201, 200, 200]
    assert wrong.status_code == 400
    assert "digest mismatch" in wrong.text


async def test_broken_requests_are_answered_or_dropped_and_the_server_lives(
    server: RehearsalServer, client: httpx.AsyncClient
) -> None:
    port = int(server.url.rpartition(":")[2])
    for raw in (
        b"nonsense\r\n\r\n",
        b"\x00\xff\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
        b"POST /api/chat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/chat HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        writer.write_eof()
        answered = await reader.read()
        assert answered == b"" or (b"999999999999" in raw and b" 413 " in answered)
        writer.close()
    not_json = await client.post("/api/chat", content=b"{")
    assert not_json.status_code == 400
    assert (await said(client, "Hello"))["done"] is True


async def test_a_client_that_leaves_is_recorded(server: RehearsalServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        body = chat("fault hang_mid_stream", stream=True)
        async with client.stream("POST", "/api/chat", json=body) as answer:
            async for _ in answer.aiter_lines():
                break
    async with asyncio.timeout(20):
        while server.requests[0].ended is None:  # noqa: ASYNC110 - the server has no such event
            await asyncio.sleep(0)
    assert server.requests[0].cancelled


#: Faults that a plain HTTP client takes for a normal end of the body.
QUIET = {Fault.END_WITHOUT_DONE, Fault.EOF_WITHOUT_LENGTH}


@pytest.mark.parametrize("fault", sorted(QUIET))
async def test_a_quiet_fault_looks_like_a_normal_end(
    client: httpx.AsyncClient, fault: Fault
) -> None:
    answer = await client.post("/api/chat", json=chat(f"fault {fault}", stream=True))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.status_code == 200
    assert lines
    assert not any(line["done"] for line in lines)


@pytest.mark.parametrize(
    "fault", [Fault.RESET_BEFORE_HEADERS, Fault.RESET_MID_STREAM, Fault.CLOSE_MID_CHUNK]
)
async def test_a_loud_fault_breaks_the_connection(client: httpx.AsyncClient, fault: Fault) -> None:
    with pytest.raises(httpx.TransportError):
        await client.post("/api/chat", json=chat(f"fault {fault}", stream=True))


async def test_a_line_too_long_is_really_sent(client: httpx.AsyncClient) -> None:
    size = 0
    body = chat(f"fault {Fault.HUGE_LINE}", stream=True)
    async with client.stream("POST", "/api/chat", json=body) as answer:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    assert size > 64 * 1024 * 1024


def test_it_runs_in_a_thread_for_code_without_a_loop() -> None:
    threads = threading.active_count()
    with running_server(MODELS) as server:
        answer = httpx.post(f"{server.url}/api/chat", json=chat("Hello"), trust_env=False)
        assert answer.json()["message"]["content"].endswith("Hello")
    assert threading.active_count() == threads


def test_two_servers_cannot_share_a_port() -> None:
    with running_server(MODELS) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)), running_server(MODELS, port=port):
            raise AssertionError("it must not start")


def test_texts_that_share_words_have_similar_vectors() -> None:
    def likeness(left: str, right: str) -> float:
        pairs = zip(embed_text(left, 384), embed_text(right, 384), strict=True)
        return sum(one * two for one, two in pairs)

    near = likeness("the rise of carbon dioxide", "carbon dioxide and its rise")
    far = likeness("the rise of carbon dioxide", "a recipe for pancakes")
    assert near > 0.5 > far
    assert sum(value * value for value in embed_text("any", 384, 8)) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", " ", "a", "a b", "\n\n", "x" * 100, "Größe 𝛑\t\x00 end "])
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces_of(text)) == text


def test_a_connection_that_comes_while_the_server_ends_is_closed_too() -> None:
    for _ in range(20):
        with running_server(MODELS) as ending:
            url = httpx.URL(ending.url)
            client = socket.create_connection((url.host, url.port), timeout=60)
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b""
