"""A direct answer is told while its frame is written, and nothing else of a frame ever is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_mind import ROLES, ask, on_hosts
from hypothesis import given
from hypothesis import strategies as st
from manyhands_jupyter.persona.telling import Telling
from rich.console import Console

from manyhands.journal.events import AnswerDelta, Answered, Event
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.mind.speaking import AnswerReader
from manyhands.rehearsal.script import Fault, Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.settings import Settings
from manyhands.trace.terminal import TerminalTrace
from manyhands.trace.tree import Tree, grow

WORDS = 'It is "42", because\n6 × 7 is 😀. ' * 5


def frame(**fields: object) -> str:
    return json.dumps({"goal": "g", **fields})


@given(
    goal=st.text(),
    answer=st.text(),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    size=st.integers(1, 9),
)
def test_the_answer_comes_whole_however_the_stream_is_cut(
    goal: str, answer: str, ascii_only: bool, indent: int | None, size: int
) -> None:
    fields = {"goal": goal, "route": "direct", "givens": [goal], "answer": answer, "steps": []}
    text = json.dumps(fields, ensure_ascii=ascii_only, indent=indent)
    reader = AnswerReader()
    pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join(pieces) == reader.said == answer


SLY = '"route": "direct", "answer": "x"'


@pytest.mark.parametrize(
    "text",
    [
        frame(route="plan", answer="not looked at yet", question=SLY),
        frame(route="ask", question=SLY),
        frame(route="council", answer=SLY, unknowns=[{"route": "direct", "answer": "x"}]),
        frame(route="plan", answer="a", steps=[{"id": "s", "route": "direct", "answer": "b"}]),
        json.dumps({"answer": "before its route", "route": "direct"}),
        json.dumps([{"route": "direct", "answer": "in a list"}]),
        f"Here it is: {frame(route='direct', answer='behind prose')}",
        f"{frame(route='plan')}{frame(route='direct', answer='a second document')}",
    ],
)
def test_of_other_frames_nothing_is_told(text: str) -> None:
    assert AnswerReader().feed(text) == ""


@given(st.text(alphabet='{}[]",:\\u d83', max_size=60))
def test_what_is_no_frame_is_read_without_an_error(noise: str) -> None:
    reader = AnswerReader()
    reader.feed('{"route": "direct", "answer": "' + noise)
    reader.said.encode("utf-8")


async def told_by(mind: Mind) -> tuple[list[Event], Answer]:
    events: list[Event] = []
    answer = None
    async for item in mind.stream("How much?"):
        if isinstance(item, Answer):
            answer = item
        else:
            events.append(item)
    assert answer is not None
    return events, answer


@pytest.mark.anyio
async def test_every_view_shows_a_direct_answer_while_it_is_written(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    reply = Reply(frame(route="direct", answer=WORDS.strip()))
    with scripted_tiers(settings_in(tmp_path), lambda request: reply) as rehearsed:
        events, answer = await told_by(Mind(rehearsed, roles=ROLES, simulated=True))
    deltas = [event.body.text for event in events if isinstance(event.body, AnswerDelta)]
    assert len(deltas) > 20
    assert "".join(deltas) == answer.text == WORDS.strip(), "told once, and whole"

    screen = io.StringIO()
    tree, chat = Tree(), Telling()
    cell_shows: list[str] = []
    chat_shows: list[str] = []
    console = Console(file=screen, force_terminal=True, width=100, height=40)
    last = max(n for n, event in enumerate(events) if isinstance(event.body, AnswerDelta))
    with TerminalTrace(console) as terminal:
        for event in events[: last + 1]:
            terminal.show(event)
            grow(tree, event)
            chat.take(event)
            if isinstance(event.body, AnswerDelta):
                cell_shows.append(tree.answer)
                chat_shows.append(chat.told()[0])
    assert cell_shows == chat_shows == ["".join(deltas[: n + 1]) for n in range(len(deltas))]
    assert "writing the answer" in screen.getvalue()
    assert "6 × 7 is" in screen.getvalue()


@pytest.mark.anyio
async def test_an_answer_that_a_dying_host_had_begun_is_told_from_its_start(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    text = frame(route="direct", answer=WORDS.strip())
    dying = Reply(text, fault=Fault.RESET_MID_STREAM)
    names = sorted({spec.model for spec in settings.tiers.values()})
    with (
        running_server([ScriptedModel(name, lambda request: dying) for name in names]) as first,
        running_server([ScriptedModel(name, lambda request: text) for name in names]) as second,
    ):
        mind = Mind(on_hosts(settings, first.url, second.url), roles=ROLES, simulated=True)
        events, answer = await told_by(mind)
    tree = Tree()
    for event in events:
        if not isinstance(event.body, Answered):
            grow(tree, event)
    assert any(note.startswith("failover") for note in tree.notes)
    assert tree.answer == answer.text == WORDS.strip()


@pytest.mark.anyio
async def test_an_answer_that_cannot_be_followed_is_taken_back(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    def reply(request: ScriptedRequest) -> str:
        if "cannot be followed" in request.last:
            return frame(route="direct", answer="the second")
        return frame(route="direct", answer="the first", effects="none of that form")

    with scripted_tiers(settings_in(tmp_path), reply) as rehearsed:
        events, answer = await told_by(Mind(rehearsed, roles=ROLES, simulated=True))
    deltas = "".join(e.body.text for e in events if isinstance(e.body, AnswerDelta))
    assert deltas == "the firstthe second"
    tree = Tree()
    for event in events:
        if not isinstance(event.body, Answered):
            grow(tree, event)
    assert tree.answer == answer.text == "the second"


@pytest.mark.anyio
async def test_a_role_that_was_asked_for_writes_it_itself(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    said = {"framer": frame(route="direct", answer="The draft."), "skeptic": "I doubt it."}
    seen = await ask(
        settings_in(tmp_path), lambda role, _: said[role], "Is it good?", role="skeptic"
    )
    assert seen.answer is not None
    assert seen.answer.text == "I doubt it."
    assert "".join(one.text for one in seen.kinds(AnswerDelta)) == "I doubt it."
    ((_, prompt),) = [one for one in seen.prompts if one[0] == "skeptic"]
    assert "The draft." in prompt
    assert "Is it good?" in prompt
