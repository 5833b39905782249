"""Of 22 faults that servers were seen to have, none cuts an answer in silence or hangs.

The usual clients take two to five of them for whole answers. Each is played over a real socket, in
Ollama's form and in OpenAI's, and met twice: the answer as a stream of pieces, and as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio
import pytest

from manyhands.engines.contracts import ChatRequest, Deadlines, Delta, DoneReason, Engine, Message
from manyhands.engines.contracts import Reply as Answer
from manyhands.engines.ollama import OllamaEngine
from manyhands.engines.openai_compatible import OpenAICompatibleEngine
from manyhands.errors import (
    AnswerTruncated,
    DeadlineExceeded,
    EngineError,
    MalformedLine,
    ModelMissing,
    OutOfMemory,
    RunnerCrashed,
    ServerBusy,
    ServerFault,
    StreamCut,
)
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel
from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.anyio

#: Characters of two, three and four bytes, and a NUL.
SAID = "Größe: 3 € je Stück \x00 und 𝛑, dann das Ende."
PATIENT = Deadlines(connect_s=10, first_token_s=20, gap_s=20, total_s=40)
SOON_S = 0.2


@dataclass(frozen=True)
class Expected:
    """What a fault must end in: an error, or None for the whole answer."""

    error: type[EngineError] | None = None
    clock: str = ""
    deadlines: Deadlines = PATIENT


FIRST = Expected(DeadlineExceeded, "first_token", replace(PATIENT, first_token_s=SOON_S))
GAP = Expected(DeadlineExceeded, "gap", replace(PATIENT, gap_s=SOON_S))

THE_22: dict[Fault | None, Expected] = {
    None: Expected(),
    Fault.HTTP_500: Expected(ServerFault),
    Fault.HTTP_503: Expected(ServerBusy),
    Fault.HTTP_429: Expected(ServerBusy),
    Fault.HTTP_404: Expected(ModelMissing),
    Fault.RESET_BEFORE_HEADERS: Expected(StreamCut),
    Fault.RESET_MID_STREAM: Expected(StreamCut),
    Fault.CLOSE_MID_CHUNK: Expected(StreamCut),
    Fault.END_WITHOUT_DONE: Expected(StreamCut),
    Fault.EOF_WITHOUT_LENGTH: Expected(StreamCut),
    Fault.HALF_LINE: Expected(MalformedLine),
    Fault.GARBAGE_LINE: Expected(MalformedLine),
    Fault.ERROR_LINE: Expected(ServerFault),
    Fault.HANG_BEFORE_HEADERS: FIRST,
    Fault.HANG_MID_STREAM: GAP,
    Fault.SLOW_LORIS: FIRST,
    Fault.KEEP_ALIVE_CHUNKS: GAP,
    Fault.DONE_LENGTH: Expected(AnswerTruncated),
    Fault.DONE_UNLOAD: Expected(StreamCut),
    Fault.DONE_TWICE: Expected(),
    Fault.SPLIT_UTF8: Expected(),
    Fault.HUGE_LINE: Expected(MalformedLine),
}
#: Further faults that the rehearsal server plays.
MORE: dict[Fault | None, Expected] = {
    Fault.OUT_OF_MEMORY: Expected(OutOfMemory),
    Fault.RUNNER_CRASH: Expected(RunnerCrashed),
    Fault.WRONG_SHAPES: Expected(MalformedLine),
}
CASES = {**THE_22, **MORE}


def asked(deadlines: Deadlines) -> ChatRequest:
    question = Message(role="user", content="How large?")
    return ChatRequest(model="m", messages=(question,), num_ctx=4096, deadlines=deadlines)


async def as_a_stream(engine: Engine, request: ChatRequest) -> str:
    """The text that a reader of the stream takes for the whole answer; a cut one raises."""
    pieces, replies = "", []
    async with aclosing(engine.stream(request)) as parts:
        async for part in parts:
            if isinstance(part, Delta):
                pieces += part.content
            else:
                replies.append(part)
    (reply,) = replies
    assert isinstance(reply, Answer)
    if reply.done_reason is DoneReason.LENGTH:
        raise AnswerTruncated("The reply itself says that it is cut.", partial=pieces)
    assert pieces == reply.content
    return pieces


async def as_a_whole(engine: Engine, request: ChatRequest) -> str:
    return (await engine.chat(request)).content


def test_the_matrix_has_22_faults_and_plays_every_fault() -> None:
    assert len(THE_22) == 22
    assert set(CASES) == {None, *Fault}


PATHS = {OllamaEngine: "/api/chat", OpenAICompatibleEngine: "/v1/chat/completions"}


@pytest.fixture(params=PATHS, ids=["ollama", "openai"])
def engine_of(request: pytest.FixtureRequest) -> Callable[[str], Engine]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("ask", [as_a_stream, as_a_whole])
@pytest.mark.parametrize(
    ("fault", "expected"), CASES.items(), ids=[fault or "none" for fault in CASES]
)
async def test_a_fault_ends_in_the_whole_answer_or_in_its_own_error(
    fault: Fault | None,
    expected: Expected,
    ask: Callable[..., object],
    engine_of: Callable[[str], Engine],
) -> None:
    model = ScriptedModel("m", lambda _: Reply(SAID, fault=fault))
    async with RehearsalServer([model]) as server:
        engine = engine_of(server.url)
        try:
            with anyio.fail_after(expected.deadlines.total_s):
                if expected.error is None:
                    assert await ask(engine, asked(expected.deadlines)) == SAID
                    return
                with pytest.raises(expected.error) as caught:
                    await ask(engine, asked(expected.deadlines))
        finally:
            await engine.aclose()
        asked_for = [one for one in server.requests if one.path in PATHS.values()]
    error = caught.value
    assert type(error) is expected.error
    assert getattr(error, "clock", "") == expected.clock
    assert len(asked_for) == 1, "what may have reached a model is not sent again"


async def test_an_endless_answer_ends_at_the_total_clock(
    engine_of: Callable[[str], Engine],
) -> None:
    model = ScriptedModel("m", lambda _: Reply("word " * 10_000, pace_s=0.01))
    deadlines = replace(PATIENT, total_s=0.5)
    async with RehearsalServer([model]) as server:
        engine = engine_of(server.url)
        with anyio.fail_after(PATIENT.total_s), pytest.raises(DeadlineExceeded) as caught:
            await engine.chat(asked(deadlines))
        await engine.aclose()
    assert caught.value.clock == "total"
    assert "0.5 s" in caught.value.message


async def test_a_truncated_answer_keeps_what_was_said(
    engine_of: Callable[[str], Engine],
) -> None:
    model = ScriptedModel("m", lambda _: Reply(SAID, fault=Fault.DONE_LENGTH))
    async with RehearsalServer([model]) as server:
        engine = engine_of(server.url)
        with pytest.raises(AnswerTruncated) as caught:
            await engine.chat(asked(PATIENT))
        reply = await engine.chat(asked(PATIENT), whole=False)
        await engine.aclose()
    assert caught.value.partial == SAID
    assert (reply.done_reason, reply.content) == (DoneReason.LENGTH, SAID)


async def test_the_connection_serves_again_after_a_whole_answer(
    engine_of: Callable[[str], Engine],
) -> None:
    async with RehearsalServer([ScriptedModel("m", lambda _: SAID)]) as server:
        engine = engine_of(server.url)
        for _ in range(5):
            await engine.chat(asked(PATIENT))
        await engine.aclose()
    assert {one.connection for one in server.requests} == {1}
