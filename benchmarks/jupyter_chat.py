"""What a streamed answer costs the Jupyter server's loop, and how soon Stop reaches the model.

One chat file with 200 messages and one connected browser; one scripted model, in a process of its
own, that says the same 2,000 tokens at the same pace: once to a persona that hands them to Jupyter
AI's own `BasePersona.stream_message`, once to ours, whose mind answers a plan of one step with all
that belongs to it (journal, trace, checks).

The loop can serve nobody while its own thread computes: `all cpu` is that time, whatever its
pieces, and the goal is judged by it (less what the timer itself takes, as in the row `nothing`).

A user notices the long pieces: `blocked` adds up by how much a timer that is due every millisecond
came late where that was over five. On a quiet, quick machine neither way has many such pieces, and
their ratio says nothing; on a busy one other programs make the timer late too, so the time for
which Linux had the thread wait for a core (`/proc/thread-self/schedstat`) is taken off.

Stop is measured from `cancel_response` to the moment at which the model server sees its stream
closed. Model and speeds are scripted; the chat model, the file and the loop are real.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_ai_persona_manager import BasePersona, PersonaDefaults, PersonaManager
from jupyterlab_chat.models import Message, NewMessage
from jupyterlab_chat.websocket_model import WsChatModel
from manyhands_jupyter.persona import MindPersona

from manyhands.engines.contracts import ChatRequest, Delta
from manyhands.engines.contracts import Message as Turn
from manyhands.engines.ollama import OllamaEngine
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.settings import load_settings

GOAL_RATIO = 20.0
GOAL_BLOCKED_MS = 20.0
GOAL_STOP_MS = 200.0
_SCHEDULED = Path("/proc/thread-self/schedstat")
_BEAT_S = 0.001
_LATE_S = 0.005
FENCED = "```\n42\n```"


def waited_s() -> float:
    """Seconds for which this thread could have run and had no core; 0 where nobody counts them."""
    try:
        return int(_SCHEDULED.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Loop:
    """How long the running event loop could not come back to a timer that was due."""

    def __init__(self) -> None:
        self.blocked_s = 0.0
        self.longest_s = 0.0
        self.cpu_s = 0.0
        self.work_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Loop:
        self.work_s = -time.thread_time()
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        self.work_s += time.thread_time()

    async def _beat(self) -> None:
        last, worked, waited = time.perf_counter(), time.thread_time(), waited_s()
        while True:
            await asyncio.sleep(_BEAT_S)
            now, work, wait = time.perf_counter(), time.thread_time(), waited_s()
            late = now - last - _BEAT_S - (wait - waited)
            if late > _LATE_S:
                self.blocked_s += late
                self.longest_s = max(self.longest_s, late)
                self.cpu_s += work - worked
            last, worked, waited = now, work, wait


class Browser:
    """A connected browser: takes what the chat sends."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0

    def write_message(self, message: str) -> None:
        self.messages += 1
        self.bytes += len(message)


class Plain(BasePersona):
    """A persona as the others write them: each piece of the stream goes to `stream_message`."""

    url = ""
    model = ""

    @property
    def defaults(self) -> PersonaDefaults:
        return PersonaDefaults(name="Plain", description="", avatar_path="", system_prompt="")

    async def process_message(self, message: Message) -> None:
        await self.stream_message(self._pieces(message.body))

    async def _pieces(self, text: str) -> AsyncIterator[str]:
        engine = OllamaEngine(self.url)
        request = ChatRequest(self.model, (Turn(role="user", content=text),), num_ctx=32_768)
        async for part in engine.stream(request):
            if isinstance(part, Delta) and part.content:
                yield part.content
        await engine.aclose()


def script(model: str, options: argparse.Namespace) -> str:
    """What is said, as a script for a model server in a process of its own."""
    step = {"id": "one", "hand": "math", "task": "Six times seven."}
    plan = json.dumps({"goal": "answer", "route": "plan", "steps": [step]})
    said = {
        "you are the framer": f"say = {json.dumps(plan)}",
        "you are the mathematician": f"say = {json.dumps(FENCED)}",
        "": f"say = {json.dumps('word ' * options.tokens)}\n"
        f"pieces = {json.dumps(['word '] * options.tokens)}\npace_s = {1 / options.pace}",
    }
    rules = [f"[[model.reply]]\nsystem = {json.dumps(who)}\n{what}" for who, what in said.items()]
    return "\n".join([f"[[model]]\nname = {json.dumps(model)}", *rules]) + "\n"


def slow_reply(request: ScriptedRequest) -> Reply | str:
    """Thinks until it is stopped."""
    return Reply("x", thinking="hm " * 10_000, pace_s=0.01)


def chat_with(folder: Path, history: int) -> tuple[WsChatModel, Browser]:
    chat = WsChatModel(path="talk.chat", root_dir=folder)
    chat.load_from_file()
    words = "What was said before, in some detail and at some length. " * 35
    chat._messages = [
        {"id": f"m{number}", "body": words, "time": float(number), "sender": "user", "type": "msg"}
        for number in range(history)
    ]
    chat._indexes_by_id = {f"m{number}": number for number in range(history)}
    browser = Browser()
    chat.handlers["browser"] = browser  # type: ignore[assignment]
    return chat, browser


async def streamed(persona: BasePersona, browser: Browser) -> dict[str, float]:
    begun = time.perf_counter()
    async with Loop() as loop:
        await persona.on_message(
            Message(id="q", body="Say it all.", time=time.time(), sender="user")
        )
        await asyncio.sleep(0.05)
    return _row(loop, time.perf_counter() - begun, browser)


async def nothing(seconds: float) -> dict[str, float]:
    """The loop's lateness when nothing is streamed: what other programs do to it."""
    async with Loop() as loop:
        await asyncio.sleep(seconds)
    return _row(loop, seconds, Browser())


def _row(loop: Loop, seconds: float, browser: Browser) -> dict[str, float]:
    return {
        "seconds": seconds,
        "blocked_s": loop.blocked_s,
        "cpu_s": loop.cpu_s,
        "work_s": loop.work_s,
        "longest_ms": 1000 * loop.longest_s,
        "updates": browser.messages,
        "megabytes": browser.bytes / 1e6,
    }


async def stop_latencies(persona: MindPersona, server: RehearsalServer, times: int) -> list[float]:
    """Milliseconds from Stop to the end of the model's stream."""
    took = []
    for number in range(times):
        message = Message(id=f"s{number}", body="think", time=time.time(), sender="user")
        before = len(server.requests)
        answering = asyncio.create_task(persona.on_message(message))
        while not _streams(server, before):  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.01)
        exchange = server.requests[-1]
        begun = time.monotonic()
        await persona.cancel_response()
        await answering
        while exchange.ended is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert exchange.cancelled
        took.append(1000 * (exchange.ended - begun))
    return took


def _streams(server: RehearsalServer, before: int) -> bool:
    """Whether a model has begun to speak since `before` requests."""
    new = server.requests[before:]
    return any(item.path == "/api/chat" and item.tokens > 5 for item in new)


def personas(chat: WsChatModel, folder: Path) -> MindPersona:
    manager = PersonaManager(
        chat=chat, root_dir=str(folder), event_loop=asyncio.get_running_loop(), base_url="/"
    )
    return next(item for item in manager.personas.values() if isinstance(item, MindPersona))


async def measure(url: str, model: str, options: argparse.Namespace) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat, browser = chat_with(folder, options.history)
        mind = personas(chat, folder)
        await mind._ensure_prepared()
        await mind.on_message(Message(id="warm", body="/help", time=time.time(), sender="user"))
        browser.messages = browser.bytes = 0
        results["manyhands"] = await streamed(mind, browser)
        results["nothing"] = await nothing(results["manyhands"]["seconds"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat, browser = chat_with(folder, options.history)
        plain = Plain(chat=chat)
        plain.url, plain.model = url, model
        results["stream_message"] = await streamed(plain, browser)
        results["megabytes_of_file"] = (folder / "talk.chat").stat().st_size / 1e6
        chat.add_message(NewMessage(body="x", sender="user"))
        begun = time.perf_counter()
        chat.save()
        results["one_save_ms"] = 1000 * (time.perf_counter() - begun)
    return results


async def measure_stop(server: RehearsalServer, options: argparse.Namespace) -> list[float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat, _ = chat_with(folder, options.history)
        mind = personas(chat, folder)
        await mind._ensure_prepared()
        return await stop_latencies(mind, server, options.stops)


@contextmanager
def own_folders() -> Iterator[Path]:
    """Settings, journal and memory of their own, so that the user's are left alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").touch()
        os.environ["MANYHANDS_CONFIG"] = str(folder / "config.toml")
        os.environ["MANYHANDS_JOURNAL__PATH"] = str(folder / "journal.db")
        os.environ["MANYHANDS_ROUTING__PATH"] = str(folder / "learning.db")
        os.environ["MANYHANDS_MEMORY__ENABLED"] = "false"
        yield folder


@contextmanager
def speaking(models: list[str], options: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The address of a model server in its own process, which cannot hold up our loop."""
    path = folder / "script.toml"
    path.write_text("".join(script(model, options) for model in models))
    command = [sys.executable, "-m", "manyhands", "rehearsal", "serve", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next(
                match for line in process.stdout if (match := re.search(r"http://[\d.]+:\d+", line))
            )
            yield found[0]
        finally:
            process.terminate()


def chat_figures(options: argparse.Namespace) -> dict[str, Any]:
    """Everything above, measured."""
    with own_folders() as folder:
        tiers = load_settings().tiers
        models = sorted({tier.model for tier in tiers.values()})
        with speaking(models, options, folder) as url:
            os.environ["OLLAMA_HOST"] = url
            found = asyncio.run(measure(url, tiers["mind"].model, options))
        slow = [ScriptedModel(name=name, reply=slow_reply) for name in models]
        with running_server(slow) as server:
            os.environ["OLLAMA_HOST"] = server.url
            found["stop_ms"] = asyncio.run(measure_stop(server, options))
    ours, theirs = found["manyhands"], found["stream_message"]
    for what in ("blocked_s", "cpu_s"):
        found[f"{what}_ratio"] = theirs[what] / max(ours[what], _LATE_S)
    idle = found["nothing"]["work_s"] / found["nothing"]["seconds"]  # the beat itself
    spent = [row["work_s"] - idle * row["seconds"] for row in (theirs, ours)]
    found["work_s_ratio"] = spent[0] / max(spent[1], _LATE_S)
    return found


def print_chat(found: dict[str, Any], options: argparse.Namespace) -> None:
    print(
        f"{options.tokens} tokens at {options.pace:g} tokens/s (scripted), {options.history} "
        f"messages before, a chat file of {found['megabytes_of_file']:.2f} MB"
    )
    print(
        f"{'':16}{'blocked':>10}{'of it cpu':>11}{'longest':>11}{'all cpu':>10}{'updates':>9}"
        f"{'sent':>10}"
    )
    for name in ("stream_message", "manyhands", "nothing"):
        row = found[name]
        print(
            f"{name:16}{row['blocked_s']:>8.3f} s{row['cpu_s']:>9.3f} s"
            f"{row['longest_ms']:>8.1f} ms{row['work_s']:>8.3f} s{row['updates']:>9.0f}"
            f"{row['megabytes']:>7.2f} MB"
        )
    print(f"all cpu: {found['work_s_ratio']:.0f} times less (goal {GOAL_RATIO:.0f})")
    for what in ("blocked_s", "cpu_s"):
        ratio = found[f"{what}_ratio"]
        print(f"in pieces over 5 ms, {what.removesuffix('_s')}: {ratio:.0f} times less")
    print(
        f"one writing of the chat's file by jupyterlab-chat: {found['one_save_ms']:.1f} ms; "
        f"longest with manyhands {found['manyhands']['longest_ms']:.1f} ms "
        f"(goal {GOAL_BLOCKED_MS:.0f})"
    )
    stops = found["stop_ms"]
    print(f"Stop in the chat to closed stream: median {statistics.median(stops):.0f} ms, longest "
          f"{max(stops):.0f} ms of {len(stops)} (goal {GOAL_STOP_MS:.0f})")  # fmt: skip
