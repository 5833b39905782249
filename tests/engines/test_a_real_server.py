"""A real OpenAI-compatible server with real (tiny, scripted) weights serves a hand.

It runs where the dependency group `llama` is installed (`uv sync --group llama`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest

from manyhands.engines.contracts import ChatRequest, DoneReason, Message, Reply
from manyhands.engines.openai_compatible import OpenAICompatibleEngine
from manyhands.hands.contracts import HandName, Status
from manyhands.journal.events import Event, Said
from manyhands.mind.mind import Mind
from manyhands.mind.single import plan_step, work_one
from manyhands.rehearsal.weights.scripted import Line, embedding_weights, scripted_weights
from manyhands.settings import HostKind, HostSettings, JsonMode, Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(find_spec("llama_cpp") is None, reason="the group `llama` is not installed"),
]

ANSWER = "By parts, with u = x and dv = exp(x) dx.\n\n```\nexp(x)*(x - 1)\n```"
LINES = [
    Line(ANSWER),
    Line('{"verdict": "yes"}', "@json"),
    Line(" one two three four five", "@long", loops=True),
]
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["yes", "no"]}},
    "required": ["verdict"],
}


def served(model: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--model_alias", "tiny", *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if found := re.search(
                r"running on (http://127\.0\.0\.1:\d+|http://localhost:\d+)", line
            ):
                yield found[1].replace("localhost", "127.0.0.1")
                return
        pytest.fail("".join(told))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    model.write_bytes(scripted_weights(LINES))
    yield from served(model, "--n_ctx", "8192")


@pytest.fixture(scope="module")
def embedding_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("weights") / "embed.gguf"
    model.write_bytes(embedding_weights())
    yield from served(model, "--n_ctx", "512", "--embedding", "true")


def asked(text: str, **fields: object) -> ChatRequest:
    message = Message(role="user", content=text)
    return ChatRequest(model="tiny", messages=(message,), num_ctx=8192, **fields)  # type: ignore[arg-type]


async def test_a_hand_is_served_and_its_answer_is_checked(
    url: str, tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    host = HostSettings(
        url=url, kind=HostKind.OPENAI, models={settings.tiers["expert"].model: "tiny"}
    )
    tier = settings.tiers["expert"].model_copy(update={"hosts": ("farm",), "num_ctx": 8192})
    mind = Mind(
        settings.model_copy(
            update={
                "hosts": {**settings.hosts, "farm": host},
                "tiers": {**settings.tiers, "expert": tier},
            }
        )
    )
    fields = {
        "task": "Integrate x*exp(x).",
        "kind": "antiderivative",
        "given": {"f": "x*exp(x)", "var": "x"},
    }
    events: list[Event] = []
    _, result = await work_one(mind, plan_step(HandName.MATH, fields), {}, events.append, "test")
    assert result.status is Status.VERIFIED, result
    assert result.value == "exp(x)*(x - 1)"
    (said,) = [event.body for event in events if isinstance(event.body, Said)]
    assert said.text == ANSWER
    assert said.prompt_tokens > 0 or said.completion_tokens > 10


async def test_a_schema_is_held_by_the_servers_grammar(url: str) -> None:
    engine = OpenAICompatibleEngine(url, json_mode=JsonMode.OBJECT)
    reply = await engine.chat(asked("Say it as @json", format=SCHEMA))
    other = await engine.chat(asked("Say anything", format=SCHEMA, num_predict=64), whole=False)
    await engine.aclose()
    assert reply.content == '{"verdict": "yes"}'
    assert other.content.lstrip().startswith("{"), "the script says prose, the grammar forbids it"


async def test_a_limit_cuts_and_a_stop_frees_the_server(url: str) -> None:
    engine = OpenAICompatibleEngine(url)
    cut = await engine.chat(asked("@long", num_predict=20), whole=False)
    assert cut.done_reason is DoneReason.LENGTH
    pieces = 0
    stream = engine.stream(asked("@long", num_predict=4000))
    async for part in stream:
        assert not isinstance(part, Reply)
        pieces += 1
        if pieces == 5:
            break
    await stream.aclose()
    with anyio.fail_after(20):
        after = await engine.chat(asked("And now?"))
    await engine.aclose()
    assert after.content == ANSWER


async def test_vectors_come_from_an_embedding_model(embedding_url: str) -> None:
    engine = OpenAICompatibleEngine(embedding_url)
    one, two, again = await engine.embed("tiny", ["one text", "another", "one text"], num_ctx=512)
    await engine.aclose()
    assert len(one) == 256
    assert one == pytest.approx(again, rel=1e-3)
    assert one != pytest.approx(two, rel=1e-3)
