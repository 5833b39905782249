"""How many milliseconds a hand call adds to the HTTP call that it makes, in one process.

The same scripted answer is fetched from the same rehearsal server (a process of its own, nothing
in it waits) in three ways, in turns: by a bare `httpx` POST of such a body as the hand sends; by
the same over our own transport, which is leaner than the usual one; and by the `math` hand with
everything on: its run and events written to the journal and shown to a door, its answer kept as an
artifact. The request has no independent check and the mathematician needs one model call, so
neither a check's run nor a further call is counted.

    uv run python benchmarks/overhead.py [--calls 300] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import httpx

from manyhands.engines.contracts import ChatRequest, Message
from manyhands.engines.direct import DirectTransport
from manyhands.engines.ollama_bodies import chat_body
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import MathKind, MathRequest
from manyhands.hands.maths import MathHand
from manyhands.hands.models import TierModels
from manyhands.hands.voice import Voice
from manyhands.hands.work import Desk
from manyhands.journal.events import Event, RunStarted
from manyhands.journal.store import Journal, new_id
from manyhands.mind.budget import Budget, Purse
from manyhands.mind.recorder import Recorder
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, JournalSettings, Settings

GOAL_MS = 2.5
ANSWER = "The product is found at once.\n\n```\n6*7\n```\n"
TASK = MathRequest(task="How much is six times seven?", kind=MathKind.FREE, given={})
_SERVE = "from manyhands.cli.commands.rehearsal import command; command()"

Call = Callable[[], Awaitable[None]]


@contextmanager
def server(settings: Settings, folder: Path) -> Iterator[str]:
    """A rehearsal server in a process of its own; its address."""
    model = settings.tiers["expert"].model
    script = folder / "play.toml"
    script.write_text(
        f'[[model]]\nname = "{model}"\n[[model.reply]]\nsay = """{ANSWER}"""\n', encoding="utf-8"
    )
    command = [sys.executable, "-c", _SERVE, "serve", str(script), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().partition(" at ")[2].partition(";")[0]
        finally:
            process.terminate()


@asynccontextmanager
async def hand_calls(settings: Settings) -> AsyncIterator[Call]:
    """A call of the `math` hand with the journal and a door that takes its events."""
    roles = load_roles()
    shown: list[Event] = []
    async with TierModels(settings) as models, Bench(settings.sandbox.policy()) as bench:
        with Journal.open(settings.journal.path) as journal:

            async def call() -> None:
                run_id = new_id("run")
                started = RunStarted(question=TASK.task, conversation_id=run_id, door="benchmark")
                journal.begin_run(run_id, run_id, started)
                recorder = Recorder(journal, run_id, 1, shown.append)
                purse = Purse(
                    Budget(tokens=10**6, seconds=600, gpu_seconds=600, loads=99, steps=99)
                )
                desk = Desk(
                    step="s1",
                    voice=Voice(models, roles, recorder.emit, purse.charge),
                    bench=bench,
                    emit=recorder.emit,
                    sources={},
                    notes="",
                    keep=recorder.keep,
                )
                result = await MathHand().work(TASK, desk)
                assert result.value == "6*7", result
                assert result.spend.calls == 1, result

            await call()  # what is imported and loaded once
            assert {"attempt_started", "said", "attempt_done"} <= {e.body.kind for e in shown}
            yield call


@asynccontextmanager
async def bare_calls(
    url: str, body: dict[str, object], transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Call]:
    """The same answer by nothing but an HTTP client."""
    content = json.dumps(body).encode()
    async with httpx.AsyncClient(base_url=url, trust_env=False, transport=transport) as client:

        async def call() -> None:
            answer = await client.post("/api/chat", content=content)
            assert answer.status_code == 200
            assert b'"done":true' in answer.content

        await call()
        yield call


def body_of(settings: Settings) -> dict[str, object]:
    """A body as large as the hand's: the role's prompt, the task, the tier's options."""
    role = load_roles()["mathematician"]
    tier = settings.tiers["expert"]
    messages = (
        Message(role="system", content=role.prompt),
        Message(role="user", content=f"Task (free): {TASK.task}\n\nEnd with the final expression."),
    )
    return chat_body(
        ChatRequest(
            tier.model,
            messages,
            num_ctx=tier.num_ctx,
            think=role.think if tier.think else None,
            sampling=dict(role.sampling_options()),
            num_predict=role.num_predict,
            runner=tier.runner_options(),
        )
    )


async def timed(call: Call, times: list[float]) -> None:
    started = time.perf_counter()
    await call()
    times.append((time.perf_counter() - started) * 1000)


async def compare(ways: dict[str, Call], at_once: int, calls: int) -> dict[str, float]:
    """Milliseconds of each way in turns, `at_once` calls together; `hand` over each other one."""
    latency: dict[str, list[float]] = {name: [] for name in ways}
    share: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(5, calls // at_once)):
        for name, call in ways.items():
            started = time.perf_counter()
            async with anyio.create_task_group() as tasks:
                for _ in range(at_once):
                    tasks.start_soon(timed, call, latency[name])
            share[name].append((time.perf_counter() - started) * 1000 / at_once)
    row: dict[str, float] = {"at_once": at_once, "calls": len(latency["hand"])}
    for name in ways:
        row[f"{name}_latency_ms"] = statistics.median(latency[name])
        if name != "hand":
            added = [hand - bare for hand, bare in zip(share["hand"], share[name], strict=True)]
            row[f"added_to_{name}_ms"] = statistics.median(added)
            row[f"added_to_{name}_p95_ms"] = statistics.quantiles(added, n=20)[-1]
    return row


async def measure(calls: int) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings()
        with server(settings, folder) as url:
            settings = Settings(
                hosts={"local": HostSettings(url=url)},
                journal=JournalSettings(path=folder / "journal.db"),
            )
            body = body_of(settings)
            async with (
                bare_calls(url, body) as bare,
                bare_calls(url, body, DirectTransport()) as lean,
                hand_calls(settings) as hand,
            ):
                ways = {"bare": bare, "lean": lean, "hand": hand}
                return [await compare(ways, at_once, calls) for at_once in (1, 16)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = anyio.run(measure, given.calls)
    if given.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            print(f"{row['at_once']:>2} at once, {row['calls']} calls, medians in ms:")
            print(f"   bare httpx                 {row['bare_latency_ms']:7.2f}")
            print(f"   bare over our transport    {row['lean_latency_ms']:7.2f}")
            print(f"   the hand                   {row['hand_latency_ms']:7.2f}")
            for name, words in (("bare", "bare httpx"), ("lean", "our transport")):
                print(
                    f"   added a call to {words:<13}{row[f'added_to_{name}_ms']:5.2f}"
                    f"   (p95 {row[f'added_to_{name}_p95_ms']:.2f})"
                )
    met = rows[0]["added_to_bare_ms"] <= GOAL_MS
    print(
        f"goal: {GOAL_MS} ms added to the bare call at 1: {'met' if met else 'missed'}",
        file=sys.stderr,
    )
    sys.exit(not met)


if __name__ == "__main__":
    main()
