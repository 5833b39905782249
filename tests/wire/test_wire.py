"""The rehearsal server answers the 63 recorded exchanges as the real server did.

The recordings form one session: they are played in order against one server, and each is compared:
status, content type, fields and their types, the order of a stream's lines, and error texts whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server

RECORDED = sorted((Path(__file__).parents[1] / "data" / "ollama_wire").glob("*.json"))
#: Models that the recorded machine had beside `tiny`; they appear before the first `tags`.
READY_BEFORE = "17_tags"


def scripted(request: ScriptedRequest) -> Reply:
    """What the recorded `tiny` model says to the marks in its prompt."""
    text = request.last
    thought = "I should use the math hand.\n"
    if request.format:
        return Reply('{"answer": 42, "ok": true}', thinking=thought if "@math" in text else "")
    if request.messages[-1]["role"] == "tool":
        return Reply("", pieces=("The", " hand", " returned", " the", " result."))
    if "@think" in text:
        if request.think is False:
            pieces = (
                "<think>\nstep",
                " one.",
                " step",
                " two.",
                "\n</think>\n\nDone",
                " thinking.",
            )
            return Reply("", pieces=pieces)
        return Reply("", thinking="step one. step two.\n", pieces=("Done", " thinking."))
    if "@both" in text:
        calls = (("math", {"expression": "6*7"}), ("code", {"task": "print 42"}))
        return Reply("", tool_calls=calls)
    if "@math" in text:
        return Reply(
            "", thinking=thought, tool_calls=(("math", {"expression": "6*7", "digits": 2}),)
        )
    return Reply("", pieces=("Plain", " answer.", " No", " tool needed."))


def babble(request: ScriptedRequest) -> Reply:
    if request.format:
        return Reply('{"answer":4444448914488888,\n"ok"\n :\ntrue\n}')
    return Reply("", pieces=tuple(f" {word}" for word in ["random", "weights"] * 27))


MODELS = [
    ScriptedModel("slow", babble, context_length=4096),
    ScriptedModel("embedder", capabilities=("embedding",), dimensions=256, context_length=4096),
]


def scrub(text: str) -> str:
    """Digests and token counts depend on the model's bytes and its tokenizer."""
    text = re.sub(r"[0-9a-f]{64}", "<digest>", text)
    text = re.sub(r"request \(\d+ tokens\)", "request (N tokens)", text)
    return re.sub(r'"n_prompt_tokens":\d+', '"n_prompt_tokens":N', text)


def shape(value: Any, key: str = "") -> Any:
    """Field names and types; error texts and statuses whole."""
    if key == "error" and isinstance(value, str):
        return scrub(value)
    if key in ("done_reason", "done", "role"):
        return value
    if isinstance(value, dict):
        # The recorded model carried its script as metadata of its own.
        value = {name: item for name, item in value.items() if name != "manyhands.script"}
        return {name: shape(item, name) for name, item in sorted(value.items())}
    if isinstance(value, list):
        kinds = {json.dumps(shape(item), sort_keys=True, default=str) for item in value}
        return sorted(kinds) if key != "tool_calls" else [shape(item) for item in value]
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "text"


def kind_of_line(line: dict[str, Any]) -> str:
    """What a line of a stream is for; repeated kinds fold, since tokenizers cut differently."""
    if "status" in line:
        return re.sub(r"sha256:[0-9a-f]+", "<layer>", line["status"])
    if "error" in line:
        return f"error: {line['error']}"
    message = line["message"]
    what = "thinking" if message.get("thinking") else "content" if message["content"] else "last"
    return f"{what} {json.dumps(shape(line), sort_keys=True)}"


def folded(lines: list[dict[str, Any]]) -> list[str]:
    kinds = [kind_of_line(line) for line in lines]
    return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind]


class Session:
    """Plays the recordings in order, up to the one that a test asks for, each once."""

    def __init__(self, client: httpx.Client, prepare: Any) -> None:
        self._client = client
        self._prepare = prepare
        self._played: dict[str, httpx.Response] = {}

    def play(self, wanted: Path) -> httpx.Response:
        for path in RECORDED[: RECORDED.index(wanted) + 1]:
            if path.stem not in self._played:
                if path.stem == READY_BEFORE:
                    self._prepare()
                self._played[path.stem] = self._send(json.loads(path.read_text())["request"])
        return self._played[wanted.stem]

    def _send(self, request: dict[str, Any]) -> httpx.Response:
        body = request.get("body")
        content = json.dumps(body).encode() if body is not None else None
        return self._client.request(request["method"], request["path"], content=content)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with running_server([]) as server, httpx.Client(base_url=server.url, trust_env=False) as client:

        def prepare() -> None:
            for model in MODELS:
                server.add(model)

        server.script_for_uploads(scripted)
        yield Session(client, prepare)


@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_wire(session: Session, path: Path) -> None:
    recorded = json.loads(path.read_text())
    answered = session.play(path)
    wanted = recorded["response"]
    assert answered.status_code == wanted["status"]
    assert (answered.headers.get("content-type") or "") == wanted["content_type"]
    if "lines" in wanted:
        lines = [json.loads(line) for line in answered.text.splitlines()]
        assert folded(lines) == folded(wanted["lines"])
    elif "json" in wanted:
        assert shape(answered.json()) == shape(wanted["json"])
    else:
        assert answered.text == wanted["text"]


def test_all_recordings_are_here() -> None:
    assert len(RECORDED) == 63
