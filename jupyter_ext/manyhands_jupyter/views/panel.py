"""The live panel: the tree of a run with Stop, approvals, proposed cells and a rating."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.errors import ManyhandsError
from manyhands.journal.events import AnswerDelta, Event, Generating
from manyhands.trace.tree import Tree, TreeState, grow
from manyhands_jupyter.acting.hands import Bridge
from manyhands_jupyter.acting.proposals import Proposal
from manyhands_jupyter.views.shows import EVERY_S

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session
    from manyhands_jupyter.views.reply import Reply
    from manyhands_jupyter.working import Work

__all__ = ["Panel", "PanelShow"]

_FRONT = Path(__file__).parent / "front"
#: One module for the page, in the order in which its parts need each other.
_PARTS = ("nodes.js", "tree.js", "cells.js", "panel.js")
_CHOICES = {"once": Choice.ONCE, "session": Choice.SESSION, "no": Choice.NO}


class Panel(anywidget.AnyWidget):
    """What the page draws; every text in it is shown as text, never as HTML.

    Attributes:
        asks: approvals that are waited for; `cell` is the proposed cell's place, -1 for others.
        home: id of the notebook's cell that asked.
        me, box: ids of this model and its layout, by which the page keeps them in the notebook.
    """

    _esm = "\n".join((_FRONT / name).read_text(encoding="utf-8") for name in _PARTS)
    _css = (_FRONT / "panel.css").read_text(encoding="utf-8")
    tree = traitlets.Dict().tag(sync=True)
    asks = traitlets.List().tag(sync=True)
    cells = traitlets.List().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    ended = traitlets.Bool(False).tag(sync=True)
    waits = traitlets.Bool(False).tag(sync=True)
    home = traitlets.Unicode().tag(sync=True)
    me = traitlets.Unicode().tag(sync=True)
    box = traitlets.Unicode().tag(sync=True)


def _in_full(effect: Effect) -> str:
    """What would be done, argument by argument."""
    parts = []
    for name, value in effect.arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return "\n".join(parts)


class PanelShow:
    """Shows one run in a panel under the cell that asked.

    Args:
        waits: the cell waits for the end: clicks then come only after it.
    """

    def __init__(self, session: Session, work: Callable[[], Work[Any]], *, waits: bool) -> None:
        from IPython.display import display

        self.tree = Tree(state=TreeState.RUNNING, doing="begins", began=time.time())
        self._session = session
        self._work = work
        self._waits = waits
        self._open: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Future[Choice]]] = {}
        self._proposals: list[Proposal] = []
        self._reply: Reply | None = None
        self._last = 0.0
        self._ending = False
        self._lab = False
        home = session.recorder.here()
        self.panel = Panel(tree=self.tree.as_json(), waits=waits, home=home)
        self.panel.me, self.panel.box = self.panel.model_id, self.panel.layout.model_id
        self.panel.on_msg(self._said)
        self.bridge = Bridge(self.panel.send, home)
        bundle = self.panel._repr_mimebundle_()
        self._view = dict(bundle[0]) if bundle is not None else {}
        self._view["text/plain"] = "manyhands: begins …"
        self._handle = display(self._view, raw=True, display_id=True)

    def dismiss(self) -> None:
        """Take the panel away again: nothing was begun."""
        self.panel.close()
        self._handle.update({"text/plain": ""}, raw=True)

    # --- from the run --------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        now = time.monotonic()
        progress = isinstance(event.body, AnswerDelta | Generating)
        if now - self._last >= EVERY_S:
            self._tell()
        elif not progress or not self._ending:
            self._soon(EVERY_S - (now - self._last))

    def _soon(self, seconds: float) -> None:
        """Tell what came since the last change, once the time for it has come."""
        if self._ending:
            return
        self._ending = True

        def tell() -> None:
            self._ending = False
            self._tell()

        asyncio.get_running_loop().call_later(seconds, tell)

    def _tell(self) -> None:
        self._last = time.monotonic()
        self.panel.tree = self.tree.as_json()

    async def approve(self, effect: Effect, decision: Decision, cell: int = -1) -> Choice:
        """Ask in the panel; a cell that waits asks with `input`, since clicks cannot reach it.

        Args:
            cell: the place of the proposed cell that is asked about.
        """
        if self._waits and not self._work().done:
            from manyhands_jupyter.views.shows import PrintShow

            return await PrintShow(self._work, asks=True).approve(effect, decision)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Choice] = loop.create_future()
        ask_id = secrets.token_hex(8)
        self._open[ask_id] = (loop, answer)
        asked = {
            "id": ask_id,
            "summary": effect.summary,
            "why": decision.why,
            "preview": effect.preview or _in_full(effect),
            "cell": cell,
            "each": not decision.session,
        }
        self.panel.asks = [*self.panel.asks, asked]
        try:
            return await answer
        finally:
            del self._open[ask_id]
            self.panel.asks = [one for one in self.panel.asks if one["id"] != ask_id]

    def finished(self, reply: Reply) -> None:
        self._reply = reply
        self._proposals = list(reply.cells)
        self.panel.pictures = [base64.b64encode(one).decode("ascii") for one in reply.pictures]
        if reply.result is not None:
            self.tree.answer = reply.text
        self._connect()
        self._tell_cells()
        self._end(f"{reply.trace}\n\n{reply}")

    def failed(self, message: str, tree: Tree) -> None:
        from manyhands.trace.tree import text_of

        if tree.state == TreeState.RUNNING:
            tree.state = TreeState.FAILED
        if not self._waits:  # a cell that waits raises it itself
            self.panel.message = message
        self._end(f"{text_of(tree)}\n\n{message}" if tree.question else message)

    def _end(self, text: str) -> None:
        self._tell()
        self.panel.ended = True
        self._view["text/plain"] = text
        self._handle.update(self._view, raw=True)

    # --- from the page -------------------------------------------------------------------------

    def _said(self, _: Panel, content: dict[str, Any], __: Any) -> None:
        if content.get("page"):
            self.bridge.page = str(content["page"])
        match content.get("act"):
            case "stop":
                self._work().stop()
            case "decide":
                self._decide(str(content.get("id")), str(content.get("choice")))
            case "rate":
                self._rate(bool(content.get("good")), str(content.get("reason") or ""))
            case "run":
                self._run(int(content.get("index", -1)))
            case "placed":
                self._placed(int(content.get("index", -1)), str(content.get("cellId") or ""))
            case "answered":
                result = content.get("result")
                self.bridge.answered(
                    int(content.get("token", 0)),
                    result if isinstance(result, dict) else None,
                    str(content.get("error") or ""),
                )
            case "lab":
                self._lab = True
                self._connect()

    def _connect(self) -> None:
        bridge = self.bridge if self._lab else None
        for cell in self._proposals:
            self._session.acting.connect(cell, bridge)

    def _decide(self, ask_id: str, choice: str) -> None:
        waits = self._open.get(ask_id)  # the other thread may have ended the question just now
        if waits is None:
            return
        loop, answer = waits

        def settle() -> None:
            if not answer.done():
                answer.set_result(_CHOICES.get(choice, Choice.NO))

        loop.call_soon_threadsafe(settle)

    def _rate(self, good: bool, reason: str) -> None:
        if not self.tree.run_id:
            return
        try:
            self._session.rate(self.tree.run_id, good, reason)
        except ManyhandsError as error:
            self.panel.message = str(error)
            return
        self.tree.rating, self.tree.reason = "good" if good else "bad", reason
        self._tell()

    def _placed(self, index: int, cell_id: str) -> None:
        if 0 <= index < len(self._proposals):
            self._session.acting.placed(self._proposals[index], cell_id)

    def _run(self, index: int) -> None:
        if not 0 <= index < len(self._proposals):
            return
        cell = self._proposals[index]
        self._tell_cells(index, "waits for your approval")

        async def approve(effect: Effect, decision: Decision) -> Choice:
            return await self.approve(effect, decision, index)

        async def work(_: Work[None]) -> None:
            runs = asyncio.Event()

            def show(event: Event) -> None:
                grow(self.tree, event)
                if event.body.kind == "effect_intended":
                    runs.set()
                self._tell()

            ticking = asyncio.create_task(self._tick(index, runs))
            try:
                await self._session.acting.run(cell, approve, show=show)
            except ManyhandsError as error:
                self.panel.message = str(error)
            finally:
                ticking.cancel()
                self._tell_cells()

        self._session.workshop.begin(work)

    async def _tick(self, index: int, runs: asyncio.Event) -> None:
        """Seconds of a run, as long as it goes on."""
        await runs.wait()
        limit, begun = self._session.acting.limit_s, time.monotonic()
        while True:
            passed = time.monotonic() - begun
            said = f"runs, {passed:.0f} of at most {limit:g} s"
            self._tell_cells(index, said, seconds=passed, limit=limit)
            await asyncio.sleep(1.0)

    def _tell_cells(
        self, busy: int = -1, state: str = "", *, seconds: float = 0.0, limit: float = 0.0
    ) -> None:
        """Show the proposed cells.

        Args:
            busy: the place of the one that something happens to now; `state` says what.
            limit: seconds after which its run is interrupted; 0 when it does not run.
        """
        told = []
        for index, cell in enumerate(self._proposals):
            outcome = cell.outcome if index != busy else None
            told.append(
                {
                    "title": cell.title,
                    "source": cell.source,
                    "diff": cell.diff,
                    "replaces": cell.replaces,
                    "before": cell.before,
                    "state": outcome.summary() if outcome else state if index == busy else "",
                    "seconds": seconds if index == busy else 0.0,
                    "limit": limit if index == busy else 0.0,
                    "output": (outcome.output or outcome.traceback)[-2_000:] if outcome else "",
                    "ok": outcome.ok if outcome else None,
                }
            )
        self.panel.cells = told
