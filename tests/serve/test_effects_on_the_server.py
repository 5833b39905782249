"""What the owner does to the server: unloads on purpose, loads ahead, frees what hangs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from helpers_serve import CARD, GB, MODELS, SCALE

from manyhands.configuration.sections import ServeSettings
from manyhands.engines.contracts import ChatRequest, Message
from manyhands.engines.ollama import OllamaEngine
from manyhands.rehearsal.profile import CARD_80, Profile
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer
from manyhands.schedule.estimates import FIXED_S, PRIOR_BYTES_S, LoadSample, expected_load_s
from manyhands.serve.client import Leases
from manyhands.serve.host import HostOwner
from manyhands.serve.wire import LeaseRequest, PlannedStep, Want

pytestmark = pytest.mark.anyio

PATIENCE_S = 30
LARGE_CARD = replace(CARD_80, clock_scale=0.006, prefill_tok_s=0.0)


def want(server: RehearsalServer, model: str, vram: int = 48) -> Want:
    return Want(host=server.url, model=model, options={"num_ctx": 4096}, vram=vram * GB)


@pytest.fixture
def serve(tmp_path: Path) -> ServeSettings:
    return ServeSettings(folder=tmp_path, times=tmp_path / "loads.db")


async def until(holds: Callable[[], bool]) -> None:
    """The server is looked at: it has no event for a test."""
    while not holds():  # noqa: ASYNC110
        await anyio.sleep(0.01)


async def chat(server: RehearsalServer, model: str) -> float:
    """Generate something; the seconds that the server loaded for it."""
    engine = OllamaEngine(server.url)
    request = ChatRequest(model=model, messages=(Message("user", "hi"),), num_ctx=4096)
    reply = await engine.chat(request)
    await engine.aclose()
    return reply.usage.load_s


def admin(server: RehearsalServer) -> list[tuple[str, Any]]:
    """The loads and unloads that came: model and keep_alive."""
    return [
        (one.body["model"], one.body["keep_alive"])
        for one in server.requests
        if one.path == "/api/generate"
    ]


async def test_a_hand_that_cannot_fit_unloads_the_mind_by_name_and_it_comes_back(
    serve: ServeSettings,
) -> None:
    async with RehearsalServer(MODELS, CARD) as server, Leases(serve) as leases:
        for model in ("mind", "heavy", "mind"):
            async with leases.using(want(server, model)):
                assert await chat(server, model) < 0.01
        assert admin(server) == [
            ("mind", -1),
            ("mind", 0),
            ("heavy", -1),
            ("heavy", 0),
            ("mind", -1),
        ]
        assert not any("keep_alive" in r.body for r in server.requests if r.path == "/api/chat")


async def test_what_fits_beside_stays(serve: ServeSettings) -> None:
    async with RehearsalServer(MODELS, LARGE_CARD) as server, Leases(serve) as leases:
        for model in ("mind", "expert", "mind", "expert"):
            async with leases.using(want(server, model, 80)):
                assert await chat(server, model) < 0.01
        assert admin(server) == [("mind", -1), ("expert", -1)]


async def test_a_model_on_the_cpu_takes_the_place_of_none(serve: ServeSettings) -> None:
    async with RehearsalServer(MODELS, CARD) as server, Leases(serve) as leases:
        on_cpu = Want(
            host=server.url, model="other", options={"num_ctx": 4096, "num_gpu": 0}, vram=48 * GB
        )
        await leases.ready(want(server, "mind"))
        await leases.ready(on_cpu)
        assert await chat(server, "mind") < 0.01
        assert admin(server) == [("mind", -1), ("other", -1)]


async def test_the_next_model_is_loaded_while_this_one_is_in_use(serve: ServeSettings) -> None:
    async with RehearsalServer(MODELS, LARGE_CARD) as server, Leases(serve) as leases:
        with anyio.fail_after(PATIENCE_S):
            async with leases.using(want(server, "mind", 80)):
                await leases.announce([PlannedStep(id="1", want=want(server, "expert", 80))])
                await until(lambda: len([one for one in server.loads if one.done]) == 2)
            outcome = await leases.ready(want(server, "expert", 80))
        assert outcome.loaded  # it is counted where it is used
        assert len(server.loads) == 2


async def test_an_answer_that_loaded_its_model_is_not_taken_for_a_lease(
    serve: ServeSettings,
) -> None:
    """Another program throws the model out: the next wish looks again and loads it anew."""
    async with RehearsalServer(MODELS, CARD) as server, Leases(serve) as leases:
        mind = want(server, "mind")
        await leases.ready(mind)
        other = OllamaEngine(server.url)
        await other.unload("mind")
        await other.aclose()
        leases.forget(mind)
        await anyio.sleep(1.1)  # what was seen a moment ago is trusted for a second
        assert (await leases.ready(mind)).loaded


@asynccontextmanager
async def owned(server: RehearsalServer, hang_s: float) -> AsyncIterator[HostOwner]:
    engine = OllamaEngine(server.url)
    owner = HostOwner(server.url, engine, None, hang_s=hang_s)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(owner.run)
        yield owner
        tasks.cancel_scope.cancel()
    await engine.aclose()


async def test_a_load_that_hangs_the_servers_queue_is_freed() -> None:
    """ollama#17408: a chat with a keep_alive comes while a load waits for its model to go."""

    def reply(request: ScriptedRequest) -> Reply:
        return Reply("one two three four five six", pace_s=0.5 / SCALE)

    models = [ScriptedModel("mind", size=19 * GB, reply=reply), *MODELS[1:]]
    async with RehearsalServer(models, CARD) as server:
        body = {"model": "mind", "messages": [{"role": "user", "content": "hi"}]}

        async def another_program() -> None:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
                chat = {**body, "keep_alive": "10m", "options": {"num_ctx": 4096}}
                await client.post(f"{server.url}/api/chat", json=chat)

        with anyio.fail_after(PATIENCE_S):
            async with owned(server, hang_s=1.5) as owner, anyio.create_task_group() as tasks:
                tasks.start_soon(another_program)
                await until(lambda: len(server.loads) == 1 and server.loads[0].done)
                ticket = await owner.ask(LeaseRequest(want=want(server, "expert")))
                await until(lambda: ("expert", -1) in admin(server))
                tasks.start_soon(another_program)
                while not ticket.granted:
                    await ticket.changed.wait()
                assert owner.recovered >= 1
                assert ticket.fault is None
        assert [one.model for one in server.loads] == ["mind:latest", "expert:latest"]


def test_load_times_are_learned_for_each_file_and_host() -> None:
    size = 40 * GB
    assert expected_load_s("a", size, []) == FIXED_S + size / PRIOR_BYTES_S
    of_another = [LoadSample("b", 20 * GB, FIXED_S + 4.0)]
    assert expected_load_s("a", size, of_another) == FIXED_S + 8.0  # at the speed seen here
    own = [LoadSample("a", size, seconds) for seconds in (11.0, 30.0, 12.0)]
    assert expected_load_s("a", size, [*own, *of_another]) == 12.0


async def test_measured_load_times_are_there_for_the_next_process(serve: ServeSettings) -> None:
    profile = Profile("slow", 48 * GB, 3.0, 2.5, clock_scale=0.01)
    async with RehearsalServer(MODELS, profile) as server:
        async with Leases(serve) as leases:
            first = await leases.ready(want(server, "expert"))
        async with Leases(serve) as leases:
            told = await leases.outlook([want(server, "expert"), want(server, "mind")])
    expert, mind = told[server.url]["models"]
    assert expert["load_s"] == pytest.approx(first.seconds)
    assert expert["resident"]
    assert not mind["resident"]


async def test_what_the_server_throws_out_is_learned_and_its_leases_are_called_back(
    serve: ServeSettings,
) -> None:
    """Where nobody says how large the card is: two models that did not fit never meet again."""
    async with RehearsalServer(MODELS, CARD) as server, Leases(serve) as first:
        mind, expert = want(server, "mind", 0), want(server, "expert", 0)
        async with Leases(serve) as second:
            await first.ready(mind)
            await second.ready(expert)  # the server evicts the mind by itself
            assert admin(server) == [("mind", -1), ("expert", -1)]
            while len((await first.status())["hosts"][0]["leases"]) > 1:  # noqa: ASYNC110
                await anyio.sleep(0.01)  # until the lease of what is gone has come back
            for _ in range(2):
                async with first.using(mind):
                    assert await chat(server, "mind") < 0.01
                async with second.using(expert):
                    assert await chat(server, "expert") < 0.01
        swaps = admin(server)[2:]
        assert swaps[:2] == [("expert", 0), ("mind", -1)]
        assert len(swaps) == 8  # each model is unloaded by name before the next one comes
