"""Programs that start in milliseconds because their libraries are loaded already.

`WarmPool` keeps single-use workers for interactive calls: a worker loads libraries behind its
fences, runs one program, and is thrown away. `ForkServer` is for batteries of small tests: it
forks a process with fresh namespaces per program from one that has the libraries loaded.
Both give the results of `runner.run`.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from manyhands.checks.sandbox.clean import clean_bytes
from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.environment import ensure_environment, font_cache
from manyhands.checks.sandbox.layers import command, fences, inside_path, rlimits, server_command
from manyhands.checks.sandbox.runner import best, told
from manyhands.checks.sandbox.scratch import Scratch
from manyhands.checks.sandbox.supervise import (
    Capped,
    Outcome,
    Stop,
    Tree,
    classify,
    disk_limit,
)
from manyhands.errors import NoIsolation, SandboxError

__all__ = ["PRELOAD", "ForkServer", "WarmPool"]

PRELOAD = ("numpy", "pandas", "matplotlib.pyplot")
Halt = Callable[[RunStatus, str], None]

_START_S = 60.0
_PIPE_GRACE_S = 0.5
_KILL_GRACE_S = 2.0
_DISK_POLL_S = 0.05
_CHUNK = 1 << 16
_IMPORT_CPU_S = 20.0  # processor time that loading libraries may take, on top of the program's


class _Pipes:
    """Standard output and error of one run, which nobody but its program holds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.out, self.err = (Capped(limits.output_kept_bytes) for _ in range(2))
        (self._out_read, out_write), (self._err_read, err_write) = os.pipe(), os.pipe()
        self.write_ends = [out_write, err_write]
        for fd in (self._out_read, self._err_read):
            os.set_blocking(fd, False)

    async def read(self, halt: Halt) -> None:
        """Read both until their end; too much output halts the run."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, self._out_read, self.out, "stdout", halt)
            tasks.start_soon(self._read, self._err_read, self.err, "stderr", halt)

    async def _read(self, fd: int, into: Capped, name: str, halt: Halt) -> None:
        while True:
            try:
                chunk = os.read(fd, _CHUNK)
            except BlockingIOError:
                await anyio.wait_readable(fd)
                continue
            if not chunk:
                return
            into.add(chunk)
            if into.total > self._limits.output_kill_bytes:
                halt(
                    RunStatus.OUTPUT,
                    f"output_kill_bytes={self._limits.output_kill_bytes} on {name}",
                )
                return
            await anyio.lowlevel.checkpoint()

    def sent(self) -> None:
        for fd in self.write_ends:
            os.close(fd)
        self.write_ends = []

    def close(self) -> None:
        self.sent()
        os.close(self._out_read)
        os.close(self._err_read)


@dataclass(slots=True)
class _Worker:
    tree: Tree
    scratch: Scratch

    async def drop(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.tree.__aexit__(None, None, None)
            await anyio.to_thread.run_sync(self.scratch.remove)


class WarmPool:
    """Keeps `size` workers ready. Use as an async context manager; `run` from any task inside.

    A run takes a ready worker and starts another one in the background, so memory stays bounded by
    `size` idle workers (about 90 MB each with the default libraries) plus the runs under way.
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
        self._ready_in, self._ready = anyio.create_memory_object_stream[_Worker](size)
        self._tasks: TaskGroup | None = None
        self._failure: SandboxError | None = None

    async def __aenter__(self) -> WarmPool:
        self._isolation = await best(self._policy)
        self._python = await ensure_environment()
        self._tasks = await anyio.create_task_group().__aenter__()
        for _ in range(self._size):
            self._tasks.start_soon(self._refill)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        with contextlib.suppress(anyio.WouldBlock, anyio.EndOfStream):
            while True:
                await self._ready.receive_nowait().drop()
        self._ready_in.close()
        self._ready.close()

    async def ready(self) -> None:
        """Wait until every worker is ready."""
        while self._ready.statistics().current_buffer_used < self._size:
            if self._failure is not None:
                raise self._failure
            await anyio.sleep(0.005)

    async def run(self, job: SandboxRun) -> SandboxResult:
        """Run one program in a worker of its own. Raises as `runner.run` does."""
        assert self._tasks is not None
        limits = job.limits or self._policy.limits
        if self._failure is not None:
            raise self._failure
        worker = await self._ready.receive()
        dropped = False
        try:
            worker.scratch.fill(job)
            worker.tree.limits = limits
            outcome = await _converse(worker, job, limits)
            if job.collect:  # files are read only when nobody can change them any more
                dropped = True
                await worker.tree.__aexit__(None, None, None)
            return told(outcome, job, worker.scratch, self._isolation)
        finally:
            with anyio.CancelScope(shield=True):
                if dropped:
                    await anyio.to_thread.run_sync(worker.scratch.remove)
                else:
                    worker.tree.kill()
                    self._tasks.start_soon(worker.drop)
                self._tasks.start_soon(self._refill)  # now: it would slow the run down

    async def _refill(self) -> None:
        try:
            worker = await self._start()
        except SandboxError as error:
            self._failure = error
            return
        try:
            await self._ready_in.send(worker)
        except BaseException:
            await worker.drop()
            raise

    async def _start(self) -> _Worker:
        limits = self._policy.limits
        scratch = Scratch.make(font_cache(self._python))
        spec = json.dumps({"preload": self._preload})
        started = command(
            self._isolation, self._python, scratch,
            replace(limits, cpu_s=limits.cpu_s + _IMPORT_CPU_S),
            (inside_path(self._isolation, "warm_worker.py"), spec),
        )  # fmt: skip
        tree = Tree(started, self._isolation, limits, scratch, control=True)
        await tree.__aenter__()
        worker = _Worker(tree, scratch)
        try:
            await _await_ready(tree, "warm worker")
        except BaseException:
            await worker.drop()
            raise
        return worker


async def _await_ready(tree: Tree, name: str) -> None:
    with anyio.move_on_after(_START_S):
        assert tree.control is not None
        if await _receive(tree.control) == b"R":
            return
    words = clean_bytes(tree.log_tail()).strip()[-500:]
    raise SandboxError(
        f"The {name} did not start: {words or 'it ended without a word'}",
        hint="Run `manyhands sandbox probe` to see what works here.",
    )


async def _converse(worker: _Worker, job: SandboxRun, limits: Limits) -> Outcome:
    """Send the job, read its output, watch it, hear its exit code."""
    tree, control = worker.tree, worker.tree.control
    assert control is not None
    pipes = _Pipes(limits)
    started = time.monotonic()
    code: int | None = None
    drained = anyio.Event()

    async def drain() -> None:
        await pipes.read(tree.halt)
        drained.set()

    async def hear() -> None:
        nonlocal code
        said = await _receive(control)
        code = int(said) if said.isdigit() else await tree.process.wait()
        with anyio.move_on_after(_PIPE_GRACE_S):  # a child of the program may hold the pipes
            await drained.wait()
        tree.ended.set()

    try:
        stdin = worker.scratch.config / "stdin"
        stdin.write_bytes(job.stdin)
        folder = "/sandbox.config" if tree.isolation is Isolation.BWRAP else str(stdin.parent)
        _send(control, {"args": job.args, "stdin": f"{folder}/stdin"}, pipes.write_ends)
        pipes.sent()
        async with anyio.create_task_group() as tasks:
            for task in (tree.watch_processes, tree.watch_disk, drain, hear):
                tasks.start_soon(task)
            with anyio.move_on_after(limits.wall_s):
                await tree.ended.wait()
            if not tree.ended.is_set():
                tree.halt(RunStatus.TIMEOUT, f"wall_s={limits.wall_s:g}")
            tasks.cancel_scope.cancel()
        return _outcome(code, pipes, tree.stop, time.monotonic() - started, limits)
    finally:
        pipes.close()


class ForkServer:
    """Forks every program from one process that has the libraries loaded.

    Use as an async context manager; `run` from any task inside, several at a time. On bubblewrap
    each program gets fresh user, process, mount, network and IPC namespaces. How a program ended
    is said by the server's keeper on a pipe that the program does not hold. A server that dies is
    started again by the next run.
    """

    def __init__(
        self, preload: Sequence[str] = PRELOAD, policy: SandboxPolicy | None = None
    ) -> None:
        self._preload = tuple(preload)
        self._policy = policy or SandboxPolicy()
        self._isolation = Isolation.NONE
        self._python = Path()
        self._server: _Worker | None = None
        self._starting = anyio.Lock()
        self._count = 0

    async def __aenter__(self) -> ForkServer:
        self._isolation = await best(self._policy)
        if self._isolation not in (Isolation.BWRAP, Isolation.LANDLOCK):
            raise NoIsolation(
                f"The fork server has no fences for isolation {self._isolation.value!r}.",
                hint="Use `WarmPool` or `run` there.",
            )
        self._python = await ensure_environment()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def ready(self) -> None:
        """Start the server now rather than at the first run. Raises SandboxError."""
        await self._get()

    async def run(self, job: SandboxRun) -> SandboxResult:
        """Run one program in a fork of its own. Raises as `runner.run` does."""
        limits = job.limits or self._policy.limits
        server = await self._get()
        # Without a font cache: the server has read its own.
        scratch = Scratch.make(parent=server.scratch.root)
        try:
            scratch.fill(job)
            outcome = await self._converse(server, scratch, job, limits)
            return told(outcome, job, scratch, self._isolation)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(scratch.remove)

    async def _converse(
        self, server: _Worker, scratch: Scratch, job: SandboxRun, limits: Limits
    ) -> Outcome:
        control = server.tree.control
        assert control is not None
        self._count += 1
        run = self._count
        pipes, (done, done_write) = _Pipes(limits), os.pipe()
        os.set_blocking(done, False)
        started = time.monotonic()
        said: dict[str, int] = {}
        stop: Stop | None = None
        ended, drained = anyio.Event(), anyio.Event()

        def halt(status: RunStatus, limit: str) -> None:
            nonlocal stop
            stop = stop or Stop(status, limit)
            ended.set()

        async def drain() -> None:
            await pipes.read(halt)
            drained.set()

        async def hear() -> None:
            said.update(await _read_done(done))
            with anyio.move_on_after(_PIPE_GRACE_S):
                await drained.wait()
            ended.set()

        async def watch_disk() -> None:
            while True:
                await anyio.sleep(_DISK_POLL_S)
                over = disk_limit(scratch, limits)
                if over:
                    halt(RunStatus.DISK, over)

        try:
            (scratch.config / "stdin").write_bytes(job.stdin)
            inside = self._isolation is Isolation.BWRAP
            folder = Path("/pool") / scratch.root.name if inside else scratch.root
            read, write = fences(self._isolation, self._python, folder)
            message = {
                "run": run, "folder": str(folder), "args": job.args, "read": read, "write": write,
                "stdin": "/sandbox.config/stdin" if inside else f"{folder}/config/stdin",
                "limits": rlimits(limits),
            }  # fmt: skip
            _send(control, message, [*pipes.write_ends, done_write])
            pipes.sent()
            os.close(done_write)
            done_write = -1
            async with anyio.create_task_group() as tasks:
                for task in (drain, hear, watch_disk):
                    tasks.start_soon(task)
                try:
                    with anyio.move_on_after(limits.wall_s):
                        await ended.wait()
                    if not ended.is_set():
                        halt(RunStatus.TIMEOUT, f"wall_s={limits.wall_s:g}")
                finally:
                    tasks.cancel_scope.cancel()
            seconds = time.monotonic() - started
        finally:
            with anyio.CancelScope(shield=True):
                if not said:
                    await self._kill(server, run, done, said)
                pipes.close()
                os.close(done)
                if done_write >= 0:
                    os.close(done_write)
        if said.get("memory"):
            stop = stop or Stop(RunStatus.MEM, f"memory_bytes={limits.memory_bytes}")
        return _outcome(said.get("code"), pipes, stop, seconds, limits)

    async def _kill(self, server: _Worker, run: int, done: int, said: dict[str, int]) -> None:
        """End one run; when the server does not obey, end the server with all its runs."""
        control = server.tree.control
        assert control is not None
        with contextlib.suppress(OSError), anyio.move_on_after(_KILL_GRACE_S):
            _send(control, {"kill": run}, [])
            said.update(await _read_done(done))
        if not said and self._server is server:
            await self._drop()

    async def _get(self) -> _Worker:
        async with self._starting:
            server = self._server
            if server is not None and server.tree.process.returncode is not None:
                await self._drop()
                server = None
            if server is None:
                server = self._server = await self._start()
            return server

    async def _start(self) -> _Worker:
        pool = Scratch.make(font_cache(self._python))
        mode = "bwrap" if self._isolation is Isolation.BWRAP else "landlock"
        spec = json.dumps({"preload": self._preload, "mode": mode})
        started = server_command(self._python, pool, self._isolation, spec)
        tree = Tree(started, self._isolation, self._policy.limits, pool, control=True)
        await tree.__aenter__()
        server = _Worker(tree, pool)
        try:
            await _await_ready(tree, "fork server")
        except BaseException:
            await server.drop()
            raise
        return server

    async def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.drop()


def _outcome(
    code: int | None, pipes: _Pipes, stop: Stop | None, seconds: float, limits: Limits
) -> Outcome:
    status, exit_code, limit = classify(code, pipes.err.value(), limits)
    if stop is not None:
        status, limit = stop.status, stop.limit
    return Outcome(status, exit_code, pipes.out.value(), pipes.err.value(), seconds, limit)


def _send(control: socket.socket, message: dict[str, object], descriptors: list[int]) -> None:
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    control.sendmsg([json.dumps(message).encode()], extra if descriptors else [])


async def _receive(control: socket.socket) -> bytes:
    while True:
        try:
            return control.recv(1 << 16)
        except BlockingIOError:
            await anyio.wait_readable(control)
        except ConnectionError:
            return b""


async def _read_done(done: int) -> dict[str, int]:
    """What the keeper says at the end of a run; empty when the server died."""
    while True:
        try:
            said = os.read(done, 4096)
        except BlockingIOError:
            await anyio.wait_readable(done)
            continue
        return dict(json.loads(said)) if said else {"code": -9}
