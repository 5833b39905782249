"""A load is shared by all who wait for it, survives who leaves, and one load runs at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from manyhands.engines.contracts import Deadlines
from manyhands.engines.loads import LoadOutcome, ModelKeeper
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import DeadlineExceeded, EngineError, ModelMissing
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.anyio

PATIENCE_S = 20


class Host:
    """A server whose loads last until the test opens their gate."""

    def __init__(self) -> None:
        self.loading: list[str] = []
        self.unloaded: list[str] = []
        self.began = asyncio.Event()
        self.unload_came = asyncio.Event()
        self.left = asyncio.Event()
        self.gate = asyncio.Event()

    async def __call__(self, request: Any) -> None:
        if request.path == "/api/ps":
            await request.json({"models": []})
        elif request.body["keep_alive"] == 0:
            self.unloaded.append(request.body["model"])
            self.unload_came.set()
            await request.json({"done": True, "done_reason": "unload"})
        else:
            self.loading.append(request.body["model"])
            self.began.set()
            gone = asyncio.ensure_future(request.left())
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                self.left.set()
            gone.cancel()
            opened.cancel()
            await request.json({"done": True, "done_reason": "load"})


async def test_a_load_goes_on_when_its_requester_leaves_and_the_next_one_joins(
    raw_server: Any,
) -> None:
    host, outcomes = Host(), []
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper:
                async with anyio.create_task_group() as first:
                    first.start_soon(lambda: keeper.ensure("m", num_ctx=4096))
                    await host.began.wait()
                    first.cancel_scope.cancel()

                async def second() -> None:
                    outcomes.append(await keeper.ensure("m", num_ctx=4096))

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(second)
                    await anyio.wait_all_tasks_blocked()
                    host.gate.set()
            await engine.aclose()
    assert host.loading == ["m"]
    assert not host.left.is_set()
    assert host.unloaded == []
    assert [one.loaded for one in outcomes] == [True]


async def test_several_who_ask_at_once_wait_for_one_load(raw_server: Any) -> None:
    host, outcomes = Host(), []
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper, anyio.create_task_group() as tasks:

                async def ask() -> None:
                    outcomes.append(await keeper.ensure("m", num_ctx=4096))

                for _ in range(5):
                    tasks.start_soon(ask)
                await host.began.wait()
                host.gate.set()
            await engine.aclose()
    assert host.loading == ["m"]
    assert [one.loaded for one in outcomes] == [True] * 5


async def test_a_load_that_nobody_wants_any_more_is_unloaded_when_it_ends(
    raw_server: Any,
) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: keeper.ensure("m", num_ctx=4096))
                    await host.began.wait()
                    tasks.cancel_scope.cancel()
                assert host.unloaded == []
                host.gate.set()
                await host.unload_came.wait()
            await engine.aclose()
    assert host.unloaded == ["m"]


async def test_one_model_is_loaded_at_a_time(raw_server: Any) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper, anyio.create_task_group() as tasks:
                for name in ("large", "larger"):
                    tasks.start_soon(lambda name=name: keeper.ensure(name, num_ctx=4096))
                await host.began.wait()
                await anyio.wait_all_tasks_blocked()
                assert host.loading == ["large"]
                host.gate.set()
            await engine.aclose()
    assert host.loading == ["large", "larger"]


async def test_a_load_given_up_before_its_turn_is_never_begun(raw_server: Any) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper, anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: keeper.ensure("large", num_ctx=4096))
                await host.began.wait()
                async with anyio.create_task_group() as hasty:
                    hasty.start_soon(lambda: keeper.ensure("larger", num_ctx=4096))
                    await anyio.wait_all_tasks_blocked()
                    hasty.cancel_scope.cancel()
                host.gate.set()
            await engine.aclose()
    assert host.loading == ["large"]
    assert host.unloaded == []


async def test_a_load_that_hangs_ends_at_its_own_clock_and_is_unloaded(raw_server: Any) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url, deadlines=Deadlines(load_s=0.2))
            async with ModelKeeper(engine) as keeper:
                with pytest.raises(DeadlineExceeded) as caught:
                    await keeper.ensure("m", num_ctx=4096)
            await host.left.wait()
            await engine.aclose()
    assert caught.value.clock == "load"
    assert host.unloaded == ["m"]


async def test_loading_is_told_with_the_seconds_so_far_and_those_of_last_time(
    raw_server: Any,
) -> None:
    host = Host()
    told: list[tuple[float, float | None]] = []

    async def progress(elapsed_s: float, expected_s: float | None) -> None:
        told.append((elapsed_s, expected_s))
        if len(told) == 3:
            host.gate.set()

    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine, progress_s=0.01) as keeper:
                first = await keeper.ensure("m", num_ctx=4096, progress=progress)
                await keeper.ensure("other", num_ctx=4096)
                host.gate.clear()
                told_before = len(told)
                told.clear()
                await keeper.ensure("m", num_ctx=4096, progress=progress)
            await engine.aclose()
    assert told_before == 3
    assert [expected for _, expected in told] == [first.seconds] * 3
    assert sorted(elapsed for elapsed, _ in told) == [elapsed for elapsed, _ in told]


async def test_leaving_the_keeper_stops_the_load_and_tells_who_waits(raw_server: Any) -> None:
    host, faults = Host(), []
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, anyio.create_task_group() as tasks:
            engine = OllamaEngine(url)
            async with ModelKeeper(engine) as keeper:

                async def ask() -> None:
                    try:
                        await keeper.ensure("m", num_ctx=4096)
                    except EngineError as error:
                        faults.append(error.message)

                tasks.start_soon(ask)
                await host.began.wait()
            await host.left.wait()
            await engine.aclose()
    assert faults == ["The load of 'm' was stopped."]


async def test_a_failed_load_tells_everyone_and_is_tried_again_by_the_next() -> None:
    async with RehearsalServer([ScriptedModel("there")]) as server:
        engine = OllamaEngine(server.url)
        async with ModelKeeper(engine) as keeper:
            for _ in range(2):
                with pytest.raises(ModelMissing, match="absent"):
                    await keeper.ensure("absent", num_ctx=4096)
        await engine.aclose()
    assert len([one for one in server.requests if one.path == "/api/generate"]) == 2


async def test_what_is_loaded_with_the_same_window_is_not_loaded_again() -> None:
    async with RehearsalServer([ScriptedModel("m"), ScriptedModel("other")]) as server:
        engine = OllamaEngine(server.url)
        await engine.load("m", num_ctx=4096)
        outcomes: list[LoadOutcome] = []
        for window in (4096, 4096, 8192):
            async with ModelKeeper(engine) as keeper:
                outcomes.append(await keeper.ensure("m", num_ctx=window))
        await engine.aclose()
        assert [one.loaded for one in outcomes] == [False, False, True]
        assert [one.model for one in server.loads] == ["m:latest", "m:latest"]


async def test_the_model_in_use_is_not_asked_for_again() -> None:
    async with RehearsalServer([ScriptedModel("m")]) as server:
        engine = OllamaEngine(server.url)
        async with ModelKeeper(engine) as keeper:
            for _ in range(10):
                await keeper.ensure("m", num_ctx=4096)
        await engine.aclose()
    assert [one.path for one in server.requests] == ["/api/ps", "/api/generate"]
