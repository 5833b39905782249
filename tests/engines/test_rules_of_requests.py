"""What every request to Ollama carries, so that roles share one loaded model and nothing is cut."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from manyhands.engines.contracts import ChatRequest, Message, ToolCall
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import ContextOverflow, ModelMissing
from manyhands.hands.models import TierModels
from manyhands.journal.events import Body
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer
from manyhands.settings import HostSettings, Settings

pytestmark = pytest.mark.anyio

MODEL = "qwen3:4b"
EMBEDDER = "nomic-embed-text"
MODELS = [
    ScriptedModel(MODEL),
    ScriptedModel(EMBEDDER, capabilities=("embedding",), dimensions=8),
]
RUNNER = {"num_ctx": 8192, "num_gpu": 20, "num_batch": 256, "num_thread": 4}
CALCULATE = {"type": "function", "function": {"name": "math", "parameters": {"type": "object"}}}


def asked(**more: Any) -> ChatRequest:
    question = Message(role="user", content="How many?")
    given: dict[str, Any] = {"model": MODEL, "messages": (question,), "num_ctx": 8192, **more}
    return ChatRequest(**given)


async def every_request(engine: OllamaEngine) -> None:
    """Each call that makes the server need a runner: load, chat twice, embed, unload."""
    further = {name: value for name, value in RUNNER.items() if name != "num_ctx"}
    await engine.load(MODEL, num_ctx=8192, keep_alive="10m", options=further)
    await engine.chat(asked(runner=further, sampling={"temperature": 0.2}, num_predict=50))
    async with aclosing(engine.stream(asked(runner=further))) as parts:
        assert [part async for part in parts]
    await engine.load_to_embed(EMBEDDER, num_ctx=8192, options=further)
    await engine.embed(EMBEDDER, ["one", "two"], num_ctx=8192, options=further)
    await engine.unload(MODEL)


@pytest.fixture
async def bodies() -> list[tuple[str, dict[str, Any]]]:
    """Path and body of every request."""
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        await every_request(engine)
        await engine.aclose()
    return [(one.path, one.body) for one in server.requests]


def runs(bodies: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """The requests that need a runner; an unload ends one."""
    found = [(path, body) for path, body in bodies if body.get("keep_alive") != 0]
    assert len(found) == len(bodies) - 1
    return found


async def test_runner_options_are_equal_in_load_chat_and_embed(
    bodies: list[tuple[str, dict[str, Any]]],
) -> None:
    for _, body in runs(bodies):
        assert {name: body["options"].get(name) for name in RUNNER} == RUNNER


async def test_every_request_sends_the_one_window(
    bodies: list[tuple[str, dict[str, Any]]],
) -> None:
    assert {body["options"]["num_ctx"] for _, body in runs(bodies)} == {8192}


async def test_truncation_is_refused_everywhere(
    bodies: list[tuple[str, dict[str, Any]]],
) -> None:
    assert {body["truncate"] for _, body in runs(bodies)} == {False}


async def test_the_context_is_never_shifted(
    bodies: list[tuple[str, dict[str, Any]]],
) -> None:
    shifts = {path: body.get("shift") for path, body in runs(bodies)}
    assert shifts == {"/api/generate": False, "/api/chat": False, "/api/embed": None}


async def test_keep_alive_stands_only_in_load_and_unload(
    bodies: list[tuple[str, dict[str, Any]]],
) -> None:
    with_it = [(path, body["keep_alive"]) for path, body in bodies if "keep_alive" in body]
    assert with_it == [("/api/generate", "10m"), ("/api/embed", -1), ("/api/generate", 0)]


async def test_sampler_options_ride_along_without_changing_the_runner() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        await engine.load(MODEL, num_ctx=8192)
        for temperature in (0.0, 0.7, 1.0):
            await engine.chat(asked(sampling={"temperature": temperature, "top_p": 0.9}))
        await engine.aclose()
        assert len(server.loads) == 1


async def test_a_sampling_option_cannot_override_the_tiers_window() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        await engine.chat(asked(sampling={"num_ctx": 512, "num_gpu": 1}, runner=RUNNER))
        await engine.aclose()
    (sent,) = server.requests
    assert {name: sent.body["options"][name] for name in RUNNER} == RUNNER


async def test_roles_on_one_base_share_one_load() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        for role in ("mh-coder", "mh-skeptic"):
            async with aclosing(engine.create(role, {"from": MODEL, "system": role})) as steps:
                assert [step async for step in steps][-1].status == "success"
            await engine.load(role, num_ctx=8192)
            await engine.chat(asked(model=role))
        await engine.aclose()
        assert len(server.loads) == 1


async def test_an_answer_format_leaves_the_tools_out() -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        await engine.chat(asked(tools=(CALCULATE,)))
        await engine.chat(asked(tools=(CALCULATE,), format=schema))
        await engine.aclose()
    with_tools, with_format = (one.body for one in server.requests)
    assert with_tools["tools"] == [CALCULATE]
    assert with_format["format"] == schema
    assert "tools" not in with_format


async def test_think_is_left_out_for_models_that_cannot() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        for think in (None, False, True, "high"):
            await engine.chat(asked(think=think))
        await engine.aclose()
    assert [one.body.get("think", "left out") for one in server.requests] == [
        "left out",
        False,
        True,
        "high",
    ]


async def test_tool_calls_keep_their_ids_on_the_way_back() -> None:
    def reply(request: ScriptedRequest) -> Reply:
        if request.messages[-1]["role"] == "tool":
            return Reply("42")
        return Reply("", tool_calls=(("math", {"expression": "6*7"}),))

    async with RehearsalServer([ScriptedModel(MODEL, reply)]) as server:
        engine = OllamaEngine(server.url)
        first = await engine.chat(asked(tools=(CALCULATE,)))
        (call,) = first.tool_calls
        messages = (
            *asked().messages,
            Message(role="assistant", content="", tool_calls=first.tool_calls),
            Message(role="tool", content="42", tool_name=call.name, tool_call_id=call.id),
        )
        await engine.chat(asked(messages=messages, tools=(CALCULATE,)))
        await engine.aclose()
    assert call == ToolCall(id=call.id, name="math", arguments={"expression": "6*7"})
    assert len(call.id) == 32
    _, said, result = server.requests[-1].body["messages"]
    assert said["tool_calls"][0]["id"] == call.id
    assert (result["tool_call_id"], result["tool_name"]) == (call.id, "math")


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


async def test_pictures_and_thoughts_of_a_conversation_are_sent() -> None:
    seen = ScriptedModel(MODEL, capabilities=("completion", "vision", "thinking"))
    messages = (
        Message(role="user", content="What is this?", images=(PIXEL,)),
        Message(role="assistant", content="A word.", thinking="Letters."),
        Message(role="user", content="Which?"),
    )
    async with RehearsalServer([seen]) as server:
        engine = OllamaEngine(server.url)
        await engine.chat(asked(messages=messages))
        await engine.aclose()
    picture, thought, _ = server.requests[0].body["messages"]
    assert picture["images"] == [PIXEL]
    assert thought["thinking"] == "Letters."


async def test_creating_from_a_missing_base_asks_for_no_download() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        with pytest.raises(ModelMissing, match="qwen3:40b"):
            async with aclosing(engine.create("mh-coder", {"from": "qwen3:40b"})) as steps:
                assert [step async for step in steps]
        await engine.aclose()
    assert [one.path for one in server.requests] == ["/api/show"]


async def test_capabilities_are_read_from_show() -> None:
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        told = await engine.show(MODEL)
        await engine.aclose()
    assert told.capabilities == ("completion", "tools", "thinking")
    assert "FROM /usr/share/ollama/.ollama/models/blobs/sha256-" in told.modelfile


async def test_a_prompt_that_the_server_cut_in_silence_is_an_error() -> None:
    # A server that ignores `truncate: false` counts fewer tokens than were sent.
    async with RehearsalServer(MODELS) as server:
        engine = OllamaEngine(server.url)
        with pytest.raises(ContextOverflow, match="the server cut it") as caught:
            await engine.chat(asked(estimate_tokens=7000))
        await engine.chat(asked(estimate_tokens=20))
        await engine.aclose()
    assert (caught.value.prompt_tokens, caught.value.num_ctx) == (7000, 8192)


async def test_a_tiers_options_reach_load_and_chat_alike() -> None:
    async def emit(_: Body) -> None:
        """Events are not looked at here."""

    async with RehearsalServer([ScriptedModel("qwen3:30b-a3b")]) as server:
        settings = Settings(
            hosts={"local": HostSettings(url=server.url)},
            tiers={"mind": {"model": "qwen3:30b-a3b", **RUNNER}},
        )
        async with TierModels(settings) as models:
            place = models.place("mind")
            place, _ = await models.ready(place, emit)
            request = asked(model=place.model, num_ctx=place.num_ctx)
            async with aclosing(models.stream(place, request)) as parts:
                assert [part async for part in parts]
        assert len(server.loads) == 1
    load, chat = (one.body["options"] for one in server.requests if "options" in one.body)
    assert load == chat == RUNNER
