"""A sandboxed worker that stays: our own code on untrusted data, JSON in and out.

    async with Session(handler="parse:handle", module_files={"parse.py": SOURCE},
                       preload=("sympy", "flint")) as session:
        reply = await session.request({"text": "x**2"}, timeout=1.0)

A request that hangs, crashes or takes too much memory ends the worker; the next one gets a new one.
Programs written by a model never run here: they get a fresh process by `runner.run` or `warm`.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from manyhands.checks.sandbox.contracts import Isolation, RunStatus, SandboxPolicy
from manyhands.checks.sandbox.environment import ensure_environment, font_cache
from manyhands.checks.sandbox.layers import command, inside_path
from manyhands.checks.sandbox.runner import best_python
from manyhands.checks.sandbox.scratch import Scratch, sweep
from manyhands.checks.sandbox.supervise import Tree
from manyhands.clean import clean, clean_bytes
from manyhands.errors import SandboxError

__all__ = ["Reply", "Session"]

_START_S = 60.0  # importing SymPy and friends on a cold disk
_LOOK_S = 0.05
_LINE_BYTES = 16 * 1024 * 1024
_A_DAY_S = 86_400  # processor time counts over the worker's life; each request has its own clock


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request.

    Attributes:
        status: OK with `value`; ERROR the handler raised; TIMEOUT, MEM; SIGNAL the worker died.
        value: the handler's JSON value; None unless OK.
        error: one line for the log, cleaned; empty when OK.
        seconds: wall time of the request.
    """

    status: RunStatus
    value: Any
    error: str
    seconds: float
    isolation: Isolation


@dataclass(slots=True)
class _Worker:
    tree: Tree
    scratch: Scratch
    lines: BufferedByteReceiveStream


class Session:
    """One persistent worker at a time, started on the first request, restarted when it dies.

    Args:
        handler: `module:function`; the module comes from `module_files` or the environment.
        module_files: name in the working folder -> source text.
        preload: modules imported before the first request.

    Requests run one after the other; use several sessions for parallel work.
    """

    def __init__(
        self,
        *,
        handler: str,
        module_files: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        policy: SandboxPolicy | None = None,
    ) -> None:
        self._handler = handler
        self._module_files = dict(module_files or {})
        self._preload = tuple(preload)
        self._policy = policy or SandboxPolicy()
        self._limits = replace(self._policy.limits, cpu_s=_A_DAY_S)
        self._worker: _Worker | None = None
        self._isolation = Isolation.NONE
        self._turn = anyio.Lock()
        self._count = 0

    async def __aenter__(self) -> Session:
        await anyio.to_thread.run_sync(sweep)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def start(self) -> None:
        """Start the worker now rather than at the first request. Raises SandboxError."""
        async with self._turn:
            if self._worker is None:
                await self._start()

    async def request(self, body: Any, timeout: float = 5.0) -> Reply:
        """Send one JSON value, wait for its reply. Raises SandboxError when no worker starts."""
        async with self._turn:
            if self._worker is None:
                await self._start()
            worker = self._worker
            assert worker is not None
            self._count += 1
            started = time.monotonic()
            finished = False
            try:
                reply = await self._ask(worker, body, timeout, started)
                finished = reply.status in (RunStatus.OK, RunStatus.ERROR)
                return reply
            finally:
                if not finished:  # its state is unknown, also after a cancellation
                    await self._drop()

    async def _ask(self, worker: _Worker, body: Any, timeout: float, started: float) -> Reply:
        line = json.dumps({"id": self._count, "body": body}).encode() + b"\n"

        def reply(status: RunStatus, value: Any = None, error: str = "") -> Reply:
            took = time.monotonic() - started
            return Reply(status, value, clean(error), took, self._isolation)

        answer: bytes | None = None
        try:
            with anyio.move_on_after(timeout) as clock:
                stdin = worker.tree.process.stdin
                assert stdin is not None
                await stdin.send(line)
                while answer is None:
                    with anyio.move_on_after(_LOOK_S):
                        answer = await worker.lines.receive_until(b"\n", _LINE_BYTES)
                    if answer is None and self._too_big(worker):
                        return reply(RunStatus.MEM, error="the worker took too much memory")
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, OSError,
                anyio.BrokenResourceError, anyio.ClosedResourceError):  # fmt: skip
            return reply(RunStatus.SIGNAL, error="the worker died")
        if answer is None or clock.cancelled_caught:
            return reply(RunStatus.TIMEOUT, error=f"no reply within {timeout:g} s")
        message = json.loads(answer)
        if message.get("id") != self._count:
            return reply(RunStatus.SIGNAL, error="the worker answered another request")
        if message.get("memory"):
            return reply(RunStatus.MEM, error="the worker took too much memory")
        if "error" in message:
            return reply(RunStatus.ERROR, error=str(message["error"]))
        return reply(RunStatus.OK, message["value"])

    def _too_big(self, worker: _Worker) -> bool:
        return worker.tree.use().memory_bytes > self._limits.memory_bytes

    async def _start(self) -> None:
        self._isolation = await best_python(self._policy, "This check")
        python = await ensure_environment()
        scratch = Scratch.make(font_cache(python))
        try:
            for name, text in self._module_files.items():
                (scratch.work / Path(name).name).write_text(text)
            spec = json.dumps({"preload": self._preload, "handler": self._handler})
            program = (inside_path(self._isolation, "session_worker.py"), spec)
            started = command(self._isolation, python, scratch, self._limits, program)
            tree = Tree(started, self._isolation, self._limits, scratch, log=True)
            await tree.__aenter__()
        except BaseException:
            scratch.remove()
            raise
        assert tree.process.stdout is not None
        worker = _Worker(tree, scratch, BufferedByteReceiveStream(tree.process.stdout))
        self._worker = worker
        said = ""
        try:
            with anyio.move_on_after(_START_S):
                message = json.loads(await worker.lines.receive_until(b"\n", _LINE_BYTES))
                if message.get("ready"):
                    return
                said = str(message.get("error", ""))
        except (anyio.EndOfStream, anyio.IncompleteRead, ValueError):
            said = clean_bytes(tree.log_tail())
        except BaseException:
            await self._drop()
            raise
        await self._drop()
        raise SandboxError(
            f"The sandboxed worker {self._handler!r} did not start: {said.strip()[-500:]}",
            hint="Run `manyhands sandbox probe` to see what works here.",
        )

    async def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            with anyio.CancelScope(shield=True), contextlib.ExitStack() as after:
                after.callback(worker.scratch.remove)
                await worker.tree.__aexit__(None, None, None)
