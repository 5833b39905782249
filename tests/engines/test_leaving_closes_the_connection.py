"""Whoever leaves a call frees the model at once: the server sees the connection close."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import pytest

from manyhands.engines.contracts import ChatRequest, Deadlines, Message
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import DeadlineExceeded

pytestmark = pytest.mark.anyio

#: Far longer than anything here takes; only a hang comes near it.
PATIENCE_S = 20
QUESTION = ChatRequest(model="m", messages=(Message(role="user", content="Go on."),), num_ctx=4096)
TOKEN = {"message": {"role": "assistant", "content": "word "}, "done": False}
STEP = {"status": "pulling abc", "total": 10, "completed": 1}


class Upstream:
    """A server that begins an answer, or does not, and then waits for its client to leave."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self._lines = lines
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, request: Any) -> None:
        if self._lines:
            await request.begin()
            for line in self._lines:
                await request.send(json.dumps(line).encode() + b"\n")
        self.asked.set()
        await request.left()
        self.gone.set()


CALLS: dict[str, tuple[Callable[[OllamaEngine], Any], tuple[dict[str, Any], ...]]] = {
    "a chat before its headers": (lambda engine: engine.chat(QUESTION), ()),
    "a chat in its answer": (lambda engine: engine.chat(QUESTION), (TOKEN,)),
    "a load": (lambda engine: engine.load("m", num_ctx=4096), ()),
    "an embedding": (lambda engine: engine.embed("m", ["text"], num_ctx=4096), ()),
    "a look at the models": (lambda engine: engine.tags(), ()),
}


@pytest.mark.parametrize(("call", "lines"), CALLS.values(), ids=CALLS)
async def test_a_cancelled_call_closes_its_connection(
    raw_server: Any,
    call: Callable[[OllamaEngine], Any],
    lines: tuple[dict[str, Any], ...],
) -> None:
    upstream = Upstream(*lines)
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(upstream) as url, anyio.create_task_group() as tasks:
            engine = OllamaEngine(url)
            tasks.start_soon(call, engine)
            await upstream.asked.wait()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await upstream.gone.wait()
                await engine.aclose()


@pytest.mark.parametrize("clock", ["first_token_s", "gap_s", "total_s"])
async def test_a_clock_that_runs_out_closes_the_connection(raw_server: Any, clock: str) -> None:
    upstream = Upstream(*(() if clock == "first_token_s" else (TOKEN,)))
    soon = replace(Deadlines(), **{clock: 0.2})
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(upstream) as url:
            engine = OllamaEngine(url)
            with pytest.raises(DeadlineExceeded):
                await engine.chat(replace(QUESTION, deadlines=soon))
            await upstream.gone.wait()
            await engine.aclose()


@pytest.mark.parametrize(
    ("begin", "line"),
    [
        (lambda engine: engine.stream(QUESTION), TOKEN),
        (lambda engine: engine.pull("m"), STEP),
        (lambda engine: engine.create("m", {}), STEP),
    ],
    ids=["chat", "pull", "create"],
)
async def test_leaving_a_stream_early_closes_its_connection(
    raw_server: Any,
    begin: Callable[[OllamaEngine], AsyncGenerator[object]],
    line: dict[str, Any],
) -> None:
    upstream = Upstream(line, line)
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(upstream) as url:
            engine = OllamaEngine(url)
            async with aclosing(begin(engine)) as parts:
                assert await anext(parts)
            await upstream.gone.wait()
            await engine.aclose()
