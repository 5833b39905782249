"""Watching one sandboxed process tree from outside, and ending it to the last process."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

import anyio
from anyio.abc import ByteReceiveStream, Process

from manyhands.checks.sandbox import containers
from manyhands.checks.sandbox.contracts import Isolation, Limits, RunStatus
from manyhands.checks.sandbox.inside import watch
from manyhands.checks.sandbox.inside.watch import TreeUse
from manyhands.checks.sandbox.layers import Command
from manyhands.checks.sandbox.namespace_init import NamespaceInit
from manyhands.checks.sandbox.scratch import Scratch

__all__ = ["FIRST_LOOK_S", "Capped", "Outcome", "Stop", "Tree", "classify", "disk_limit"]

_POLL_S = 0.025
FIRST_LOOK_S = _POLL_S  # before, nothing is used, and who waits would wait longer
_DISK_POLL_S = 0.05
_DEATH_GRACE_S = 3.0
_CONTAINER_GRACE_S = 15.0  # a start that is broken off leaves more than a container
_PIPE_GRACE_S = 0.5
_CHUNK = 1 << 16
_REFUSED_CODE = 125
_TASK_MARGIN = 8  # the isolation's own processes
_FASTEST = 50e9  # bytes per second that no program writes: several cores' memory bandwidth


class Capped:
    """Head and tail of a stream, and how long it was. Memory stays below `keep` + one chunk."""

    def __init__(self, keep: int) -> None:
        self._half = max(1, keep // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            self._tail += chunk
            if len(self._tail) > self._half:
                del self._tail[: len(self._tail) - self._half]

    def value(self) -> bytes:
        left_out = self.total - len(self._head) - len(self._tail)
        if not left_out:
            return bytes(self._head + self._tail)
        note = f"\n... {left_out} bytes left out ...\n".encode()
        return bytes(self._head) + note + bytes(self._tail)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process tree ended; `limit` names the limit that ended it, with its value."""

    status: RunStatus
    exit_code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    limit: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Which limit ended a tree."""

    status: RunStatus
    limit: str


class Tree:
    """One started command and everything below it. Use as an async context manager.

    Leaving the block ends every process of the tree, also on cancellation.
    """

    def __init__(
        self,
        command: Command,
        isolation: Isolation,
        limits: Limits,
        scratch: Scratch,
        *,
        log: bool = False,
        control: bool = False,
    ) -> None:
        """With `log` standard error goes to a file of the run folder instead of a pipe.

        With `control` standard input is a socket pair (`self.control` is our end, messages keep
        their bounds and may carry descriptors), and standard output goes to that file too.
        """
        self._command = command
        self.isolation = isolation
        self.limits = limits
        self._scratch = scratch
        self._with_control = control
        self.control: socket.socket | None = None
        self._log = scratch.root / "stderr.log" if log or control else None
        self._init = NamespaceInit(command.pidfile)
        self._process: Process | None = None
        self.stop: Stop | None = None
        self.ended = anyio.Event()

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("the tree is not started")
        return self._process

    async def __aenter__(self) -> Tree:
        try:
            # A start that is given up half-way would leave a process that nobody knows.
            with anyio.CancelScope(shield=True):
                await self._open()
        except BaseException:
            if self.control is not None:
                self.control.close()
            self._init.close()
            raise
        return self

    async def _open(self) -> None:
        argv = list(self._command.argv)
        with contextlib.ExitStack() as opened:
            stderr = opened.enter_context(self._log.open("wb")) if self._log else subprocess.PIPE
            pass_fds = self._init.open(argv, opened)
            stdin: socket.socket | int = subprocess.PIPE
            if self._with_control:
                self.control, stdin = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.control.setblocking(False)
                opened.callback(stdin.close)
            self._process = await anyio.open_process(
                argv,
                stdin=stdin.fileno() if isinstance(stdin, socket.socket) else stdin,
                stdout=stderr if self._with_control else subprocess.PIPE,
                stderr=stderr,
                env=self._command.env,
                cwd=self._command.cwd,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    def log_tail(self) -> bytes:
        """The last words on standard error of a tree that was made with `log`."""
        return self._log.read_bytes()[-4000:] if self._log else b""

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.end()
            if self.control is not None:
                self.control.close()
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    await _drain(stream)
            for end in (self.process.stdin, self.process.stdout, self.process.stderr):
                if end is not None:
                    with contextlib.suppress(OSError, anyio.BrokenResourceError):
                        await end.aclose()

    async def watch(self, stdin: bytes) -> Outcome:
        """Feed, read and watch until the tree ends by itself or by a limit."""
        limits = self.limits
        if not await self._init.begun():
            self.halt(RunStatus.REFUSED, "")
        started = time.monotonic()
        out, err = Capped(limits.output_kept_bytes), Capped(limits.output_kept_bytes)
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout is not None and stderr is not None  # noqa: PT018
        async with anyio.create_task_group() as tasks:
            readers = [anyio.Event(), anyio.Event()]
            tasks.start_soon(self._feed, stdin)
            tasks.start_soon(self._read, stdout, out, "stdout", readers[0])
            tasks.start_soon(self._read, stderr, err, "stderr", readers[1])
            tasks.start_soon(self.watch_processes)
            tasks.start_soon(self.watch_disk)
            tasks.start_soon(self._wait)
            with anyio.move_on_after(limits.wall_s):
                await self.ended.wait()
            if not self.ended.is_set():
                self.halt(RunStatus.TIMEOUT, f"wall_s={limits.wall_s:g}")
            await self.end()
            seconds = time.monotonic() - started
            with anyio.move_on_after(_PIPE_GRACE_S):  # nobody holds the pipes any more
                for reader in readers:
                    await reader.wait()
            tasks.cancel_scope.cancel()
        code = self.process.returncode
        status, exit_code, limit = classify(code, err.value(), limits)
        if self.stop is not None:
            status, limit = self.stop.status, self.stop.limit
        if status is RunStatus.REFUSED:
            exit_code = None
        return Outcome(status, exit_code, out.value(), err.value(), seconds, limit)

    def halt(self, status: RunStatus, limit: str) -> None:
        if self.stop is None:
            self.stop = Stop(status, limit)
        self.ended.set()

    async def wait(self) -> int:
        """Wait for the outermost process's own end; its exit code."""
        code = await self.process.wait()
        said = self._init.said()
        if said and b"M" in said:
            self.halt(RunStatus.MEM, f"memory_bytes={self.limits.memory_bytes}")
        elif said == b"":  # no program ran: podman's own words are on standard error
            self.halt(RunStatus.REFUSED, "")
        return code

    async def _wait(self) -> None:
        await self.wait()
        self.ended.set()

    async def _feed(self, stdin: bytes) -> None:
        stream = self.process.stdin
        assert stream is not None
        with contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            if stdin:
                await stream.send(stdin)
            await stream.aclose()

    async def _read(
        self, stream: ByteReceiveStream, into: Capped, name: str, done: anyio.Event
    ) -> None:
        try:
            while True:
                into.add(await stream.receive(_CHUNK))
                if into.total > self.limits.output_kill_bytes:
                    self.halt(
                        RunStatus.OUTPUT,
                        f"output_kill_bytes={self.limits.output_kill_bytes} on {name}",
                    )
                    return
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return
        finally:
            done.set()

    async def watch_processes(self, since_s: float = 0.0) -> None:
        """End the tree when it passes its limits on memory or processes.

        Args:
            since_s: how long its program runs already.
        """
        limits, pause = self.limits, FIRST_LOOK_S - since_s
        if not os.path.isdir("/proc/self/task"):  # noqa: ASYNC240, PTH112
            return
        while not self.ended.is_set():
            await anyio.sleep(pause)
            pause = _POLL_S
            use = self.use()
            if use.memory_bytes > limits.memory_bytes:
                self.halt(RunStatus.MEM, f"memory_bytes={limits.memory_bytes}")
            elif use.tasks > limits.processes + _TASK_MARGIN:
                self.halt(RunStatus.ERROR, f"processes={limits.processes}")

    def use(self) -> TreeUse:
        """What its processes use now."""
        self._init.look()
        return watch.tree_use(self._root(), self.limits.memory_bytes)

    def _root(self) -> int:
        """The process above all that are watched; 0 while a container has none yet."""
        return self.process.pid if self._command.pidfile is None else self._init.pid

    async def watch_disk(self, since_s: float = 0.0) -> None:
        """The same for its limits on files."""
        pause = _DISK_POLL_S - since_s
        while not self.ended.is_set():
            await anyio.sleep(pause)
            started = time.monotonic()
            stop = await anyio.to_thread.run_sync(self._disk_stop)
            if stop is not None:
                self.halt(stop.status, stop.limit)
                return
            pause = max(_DISK_POLL_S, 5 * (time.monotonic() - started))

    def over_disk(self, seconds: float = math.inf) -> bool:
        """Whether the run's files pass their limits; notes it when they do.

        Args:
            seconds: how long the program ran. What it holds without a name is not looked for
                when no machine could have written as much as is allowed in that time.
        """
        least = min(self.limits.disk_bytes, self.limits.memory_bytes // watch.KERNEL_SHARE)
        stop = self._disk_stop(nameless=seconds > least / _FASTEST)
        if stop is not None:
            self.halt(stop.status, stop.limit)
        return stop is not None

    def _disk_stop(self, *, nameless: bool = True) -> Stop | None:
        alive = nameless and self.process.returncode is None
        held = watch.held(self._root()) if alive else watch.Held(0, 0)
        limit = disk_limit(self._scratch, self.limits, held.disk_bytes)
        if limit:
            return Stop(RunStatus.DISK, limit)
        if held.kernel_bytes > self.limits.memory_bytes // watch.KERNEL_SHARE:
            return Stop(RunStatus.MEM, f"memory_bytes={self.limits.memory_bytes} in the kernel")
        return None

    def kill(self) -> None:
        """Send the end to every process without waiting for it; `end` waits."""
        self._init.kill()
        if self.process.returncode is None:
            self._kill(force=False)

    async def end(self) -> None:
        """Kill every process of the tree and wait until all are gone."""
        process = self.process
        contained = self.isolation is Isolation.PODMAN
        deadline = time.monotonic() + (_CONTAINER_GRACE_S if contained else _DEATH_GRACE_S)
        while process.returncode is None:
            self._init.kill()
            force = time.monotonic() > deadline
            self._kill(force=force)
            if force and contained:
                await process.wait()
                await anyio.to_thread.run_sync(containers.remove, self._scratch.root.name)
            with anyio.move_on_after(_POLL_S):
                await process.wait()
        await self._init.gone()  # bwrap ends before the init of its namespace does

    def _kill(self, *, force: bool) -> None:
        """Kill what does not die with the init of a namespace."""
        pid = self.process.pid
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.isolation is Isolation.PODMAN:  # it ends after its container
                if force:
                    os.kill(pid, signal.SIGKILL)
            elif self.isolation is Isolation.BWRAP:
                # Before it has told its init's number that one waits for it, and would for ever.
                if force:
                    os.kill(pid, signal.SIGKILL)
            elif not force:
                os.kill(pid, signal.SIGTERM)  # the keeper ends what is below it
            else:
                for below in watch.descendants(pid):
                    os.kill(below, signal.SIGKILL)


async def _drain(stream: ByteReceiveStream) -> None:
    """Read what dead processes left: asyncio closes a pipe at its end only."""
    with (
        anyio.move_on_after(_PIPE_GRACE_S),
        contextlib.suppress(
            anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError
        ),
    ):
        while True:
            await stream.receive(_CHUNK)


def disk_limit(scratch: Scratch, limits: Limits, nameless_bytes: int = 0) -> str:
    """Which limit the files of a run pass, with its value; empty when none.

    Args:
        nameless_bytes: size of files that are deleted and still open.
    """
    use = watch.disk_use(str(scratch.root), limits.disk_bytes, limits.files)
    if use.allocated_bytes + nameless_bytes > limits.disk_bytes:
        return f"disk_bytes={limits.disk_bytes}"
    return f"files={limits.files}" if use.entries > limits.files else ""


def classify(code: int | None, stderr: bytes, limits: Limits) -> tuple[RunStatus, int | None, str]:
    """Read status, exit code (negative: signal) and limit from how the outermost process ended."""
    if code is None:
        return RunStatus.SIGNAL, None, ""
    if code > 128:  # the shell's convention, used by bwrap and by the keeper
        code = 128 - code
    if code == 0:
        return RunStatus.OK, 0, ""
    if code < 0:
        if -code == getattr(signal, "SIGXCPU", None):
            return RunStatus.TIMEOUT, code, f"cpu_s={math.ceil(limits.cpu_s)}"
        if -code == getattr(signal, "SIGXFSZ", None):
            return RunStatus.DISK, code, f"file_bytes={limits.file_bytes}"
        return RunStatus.SIGNAL, code, ""
    last = stderr.rstrip().rpartition(b"\n")[2]
    if code == _REFUSED_CODE and last.startswith(b"manyhands sandbox:"):
        return RunStatus.REFUSED, None, ""
    if last.startswith((b"MemoryError", b"numpy._core._exceptions._ArrayMemoryError")):
        return RunStatus.MEM, code, f"memory_bytes={limits.memory_bytes}"
    return RunStatus.ERROR, code, ""
