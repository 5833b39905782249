"""A load is shared by all who wait for it, survives who leaves, and one load runs at a time."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from manyhands.configuration.sections import ServeSettings
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import DeadlineExceeded, EngineError, ModelMissing
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer
from manyhands.serve.client import Leases, LoadOutcome
from manyhands.serve.wire import Want

pytestmark = pytest.mark.anyio

PATIENCE_S = 20


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    alone = ServeSettings(folder=tmp_path, times=tmp_path / "loads.db", mode="off")
    return Leases(alone, progress_s=0.02)


def want(url: str, model: str, num_ctx: int = 4096, load_s: float = 600.0) -> Want:
    return Want(host=url, model=model, options={"num_ctx": num_ctx}, load_s=load_s, vram=VRAM)


#: Nothing fits beside anything, unless a test says otherwise.
VRAM = 1


class Host:
    """A server whose loads last until the test opens their gate."""

    def __init__(self) -> None:
        self.loading: list[str] = []
        self.unloaded: list[str] = []
        self.at_once = self.most_at_once = 0
        self.began = asyncio.Event()
        self.unload_came = asyncio.Event()
        self.left = asyncio.Event()
        self.gate = asyncio.Event()

    async def left_alone(self, leases: Leases, url: str) -> None:
        """Wait until the owner knows that nobody waits here any more."""
        while (await leases.status())["hosts"][0]["waiting"]:  # noqa: ASYNC110  its own process
            await anyio.sleep(0.01)

    async def __call__(self, request: Any) -> None:
        if request.path == "/api/ps":
            await request.json({"models": []})
        elif request.path == "/api/tags":
            names = ("m", "other", "large", "larger")
            await request.json({"models": [{"name": name, "size": 10} for name in names]})
        elif request.path == "/api/show":
            weights = request.body["model"]
            await request.json({"modelfile": f"FROM /blobs/{weights}"})
        elif request.body["keep_alive"] == 0:
            self.unloaded.append(request.body["model"])
            self.unload_came.set()
            await request.json({"done": True, "done_reason": "unload"})
        else:
            self.loading.append(request.body["model"])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.began.set()
            gone = asyncio.ensure_future(request.left())
            opened = asyncio.ensure_future(self.gate.wait())
            await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                self.left.set()
            gone.cancel()
            opened.cancel()
            self.at_once -= 1
            await request.json({"done": True, "done_reason": "load"})


async def opened(host: Host, elapsed_s: float, expected_s: float | None) -> None:
    """Progress of a load: whoever is told of it waits for it."""
    host.gate.set()


async def test_a_load_goes_on_when_its_requester_leaves_and_the_next_one_joins(
    raw_server: Any, leases: Leases
) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases:
            async with anyio.create_task_group() as first:
                first.start_soon(leases.ready, want(url, "m"))
                await host.began.wait()
                first.cancel_scope.cancel()
            outcome = await leases.ready(want(url, "m"), progress=partial(opened, host))
    assert host.loading == ["m"]
    assert not host.left.is_set()
    assert host.unloaded == []
    assert outcome.loaded


async def test_several_who_ask_at_once_wait_for_one_load_which_counts_once(
    raw_server: Any, leases: Leases
) -> None:
    host, outcomes = Host(), []
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases, anyio.create_task_group() as tasks:

            async def ask() -> None:
                outcomes.append(await leases.ready(want(url, "m")))

            for _ in range(5):
                tasks.start_soon(ask)
            await host.began.wait()
            host.gate.set()
    assert host.loading == ["m"]
    assert [one.loaded for one in outcomes].count(True) == 1
    assert len(outcomes) == 5


async def test_a_load_that_nobody_wants_any_more_is_unloaded_when_it_ends(
    raw_server: Any, leases: Leases
) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leases.ready, want(url, "m"))
                await host.began.wait()
                tasks.cancel_scope.cancel()
            await host.left_alone(leases, url)
            assert host.unloaded == []
            host.gate.set()
            await host.unload_came.wait()
    assert host.unloaded == ["m"]


async def test_one_model_is_loaded_at_a_time(raw_server: Any, leases: Leases) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases, anyio.create_task_group() as tasks:
            for name in ("large", "larger"):
                tasks.start_soon(leases.ready, want(url, name))
            await host.began.wait()
            assert len(host.loading) == 1
            host.gate.set()
    assert sorted(host.loading) == ["large", "larger"]
    assert host.most_at_once == 1


async def test_a_load_that_hangs_ends_at_its_own_clock_and_is_unloaded(
    raw_server: Any, leases: Leases
) -> None:
    host = Host()
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases:
            with pytest.raises(DeadlineExceeded) as caught:
                await leases.ready(want(url, "m", load_s=0.2))
            await host.left.wait()
    assert caught.value.clock == "load"
    assert host.unloaded == ["m"]


async def test_loading_is_told_with_the_seconds_so_far_and_those_of_last_time(
    raw_server: Any, leases: Leases
) -> None:
    host = Host()
    told: list[tuple[float, float | None]] = []

    async def progress(elapsed_s: float, expected_s: float | None) -> None:
        told.append((elapsed_s, expected_s))
        if len(told) == 3:
            host.gate.set()

    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, leases:
            first = await leases.ready(want(url, "m"), progress=progress)
            await leases.ready(want(url, "other"))
            host.gate.clear()
            told.clear()
            await leases.ready(want(url, "m"), progress=progress)
    assert [expected for _, expected in told] == [first.seconds] * 3
    assert sorted(elapsed for elapsed, _ in told) == [elapsed for elapsed, _ in told]


async def test_leaving_stops_the_load_and_tells_who_waits(raw_server: Any, leases: Leases) -> None:
    host, faults = Host(), []
    with anyio.fail_after(PATIENCE_S):
        async with raw_server(host) as url, anyio.create_task_group() as tasks:
            async with leases:

                async def ask() -> None:
                    try:
                        await leases.ready(want(url, "m"))
                    except EngineError as error:
                        faults.append(error.message)

                tasks.start_soon(ask)
                await host.began.wait()
            await host.left.wait()
    assert faults == ["The load of 'm' was stopped."]


async def test_a_failed_load_tells_everyone_and_is_tried_again_by_the_next(
    leases: Leases,
) -> None:
    async with RehearsalServer([ScriptedModel("there")]) as server, leases:
        for _ in range(2):
            with pytest.raises(ModelMissing, match="absent"):
                await leases.ready(want(server.url, "absent"))


async def test_what_is_loaded_with_the_same_window_is_not_loaded_again(tmp_path: Path) -> None:
    async with RehearsalServer([ScriptedModel("m"), ScriptedModel("other")]) as server:
        engine = OllamaEngine(server.url)
        await engine.load("m", num_ctx=4096)
        await engine.aclose()
        outcomes: list[LoadOutcome] = []
        for number, window in enumerate((4096, 4096, 8192)):
            folder = tmp_path / str(number)
            async with Leases(ServeSettings(folder=folder, times=folder / "loads.db")) as leases:
                outcomes.append(await leases.ready(want(server.url, "m", window)))
        assert [one.loaded for one in outcomes] == [False, False, True]
        assert [one.model for one in server.loads] == ["m:latest", "m:latest"]


async def test_the_model_in_use_is_not_asked_for_again(leases: Leases) -> None:
    async with RehearsalServer([ScriptedModel("m")]) as server, leases:
        await leases.ready(want(server.url, "m"))
        before = len(server.requests)
        for _ in range(10):
            await leases.ready(want(server.url, "m"))
            async with leases.using(want(server.url, "m")):
                pass
    assert len(server.requests) == before
