"""What a server that speaks as OpenAI does is sent, and how what it says is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manyhands.engines.contracts import ChatRequest, DoneReason, Message, ToolCall
from manyhands.engines.openai_bodies import chat_parameters
from manyhands.engines.openai_compatible import OpenAICompatibleEngine
from manyhands.engines.openai_faults import compatible_fault
from manyhands.engines.opening import open_engine
from manyhands.errors import (
    ContextOverflow,
    EngineError,
    MalformedLine,
    ModelMissing,
    OutOfMemory,
    RequestRefused,
    ServerBusy,
    SettingsError,
    StreamCut,
    Unreachable,
)
from manyhands.rehearsal.script import Reply, ScriptedModel
from manyhands.rehearsal.server import RehearsalServer
from manyhands.settings import HostKind, HostSettings, JsonMode
from manyhands.settings import load_settings as load

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}}


def asked(text: str = "Go.", **fields: Any) -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(**{"model": "m", "messages": messages, "num_ctx": 4096, **fields})


async def test_a_server_sees_one_window_and_no_runner_options() -> None:
    async with RehearsalServer([ScriptedModel("m", lambda _: "ok")]) as server:
        engine = OpenAICompatibleEngine(server.url)
        request = asked(
            runner={"num_ctx": 4096, "num_gpu": 3},
            sampling={"temperature": 0.2, "top_k": 20, "repeat_penalty": 1.1, "stop": ["END"]},
            num_predict=77,
            think=True,
        )
        reply = await engine.chat(request)
        await engine.aclose()
    assert (reply.content, reply.done_reason) == ("ok", DoneReason.STOP)
    (exchange,) = server.requests
    sent = exchange.body
    assert not {"num_ctx", "num_gpu", "options", "keep_alive"} & sent.keys()
    assert (sent["temperature"], sent["stop"], sent["max_tokens"]) == (0.2, ["END"], 77)
    assert sent["top_k"] == 20
    assert sent["repeat_penalty"] == sent["repetition_penalty"] == 1.1
    assert sent["chat_template_kwargs"] == {"enable_thinking": True}
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("mode", "place"),
    [
        (JsonMode.SCHEMA, ("response_format", "json_schema", "schema")),
        (JsonMode.OBJECT, ("response_format", "schema")),
        (JsonMode.STRUCTURED_OUTPUTS, ("structured_outputs", "json")),
    ],
)
async def test_a_schema_binds_the_answer_in_the_servers_own_way(
    mode: JsonMode, place: tuple[str, ...]
) -> None:
    seen: list[Any] = []

    def reply(request: Any) -> str:
        seen.append(request.format)
        return '{"verdict": "yes"}'

    async with RehearsalServer([ScriptedModel("m", reply)]) as server:
        engine = OpenAICompatibleEngine(server.url, json_mode=mode)
        answer = await engine.chat(asked(format=SCHEMA, tools=({"type": "function"},)))
        await engine.aclose()
    found: Any = server.requests[0].body
    for key in place:
        found = found[key]
    assert found == SCHEMA == seen[0]
    assert "tools" not in server.requests[0].body, "with a schema no call can be made"
    assert json.loads(answer.content) == {"verdict": "yes"}


def test_where_no_schema_binds_it_is_asked_for_in_words() -> None:
    sent = chat_parameters(asked("Go.", format=SCHEMA), JsonMode.NONE)
    assert "response_format" not in sent
    assert sent["messages"][-1]["content"].startswith("Go.")
    assert json.dumps(SCHEMA) in sent["messages"][-1]["content"]


def test_pictures_and_calls_are_sent_in_openais_form() -> None:
    call = ToolCall("c1", "math", {"expression": "6*7"})
    messages = (
        Message(role="user", content="What is it?", images=("/9j/AAAA", "iVBORw0")),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="42", tool_call_id="c1"),
    )
    user, assistant, tool = chat_parameters(asked(messages=messages), JsonMode.SCHEMA)["messages"]
    kinds = [part["image_url"]["url"].partition(";")[0] for part in user["content"][1:]]
    assert kinds == ["data:image/jpeg", "data:image/png"]
    function = assistant["tool_calls"][0]["function"]
    assert json.loads(function["arguments"]) == {"expression": "6*7"}
    assert tool == {"role": "tool", "content": "42", "tool_call_id": "c1"}


async def test_thinking_and_calls_are_told_apart_from_the_answer() -> None:
    said = Reply("", thinking="let me see", tool_calls=(("math", {"expression": "6*7"}),) * 2)
    async with RehearsalServer([ScriptedModel("m", lambda _: said)]) as server:
        engine = OpenAICompatibleEngine(server.url)
        reply = await engine.chat(asked(tools=({"type": "function"},), think=True))
        await engine.aclose()
    assert (reply.content, reply.thinking) == ("", "let me see")
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("math", {"expression": "6*7"})
    ] * 2
    assert len({call.id for call in reply.tool_calls}) == 2
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.completion_tokens > 0


def event(delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


@pytest.mark.parametrize(
    ("lines", "content", "thinking"),
    [
        pytest.param(
            event({"reasoning": "hm"}) + event({"content": "a"}, "stop") + "data: [DONE]\n\n",
            "a",
            "hm",
            id="vllm-names-it-reasoning",
        ),
        pytest.param(
            event({"content": "a"}) + event({}, "eos") + "data: [DONE]\n\n", "a", "", id="sglang"
        ),
        pytest.param(event({"content": "a"}) + event({}, "stop"), "a", "", id="no-done-no-usage"),
        pytest.param(
            ": ping\n\nevent: message\n"
            + event({"role": "assistant", "content": None})
            + event({"content": "a"}, "stop"),
            "a",
            "",
            id="comments-and-nulls",
        ),
        pytest.param(
            event({"content": "a"}, "stop").replace("\n", "\r\n"), "a", "", id="carriage-returns"
        ),
    ],
)
async def test_dialects_are_read(raw_server: Any, lines: str, content: str, thinking: str) -> None:
    async def answer(request: Any) -> None:
        await request.begin(200, "Content-Type: text/event-stream\r\n")
        await request.send(lines.encode())

    async with raw_server(answer) as url:
        engine = OpenAICompatibleEngine(url)
        reply = await engine.chat(asked())
        await engine.aclose()
    assert (reply.content, reply.thinking) == (content, thinking)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        pytest.param(event({"content": "a"}) + "data: [DONE]\n\n", StreamCut, id="done-alone"),
        pytest.param(event({"content": "a"}, "content_filter"), StreamCut, id="filtered"),
        pytest.param(event({"content": "a"}, "abort"), StreamCut, id="aborted"),
        pytest.param(event({"content": 7}), MalformedLine, id="content-is-no-text"),
        pytest.param(event({"tool_calls": "x"}), MalformedLine, id="calls-are-no-list"),
        pytest.param('{"choices": []}\n', MalformedLine, id="no-event-stream"),
        pytest.param('error: {"message": "out of memory"}\n', OutOfMemory, id="llama-servers-end"),
        pytest.param(
            event({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]})
            + event({}, "tool_calls"),
            MalformedLine,
            id="arguments-are-no-json",
        ),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(
    raw_server: Any, lines: str, error: type[EngineError]
) -> None:
    async def answer(request: Any) -> None:
        await request.begin(200, "Content-Type: text/event-stream\r\n")
        await request.send(lines.encode())

    async with raw_server(answer) as url:
        engine = OpenAICompatibleEngine(url)
        with pytest.raises(error) as caught:
            await engine.chat(asked())
        await engine.aclose()
    assert type(caught.value) is error


#: As the servers write them: vLLM, SGLang, LiteLLM, llama-server.
COMPLAINTS: list[tuple[int, str, type[EngineError]]] = [
    (
        400,
        '{"error":{"message":"This model\'s maximum context length is 4096 tokens. However, your '
        'request has 5409 input tokens.","type":"BadRequestError","code":400}}',
        ContextOverflow,
    ),
    (
        400,
        '{"object":"error","message":"The input (5409 tokens) is longer than the model\'s context '
        'length (4096 tokens).","type":"BadRequestError","code":400}',
        ContextOverflow,
    ),
    (
        400,
        '{"error":{"code":400,"message":"the request exceeds the available context size",'
        '"type":"exceed_context_size_error","n_prompt_tokens":5409,"n_ctx":4096}}',
        ContextOverflow,
    ),
    (
        400,
        '{"error":{"message":"litellm.ContextWindowExceededError: context window of 5409 tokens",'
        '"code":"400"}}',
        ContextOverflow,
    ),
    (404, '{"object":"error","message":"The model `m` does not exist."}', ModelMissing),
    (400, '{"error":{"message":"Invalid model name passed in model=m"}}', ModelMissing),
    (401, '{"error":"Unauthorized"}', RequestRefused),
    (429, '{"error":{"message":"maximum context length of the day"}}', ServerBusy),
    (500, '{"error":{"message":"CUDA out of memory. Tried to allocate 2 GiB"}}', OutOfMemory),
]


@pytest.mark.parametrize(("status", "body", "error"), COMPLAINTS)
def test_each_servers_words_become_our_error(
    status: int, body: str, error: type[EngineError]
) -> None:
    fault = compatible_fault(status, body, host="http://h", model="m", num_ctx=4096)
    assert type(fault) is error
    assert fault.hint
    if isinstance(fault, ContextOverflow):
        assert fault.prompt_tokens == 5409


async def test_the_key_is_sent_and_a_missing_one_is_named(
    raw_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FARM_KEY", raising=False)
    settings = load(env={})
    host = HostSettings(url="http://farm:8000/v1", kind=HostKind.OPENAI, api_key_env="FARM_KEY")
    with pytest.raises(SettingsError, match="FARM_KEY"):
        open_engine(host, settings.deadlines.for_engine())
    monkeypatch.setenv("FARM_KEY", "secret")
    engine = open_engine(host, settings.deadlines.for_engine())
    assert isinstance(engine, OpenAICompatibleEngine)
    await engine.aclose()


async def test_nobody_at_the_address_is_told_with_the_address(unused_tcp: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp}"
    engine = OpenAICompatibleEngine(url)
    with pytest.raises(Unreachable) as caught:
        await engine.chat(asked())
    with pytest.raises(Unreachable):
        await engine.tags()
    await engine.aclose()
    assert url in caught.value.message


async def test_vectors_come_in_the_order_of_the_texts() -> None:
    embedder = ScriptedModel("e", capabilities=("embedding",), dimensions=32)
    async with RehearsalServer([embedder, ScriptedModel("m")]) as server:
        engine = OpenAICompatibleEngine(server.url)
        one, two = await engine.embed("e", ["first text", "second text"], num_ctx=512)
        (again,) = await engine.embed("e", ["first text"], num_ctx=512)
        with pytest.raises(RequestRefused, match="does not support Embeddings"):
            await engine.embed("m", ["x"], num_ctx=512)
        await engine.aclose()
    assert one == pytest.approx(again)
    assert one != pytest.approx(two)


async def test_what_it_serves_is_listed_and_what_not_is_said() -> None:
    models = [ScriptedModel("m", context_length=2048), ScriptedModel("n")]
    async with RehearsalServer(models) as server:
        engine = OpenAICompatibleEngine(server.url)
        assert sorted(await engine.tags()) == ["m", "n"]
        assert await engine.version() == "rehearsal"
        assert (await engine.show("m")).details["max_model_len"] == 2048
        with pytest.raises(ModelMissing) as caught:
            await engine.show("other")
        with pytest.raises(ContextOverflow):
            await engine.chat(asked("word " * 4000))
        await engine.aclose()
    assert "m" in caught.value.hint
