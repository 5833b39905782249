"""Plays programs in containers, in a process whose environment says how podman is to work.

Run by `test_containers.py`: `contained.py probe|all|hold`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio

from manyhands.checks.sandbox import (
    Limits,
    SandboxPolicy,
    SandboxRun,
    Session,
    WarmPool,
    best,
    containers,
    run,
    supervise,
)
from manyhands.errors import NoIsolation

POLICY = SandboxPolicy(backend="podman")
MEMORY = 256 << 20
HONEST = """
import os
print(open("in.txt").read(), os.getuid())
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd")][0])
print(*(line.split(":")[0] for line in open("/proc/net/dev") if ":" in line))
open("out.txt", "w").write("made")
print(open("out.txt").read())
"""
# Each child stays below its own limit, together they pass the container's.
CROWD = """
import os, time
for _ in range(4):
    if not os.fork():
        held = bytearray(150 << 20)
        time.sleep(99)
raise SystemExit(os.wait()[1] != 0)
"""
COLD = {
    "honest": SandboxRun(code=HONEST, files={"in.txt": b"given"}),
    "125": SandboxRun(code="raise SystemExit(125)"),
    "crash": SandboxRun(code="import os; os.kill(os.getpid(), 11)"),
    "wall": SandboxRun(code="import time; time.sleep(99)", limits=Limits(wall_s=1)),
    "memory": SandboxRun(code="bytearray(1 << 30)", limits=Limits(memory_bytes=MEMORY)),
    "kernel": SandboxRun(code=CROWD, limits=Limits(memory_bytes=MEMORY)),
}


async def play_all() -> dict[str, Any]:
    seen: dict[str, Any] = {}
    await best(POLICY)
    if containers.has_cgroups():  # the kernel, not our look at the processes, is to end a crowd
        supervise.FIRST_LOOK_S = 600

    async def cold(name: str, job: SandboxRun) -> None:
        done = await run(job, POLICY)
        seen[name] = [done.status, done.exit_code, done.limit, done.stdout + done.stderr]

    async def cancelled() -> None:
        for seconds in (0.01, 0.1, 1):
            with anyio.move_on_after(seconds):
                await run(SandboxRun(code="import time; time.sleep(99)"), POLICY)
        seen["cancelled"] = True

    async def warm() -> None:
        async with WarmPool(("cmath",), size=1, policy=POLICY) as pool:
            code = "import sys; print(sys.stdin.read(), 'cmath' if 'cmath' in sys.modules else '')"
            done = await pool.run(SandboxRun(code=code, stdin=b"given"))
            seen["warm"] = [done.status, done.exit_code, done.limit, done.stdout + done.stderr]

    async def session() -> None:
        source = {"twice.py": "def twice(body): return 2 * body"}
        async with Session(handler="twice:twice", module_files=source, policy=POLICY) as session:
            seen["session"] = (await session.request(21, timeout=60)).value

    async with anyio.create_task_group() as tasks:
        for name, job in COLD.items():
            tasks.start_soon(cold, name, job)
        for task in (cancelled, warm, session):
            tasks.start_soon(task)
    os.environ["CONTAINERS_STORAGE_CONF"] = "/nowhere"
    await cold("cannot", COLD["honest"])
    return seen


async def hold() -> None:
    await best(POLICY)

    async def tell() -> None:
        while not await _running():  # noqa: ASYNC110 another process
            await anyio.sleep(0.1)
        print("holds", flush=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        job = SandboxRun(code="import time; time.sleep(600)", limits=Limits(wall_s=600))
        await run(job, POLICY)


async def _running() -> bool:
    done = await anyio.run_process(["podman", "ps", "--quiet"])
    return bool(done.stdout)


async def main(what: str) -> None:
    if what == "all":
        print(json.dumps(await play_all()))
    elif what == "hold":
        await hold()
    else:
        try:
            print("works", await best(POLICY))
        except NoIsolation as error:
            print(error)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
