"""While another process has the journal the loop goes on, Stop works, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from helpers_locks import Writer, another_writer
from helpers_mind import ROLES, math_step, on_hosts, plan, role_of

from manyhands.journal.events import Event
from manyhands.journal.records import RunState
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.settings import Settings

TEXTS = {
    "framer": plan(math_step("d", "x**2")),
    "mathematician": "```\n2*x\n```",
    "editor": "The derivative of x**2 is 2*x.",
}
#: So many tokens that a generation which is not ended goes on for minutes.
ENDLESS = Reply("word " * 20_000, pace_s=0.01)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  the server has a loop of its own
        await anyio.sleep(0.005)


class Stage:
    """A mind whose journal another process takes as soon as a role is asked.

    Attributes:
        at: the role.
        endless: that role's generation then never ends by itself.
    """

    def __init__(self, mind: Mind, writer: Writer, server: RehearsalServer) -> None:
        self.mind = mind
        self.writer = writer
        self.server = server
        self.shown: list[Event] = []
        self.answer: Answer | None = None
        self.at = ""
        self.endless = False

    def reply(self, request: ScriptedRequest) -> Reply:
        role = role_of(request)
        if role != self.at:
            return Reply(TEXTS[role])
        self.writer.take()  # before the model has said a word
        self.at = ""
        return ENDLESS if self.endless else Reply(TEXTS[role])

    async def ask(self) -> None:
        async for item in self.mind.stream("Differentiate x**2."):
            if isinstance(item, Answer):
                self.answer = item
            else:
                self.shown.append(item)

    def durable(self) -> list[Event]:
        return [event for event in self.shown if event.durable]

    def state(self) -> RunState:
        with self.mind.journal() as journal:
            return journal.run(self.shown[0].run_id).state

    async def all_generated(self) -> None:
        """Every model that was asked has ended, and the loop has turned many times since."""
        await until(lambda: all(one.ended is not None for one in self.server.requests))
        for _ in range(50):
            await anyio.sleep(0.001)


@pytest.fixture
async def stage(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> AsyncIterator[Stage]:
    settings = settings_in(tmp_path)
    staged: list[Stage] = []
    models = [
        ScriptedModel(name=tier.model, reply=lambda request: staged[0].reply(request))
        for tier in settings.tiers.values()
    ]
    with running_server(models) as server, another_writer(settings.journal.path) as writer:
        mind = Mind(on_hosts(settings, server.url), roles=ROLES, simulated=True)
        mind.journal().close()  # the file is there and new to nobody
        staged.append(Stage(mind, writer, server))
        yield staged[0]


@pytest.mark.anyio
@pytest.mark.parametrize("at", list(TEXTS))
async def test_events_wait_in_order_while_the_loop_goes_on(stage: Stage, at: str) -> None:
    stage.at = at
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.ask)
            await until(lambda: not stage.at)
            before = len(stage.durable())
            await stage.all_generated()  # a loop that stood still would not come here
            assert len(stage.durable()) == before, "nothing is shown that is not written"
            assert stage.answer is None
            stage.writer.let_go()
    assert stage.answer is not None
    assert stage.answer.text == TEXTS["editor"]
    with stage.mind.journal() as journal:
        written = journal.events(stage.answer.run_id)
    assert written == stage.durable()
    assert [event.seq for event in written] == list(range(1, len(written) + 1))


@pytest.mark.anyio
async def test_a_question_waits_for_its_first_event(stage: Stage) -> None:
    stage.writer.take()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.ask)
            for _ in range(50):
                await anyio.sleep(0.001)
            assert stage.shown == []
            stage.writer.let_go()
    assert stage.answer is not None


@pytest.mark.anyio
@pytest.mark.parametrize("at", list(TEXTS))
async def test_stop_ends_the_generation_and_the_end_is_written_when_the_file_is_free(
    stage: Stage, at: str
) -> None:
    stage.at, stage.endless = at, True
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.ask)
            await until(lambda: not stage.at and stage.server.requests[-1].tokens > 0)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await stage.all_generated()
                assert stage.server.requests[-1].cancelled
                assert stage.state() is RunState.RUNNING  # nobody could write yet
                stage.writer.let_go()
    assert stage.state() is RunState.STOPPED
    with stage.mind.journal() as journal:
        written = journal.events(stage.shown[0].run_id)
    assert written[: len(stage.durable())] == stage.durable()
    assert [event.seq for event in written] == list(range(1, len(written) + 1))
    assert written[-1].body.kind == "run_finished"
    answers = [item async for item in stage.mind.resume(stage.shown[0].run_id)]
    assert isinstance(answers[-1], Answer)
    assert answers[-1].text == TEXTS["editor"]
