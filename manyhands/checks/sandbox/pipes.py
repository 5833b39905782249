"""What warm workers and the fork server share: pipes of one run, the control socket, its end."""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from manyhands.checks.sandbox.contracts import Limits, RunStatus
from manyhands.checks.sandbox.scratch import Scratch
from manyhands.checks.sandbox.supervise import Capped, Outcome, Stop, Tree, classify
from manyhands.clean import clean_bytes
from manyhands.errors import InputError, SandboxError

__all__ = ["PIPE_GRACE_S", "Pipes", "Worker", "await_ready", "outcome", "receive", "send"]

Halt = Callable[[RunStatus, str], None]

PIPE_GRACE_S = 0.5  # a child of the program may hold the pipes
_START_S = 60.0
_CHUNK = 1 << 16
_MESSAGE_BYTES = 60_000


class Pipes:
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
class Worker:
    tree: Tree
    scratch: Scratch

    async def drop(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.tree.__aexit__(None, None, None)
            await anyio.to_thread.run_sync(self.scratch.remove)


async def await_ready(tree: Tree, name: str) -> None:
    with anyio.move_on_after(_START_S):
        assert tree.control is not None
        if await receive(tree.control) == b"R":
            return
    words = clean_bytes(tree.log_tail()).strip()[-500:]
    raise SandboxError(
        f"The {name} did not start: {words or 'it ended without a word'}",
        hint="Run `manyhands sandbox probe` to see what works here.",
    )


def outcome(
    code: int | None, pipes: Pipes, stop: Stop | None, seconds: float, limits: Limits
) -> Outcome:
    status, exit_code, limit = classify(code, pipes.err.value(), limits)
    if stop is not None:
        status, limit = stop.status, stop.limit
    return Outcome(status, exit_code, pipes.out.value(), pipes.err.value(), seconds, limit)


def send(control: socket.socket, message: Mapping[str, object], descriptors: list[int]) -> None:
    """Raises InputError for a message that is too long, OSError when nobody listens."""
    text = json.dumps(message).encode()
    if len(text) > _MESSAGE_BYTES:
        raise InputError(
            f"The program's arguments have more than {_MESSAGE_BYTES} bytes.",
            hint="Give long input as a file or on standard input.",
        )
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    control.sendmsg([text], extra if descriptors else [])


async def receive(control: socket.socket) -> bytes:
    while True:
        try:
            return control.recv(1 << 16)
        except BlockingIOError:
            await anyio.wait_readable(control)
        except ConnectionError:
            return b""
