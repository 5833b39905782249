"""A fork server for batteries: every program gets a process forked from one with libraries loaded.

On bubblewrap each program gets fresh user, process, mount, network and IPC namespaces, on both
tiers fresh fences, pipes and folders. Gives the results of `runner.run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
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
from manyhands.checks.sandbox.layers import fences, hidden_roots, rlimits, server_command
from manyhands.checks.sandbox.pipes import PIPE_GRACE_S, Pipes, Worker, await_ready, outcome, send
from manyhands.checks.sandbox.runner import best_python, told
from manyhands.checks.sandbox.scratch import Scratch, sweep
from manyhands.checks.sandbox.supervise import Outcome, Stop, Tree, disk_limit
from manyhands.checks.sandbox.warm import PRELOAD
from manyhands.errors import NoIsolation

__all__ = ["ForkServer"]

_KILL_GRACE_S = 2.0
_DISK_POLL_S = 0.05


@dataclass(slots=True)
class _Fork:
    """One forked process that waits for its program, or runs it.

    Attributes:
        done: end of the pipe on which keeper and server, not the program, tell its end.
        go: end of the pipe that starts it; -1 once used.
        said: what came on `done`: code, memory, disk.
        gone: set when every process of the fork is dead.
    """

    number: int
    server: Worker
    scratch: Scratch
    limits: Limits
    pipes: Pipes
    done: int
    go: int
    said: dict[str, int] = field(default_factory=dict)
    ended: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)
    listening: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def listen(self) -> None:
        """Hear how the fork ends, and that all of it has ended."""
        with self.listening:
            await self._listen()

    async def _listen(self) -> None:
        text = b""
        while True:
            try:
                chunk = os.read(self.done, 4096)
            except BlockingIOError:
                await anyio.wait_readable(self.done)
                continue
            text += chunk
            for line in text.split(b"\n")[:-1]:
                for key, value in json.loads(line).items():
                    self.said.setdefault(key, value)
            if b"\n" in text or not chunk:
                self.ended.set()
            if not chunk:
                self.gone.set()
                return

    def start(self, job: SandboxRun) -> None:
        self.scratch.fill(job)
        (self.scratch.config / "stdin").write_bytes(job.stdin)
        self._tell("watch")
        with contextlib.suppress(BrokenPipeError):  # a dead fork is heard on `done`
            os.write(self.go, json.dumps(job.args).encode() + b"\n")
        self._leave_go()

    def _leave_go(self) -> None:
        if self.go >= 0:
            os.close(self.go)
            self.go = -1

    def _tell(self, what: str) -> None:
        control = self.server.tree.control
        assert control is not None
        with contextlib.suppress(OSError):  # a dead server is heard on `done`
            send(control, {what: self.number}, [])

    async def end(self) -> None:
        """End every process of the fork."""
        self._leave_go()  # one that still waits ends by itself
        if not self.gone.is_set():
            self._tell("kill")
            with anyio.move_on_after(_KILL_GRACE_S):
                await self.gone.wait()
        if not self.gone.is_set():  # the server does not obey: end it with all its forks
            await self.server.tree.end()
            with anyio.move_on_after(_KILL_GRACE_S):
                await self.gone.wait()

    async def drop(self) -> None:
        """End it and give back its folder and descriptors."""
        with anyio.CancelScope(shield=True):
            await self.end()
            self.listening.cancel()
            await anyio.lowlevel.checkpoint()
            os.close(self.done)
            self.pipes.close()
            await anyio.to_thread.run_sync(self.scratch.remove)


class ForkServer:
    """Forks every program from one process that has the libraries loaded.

    Use as an async context manager; `run` from any task inside, several at a time. `ahead` forks
    wait behind their fences for a program, so that a program does not wait for its fork. A server
    that dies is started again by the next run. Jobs with limits of their own are forked on call.
    """

    def __init__(
        self,
        preload: Sequence[str] = PRELOAD,
        policy: SandboxPolicy | None = None,
        *,
        ahead: int = 1,
    ) -> None:
        self._preload = tuple(preload)
        self._policy = policy or SandboxPolicy()
        self._ahead = ahead
        self._isolation = Isolation.NONE
        self._python = Path()
        self._server: Worker | None = None
        self._starting = anyio.Lock()
        self._waiting: list[_Fork] = []
        self._count = 0
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> ForkServer:
        self._isolation = await best_python(self._policy, "The fork server")
        if self._isolation not in (Isolation.BWRAP, Isolation.LANDLOCK):
            raise NoIsolation(
                f"The fork server has no fences for isolation {self._isolation.value!r}.",
                hint="Use `WarmPool` or `run` there.",
            )
        self._python = await ensure_environment()
        await anyio.to_thread.run_sync(sweep)
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._tasks is not None
        server, self._server = self._server, None
        if server is not None:  # ends all forks: who waits for their end is done at once
            with anyio.CancelScope(shield=True):
                await server.tree.end()
        for fork in self._waiting:
            self._tasks.start_soon(fork.drop)
        self._waiting = []
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            if server is not None:
                await server.drop()

    async def ready(self) -> None:
        """Start the server now rather than at the first run. Raises SandboxError."""
        await self._get()

    async def run(self, job: SandboxRun) -> SandboxResult:
        """Run one program in a fork of its own. Raises as `runner.run` does, and SandboxError."""
        assert self._tasks is not None
        limits = job.limits or self._policy.limits
        fork = await self._fork(limits)
        try:
            fork.start(job)
            ended = await _converse(fork, limits)
            if not job.collect:
                return told(ended, job, fork.scratch, self._isolation)
            await fork.end()  # files are read only when nobody can change them any more
            return await anyio.to_thread.run_sync(told, ended, job, fork.scratch, self._isolation)
        finally:
            self._tasks.start_soon(fork.drop)
            self._tasks.start_soon(self._top_up)  # now: it would slow the run down

    async def _top_up(self) -> None:
        """Make the forks that wait for the next callers."""
        server = self._server
        with contextlib.suppress(OSError):  # the next run makes its own, and tells
            while (
                server is not None
                and server is self._server
                and server.tree.process.returncode is None
                and len(self._waiting) < self._ahead
            ):
                self._waiting.append(self._make(server, self._policy.limits))

    async def _fork(self, limits: Limits) -> _Fork:
        """A fork that waits for its program."""
        server = await self._get()
        found = None
        while self._waiting and found is None and limits == self._policy.limits:
            fork = self._waiting.pop()
            if fork.server is server and not fork.ended.is_set():
                found = fork
            else:
                assert self._tasks is not None
                self._tasks.start_soon(fork.drop)
        return found or self._make(server, limits)

    def _make(self, server: Worker, limits: Limits) -> _Fork:
        assert self._tasks is not None
        control = server.tree.control
        assert control is not None
        scratch = Scratch.make(parent=server.scratch.root)  # the server has read its font cache
        self._count += 1
        with contextlib.ExitStack() as undo:
            undo.callback(scratch.remove)
            pipes = Pipes(limits)
            undo.callback(pipes.close)
            (done, done_write), (go_read, go) = os.pipe(), os.pipe()
            (scratch.config / "stdin").touch()
            inside = self._isolation is Isolation.BWRAP
            folder = Path("/pool") / scratch.root.name if inside else scratch.root
            read, write = fences(self._isolation, self._python, folder)
            message = {
                "run": self._count, "folder": str(folder), "read": read, "write": write,
                "hidden": hidden_roots(self._python) if inside else [],
                "stdin": "/sandbox.config/stdin" if inside else f"{folder}/config/stdin",
                "limits": rlimits(limits),
            }  # fmt: skip
            try:
                with contextlib.suppress(ConnectionError):  # a dead server is seen on `done`
                    send(control, message, [*pipes.write_ends, done_write, go_read])
            finally:
                os.close(done_write)
                os.close(go_read)
            pipes.sent()
            os.set_blocking(done, False)
            undo.pop_all()
        fork = _Fork(self._count, server, scratch, limits, pipes, done, go)
        self._tasks.start_soon(fork.listen)
        return fork

    async def _get(self) -> Worker:
        async with self._starting:
            server = self._server
            if server is not None and server.tree.process.returncode is not None:
                self._server = None
                await server.drop()
                server = None
            if server is None:
                server = self._server = await self._start()
            return server

    async def _start(self) -> Worker:
        pool = Scratch.make(font_cache(self._python))
        mode = "bwrap" if self._isolation is Isolation.BWRAP else "landlock"
        spec = json.dumps({"preload": self._preload, "mode": mode})
        try:
            started = server_command(self._python, pool, self._isolation, spec)
            tree = Tree(started, self._isolation, self._policy.limits, pool, control=True)
            await tree.__aenter__()
        except BaseException:
            pool.remove()
            raise
        server = Worker(tree, pool)
        try:
            await await_ready(tree, "fork server")
        except BaseException:
            await server.drop()
            raise
        return server


async def _converse(fork: _Fork, limits: Limits) -> Outcome:
    """Read a started program's output and watch it until it ends or a limit ends it."""
    started = time.monotonic()
    stop: Stop | None = None
    over, drained = anyio.Event(), anyio.Event()

    def halt(status: RunStatus, limit: str) -> None:
        nonlocal stop
        stop = stop or Stop(status, limit)
        over.set()

    async def drain() -> None:
        await fork.pipes.read(halt)
        drained.set()

    async def hear() -> None:
        await fork.ended.wait()
        with anyio.move_on_after(PIPE_GRACE_S):
            await drained.wait()
        over.set()

    async def watch_disk() -> None:
        while True:
            await anyio.sleep(_DISK_POLL_S)
            full = await anyio.to_thread.run_sync(disk_limit, fork.scratch, limits)
            if full:
                halt(RunStatus.DISK, full)

    async with anyio.create_task_group() as tasks:
        for task in (drain, hear, watch_disk):
            tasks.start_soon(task)
        with anyio.move_on_after(limits.wall_s):
            await over.wait()
        if not over.is_set():
            halt(RunStatus.TIMEOUT, f"wall_s={limits.wall_s:g}")
        tasks.cancel_scope.cancel()
    seconds = time.monotonic() - started
    if fork.said.get("memory"):
        stop = stop or Stop(RunStatus.MEM, f"memory_bytes={limits.memory_bytes}")
    if fork.said.get("disk"):
        stop = stop or Stop(RunStatus.DISK, f"disk_bytes={limits.disk_bytes}")
    full = "" if stop else disk_limit(fork.scratch, limits)
    if full:
        stop = Stop(RunStatus.DISK, full)
    code = fork.said.get("code", -9) if fork.ended.is_set() else None
    return outcome(code, fork.pipes, stop, seconds, limits)
