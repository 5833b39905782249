"""Single-use workers for interactive calls: libraries are loaded before the program comes.

A worker loads libraries behind its fences, runs one program, and is thrown away, so nothing that
a program does to its interpreter meets another program. Gives the results of `runner.run`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.environment import ensure_environment, font_cache
from manyhands.checks.sandbox.layers import OWN_FILES, command, inside_path, rlimits
from manyhands.checks.sandbox.pipes import (
    PIPE_GRACE_S,
    Pipes,
    Worker,
    await_ready,
    outcome,
    receive,
    send,
)
from manyhands.checks.sandbox.runner import best_python, told
from manyhands.checks.sandbox.scratch import Scratch, sweep
from manyhands.checks.sandbox.supervise import FIRST_LOOK_S, Outcome, Tree
from manyhands.errors import SandboxError

__all__ = ["PRELOAD", "WarmPool"]

PRELOAD = ("numpy", "pandas", "matplotlib.pyplot")

_IMPORT_CPU_S = 20.0  # processor time that loading libraries may take, on top of the program's


class WarmPool:
    """Keeps `size` workers ready. Use as an async context manager; `run` from any task inside.

    A run takes a ready worker and starts another one in the background, so memory stays bounded by
    `size` idle workers (about 90 MB each with the default libraries) plus the runs under way.
    A job may ask for smaller limits than the policy's, never for larger ones.
    """

    def __init__(
        self,
        preload: Sequence[str] = PRELOAD,
        size: int = 2,
        policy: SandboxPolicy | None = None,
    ) -> None:
        self._preload = tuple(preload)
        self._size = size
        self._policy = policy or SandboxPolicy()
        self._isolation = Isolation.NONE
        self._python = Path()
        # A worker that could not be started is an error in the place of the worker.
        self._offer, self._offered = anyio.create_memory_object_stream[Worker | SandboxError](size)
        self._full = anyio.Event()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> WarmPool:
        try:
            self._isolation = await best_python(self._policy, "A warm worker")
            self._python = await ensure_environment()
        except BaseException:
            self._offer.close()
            self._offered.close()
            raise
        await anyio.to_thread.run_sync(sweep)
        self._tasks = await anyio.create_task_group().__aenter__()
        for _ in range(self._size):
            self._tasks.start_soon(self._refill)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        self._offer.close()
        with anyio.CancelScope(shield=True):
            async for idle in self._offered:
                if isinstance(idle, Worker):
                    await idle.drop()
        self._offered.close()

    async def ready(self) -> None:
        """Wait until every worker is ready or known not to start."""
        await self._full.wait()

    async def run(self, job: SandboxRun) -> SandboxResult:
        """Run one program in a worker of its own. Raises as `runner.run` does, and SandboxError."""
        assert self._tasks is not None
        limits = job.limits or self._policy.limits
        worker = await self._take()
        dropped = False
        try:
            worker.scratch.fill(job)
            worker.tree.limits = limits
            ended = await _converse(worker, job, limits)
            if job.collect:  # files are read only when nobody can change them any more
                dropped = True
                await worker.tree.__aexit__(None, None, None)
                return await anyio.to_thread.run_sync(
                    told, ended, job, worker.scratch, self._isolation
                )
            return told(ended, job, worker.scratch, self._isolation)
        finally:
            with anyio.CancelScope(shield=True):
                if dropped:
                    await anyio.to_thread.run_sync(worker.scratch.remove)
                else:
                    worker.tree.kill()
                    self._tasks.start_soon(worker.drop)
                self._tasks.start_soon(self._refill)  # now: it would slow the run down

    async def _take(self) -> Worker:
        assert self._tasks is not None
        while True:
            offered = await self._offered.receive()
            if self._full.is_set():
                self._full = anyio.Event()
            if isinstance(offered, Worker) and offered.tree.process.returncode is None:
                return offered
            self._tasks.start_soon(self._refill)
            if isinstance(offered, SandboxError):
                raise offered
            await offered.drop()  # it died while it waited

    async def _refill(self) -> None:
        offered: Worker | SandboxError
        try:
            offered = await self._start()
        except SandboxError as error:
            offered = error
        except OSError as error:
            offered = SandboxError(
                f"A warm worker cannot be started: {error.strerror}.",
                hint="Close other programs and try again.",
            )
        try:
            await self._offer.send(offered)
        except BaseException:
            if isinstance(offered, Worker):
                await offered.drop()
            raise
        if self._offered.statistics().current_buffer_used == self._size:
            self._full.set()

    async def _start(self) -> Worker:
        limits = self._policy.limits
        scratch = Scratch.make(font_cache(self._python))
        try:
            started = command(
                self._isolation, self._python, scratch,
                replace(limits, cpu_s=limits.cpu_s + _IMPORT_CPU_S),
                (
                    inside_path(self._isolation, "warm_worker.py"),
                    json.dumps({"preload": self._preload}),
                ),
            )  # fmt: skip
            tree = Tree(started, self._isolation, limits, scratch, control=True)
            await tree.__aenter__()
        except BaseException:
            scratch.remove()
            raise
        worker = Worker(tree, scratch)
        try:
            await await_ready(tree, "warm worker")
        except BaseException:
            await worker.drop()
            raise
        return worker


def _place_stdin(worker: Worker, content: bytes) -> str:
    """Put what the program reads where it can; the path as the program sees it."""
    if not content:
        return os.devnull
    path = worker.scratch.config / "stdin"
    path.write_bytes(content)
    folder = "/sandbox.config" if worker.tree.isolation in OWN_FILES else str(path.parent)
    return f"{folder}/stdin"


async def _converse(worker: Worker, job: SandboxRun, limits: Limits) -> Outcome:
    """Send the job, read its output, watch it, hear its exit code."""
    tree, control = worker.tree, worker.tree.control
    assert control is not None
    pipes = Pipes(limits)
    started = time.monotonic()
    code: int | None = None
    drained = anyio.Event()

    async def drain() -> None:
        await pipes.read(tree.halt)
        drained.set()

    async def hear() -> None:
        nonlocal code
        said = await receive(control)  # the program could have written it: believe a byte at most
        code = int(said) if said.isdigit() and len(said) <= 3 else await tree.wait()
        with anyio.move_on_after(PIPE_GRACE_S):
            await drained.wait()
        tree.ended.set()

    try:
        stdin = _place_stdin(worker, job.stdin)
        message = {"args": job.args, "stdin": stdin, "limits": rlimits(limits)}
        send(control, message, pipes.write_ends)
        pipes.sent()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain)
            tasks.start_soon(hear)
            with anyio.move_on_after(limits.wall_s):
                with anyio.move_on_after(FIRST_LOOK_S):  # most end before anybody would look
                    await tree.ended.wait()
                if not tree.ended.is_set():
                    tasks.start_soon(tree.watch_processes, FIRST_LOOK_S)
                    tasks.start_soon(tree.watch_disk, FIRST_LOOK_S)
                    await tree.ended.wait()
            if not tree.ended.is_set():
                tree.halt(RunStatus.TIMEOUT, f"wall_s={limits.wall_s:g}")
            tasks.cancel_scope.cancel()
        seconds = time.monotonic() - started
        if tree.stop is None:
            tree.over_disk(seconds)  # what the last look missed
        return outcome(code, pipes, tree.stop, seconds, limits)
    finally:
        pipes.close()
