"""Stop ends generation on the server within a second, wherever the run is, and can be resumed."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.journal.events import Event
from manyhands.journal.records import RunState
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings

ROLES = load_roles()
BY_PROMPT = {role.prompt: name for name, role in ROLES.items()}
STEP = {
    "id": "d",
    "hand": "math",
    "task": "t",
    "kind": "derivative",
    "given": {"f": "x**2", "var": "x"},
}
TEXTS = {
    "framer": json.dumps({"goal": "g", "route": "plan", "steps": [STEP]}),
    "mathematician": "```\n2*x\n```",
    "editor": "It is 2*x.",
}
LONG = "word " * 2000


@pytest.mark.anyio
@pytest.mark.parametrize("slow", ["framer", "mathematician", "editor"])
async def test_leaving_ends_the_generation_at_once_and_the_run_goes_on_later(
    tmp_path: Path, settings_in: Callable[[Path], Settings], slow: str
) -> None:
    stopped = False

    def reply(request: ScriptedRequest) -> Reply:
        role = BY_PROMPT[str(request.messages[0]["content"])]
        if role == slow and not stopped:
            return Reply(LONG, pace_s=0.02)
        return Reply(TEXTS[role])

    settings = settings_in(tmp_path)
    models = [ScriptedModel(name=tier.model, reply=reply) for tier in settings.tiers.values()]
    with running_server(models) as server:
        there = settings.model_copy(update={"hosts": {"local": HostSettings(url=server.url)}})
        mind = Mind(there, roles=ROLES, simulated=True)
        run_id = ""
        with anyio.fail_after(60):
            async with aclosing(mind.stream("Differentiate.")) as items:
                async for item in items:
                    run_id = item.run_id  # type: ignore[union-attr]
                    if item.body.kind in ("generating", "answer_delta"):  # type: ignore[union-attr]
                        break
                left = time.monotonic()
            exchange = server.requests[-1]
            while exchange.ended is None:  # noqa: ASYNC110  the server has a loop of its own
                await anyio.sleep(0.005)
        assert exchange.cancelled
        assert exchange.tokens < 2000
        assert exchange.ended - left < 10.0  # said in whole it would take 40 s
        with mind.journal() as journal:
            assert journal.run(run_id).state is RunState.STOPPED
        stopped = True
        answer = None
        async with aclosing(mind.resume(run_id)) as items:
            async for item in items:
                answer = item
        assert answer.text == "It is 2*x."  # type: ignore[union-attr]


# --- at any event of a run -----------------------------------------------------------------------

PARTS = [
    {"id": name, "hand": "math", "task": f"prove lemma {name}", "kind": "free"}
    for name in ("one", "two")
]
WANTS = [{"tool": "save_file", "step": "one", "path": "out.txt"}]
SAYS = {
    "framer": json.dumps({"goal": "g", "route": "plan", "steps": PARTS, "effects": WANTS}),
    "mathematician": "It follows.\n```\nx = x\n```",
    "editor": "Both lemmas follow.",
}
#: So many tokens that a generation which is not ended goes on for minutes.
ENDLESS = Reply("word " * 20_000, pace_s=0.01)
_GENERATES = ("generating", "answer_delta")
#: The server must see that nobody listens any more; far less than it takes on an idle machine.
_ENDS_S = 5.0


class Lives:
    """Runs of one question, stopped at an event, on one server.

    Attributes:
        endless: every generation that begins now never ends by itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.endless = False
        self.approved: list[str] = []

    def reply(self, request: ScriptedRequest) -> Reply:
        if self.endless:
            return ENDLESS
        role = BY_PROMPT[str(request.messages[0]["content"])]
        no_other_way = role == "framer" and "brought nothing" in request.last
        direct = json.dumps({"goal": "g", "route": "direct", "answer": "No other way."})
        return Reply(direct if no_other_way else SAYS[role])

    async def approve(self, effect: Effect, decision: Decision) -> Choice:
        self.approved.append(effect.summary)
        return Choice.ONCE

    def mind(self, url: str, folder: Path) -> Mind:
        folder.mkdir()
        journal = self._settings.journal.model_copy(update={"path": folder / "journal.db"})
        hosts = {"local": HostSettings(url=url)}
        there = self._settings.model_copy(update={"hosts": hosts, "journal": journal})
        return Mind(there, roles=ROLES, simulated=True, approve=self.approve)


async def whole(items: AsyncGenerator[Event | Answer]) -> tuple[list[Event], Answer]:
    events: list[Event] = []
    answer = None
    async with aclosing(items) as parts:
        async for item in parts:
            if isinstance(item, Answer):
                answer = item
            else:
                events.append(item)
    assert answer is not None
    return events, answer


@pytest.mark.anyio
@pytest.mark.parametrize("generating", [False, True], ids=["at-the-event", "generating-after-it"])
async def test_stopping_at_any_event_ends_generation_and_the_run_goes_on_to_the_same_answer(
    tmp_path: Path,
    settings_in: Callable[[Path], Settings],
    generating: bool,
) -> None:
    lives = Lives(settings_in(tmp_path))
    models = [
        ScriptedModel(name=tier.model, reply=lives.reply)
        for tier in settings_in(tmp_path).tiers.values()
    ]
    with running_server(models) as server:
        for name in ("loads", "whole"):  # so that every life finds the models loaded
            mind = lives.mind(server.url, tmp_path / name)
            stream = mind.stream("Prove both.", save_folder=tmp_path / name)
            events, first = await whole(stream)
        kinds = [event.body.kind for event in events if event.durable]
        assert first.text == "Both lemmas follow."
        assert [effect.state for effect in first.effects] == ["done"]
        stopped = 0
        for cut in range(1, len(kinds)):
            folder = tmp_path / f"cut{cut}"
            mind = lives.mind(server.url, folder)
            known = len(server.requests)
            run_id, finished = "", 0
            with anyio.fail_after(60):
                stream = mind.stream("Prove both.", save_folder=folder)
                async with aclosing(stream) as items:
                    async for item in items:
                        assert not isinstance(item, Answer)
                        run_id = item.run_id
                        finished += item.body.kind == "step_done"
                        if item.durable and item.seq == cut:
                            lives.endless = generating
                            if not generating:
                                break
                        if generating and item.seq >= cut:
                            if item.body.kind in _GENERATES:
                                break
                            if item.durable and item.body.kind == "run_finished":
                                break
                    left = time.monotonic()
                calls = [one for one in server.requests[known:] if one.path == "/api/chat"]
                while any(call.ended is None for call in calls):  # noqa: ASYNC110
                    await anyio.sleep(0.005)
            lives.endless = False
            assert all(call.ended - left < _ENDS_S for call in calls if call.ended), kinds[:cut]
            with mind.journal() as journal:
                state = journal.run(run_id).state
            if state is RunState.ANSWERED:
                continue  # nothing was left to generate
            stopped += 1
            assert state is RunState.STOPPED, kinds[:cut]
            if generating:
                assert calls[-1].cancelled
                assert calls[-1].tokens < 20_000
            again, answer = await whole(mind.resume(run_id))
            assert (answer.text, answer.status) == (first.text, first.status), kinds[:cut]
            assert [effect.state for effect in answer.effects] == ["done"], kinds[:cut]
            assert (folder / "out.txt").read_text() == "x = x"
            done = [event.body.step for event in again if event.body.kind == "step_done"]
            assert len(done) + finished == len(PARTS), "no finished step is done again"
        assert stopped > (5 if generating else len(kinds) // 2)


# The owner's loop may end with a connection that it had accepted and not yet begun to read; the
# collector closes that socket, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.anyio
async def test_a_stop_in_the_first_moments_is_a_stop_and_no_fault(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    with scripted_tiers(settings_in(tmp_path), lambda _: Reply(LONG, pace_s=0.02)) as rehearsed:
        for moments in range(40):  # turns of the loop after the run was written down
            mind = Mind(rehearsed, roles=ROLES, simulated=True)
            begun = asyncio.Event()
            run_id = ""

            async def ask(mind: Mind = mind, begun: asyncio.Event = begun) -> None:
                nonlocal run_id
                async with aclosing(mind.stream("slowly")) as items:
                    async for item in items:
                        run_id = item.run_id
                        begun.set()

            asking = asyncio.create_task(ask())
            await begun.wait()
            for _ in range(moments):
                await asyncio.sleep(0)
            asking.cancel()  # as a kernel does, from outside of anyio
            with pytest.raises(asyncio.CancelledError):
                await asking
            with mind.journal() as journal:
                assert journal.run(run_id).state is RunState.STOPPED
    gc.collect()  # here, not under a later test
