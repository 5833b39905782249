"""Where a run is shown while it goes on; each view takes the same events."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.journal.events import AnswerDelta, Event
from manyhands.trace.lines import Tone, line_of
from manyhands.trace.tree import Tree, text_of
from manyhands_jupyter.views.reply import Reply, answer_lines

if TYPE_CHECKING:
    from manyhands_jupyter.working import Work

__all__ = ["EVERY_S", "PrintShow", "Show", "TextShow"]

#: A view changes at most this often.
EVERY_S = 0.1
_TEXT_EVERY_S = 0.25


class Show(Protocol):
    """One view of one run; called from the mind's thread.

    Attributes:
        tree: the run's, which grows with its events.
    """

    tree: Tree

    def event(self, event: Event) -> None: ...

    async def approve(self, effect: Effect, decision: Decision) -> Choice: ...

    def finished(self, reply: Reply) -> None: ...

    def failed(self, message: str, tree: Tree) -> None: ...


class PrintShow:
    """Lines that the waiting cell prints: for nbconvert, papermill, Run All without a panel, and
    plain IPython.

    Args:
        asks: whether a person can be asked with `input`.
    """

    def __init__(self, work: Callable[[], Work[Any]], *, asks: bool) -> None:
        self.tree = Tree()
        self._work = work
        self._asks = asks

    def event(self, event: Event) -> None:
        if isinstance(event.body, AnswerDelta):
            return
        line = line_of(event.body)
        if line is not None and line.tone is not Tone.LIVE:
            said = f"{'  ' * line.depth}{line.mark} {line.text}"
            self._work().do_in_cell(lambda: print(said, flush=True))

    async def approve(self, effect: Effect, decision: Decision) -> Choice:
        if not self._asks:
            return Choice.NO
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def ask() -> None:
            print(f"\n{effect.summary}\n{effect.preview}\n{decision.why}", flush=True)
            session = "for this [s]ession, " if decision.session else ""
            said = input(f"Allow? [y]es, {session}[N]o: ")
            loop.call_soon_threadsafe(answer.set_result, said)

        self._work().do_in_cell(ask)
        return _choice(await answer)

    def finished(self, reply: Reply) -> None:
        def show() -> None:
            from IPython.display import display

            print("\n" + "\n".join(answer_lines(reply)), flush=True)
            for picture in reply.pictures:
                data = base64.b64encode(picture).decode("ascii")
                display({"image/png": data, "text/plain": "a chart"}, raw=True)

        self._work().do_in_cell(show)

    def failed(self, message: str, tree: Tree) -> None:
        """The cell raises it; nothing is printed twice."""


def _choice(said: str) -> Choice:
    match said.strip().lower()[:1]:
        case "y":
            return Choice.ONCE
        case "s":
            return Choice.SESSION
        case _:
            return Choice.NO


class TextShow:
    """Text that changes in place, where widgets are not installed."""

    def __init__(self) -> None:
        from IPython.display import display

        self.tree = Tree()
        begun = {"text/plain": "manyhands: begins …"}
        self._handle = display(begun, raw=True, display_id=True)
        self._last = 0.0

    def event(self, event: Event) -> None:
        now = time.monotonic()
        if now - self._last >= _TEXT_EVERY_S or event.durable:
            self._last = now
            self._tell(f"{text_of(self.tree)}\n\n{self.tree.answer}".rstrip())

    def _tell(self, text: str) -> None:
        self._handle.update({"text/plain": text}, raw=True)

    async def approve(self, effect: Effect, decision: Decision) -> Choice:  # noqa: ARG002
        """Without a panel nobody can be asked while the cell has ended; `--wait` asks."""
        return Choice.NO

    def finished(self, reply: Reply) -> None:
        from IPython.display import display

        self._tell(f"{reply.trace}\n\n{reply}")
        for picture in reply.pictures:
            data = base64.b64encode(picture).decode("ascii")
            display({"image/png": data, "text/plain": "a chart"}, raw=True)

    def failed(self, message: str, tree: Tree) -> None:
        trace = f"{text_of(tree)}\n\n" if tree.question else ""
        self._tell(f"{trace}{message}")
