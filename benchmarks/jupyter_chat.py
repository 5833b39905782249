"""What a streamed answer costs the Jupyter server's loop, and how soon Stop reaches the model.

One chat file with 200 messages and one connected browser; one scripted model that says the same
2,000 tokens twice, at the same pace: once to a persona that hands them to Jupyter AI's own
`BasePersona.stream_message`, once to ours, whose mind answers a plan of one step with all that
belongs to it (journal, trace, checks). The loop is blocked while a timer that is due every
millisecond comes late by more than five; the seconds it was late are added up. On a busy machine
other programs make it late too: the row `nothing` shows by how much when nothing is streamed, and
`cpu` is what the loop's own thread computed in that time, which others cannot add to.

Stop is measured from `cancel_response` to the moment at which the model server sees its stream
closed. Model and speeds are scripted; the chat model, the file and the loop are real.

    uv run python benchmarks/jupyter_chat.py [--tokens 2000] [--pace 200] [--history 200] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
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
from manyhands.roles.loader import load_roles
from manyhands.settings import load_settings

GOAL_RATIO = 20.0
GOAL_BLOCKED_MS = 20.0
GOAL_STOP_MS = 200.0
_BEAT_S = 0.001
_LATE_S = 0.005
PROMPTS = {name: role.prompt for name, role in load_roles().items()}


class Loop:
    """How long the running event loop could not come back to a timer that was due."""

    def __init__(self) -> None:
        self.blocked_s = 0.0
        self.longest_s = 0.0
        self.cpu_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Loop:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _beat(self) -> None:
        last, worked = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(_BEAT_S)
            now, work = time.perf_counter(), time.thread_time()
            late = now - last - _BEAT_S
            if late > _LATE_S:
                self.blocked_s += late
                self.longest_s = max(self.longest_s, late)
                self.cpu_s += work - worked
            last, worked = now, work


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


def reply_of(tokens: int, pace: float) -> Any:
    pieces = tuple("word " for _ in range(tokens))

    def reply(request: ScriptedRequest) -> Reply | str:
        role = next((name for name, text in PROMPTS.items() if text == request.system), "")
        if role == "framer" and "wait" in request.last.rpartition("Question:")[2]:
            return Reply("x", thinking="hm " * 10_000, pace_s=0.01)
        if role == "framer":
            step = {"id": "one", "hand": "math", "task": "Six times seven."}
            return json.dumps({"goal": "answer", "route": "plan", "steps": [step]})
        if role == "mathematician":
            return "```\n42\n```"
        return Reply("".join(pieces), pieces=pieces, pace_s=1 / pace)

    return reply


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
        "longest_ms": 1000 * loop.longest_s,
        "updates": browser.messages,
        "megabytes": browser.bytes / 1e6,
    }


async def stop_latencies(persona: MindPersona, server: RehearsalServer, times: int) -> list[float]:
    """Milliseconds from Stop to the end of the model's stream."""
    took = []
    for number in range(times):
        message = Message(id=f"s{number}", body="please wait", time=time.time(), sender="user")
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


async def measure(
    server: RehearsalServer, model: str, options: argparse.Namespace
) -> dict[str, Any]:
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
        results["stop_ms"] = await stop_latencies(mind, server, options.stops)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chat, browser = chat_with(folder, options.history)
        plain = Plain(chat=chat)
        plain.url, plain.model = server.url, model
        results["stream_message"] = await streamed(plain, browser)
        results["megabytes_of_file"] = (folder / "talk.chat").stat().st_size / 1e6
        chat.add_message(NewMessage(body="x", sender="user"))
        begun = time.perf_counter()
        chat.save()
        results["one_save_ms"] = 1000 * (time.perf_counter() - begun)
    return results


@contextmanager
def own_folders() -> Iterator[None]:
    """Settings, journal and memory of their own, so that the user's are left alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").touch()
        os.environ["MANYHANDS_CONFIG"] = str(folder / "config.toml")
        os.environ["MANYHANDS_JOURNAL__PATH"] = str(folder / "journal.db")
        os.environ["MANYHANDS_ROUTING__PATH"] = str(folder / "learning.db")
        os.environ["MANYHANDS_MEMORY__ENABLED"] = "false"
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--pace", type=float, default=200.0, help="scripted tokens a second")
    parser.add_argument("--history", type=int, default=200, help="messages in the chat before")
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with own_folders():
        tiers = load_settings().tiers
        reply = reply_of(options.tokens, options.pace)
        models = {
            tier.model: ScriptedModel(name=tier.model, reply=reply) for tier in tiers.values()
        }
        with running_server(list(models.values())) as server:
            os.environ["OLLAMA_HOST"] = server.url
            found = asyncio.run(measure(server, tiers["mind"].model, options))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    ours, theirs = found["manyhands"], found["stream_message"]
    print(
        f"{options.tokens} tokens at {options.pace:g} tokens/s (scripted), {options.history} "
        f"messages before, a chat file of {found['megabytes_of_file']:.2f} MB"
    )
    print(f"{'':16}{'blocked':>10}{'of it cpu':>11}{'longest':>11}{'updates':>9}{'sent':>10}")
    for name in ("stream_message", "manyhands", "nothing"):
        row = found[name]
        print(
            f"{name:16}{row['blocked_s']:>8.3f} s{row['cpu_s']:>9.3f} s"
            f"{row['longest_ms']:>8.1f} ms{row['updates']:>9.0f}{row['megabytes']:>7.2f} MB"
        )
    for what in ("blocked_s", "cpu_s"):
        ratio = theirs[what] / max(ours[what], _LATE_S)
        print(f"{what.removesuffix('_s')}: {ratio:.0f} times less (goal {GOAL_RATIO:.0f})")
    print(
        f"one writing of the chat's file by jupyterlab-chat: {found['one_save_ms']:.1f} ms; "
        f"longest with manyhands {ours['longest_ms']:.1f} ms (goal {GOAL_BLOCKED_MS:.0f})"
    )
    stops = found["stop_ms"]
    print(f"Stop to closed stream: median {statistics.median(stops):.0f} ms, longest "
          f"{max(stops):.0f} ms of {len(stops)} (goal {GOAL_STOP_MS:.0f})")  # fmt: skip


if __name__ == "__main__":
    main()
