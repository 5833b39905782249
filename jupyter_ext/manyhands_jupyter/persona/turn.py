"""One turn of a chat: a run in the minds' thread, told in one message as it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from manyhands.broker.contracts import Approver, Choice, Decision, Effect
from manyhands.errors import fault_in
from manyhands.journal.events import Event
from manyhands.mind.mind import Mind
from manyhands.trace.tree import TreeState
from manyhands_jupyter.persona.board import Board
from manyhands_jupyter.persona.telling import Telling
from manyhands_jupyter.server.desk import Desk
from manyhands_jupyter.server.worker import Stopped, Work

__all__ = ["Job", "Told", "Turn"]

#: Said where nothing in the browser can draw the question.
_NO_BUTTONS = (
    "_This waits for your yes or no. No browser tab has manyhands' lab extension, which shows the "
    "buttons: open or reload JupyterLab. `/stop` ends it._"
)
#: Characters of a file that a person is shown before it is written.
_PREVIEW = 4_000


@dataclass(frozen=True, slots=True)
class Told:
    """What a turn ends with: the message, and the conversation that it belongs to."""

    text: str
    conversation_id: str = ""


Show = Callable[[Event], None]
#: Works with a mind and shows its events; runs in the minds' thread.
Job = Callable[[Mind, Show], Awaitable[Told]]
#: Makes the mind of this turn, given who asks the person; runs in the minds' thread.
MakeMind = Callable[[Approver], Mind]


class Turn:
    """A question that is being answered in a chat.

    Args:
        status: told what goes on, in words, when that changes.
        began: told the conversation as soon as there is one.
    """

    def __init__(
        self,
        desk: Desk,
        chat_id: str,
        board: Board,
        log: logging.Logger,
        status: Callable[[str], None],
        began: Callable[[str], None],
    ) -> None:
        self.telling = Telling()
        self._desk = desk
        self._chat_id = chat_id
        self._board = board
        self._log = log
        self._status = status
        self._began = began
        self._marks: tuple[object, object] = ("", None)
        self._work: Work[Told] | None = None
        self._doing = ""

    def told(self) -> dict[str, Any]:
        """For the server's status page."""
        return {
            "chat": self._chat_id,
            "run_id": self.telling.run_id,
            "doing": self.telling.doing,
        }

    def stop(self) -> None:
        """Stop the run; its model's stream is closed at once. From any thread."""
        if self._work is not None:
            self._work.stop()

    async def play(self, make_mind: MakeMind, job: Job) -> Told:
        """Work and show until the end; every way in which it can end is told in the message."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        noticed = False

        def notice() -> None:
            nonlocal noticed
            if not noticed:  # one wake-up for all that happens until it is drawn
                noticed = True
                loop.call_soon_threadsafe(changed.set)

        def show(event: Event) -> None:
            self.telling.take(event)
            notice()

        async def approve(effect: Effect, decision: Decision) -> Choice:
            waiting = self._desk.approvals.ask(
                self._chat_id, _with_preview(effect, mind), decision.why
            )
            self.telling.waiting = {**waiting.told(), "each": not decision.session}
            notice()
            try:
                return await self._desk.approvals.answer_to(waiting)
            finally:
                self.telling.waiting = None
                notice()

        mind: Mind | None = None

        async def work() -> Told:
            nonlocal mind
            mind = make_mind(approve)
            try:
                return await job(mind, show)
            finally:
                self._desk.approved[self._chat_id] = mind.approvals

        self._desk.turns[self._chat_id] = self
        try:
            self._work = self._desk.worker.begin(work())
            ended = asyncio.ensure_future(self._work.wait())
            ended.add_done_callback(lambda _: changed.set())
            self._draw()
            while not ended.done():
                await changed.wait()
                noticed = False
                changed.clear()
                if not ended.done():
                    self._draw()
                    await asyncio.wait({ended}, timeout=self._board.due_s)
            return await self._end(ended)
        finally:
            del self._desk.turns[self._chat_id]

    def _draw(self) -> None:
        body, told = self.telling.told()
        waiting = told["waiting"] and told["waiting"]["id"]
        if waiting and not len(self._desk.tabs):
            body = f"{body}\n\n{_NO_BUTTONS}".strip()
        marks = (told["run_id"], waiting)
        if marks != self._marks:
            # What a restarted server must know: which run it was, and that a person was asked.
            self._marks = marks
            if told["conversation_id"]:
                self._began(told["conversation_id"])
            self._board.save(body, told)
        else:
            self._board.show(body, told)
        doing = self.telling.doing
        if doing != self._doing:
            self._doing = doing
            self._status(doing)

    async def _end(self, ended: asyncio.Future[Told]) -> Told:
        try:
            told = await ended
        except Stopped:
            self.telling.tree.state = TreeState.STOPPED
            told = self._cut_off("Stopped. `/resume` goes on where it was.")
        except Exception as error:
            fault = fault_in(error)
            self.telling.tree.state = TreeState.FAILED
            if fault is None:
                self._log.exception("manyhands: a turn failed")
            said = str(fault) if fault is not None else f"{type(error).__name__}: {error}"
            self.telling.tree.error = said
            told = self._cut_off(f"**That did not work.** {said}\n\n{self._next(fault is None)}")
        self.telling.tree.doing = ""
        return told

    def _next(self, unforeseen: bool) -> str:
        where = " This is a fault in manyhands; the server's log has more." if unforeseen else ""
        if not self.telling.run_id:
            return f"Nothing was begun.{where}"
        return f"What was found is kept: `/resume` goes on with it.{where}"

    def _cut_off(self, words: str) -> Told:
        """What there was of the answer, and why there is no more."""
        body, _ = self.telling.told()
        text = f"{body}\n\n{words}" if body else words
        return Told(text, self.telling.tree.conversation_id)


def _with_preview(effect: Effect, mind: Mind | None) -> Effect:
    """The effect with the text of the artifact that it would write: what a person must see."""
    content = str(effect.arguments.get("content", ""))
    if effect.preview or mind is None or not content.startswith("sha256:"):
        return effect
    with mind.journal() as journal:
        name, media_type, raw = journal.artifact(content)
    if b"\0" in raw[:_PREVIEW]:
        return replace(effect, preview=f"{name}: {media_type}, {len(raw)} bytes")
    text = raw[: 4 * _PREVIEW].decode("utf-8", errors="replace")
    more = "\n…" if len(text) > _PREVIEW else ""
    return replace(effect, preview=text[:_PREVIEW] + more)
