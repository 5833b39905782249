"""What the journal says of the past: a conversation's turns, and what an unfinished run reached."""

from __future__ import annotations

from collections.abc import Sequence

from manyhands.hands.contracts import HandResult
from manyhands.journal.events import (
    Answered,
    EffectFinished,
    Event,
    Framed,
    Recalled,
    RunStarted,
    StepDone,
)
from manyhands.journal.store import Journal
from manyhands.mind.frame import Frame
from manyhands.mind.packing import Turn
from manyhands.mind.run import Reached

__all__ = ["reached", "tainted", "turns"]


def turns(journal: Journal, conversation_id: str, before: str = "") -> tuple[Turn, ...]:
    """The answered turns of a conversation, oldest first; empty for a new one."""
    if not conversation_id:
        return ()
    found = []
    for run in journal.conversation(conversation_id).runs:
        if run.id == before:
            break
        if run.answer:
            found.append(Turn(run.question, run.answer))
    return tuple(found)


def tainted(journal: Journal, conversation_id: str) -> bool:
    """Whether text from outside was in the context of an earlier turn: its answer may carry it."""
    if not conversation_id:
        return False
    for run in journal.conversation(conversation_id).runs:
        for event in journal.events(run.id):
            body = event.body
            if isinstance(body, RunStarted) and (body.data or body.context):
                return True
            if isinstance(body, Recalled) and body.sources:
                return True
            if isinstance(body, EffectFinished) and body.tool.startswith("mcp:"):
                return True
    return False


def reached(events: Sequence[Event]) -> Reached:
    """What the events of an unfinished run say was reached."""
    frame: Frame | None = None
    revisions = 0
    written = ""
    recalled = False
    done: dict[str, HandResult] = {}
    for event in events:
        match event.body:
            case Framed():
                frame = Frame.model_validate(event.body.frame)
                revisions = event.body.revision
            case StepDone():
                done[event.body.step] = HandResult.model_validate(event.body.result)
            case Answered():
                written = event.body.text
            case Recalled():
                recalled = recalled or bool(event.body.sources)
            case _:
                pass
    return Reached(frame=frame, revisions=revisions, done=done, written=written, recalled=recalled)
