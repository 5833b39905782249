"""Another embedding model takes over without an outage, and no result mixes two models."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from helpers_memory import HashEmbedder

from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import (
    InputError,
    MalformedLine,
    ModelMissing,
    RequestRefused,
    ServerFault,
    Unreachable,
)
from manyhands.memory import Memory
from manyhands.memory.embedders import (
    EmbedderOnHosts,
    OllamaEmbedder,
    OpenAIEmbedder,
    embedder_from,
)
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.settings import Settings, load_settings

ON_BOTH = True
pytestmark = pytest.mark.anyio

ITEMS = [
    {"id": f"i{n}", "kind": "document", "text": f"walrus number {n} on the ice"} for n in range(150)
]


class Gated(HashEmbedder):
    """Embeds one batch each time the gate lets it."""

    def __init__(self, model: str) -> None:
        super().__init__(model, dims=48)
        self.begun, self.gate = anyio.Event(), anyio.Event()

    async def embed(self, texts: list[str]) -> list[list[float]]:
        if len(texts) > 1:
            self.begun.set()
            await self.gate.wait()
        return await super().embed(texts)


async def test_old_vectors_serve_until_the_new_are_all_there(file: Path) -> None:
    old = HashEmbedder("old")
    async with await Memory.open(file, embedder=old) as memory:
        await memory.add(ITEMS)
    old.texts.clear()
    new = Gated("new")
    async with await Memory.open(file, embedder=new, previous=old) as memory:
        with anyio.fail_after(30):
            await new.begun.wait()
            assert any("'old' serves" in notice for notice in memory.notices)
            hit = (await memory.recall("walrus number 7"))[0]
            assert hit.id == "i7"
            assert "vector_scaled" in hit.parts
            assert old.texts == ["walrus number 7"]
            await memory.add({"id": "late", "kind": "document", "text": "a seal joins late"})
            assert (await memory.recall("seal joins late"))[0].id == "late"
            new.gate.set()
            await memory.settled()
        old.texts.clear()
        assert (await memory.recall("walrus number 9"))[0].id == "i9"
        assert old.texts == []
        assert (await memory.recall("seal joins late"))[0].id == "late"
        assert _vectors_of(memory) == {"new"}
        assert (await memory.stats())["to embed"] == 0


async def test_without_the_old_embedder_words_serve_meanwhile(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder("old")) as memory:
        await memory.add(ITEMS)
    new = Gated("new")
    async with await Memory.open(file, embedder=new) as memory:
        with anyio.fail_after(30):
            await new.begun.wait()
            hit = (await memory.recall("walrus number 7"))[0]
            assert hit.id == "i7"
            assert "vector_scaled" not in hit.parts
            new.gate.set()
            await memory.settled()
            assert "vector_scaled" in (await memory.recall("walrus number 7"))[0].parts


async def test_it_goes_on_where_it_was_stopped(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder("old")) as memory:
        await memory.add(ITEMS)

    class StopsAfterOneBatch(HashEmbedder):
        async def embed(self, texts: list[str]) -> list[list[float]]:
            if self.texts:
                raise OSError("the server is gone")
            return await super().embed(texts)

    first = StopsAfterOneBatch("new", dims=48)
    async with await Memory.open(file, embedder=first) as memory:
        await memory.settled()
        assert any("the server is gone" in notice for notice in memory.notices)
        assert _vectors_of(memory) == {"old", "new"}
    second = HashEmbedder("new", dims=48)
    async with await Memory.open(file, embedder=second) as memory:
        await memory.settled()
        assert _vectors_of(memory) == {"new"}
    assert sorted(first.texts + second.texts) == sorted(str(item["text"]) for item in ITEMS)


async def test_going_back_to_the_old_model_gives_up_the_new(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder("old")) as memory:
        await memory.add(ITEMS)
    new = Gated("new")
    memory = await Memory.open(file, embedder=new)
    await new.begun.wait()
    await memory.close()
    async with await Memory.open(file, embedder=HashEmbedder("old")) as memory:
        assert _vectors_of(memory) == {"old"}
        assert (await memory.recall("walrus number 7"))[0].id == "i7"


async def test_another_process_follows_when_the_model_changes(file: Path) -> None:
    old, new = HashEmbedder("old"), HashEmbedder("new", dims=48)
    async with await Memory.open(file, embedder=old, previous=new) as theirs:
        await theirs.add(ITEMS)
        assert (await theirs.recall("walrus number 7"))[0].id == "i7"
        async with await Memory.open(file, embedder=new) as ours:
            await ours.settled()
            hit = (await theirs.recall("walrus number 8"))[0]
            assert hit.id == "i8"
            assert "vector_scaled" in hit.parts
            assert new.texts[-1] == "walrus number 8"


async def test_progress_is_told(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add(ITEMS)
    seen: list[tuple[int, int]] = []
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        assert await memory.reembed(lambda done, total: seen.append((done, total))) == 150
    assert seen == [(64, 150), (128, 150), (150, 150)]


async def test_an_object_without_a_model_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="no `model` or no `embed`"):
        await Memory.open(file, embedder=object())  # type: ignore[arg-type]


def _vectors_of(memory: Memory) -> set[str]:
    rows = memory.store.reader.execute(
        "SELECT DISTINCT m.name FROM vector x JOIN model m ON m.id = x.key >> 40"
    )
    return {str(name) for (name,) in rows}


# --- servers ---------------------------------------------------------------------------------

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def _server(answer: Callable[[str, dict[str, Any]], tuple[int, object]]) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        code, body = answer(request.url.path, json.loads(request.content or b"{}"))
        return httpx.Response(code, json=body)

    return httpx.MockTransport(handle)


async def test_ollama_is_loaded_on_the_cpu_and_too_long_texts_are_halved() -> None:
    calls: list[dict[str, Any]] = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, object]:
        assert path == "/api/embed"  # another path refuses a model that only embeds
        calls.append(body)
        if any(len(text) > 100 for text in body["input"]):
            return 400, {"error": "the input length exceeds the context length"}
        return 200, {"embeddings": [[float(len(text)), 1.0] for text in body["input"]]}

    engine = OllamaEngine("http://host:1", transport=_server(answer))
    embedder = OllamaEmbedder(engine, "m", num_ctx=512)
    assert await embedder.embed(["a", "bb"]) == [[1.0, 1.0], [2.0, 1.0]]
    assert await embedder.embed(["x" * 300, "c"]) == [[75.0, 1.0], [1.0, 1.0]]
    assert [body["keep_alive"] for body in calls if not body["input"]] == [-1]  # loaded once
    assert not any("keep_alive" in body for body in calls if body["input"])
    assert {json.dumps(body["options"]) for body in calls} == {'{"num_gpu": 0, "num_ctx": 512}'}
    assert embedder.with_model("other").model == "other"
    await embedder.aclose()


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        (500, {}, ServerFault),
        (400, {"error": "no such model"}, RequestRefused),
        (200, {"data": []}, MalformedLine),
        (200, {"nothing": 1}, MalformedLine),
        (200, {"data": [{"index": 0, "embedding": ["x"]}]}, MalformedLine),
    ],
)
async def test_what_an_openai_server_says_wrong_is_told(
    code: int, body: object, error: type[Exception]
) -> None:
    embedder = OpenAIEmbedder("http://host:1", "m", transport=_server(lambda p, b: (code, body)))
    with pytest.raises(error):
        await embedder.embed(["text"])
    await embedder.aclose()


async def test_an_openai_server_is_asked_in_its_own_words() -> None:
    def answer(path: str, body: dict[str, Any]) -> tuple[int, object]:
        assert path == "/v1/embeddings"
        assert body["model"] == "m"
        told = [{"index": at, "embedding": [at, 1]} for at in range(len(body["input"]))]
        return 200, {"data": list(reversed(told))}

    embedder = OpenAIEmbedder("http://host:1/v1/", "m", transport=_server(answer))
    assert await embedder.embed(["a", "b"]) == [[0.0, 1.0], [1.0, 1.0]]
    await embedder.aclose()


async def test_a_server_that_is_not_there_leaves_the_words(file: Path) -> None:
    embedder = OpenAIEmbedder("http://127.0.0.1:9", "m")
    async with await Memory.open(file, embedder=embedder) as memory:
        await memory.add(ITEMS[:3])
        assert (await memory.recall("walrus number 2"))[0].id == "i2"
        assert any("does not answer" in notice for notice in memory.notices)
        with pytest.raises(Unreachable):
            await memory.reembed()
    await embedder.aclose()


@pytest.mark.parametrize(
    ("named", "kind"),
    [("none", None), ("tier", OllamaEmbedder), ("http://host:8000", OpenAIEmbedder)],
)
def test_the_settings_name_the_embedder(tmp_path: Path, named: str, kind: type | None) -> None:
    (tmp_path / "s.toml").touch()
    settings: Settings = load_settings(
        path=tmp_path / "s.toml", env={"MANYHANDS_MEMORY__EMBEDDER": named}
    )
    found = embedder_from(settings)
    assert found is None if kind is None else isinstance(found, kind)


async def test_another_host_embeds_while_the_first_is_away(tmp_path: Path) -> None:
    (tmp_path / "s.toml").touch()
    model = ScriptedModel("small-embedder", capabilities=("embedding",), dimensions=32)
    with running_server([model]) as near, ExitStack() as first:
        away = first.enter_context(running_server([model]))
        settings = load_settings(
            path=tmp_path / "s.toml",
            env={
                "MANYHANDS_HOSTS__LOCAL__URL": away.url,
                "MANYHANDS_HOSTS__NEAR__URL": near.url,
                "MANYHANDS_TIERS__EMBED__MODEL": "small-embedder",
                "MANYHANDS_TIERS__EMBED__HOSTS": '["local", "near"]',
            },
        )
        embedder = embedder_from(settings)
        assert isinstance(embedder, EmbedderOnHosts)
        try:
            before = await embedder.embed(["walrus"])
            first.close()
            assert await embedder.embed(["walrus"]) == before
            with pytest.raises(ModelMissing):  # neither has it: the last one's fault is told
                await embedder.with_model("nobody").embed(["walrus"])
        finally:
            await embedder.aclose()
        assert [load.model for load in near.loads] == ["small-embedder:latest"]
