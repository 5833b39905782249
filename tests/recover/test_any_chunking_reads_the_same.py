"""However a server's stream is cut, what is read from it is the same."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.engines.clocks import Clocks
from manyhands.engines.contracts import Deadlines, Reply
from manyhands.engines.ollama_stream import read_reply
from manyhands.engines.openai_stream import read_events
from manyhands.recover import Outcome, SentMessage, recover

DATA = Path(__file__).parents[1] / "data"
SHARED = json.loads((DATA / "tool_calls.json").read_text(encoding="utf-8"))
MORE = json.loads((DATA / "more_tool_calls.json").read_text(encoding="utf-8"))
TOOLS = SHARED["tools"]
STREAMED = [
    case["message"]
    for case in (*SHARED["cases"], *MORE["cases"])
    if not case["message"]["tool_calls"]
    and not case["message"]["error"]
    and case["message"]["done_reason"] in ("stop", "length")
    and (case["message"]["content"] or case["message"]["thinking"])
]


def cut(text: Any, places: Sequence[float]) -> list[Any]:
    """A text or bytes in the pieces between these shares of its length."""
    at = sorted({0, len(text), *(int(place * len(text)) for place in places)})
    return [text[a:b] for a, b in pairwise(at)]


def ollama_lines(message: dict[str, Any], places: Sequence[float]) -> bytes:
    lines = [{"message": {"thinking": p, "content": ""}} for p in cut(message["thinking"], places)]
    lines += [{"message": {"content": piece}} for piece in cut(message["content"], places)]
    lines.append({"message": {}, "done": True, "done_reason": message["done_reason"]})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def openai_events(message: dict[str, Any], places: Sequence[float]) -> bytes:
    deltas = [{"reasoning_content": piece} for piece in cut(message["thinking"], places)]
    deltas += [{"content": piece} for piece in cut(message["content"], places)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": message["done_reason"]})
    events = [{"choices": [choice]} for choice in choices]
    told = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return told + b"data: [DONE]\n\n"


async def read(reader: Any, body: Sequence[bytes]) -> SentMessage:
    async def chunks() -> AsyncGenerator[bytes]:
        for piece in body:
            yield piece

    clocks = Clocks(Deadlines(), "host", "m")
    async for part in reader(chunks(), clocks=clocks, host="host", model="m"):
        if isinstance(part, Reply):
            return SentMessage(part.content, part.thinking, (), str(part.done_reason))
    raise AssertionError("no reply")


def told(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.kind, outcome.calls, outcome.reason, outcome.text


places = st.lists(st.floats(0, 1), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STREAMED), places, places, st.booleans())
def test_a_shape_has_its_outcome_however_its_stream_is_cut(
    message: dict[str, Any], words: list[float], packets: list[float], by_openai: bool
) -> None:
    whole = recover(SentMessage.from_mapping(message), TOOLS)
    if by_openai:
        body, reader = openai_events(message, words), read_events
    else:
        body, reader = ollama_lines(message, words), read_reply
    sent = anyio.run(read, reader, cut(body, packets))
    assert told(recover(sent, TOOLS)) == told(whole)


CALL = json.dumps({"name": "read_file", "arguments": {"path": "x"}})
LAYERS = [
    ("<think>hm</think>", ""),
    ("<tool_call>", "</tool_call>"),
    ("```json\n", "\n```"),
    ("[", "]"),
    ('{"tool_calls": [', "]}"),
    ("[TOOL_CALLS]", ""),
    ("<ifm|tool_calls>", "</ifm|tool_calls>"),
    ("<|plamo:begin_tool_requests:plamo|>", "<|plamo:end_tool_requests:plamo|>"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LAYERS), max_size=5))
def test_nested_envelopes_never_make_another_call(layers: list[tuple[str, str]]) -> None:
    text = CALL
    for before, after in layers:
        text = f"{before}{text}{after}"
    for end in range(len(text), 0, -7):
        outcome = recover(SentMessage(content=text[:end]), TOOLS)
        made = [(call.name, call.arguments) for call in outcome.calls]
        assert made in ([], [("read_file", {"path": "x"})]), text[:end]
