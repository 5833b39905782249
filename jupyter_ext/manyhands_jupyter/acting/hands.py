"""What a session may do to the notebook: edits at a person's click, runs after approval."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import JsonValue

from manyhands.broker.broker import Broker
from manyhands.broker.contracts import Approver, Choice, Decision, Effect, Origin, Rule
from manyhands.broker.policy import Approvals
from manyhands.errors import InputError
from manyhands.journal.events import Event
from manyhands.journal.store import Journal
from manyhands.mind.recorder import Recorder
from manyhands_jupyter.acting.proposals import Proposal
from manyhands_jupyter.acting.running import CellOutcome, outcome_of, run_here
from manyhands_jupyter.context.outputs import Ran
from manyhands_jupyter.working import Work

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["Acting", "Bridge"]

_TOOL = "run_cell"
#: A cell that waits behind others is waited for this long before it has begun.
_BEGIN_S = 600.0
_KEPT = 4_000

InMain = Callable[[Callable[[], CellOutcome]], Awaitable[CellOutcome]]
"""Does something in the kernel's main thread."""


class Bridge:
    """The notebook's front end, as far as the page has our lab extension: it edits and runs cells
    through the shared model, so that edits can be undone.

    Args:
        home: the cell that asked; new cells come below it.

    Attributes:
        page: the tab that was clicked last; the others leave what is asked alone.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], home: str = "") -> None:
        self.page = ""
        self.home = home
        self._send = send
        self._next = 0
        self._open: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]]] = {}

    def tell(self, name: str, arguments: dict[str, Any]) -> None:
        """Ask the page to do something and do not wait for it."""
        self._next += 1
        self._ask(name, arguments, self._next)

    def _ask(self, name: str, arguments: dict[str, Any], token: int) -> None:
        self._send({"call": name, "arguments": arguments, "token": token, "page": self.page})

    async def call(self, name: str, arguments: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Ask the page to do something and wait for what it says.

        Raises:
            InputError: the page refused, or did not answer within `seconds`.
        """
        self._next += 1
        token, loop = self._next, asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._open[token] = (loop, answer)
        try:
            self._ask(name, arguments, token)
            with anyio.fail_after(seconds):
                return await answer
        except TimeoutError:
            raise InputError(
                f"The notebook did not {name} within {seconds:.0f} s.",
                hint="Is its tab still open? Insert the cell and run it yourself.",
            ) from None
        finally:
            del self._open[token]

    def answered(self, token: int, result: dict[str, Any] | None, error: str) -> None:
        """What the page said; comes in the kernel's main thread."""
        waits = self._open.get(token)  # the other thread may have given up just now
        if waits is None:
            return
        loop, answer = waits

        def settle() -> None:
            if answer.done():
                return
            if error:
                answer.set_exception(InputError(error, hint="Insert the cell yourself."))
            else:
                answer.set_result(result or {})

        loop.call_soon_threadsafe(settle)


@dataclass(slots=True)
class _Known:
    """Where a proposal comes from, and the page that shows it."""

    run_id: str
    outside: bool
    bridge: Bridge | None = None
    cell_id: str = ""


class Acting:
    """Runs and edits for one session.

    Attributes:
        rule: for running cells; None for that of the settings.
        limit_s: a run is interrupted after this.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.approvals = Approvals()
        self.rule: Rule | None = None
        self.limit_s = 60.0
        self._known: dict[int, _Known] = {}

    def adopt(self, cell: Proposal, run_id: str, *, outside: bool) -> None:
        """Take a proposal of a run.

        Args:
            outside: text from cells, data or memory was in that run's context.
        """
        cell._acts = self
        self._known[id(cell)] = _Known(run_id, outside)

    def connect(self, cell: Proposal, bridge: Bridge | None) -> None:
        """Name the page that shows a proposal; None when it has no lab extension."""
        self._known[id(cell)].bridge = bridge

    def placed(self, cell: Proposal, cell_id: str) -> None:
        """Note the cell that the page made of a proposal."""
        self._known[id(cell)].cell_id = cell_id

    def allow(self, word: str) -> None:
        """Set whether proposed cells may run: `ask` each time, for the `session`, or `never`.

        Raises:
            InputError: another word.
        """
        match word:
            case "":
                return
            case "ask":
                self.rule, self.approvals = Rule.ASK, Approvals()
            case "session":
                self.rule = Rule.ASK
                self.approvals = replace(self.approvals, tools=self.approvals.tools | {_TOOL})
            case "never":
                self.rule, self.approvals = Rule.NEVER, Approvals()
            case _:
                raise InputError(
                    f"{word!r} says nothing about running cells.", hint="ask, session or never"
                )

    def told(self) -> str:
        """The rule in words."""
        rule = self.rule or self._session.settings.approvals.run_cell
        if rule is Rule.NEVER:
            return "Proposed cells are never run."
        if _TOOL in self.approvals.tools:
            return (
                "Proposed cells run in this session without asking, as long as nothing from "
                "cells, data or memory was in the question's context; else each is asked about."
            )
        return f"Each proposed cell is asked about (rule: {rule})."

    # --- edits: a person's own call or click ----------------------------------------------------

    def insert(self, cell: Proposal) -> None:
        bridge = self._known[id(cell)].bridge
        if bridge is not None:
            bridge.tell("insertCell", {"source": cell.source, "near": bridge.home})
        else:
            self._session.shell.set_next_input(cell.source)

    def replace(self, cell: Proposal) -> None:
        bridge = self._known[id(cell)].bridge
        if bridge is not None and cell.replaces:
            bridge.tell("replaceCell", _replacement(cell))
        else:
            self._session.shell.set_next_input(cell.source)
            print("The program is in a new cell: this front end cannot replace one.")

    # --- runs: after approval -------------------------------------------------------------------

    def run_in_cell(self, cell: Proposal) -> CellOutcome:
        """Run from a cell that waits; a person is asked with `input`."""
        from manyhands_jupyter.kernel import CellFault, has_person
        from manyhands_jupyter.views.shows import PrintShow

        begun: list[Work[CellOutcome]] = []
        show = PrintShow(lambda: begun[0], asks=has_person(self._session.shell))

        async def in_main(act: Callable[[], CellOutcome]) -> CellOutcome:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[CellOutcome] = loop.create_future()

            def chore() -> None:
                outcome = act()
                loop.call_soon_threadsafe(done.set_result, outcome)

            begun[0].do_in_cell(chore)
            return await done

        def begin(work: Work[CellOutcome]) -> Coroutine[Any, Any, CellOutcome]:
            begun.append(work)
            return self.run(cell, show.approve, in_main=in_main)

        try:
            return self._session.workshop.begin(begin).wait()
        except InputError as error:
            raise CellFault(str(error)) from None

    async def run(
        self,
        cell: Proposal,
        approve: Approver,
        *,
        in_main: InMain | None = None,
        show: Callable[[Event], None] = lambda _: None,
    ) -> CellOutcome:
        """Run a proposal in the user's kernel if the broker lets it.

        Args:
            in_main: how to reach the kernel's main thread; its loop when None.
            show: gets the broker's events.
        """
        known = self._known[id(cell)]
        count = len(cell.source.splitlines())
        effect = Effect(
            _TOOL,
            {"source": cell.source, "replaces": cell.replaces},
            f"run {count} line{'s' if count != 1 else ''} in your kernel",
            cell.source,
        )
        origins = {Origin.USER, Origin.MODEL} | ({Origin.OUTSIDE} if known.outside else set())
        settings = self._session.settings
        outcome = CellOutcome(ran=False)
        said: list[Choice] = []

        async def ask(effect: Effect, decision: Decision) -> Choice:
            said.append(await approve(effect, decision))
            return said[-1]

        async def act() -> JsonValue:
            nonlocal outcome
            if known.bridge is not None:
                outcome = await self._run_on_page(cell, known, known.bridge)
            else:
                call = in_main or self._on_main_loop
                limit_s, shell = self.limit_s, self._session.shell
                outcome = await call(lambda: run_here(shell, cell.source, limit_s))
            return {
                "ok": outcome.ok,
                "output": outcome.output[-_KEPT:],
                "error": outcome.error,
                "seconds": round(outcome.seconds, 3),
            }

        with Journal.open(settings.journal.path) as journal:
            events = journal.events(known.run_id)
            writer = Recorder(journal, known.run_id, events[-1].seq, show)
            rules = {_TOOL: self.rule or settings.approvals.run_cell}
            broker = Broker(writer.emit, ask, rules=rules, approvals=self.approvals)
            told = await broker.perform(effect, origins, act)
            for number, picture in enumerate(outcome.pictures):
                await writer.keep(f"cell-{number}.png", "image/png", picture)
        self.approvals = broker.approvals
        if not outcome.ran:
            denied = Choice.NO in said
            why = "you did not allow it" if denied else told.detail.removeprefix("not done: ")
            outcome = CellOutcome(ran=False, why=why)
        cell.outcome = outcome
        return outcome

    async def _on_main_loop(self, act: Callable[[], CellOutcome]) -> CellOutcome:
        main = self._session.main_loop
        if main is None:
            raise InputError("There is no kernel loop.", hint="Run the cell yourself.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[CellOutcome] = loop.create_future()

        def chore() -> None:
            outcome = act()
            loop.call_soon_threadsafe(done.set_result, outcome)

        main.call_soon_threadsafe(chore)
        return await done

    async def _run_on_page(self, cell: Proposal, known: _Known, bridge: Bridge) -> CellOutcome:
        """The page puts the cell in and runs it like any other; the recorder keeps the outcome."""
        if cell.replaces:
            told = await bridge.call("replaceCell", _replacement(cell), 30)
        else:
            # What was put in before is run again only as it was approved.
            again = {"source": cell.source, "near": bridge.home, "reuse": known.cell_id}
            told = await bridge.call("insertCell", again, 30)
        known.cell_id = str(told["cellId"])
        ended: list[tuple[Ran, float]] = []
        forget = self._session.recorder.limit(
            known.cell_id, self.limit_s, lambda ran, took: ended.append((ran, took))
        )
        begun = time.monotonic()
        try:
            told = await bridge.call("runCell", {"cellId": known.cell_id}, _BEGIN_S + self.limit_s)
        finally:
            forget()
        if ended:
            return outcome_of(ended[-1][0], ended[-1][1], self.limit_s)
        ok = bool(told.get("ok"))
        return CellOutcome(
            ran=True, ok=ok, error="" if ok else "failed", seconds=time.monotonic() - begun
        )


def _replacement(cell: Proposal) -> dict[str, Any]:
    """What the page needs for a replacement; it refuses when the cell has changed since."""
    return {"cellId": cell.replaces, "source": cell.source, "expected": cell.before}
