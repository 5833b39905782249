"""Hosts die in the middle of a plan: its answer is right all the same; who returns serves again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from helpers_mind import on_hosts

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.data_files import data_path
from manyhands.errors import Unreachable
from manyhands.hands.contracts import Status
from manyhands.journal.events import (
    EffectFinished,
    EffectIntended,
    Generating,
    Note,
    NoteReason,
    StepDone,
    StepStarted,
)
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import HostKind, Settings

pytestmark = pytest.mark.anyio

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}
CO2 = data_path("examples") / f"{DATA}.csv"
#: A host of its own process, so that it can be killed.
HOST = """
import sys, threading
from manyhands.cli.demo_models import say
from manyhands.rehearsal.script import Reply, ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.roles.loader import load_roles
prompts = {name: role.prompt for name, role in load_roles().items()}
slow, *names = sys.argv[1:]
def reply(request):
    text = say(request, prompts)
    pace = 0.05 if slow == "slow" and request.system == prompts["coder"] else 0.0
    return Reply(text, pace_s=pace)
with running_server([ScriptedModel(name, reply) for name in names]) as server:
    print(server.url, flush=True)
    threading.Event().wait()
"""


def model_names(settings: Settings) -> list[str]:
    return sorted({spec.model for spec in settings.tiers.values()})


@contextmanager
def mortal_host(
    settings: Settings, pace: str = "quick"
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Its address, and what kills it."""
    command = [sys.executable, "-c", HOST, pace, *model_names(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None

    def kill() -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    try:
        yield process.stdout.readline().strip(), kill
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def living_host(settings: Settings, port: int = 0) -> object:
    def reply(request: ScriptedRequest) -> Reply:
        return Reply(say(request, PROMPTS))

    models = [ScriptedModel(name, reply) for name in model_names(settings)]
    return running_server(models, port=port)


def asked(server: RehearsalServer) -> int:
    chats = ("/api/chat", "/v1/chat/completions")
    return len([one for one in server.requests if one.path in chats])


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("kind", "moment"),
    [(HostKind.OLLAMA, StepDone), (HostKind.OLLAMA, Generating), (HostKind.OPENAI, Generating)],
    ids=["ollama-between-steps", "ollama-mid-sentence", "openai-mid-sentence"],
)
async def test_a_plan_ends_right_when_its_host_is_killed(
    tmp_path: Path,
    settings_in: Callable[[Path], Settings],
    kind: HostKind,
    moment: type[StepDone] | type[Generating],
) -> None:
    settings = settings_in(tmp_path)
    notes: list[str] = []
    answer = None
    with (
        mortal_host(settings, "slow" if moment is Generating else "quick") as (url, kill),
        living_host(settings) as second,  # type: ignore[attr-defined]
    ):
        mind = Mind(on_hosts(settings, url, second.url, kind=kind), roles=ROLES, simulated=True)
        killed = False
        async for item in mind.stream(QUESTION, data={DATA: CO2}):
            if isinstance(item, Answer):
                answer = item
                continue
            if isinstance(item.body, moment) and not killed:
                assert not asked(second), "the preferred host serves while it lives"
                killed = True
                kill()
            if isinstance(item.body, Note) and item.body.reason is NoteReason.FAILOVER:
                notes.append(item.body.text)
        assert asked(second)
    assert answer is not None
    assert answer.status is Status.VERIFIED, answer.open_points
    assert len(notes) == 1, "a dead host is not asked again and again"
    assert notes[0].startswith("host0: ")


async def test_a_host_that_comes_back_is_used_again(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    """host0 is dead at first, host1 dies in mid-plan, host0 comes back, then host2 dies too."""
    settings = settings_in(tmp_path)
    port = free_port()
    notes: list[str] = []
    answer, steps = None, 0
    with (
        ExitStack() as later,
        mortal_host(settings) as (first, kill_first),
        mortal_host(settings) as (second, kill_second),
    ):
        mind = Mind(
            on_hosts(settings, f"http://127.0.0.1:{port}", first, second),
            roles=ROLES,
            simulated=True,
        )
        back: RehearsalServer | None = None
        async for item in mind.stream(QUESTION, data={DATA: CO2}):
            if isinstance(item, Answer):
                answer = item
                continue
            if isinstance(item.body, StepStarted):
                steps += 1
                if steps == 1:
                    kill_first()
                elif steps == 2:
                    back = later.enter_context(living_host(settings, port))  # type: ignore[arg-type]
                    kill_second()
            if isinstance(item.body, Note) and item.body.reason is NoteReason.FAILOVER:
                notes.append(item.body.text)
        assert back is not None
        assert asked(back)
    assert answer is not None
    assert answer.status is Status.VERIFIED, answer.open_points
    assert "host0 answers again and is used." in notes


async def test_with_no_host_left_the_run_says_so_and_can_be_resumed(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    dead = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    mind = Mind(on_hosts(settings, *dead), roles=ROLES, simulated=True)
    with pytest.raises(Unreachable) as caught:
        await mind.ask(QUESTION, data={DATA: CO2})
    assert "Nobody answers at" in caught.value.message


async def test_an_effect_happens_once_though_a_host_dies_before_it(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    step = {
        "id": "d",
        "hand": "math",
        "task": "x**2",
        "kind": "derivative",
        "given": {"f": "x**2", "var": "x"},
    }
    effect = {"tool": "save_file", "step": "d", "path": "derivative.txt"}
    texts = {
        PROMPTS["framer"]: json.dumps(
            {"goal": "g", "route": "plan", "steps": [step], "effects": [effect]}
        ),
        PROMPTS["mathematician"]: "```\n2*x\n```",
    }

    def reply(request: ScriptedRequest) -> str:
        return texts.get(request.system, "It is 2*x.")

    asked_of: list[Effect] = []

    async def approve(effect: Effect, decision: Decision) -> Choice:
        asked_of.append(effect)
        return Choice.ONCE

    models = [ScriptedModel(name, reply) for name in model_names(settings)]
    bodies: list[object] = []
    answer = None
    with ExitStack() as first, running_server(models) as second:
        dying = first.enter_context(running_server(models))
        mind = Mind(
            on_hosts(settings, dying.url, second.url), roles=ROLES, simulated=True, approve=approve
        )
        async for item in mind.stream("Differentiate x**2.", save_folder=tmp_path / "out"):
            if isinstance(item, Answer):
                answer = item
                continue
            bodies.append(item.body)
            if isinstance(item.body, StepDone):
                assert not asked(second)
                first.close()
        assert asked(second)
    assert answer is not None
    assert (answer.text, str(answer.status)) == ("It is 2*x.", "verified")
    assert (tmp_path / "out" / "derivative.txt").read_text() == "2*x"
    kinds = [type(body) for body in bodies]
    assert kinds.count(EffectIntended) == kinds.count(EffectFinished) == len(asked_of) == 1
    assert kinds.count(StepStarted) == 1, "no step is repeated for a host's death"
