"""What a sandboxed run costs beside `python -c pass`, and whether 10,000 of them leave anything.

    python benchmarks/sandbox.py [--rounds 60] [--backend auto] [--json]
    python benchmarks/sandbox.py --runs 10000     # the leak check

All figures of one call come from one process on one machine, in turns: round by round every way
runs once, so that a busy machine is busy for all of them. Warm ways have numpy, pandas and
matplotlib loaded. `back to back` starts the next program at once, `at leisure` when the pool has
filled up again, as with a person who types. Where podman works, `cold in a container` is beside it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import anyio

from manyhands.checks.sandbox import (
    ForkServer,
    SandboxPolicy,
    SandboxRun,
    WarmPool,
    best,
    hands_python,
    monty,
    run,
)
from manyhands.errors import NoIsolation

PASS = SandboxRun(code="pass")
CONTAINER = SandboxPolicy(backend="podman")
GOALS = {
    "cold, over python -c pass": 20.0,
    "single-use, at leisure": 2.0,
    "fork server, at leisure": 10.0,
}


def processor_ms() -> float:
    """Processor time of this process and its ended children: what a busy machine changes least."""
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1e3 * (own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime)


async def works(policy: SandboxPolicy) -> bool:
    try:
        await best(policy)
    except NoIsolation:
        return False
    return True


async def speed(rounds: int, policy: SandboxPolicy) -> dict[str, dict[str, float]]:
    """Milliseconds per way: p50 and p95."""
    containers = await works(CONTAINER)
    python = str(hands_python())
    taken: dict[str, list[float]] = {}

    def note(name: str, started: float) -> float:
        ms = (time.perf_counter() - started) * 1e3
        taken.setdefault(name, []).append(ms)
        return ms

    async with WarmPool(policy=policy) as pool, ForkServer(policy=policy) as server:
        await pool.ready()
        await server.run(PASS)
        for _ in range(rounds):
            started, used = time.perf_counter(), processor_ms()
            await anyio.run_process([python, "-c", "pass"])
            bare = note("python -c pass", started)
            taken.setdefault("python -c pass, processor", []).append(processor_ms() - used)
            started = time.perf_counter()
            subprocess.run([python, "-I", "-S", "-c", "pass"], check=True)  # noqa: ASYNC221 as callers do
            note("python -I -S -c pass, by subprocess", started)
            await anyio.sleep(0.1)  # what the last round drops is no part of this one
            started, used = time.perf_counter(), processor_ms()
            await run(PASS, policy)
            cold = note("cold", started)
            taken.setdefault("cold, processor", []).append(processor_ms() - used)
            taken.setdefault("cold, over python -c pass", []).append(cold - bare)
            if containers:
                started = time.perf_counter()
                await run(PASS, CONTAINER)
                note("cold in a container", started)
            await anyio.sleep(0.1)
            started = time.perf_counter()
            await server.run(PASS)
            note("fork server, at leisure", started)
            started = time.perf_counter()
            await server.run(PASS)
            note("fork server, back to back", started)
            await anyio.sleep(0.1)  # the server still ends what it ran last
            await pool.ready()
            started = time.perf_counter()
            await pool.run(PASS)
            note("single-use, at leisure", started)
            await pool.ready()
            if monty.installed():
                started = time.perf_counter()
                await monty.run(PASS, policy.limits)
                note("monty, a process per run", started)
    return {
        name: {"p50_ms": statistics.median(ms), "p95_ms": sorted(ms)[int(len(ms) * 0.95)]}
        for name, ms in taken.items()
    }


def footprint(folder: str) -> dict[str, int]:
    """Descriptors, threads, children, files and memory (KiB) of this process now."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "children": len(children),
        "files": sum(1 for _ in Path(folder).iterdir()),
        "memory_kib": int(status.partition("VmRSS:")[2].split()[0]),
    }


async def leak(runs: int, policy: SandboxPolicy) -> dict[str, dict[str, int]]:
    """Footprint after a tenth of `runs` and at the end: runs in the fork server, 1 in 50 cold."""
    job = SandboxRun(code="print('x' * 1000); open('out.txt', 'w').write('y')", collect=("*.txt",))
    kept = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="leak-") as folder:
        tempfile.tempdir = folder
        try:
            async with ForkServer((), policy) as server:
                seen = {}
                for number in range(1, runs + 1):
                    result = await (run(job, policy) if number % 50 == 0 else server.run(job))
                    if result.files != {"out.txt": b"y"}:
                        raise SystemExit(f"run {number} went wrong: {result}")
                    if number == max(1, runs // 10):
                        await anyio.sleep(0.5)  # what is dropped in the background
                        seen["early"] = footprint(folder)
                await anyio.sleep(0.5)
                seen["late"] = footprint(folder)
            seen["after"] = footprint(folder)
        finally:
            tempfile.tempdir = kept
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0, help="leak check over so many runs")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    policy = SandboxPolicy(backend=args.backend)
    isolation = anyio.run(best, policy)
    if args.runs:
        seen = anyio.run(leak, args.runs, policy)
        print(json.dumps({"isolation": isolation, "runs": args.runs, **seen}))
        return
    figures = anyio.run(speed, args.rounds, policy)
    if args.json:
        load = os.getloadavg()[0]
        print(json.dumps({"isolation": isolation, "load": load, "figures": figures}))
        return
    print(f"isolation: {isolation}, {args.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    bare = figures["python -c pass"]["p50_ms"]
    for name, ms in figures.items():
        goal = f"  goal {GOALS[name]:g}" if name in GOALS else ""
        ratio = f"{ms['p50_ms'] / bare:6.2f} x"
        print(f"{name:36} p50 {ms['p50_ms']:7.2f} ms  p95 {ms['p95_ms']:7.2f} ms {ratio}{goal}")


if __name__ == "__main__":
    main()
