"""A line-by-line talk with an untrusted program while it runs in the sandbox."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxPolicy,
    SandboxRun,
)
from manyhands.checks.sandbox.environment import ensure_environment, font_cache
from manyhands.checks.sandbox.layers import Command, command
from manyhands.checks.sandbox.runner import best_python
from manyhands.checks.sandbox.scratch import Scratch
from manyhands.checks.sandbox.supervise import Capped, Outcome, Tree

__all__ = ["INSIDE", "MAX_LINE", "Link", "LinkEnded", "inside_files", "open_link"]

#: Scripts for the sandbox's Python.
INSIDE = Path(__file__).parent / "inside"
MAX_LINE = 8 * 1024 * 1024  # bytes of one message


class LinkEnded(Exception):
    """The program is gone or broke the protocol; the message says how it ended."""


def inside_files(*names: str) -> dict[str, bytes]:
    """The scripts `names` of this room, ready for `SandboxRun.files`."""
    return {name: (INSIDE / name).read_bytes() for name in names}


class _TalkingTree(Tree):
    """A watched process tree whose standard input stays open and whose output is passed on."""

    def __init__(
        self, started: Command, isolation: Isolation, limits: Limits, scratch: Scratch
    ) -> None:
        super().__init__(started, isolation, limits, scratch)
        pair = anyio.create_memory_object_stream[bytes](64)
        self._chunks: MemoryObjectSendStream[bytes] = pair[0]
        self.chunks: MemoryObjectReceiveStream[bytes] = pair[1]

    async def __aenter__(self) -> _TalkingTree:
        await super().__aenter__()
        return self

    async def _feed(self, stdin: bytes) -> None:
        del stdin

    async def _read(
        self, stream: ByteReceiveStream, into: Capped, name: str, done: anyio.Event
    ) -> None:
        if name != "stdout":
            await super()._read(stream, into, name, done)
            return
        # The size of each message is limited by `Link.receive`, which stops reading.
        try:
            async with self._chunks:
                async for chunk in stream:
                    await self._chunks.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        finally:
            done.set()


class Link:
    """The host's end of the pipes of one sandboxed program."""

    def __init__(self, tree: _TalkingTree, isolation: Isolation) -> None:
        self._tree = tree
        self._buffer = bytearray()
        self.isolation = isolation
        self.outcome: Outcome | None = None

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message. Raises LinkEnded."""
        stdin = self._tree.process.stdin
        if stdin is None:
            raise LinkEnded("its standard input is closed")
        try:
            await stdin.send(json.dumps(message).encode() + b"\n")
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise LinkEnded(self.why()) from None

    async def receive(self) -> dict[str, Any]:
        """The next message. Raises LinkEnded when there is none, or it is too long or no JSON."""
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                break
            if len(self._buffer) > MAX_LINE:
                raise LinkEnded(f"a message longer than {MAX_LINE} bytes")
            try:
                self._buffer += await self._tree.chunks.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                raise LinkEnded(self.why()) from None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise LinkEnded("a message that is not JSON") from None
        if not isinstance(message, dict):
            raise LinkEnded("a message that is not an object")
        return message

    def why(self) -> str:
        """How the program ended, in words."""
        if self.outcome is None:
            return "the process closed its output"
        if self.outcome.status is RunStatus.OK:
            return "the process ended by itself"
        return f"the process ended: {self.outcome.limit or self.outcome.status.value}"

    async def watch(self) -> None:
        """Hold the limits on the program until it ends."""
        self.outcome = await self._tree.watch(b"")


@contextlib.asynccontextmanager
async def open_link(job: SandboxRun, policy: SandboxPolicy | None = None) -> AsyncIterator[Link]:
    """Start `job` in a sandbox of its own and talk with it; leaving ends every process of it.

    `job.stdin` and `job.collect` are not used. Raises NoIsolation and HandsEnvironmentError.
    """
    policy = policy or SandboxPolicy()
    isolation = await best_python(policy, "This check")
    python = await ensure_environment()
    limits = job.limits or policy.limits
    scratch = Scratch.make(font_cache(python))
    try:
        scratch.fill(job)
        started = command(isolation, python, scratch, limits, ("main.py", *job.args))
        async with _TalkingTree(started, isolation, limits, scratch) as tree, tree.chunks:
            link = Link(tree, isolation)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(link.watch)
                try:
                    yield link
                finally:
                    tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(scratch.remove)
