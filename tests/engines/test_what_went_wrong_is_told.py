"""Each way in which a server fails has its error, which names the model and the next step."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest

from manyhands.engines.contracts import ChatRequest, Deadlines, Message
from manyhands.engines.lines import LINE_LIMIT
from manyhands.engines.ollama import OllamaEngine
from manyhands.engines.ollama_faults import fault_of
from manyhands.errors import (
    ContextOverflow,
    DeadlineExceeded,
    EngineError,
    MalformedLine,
    ModelMissing,
    OutOfMemory,
    RequestRefused,
    RunnerCrashed,
    ServerBusy,
    ServerFault,
    StreamCut,
    Unreachable,
)
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.anyio

QUESTION = ChatRequest(model="m", messages=(Message(role="user", content="Hi."),), num_ctx=512)


def whole(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


DONE = whole({"message": {"content": ""}, "done": True, "done_reason": "stop"})


async def test_nobody_at_the_address(unused_tcp: int, capfd: pytest.CaptureFixture[str]) -> None:
    engine = OllamaEngine(f"http://127.0.0.1:{unused_tcp}")
    for call in (engine.version(), engine.chat(QUESTION), engine.load("m", num_ctx=512)):
        with pytest.raises(Unreachable, match=str(unused_tcp)) as caught:
            await call
        assert "ollama serve" in caught.value.hint
    async with aclosing(engine.pull("m")) as steps:
        with pytest.raises(Unreachable):
            await anext(steps)
    await engine.aclose()
    assert capfd.readouterr() == ("", ""), "retries are not logged over the user's screen"


@pytest.mark.parametrize(
    ("fault", "times", "attempts", "expected"),
    [
        (httpx.ConnectError, 2, 3, None),
        (httpx.ConnectError, 9, 3, Unreachable),
        (httpx.ConnectTimeout, 9, 1, Unreachable),
        (httpx.ReadError, 1, 1, StreamCut),
        (httpx.RemoteProtocolError, 1, 1, StreamCut),
    ],
)
async def test_only_what_reached_no_model_is_sent_again(
    fault: type[httpx.HTTPError], times: int, attempts: int, expected: type[EngineError] | None
) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        if len(seen) <= times:
            raise fault("broken")
        return httpx.Response(200, json={"version": "0.33.0"})

    engine = OllamaEngine("http://h", transport=httpx.MockTransport(answer))
    if expected is None:
        assert await engine.version() == "0.33.0"
    else:
        with pytest.raises(expected):
            await engine.version()
    await engine.aclose()
    assert len(seen) == attempts


async def test_a_missing_model_names_the_exact_command() -> None:
    async with RehearsalServer([ScriptedModel("m")]) as server:
        engine = OllamaEngine(server.url)
        for call in (
            engine.chat(ChatRequest("qwen3:30b-a3b", QUESTION.messages, num_ctx=512)),
            engine.load("qwen3:30b-a3b", num_ctx=512),
            engine.embed("qwen3:30b-a3b", ["text"], num_ctx=512),
            engine.show("qwen3:30b-a3b"),
        ):
            with pytest.raises(ModelMissing) as caught:
                await call
            assert "ollama pull qwen3:30b-a3b" in caught.value.hint
        await engine.aclose()


async def test_a_prompt_too_long_tells_both_numbers() -> None:
    long = ChatRequest("m", (Message(role="user", content="word " * 2000),), num_ctx=512)
    async with RehearsalServer([ScriptedModel("m")]) as server:
        engine = OllamaEngine(server.url)
        with pytest.raises(ContextOverflow) as caught:
            await engine.chat(long)
        await engine.aclose()
    error = caught.value
    assert error.num_ctx == 512
    assert error.prompt_tokens > 2000
    assert "512" in error.message
    assert str(error.prompt_tokens) in error.message


#: Status, what the server said (from its source and from recordings), and our error.
COMPLAINTS: list[tuple[int, str, type[EngineError]]] = [
    (404, "model 'm' not found", ModelMissing),
    (404, 'model "m" not found, try pulling it first', ModelMissing),
    (503, "server busy, please try again.  maximum pending requests exceeded", ServerBusy),
    (429, "too many requests", ServerBusy),
    (500, "llama-server: cudaMalloc failed: out of memory", OutOfMemory),
    (500, "model requires more system memory (9.2 GiB) than is available (7.1 GiB)", OutOfMemory),
    (500, "ggml_backend: failed to allocate buffer of size 123", OutOfMemory),
    (500, "model runner has unexpectedly stopped, this may be due to limits", RunnerCrashed),
    (500, "llama runner process has terminated: signal: killed", RunnerCrashed),
    (400, '"m" does not support thinking', RequestRefused),
    (400, "invalid model name", RequestRefused),
    (403, "ollama cloud is disabled", RequestRefused),
    (500, "something else", ServerFault),
    (500, "", ServerFault),
    (502, "<html>Bad Gateway</html>", ServerFault),
]


@pytest.mark.parametrize(("status", "said", "expected"), COMPLAINTS)
async def test_what_a_server_complains_of_becomes_our_own_error(
    raw_server: Any, status: int, said: str, expected: type[EngineError]
) -> None:
    async def answer(request: Any) -> None:
        await request.json({"error": said}, status)

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(EngineError) as caught:
            await engine.chat(QUESTION)
        await engine.aclose()
    assert type(caught.value) is expected
    assert caught.value.hint
    assert (caught.value.model, caught.value.host) == ("m", url)


@pytest.mark.parametrize("said", ["cudaMalloc failed: out of memory", "signal: killed"])
async def test_a_fault_in_the_middle_of_an_answer_is_told_apart_too(
    raw_server: Any, said: str
) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(whole({"message": {"content": "So far"}, "done": False}))
        await request.send(whole({"error": said}))

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises((OutOfMemory, RunnerCrashed), match=said):
            await engine.chat(QUESTION)
        await engine.aclose()


async def test_an_overflow_told_in_nested_text_is_read() -> None:
    inner = {
        "code": 400,
        "message": "request (5409 tokens) exceeds the available context size (512 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5409,
        "n_ctx": 512,
    }
    body = json.dumps({"error": json.dumps({"error": inner})})
    error = fault_of(400, body, host="http://h", model="m")
    assert isinstance(error, ContextOverflow)
    assert (error.prompt_tokens, error.num_ctx) == (5409, 512)


#: Lines that are not what the protocol says.
MALFORMED = {
    "no JSON": b"<html>\n",
    "half a line": b'{"message": {"content": "So',
    "a list": b"[1, 2]\n",
    "a number": b"7\n",
    "a message that is a text": whole({"message": "hello"}),
    "content that is a number": whole({"message": {"content": 7}}),
    "calls that are no list": whole({"message": {"content": "", "tool_calls": {"a": 1}}}),
    "a call that is a text": whole({"message": {"content": "", "tool_calls": ["math"]}}),
    "arguments that are a text": whole(
        {"message": {"tool_calls": [{"function": {"name": "math", "arguments": "6*7"}}]}}
    ),
    "bytes that are no UTF-8": b'{"message": {"content": "\xff\xfe"}}\n',
    "nesting without end": b"[" * 200_000 + b"\n",
    "a line without end": b"x" * (LINE_LIMIT + 2),
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_line_is_an_error_and_never_an_answer(
    raw_server: Any, line: bytes
) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(line)
        if line.endswith(b"\n"):
            await request.send(DONE)

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(MalformedLine, match="'m'"):
            await engine.chat(QUESTION)
        await engine.aclose()


ENDINGS = {
    "nothing at all": b"",
    "empty lines": b"\n\n\n",
    "tokens only": whole({"message": {"content": "So far"}, "done": False}),
    "done that is a text": whole({"message": {"content": ""}, "done": "yes"}),
    "done without a reason": whole({"message": {"content": ""}, "done": True}),
    "the reason of an unload": whole({"done": True, "done_reason": "unload"}),
    "the reason of a load": whole({"done": True, "done_reason": "load"}),
    "a reason of its own": whole({"done": True, "done_reason": ["stop"]}),
}


@pytest.mark.parametrize("body", ENDINGS.values(), ids=ENDINGS)
async def test_an_answer_without_a_normal_last_line_is_cut(raw_server: Any, body: bytes) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(body)

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(StreamCut, match="'m'"):
            await engine.chat(QUESTION)
        await engine.aclose()


async def test_what_follows_a_whole_answer_does_not_spoil_it(raw_server: Any) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(whole({"message": {"content": "Ok."}, "done": False}) + DONE)
        await request.send(b"garbage without end" * 10)
        await request.left()

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with anyio.fail_after(20):
            assert (await engine.chat(QUESTION)).content == "Ok."
        await engine.aclose()


async def test_control_characters_in_a_small_models_text_are_kept(raw_server: Any) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(b'{"message": {"content": "a\tb\x00c"}, "done": false}\n' + DONE)

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        assert (await engine.chat(QUESTION)).content == "a\tb\x00c"
        await engine.aclose()


@pytest.mark.parametrize("said", [b"no JSON", b"[]", b'"text"', b"[" * 200_000])
@pytest.mark.parametrize("call", ["tags", "ps", "version"])
async def test_something_that_is_no_ollama_is_told(raw_server: Any, call: str, said: bytes) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(said)

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(MalformedLine) as caught:
            await getattr(engine, call)()
        await engine.aclose()
    assert caught.value.hint == "Is this an Ollama server?"


@pytest.mark.parametrize("models", [7, ["m"], {"m": 1}])
async def test_a_list_of_models_of_the_wrong_shape_is_told(raw_server: Any, models: Any) -> None:
    async def answer(request: Any) -> None:
        await request.json({"models": models})

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(MalformedLine):
            await engine.tags()
        await engine.aclose()


@pytest.mark.parametrize("vectors", [None, [], [[1.0]], "text"])
async def test_vectors_that_are_not_as_many_as_the_texts_are_an_error(
    raw_server: Any, vectors: Any
) -> None:
    async def answer(request: Any) -> None:
        await request.json({"embeddings": vectors})

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(MalformedLine, match="2 texts"):
            await engine.embed("m", ["one", "two"], num_ctx=512)
        await engine.aclose()


async def test_a_look_that_hangs_ends_at_its_clock(raw_server: Any) -> None:
    async def answer(request: Any) -> None:
        await request.left()

    async with raw_server(answer) as url:
        engine = OllamaEngine(url, deadlines=Deadlines(gap_s=0.2))
        with anyio.fail_after(20), pytest.raises(DeadlineExceeded):
            await engine.ps()
        await engine.aclose()


async def test_a_download_that_stops_early_is_told(raw_server: Any) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(whole({"status": "pulling abc", "total": 10, "completed": 1}))

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(StreamCut, match="stopped after 'pulling abc'") as caught:
            async with aclosing(engine.pull("m")) as steps:
                assert [step async for step in steps]
        await engine.aclose()
    assert "what is there already is kept" in caught.value.hint


async def test_a_name_that_the_registry_lacks_is_told(raw_server: Any) -> None:
    async def answer(request: Any) -> None:
        await request.begin()
        await request.send(whole({"status": "pulling manifest"}))
        await request.send(whole({"error": "pull model manifest: file does not exist"}))

    async with raw_server(answer) as url:
        engine = OllamaEngine(url)
        with pytest.raises(ModelMissing, match="The registry has no model 'm'"):
            async with aclosing(engine.pull("m")) as steps:
                assert [step async for step in steps]
        await engine.aclose()
