"""Running a proposed cell in the user's kernel: the broker decides, the user's own tab does it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from manyhands.broker.broker import Broker
from manyhands.broker.contracts import Choice, Decision, Effect, EffectState, Origin, Verdict
from manyhands.broker.policy import Approvals, decide
from manyhands.errors import InputError
from manyhands.journal.events import Body, Event, Recalled, RunStarted
from manyhands.journal.store import Journal
from manyhands.settings import Settings, load_settings
from manyhands_jupyter.afterwards import note
from manyhands_jupyter.server.desk import Desk

__all__ = ["Wanted", "run_proposed"]

_TOOL = "run_cell"
#: A cell that waits behind others is waited for this long before it has begun.
_BEGIN_S = 600.0
#: The longest that a person can set, and the longest cell.
_LONGEST_S = 86_400.0
_SOURCE = 100_000
#: Characters of the output that the journal and the chat keep.
_KEPT = 4_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A click on Run.

    Attributes:
        seconds: after which the kernel is interrupted.
        cell: id of the cell below which it goes, in the tab where the user clicked.
        path: of its notebook.
        choice: what the person answered; None when they were not asked yet.
    """

    run_id: str
    source: str
    seconds: float
    cell: str
    path: str
    tab: str
    choice: Choice | None = None

    @property
    def effect(self) -> Effect:
        count = len(self.source.splitlines())
        said = f"run {count} line{'s' if count != 1 else ''} in your kernel"
        return Effect(_TOOL, {"source": self.source, "replaces": ""}, said, self.source)


async def run_proposed(desk: Desk, user: str, wanted: Wanted) -> dict[str, Any]:
    """Run it in the tab where the user clicked, if the rules and the person let it.

    Returns:
        `verdict`: `ask`, `deny` or `allow`, and `why`; with `ask` whether an answer can be good for
        the `session`; with `allow` the `state` of the effect and what the tab told of the cell.

    Raises:
        InputError: there is no such run, or what is wanted is out of bounds.
    """
    if not 0 < wanted.seconds <= _LONGEST_S:
        raise InputError(f"{wanted.seconds:g} s are no limit: 1 to {_LONGEST_S:g}.")
    if not 0 < len(wanted.source) <= _SOURCE:
        raise InputError(f"The cell has {len(wanted.source)} characters, 1 to {_SOURCE} fit.")
    settings, origins = await desk.worker.call(lambda: _looked(wanted.run_id))
    rules = {_TOOL: settings.approvals.run_cell}
    approved = desk.cells.get(user, Approvals())
    decision = decide(wanted.effect, origins, rules, approved)
    if decision.verdict is Verdict.ASK and wanted.choice is None:
        session = decision.session
        return {"verdict": str(decision.verdict), "why": decision.why, "session": session}
    loop = asyncio.get_running_loop()

    async def in_tab() -> dict[str, JsonValue]:
        tab = desk.tabs.named(user, wanted.tab)
        if tab is None:
            raise InputError("Your browser tab is not connected.", hint="Reload JupyterLab.")
        arguments = {
            "source": wanted.source,
            "seconds": wanted.seconds,
            "cellId": wanted.cell,
            "path": wanted.path,
        }
        told: dict[str, JsonValue] = await tab.ask("run", arguments, _BEGIN_S + wanted.seconds)
        return {**told, "output": str(told.get("output", ""))[-_KEPT:]}

    async def act() -> JsonValue:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(in_tab(), loop))

    async def emit(body: Body) -> None:
        await note(settings.journal.path, wanted.run_id, body)

    async def answered(_: Effect, __: Decision) -> Choice:
        return wanted.choice or Choice.NO

    broker = Broker(emit, answered, rules=rules, approvals=approved)
    outcome = await desk.worker.begin(broker.perform(wanted.effect, origins, act)).wait()
    desk.cells[user] = broker.approvals
    if outcome.state is EffectState.DENIED:
        return {"verdict": str(Verdict.DENY), "why": outcome.detail}
    told = outcome.result if isinstance(outcome.result, dict) else {}
    state = str(outcome.state)
    return {"verdict": str(Verdict.ALLOW), "why": outcome.detail, "state": state, **told}


def _looked(run_id: str) -> tuple[Settings, frozenset[Origin]]:
    """The settings, and where the text came from that the conversation saw up to this run."""
    settings = load_settings()
    with Journal.open(settings.journal.path) as journal:
        run = journal.run(run_id)
        runs = journal.conversation(run.conversation_id).runs if run.conversation_id else (run,)
        outside = any(_from_outside(event) for one in runs for event in journal.events(one.id))
    found = {Origin.USER, Origin.MODEL} | ({Origin.OUTSIDE} if outside else set())
    return settings, frozenset(found)


def _from_outside(event: Event) -> bool:
    match event.body:
        case RunStarted(context=context, data=data):
            return bool(context) or bool(data)
        case Recalled(sources=sources):
            return bool(sources)
    return False
