"""Pure Python in Monty, an interpreter that can reach nothing, for where no OS sandbox works.

Monty (PyPI: `pydantic-monty`) is another interpreter, in processes of its own that start with an
empty environment. It has no way to open a file, a socket or a process; whatever would need one is
asked of us, and refused. It knows a part of the language and of the standard library: what a
program needs beyond that is told by name, and is no error of the program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.monty_lacks import lack
from manyhands.checks.sandbox.supervise import Capped
from manyhands.clean import clean_bytes
from manyhands.errors import SandboxError

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontySession

__all__ = ["REAL_PYTHON", "Box", "installed", "run", "watched"]

T = TypeVar("T")

#: What to do when Monty is not enough.
REAL_PYTHON = (
    "Leave sandbox.backend (or --backend) at 'auto', with bubblewrap installed (`apt install "
    "bubblewrap` or `dnf install bubblewrap`)."
    if sys.platform.startswith("linux")
    else "Run manyhands under WSL 2 or Linux."
)

_SLEEPS = ("time.sleep", "asyncio.sleep")
_QUESTIONS = 1_000_000  # that a program may ask of us; the wall time ends it long before
_DENIED = 100  # of them are noted
_SHOWN = 200  # characters of each: they are kept here, outside the program's limit
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows SIGTERM ends a process at once


def installed() -> bool:
    """Whether `pydantic-monty` is there."""
    return find_spec("pydantic_monty") is not None


@dataclass
class Box:
    """The Monty processes of one piece of work; `kill` ends them all, from any thread.

    Attributes:
        late: they were ended because the time was up.
    """

    late: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    _pids: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def session(self, turn_s: float, memory_bytes: int) -> Iterator[MontySession]:
        """A fresh interpreter in a process of its own, which is gone afterwards.

        Args:
            turn_s: how long one text may compute; time that it waits for us does not count.
            memory_bytes: what the interpreter may allocate for the program.

        Raises SandboxError when Monty cannot be started.
        """
        with _opened() as pool:
            made = pool.checkout(
                limits={
                    "max_feed_duration_secs": turn_s,
                    "max_memory": memory_bytes,
                    "max_suspensions": _QUESTIONS,
                },
                os_policy={"sleep": "call_host"},  # so that a sleep can be cut short
                assert_message_annotations=False,
            )
            with made as session:
                pid = session.worker_pid
                with self._lock:
                    self._pids |= {pid} if pid else set()
                    if self._over.is_set():
                        self._end()
                try:
                    yield session
                finally:
                    with self._lock:
                        self._pids -= {pid}

    def kill(self) -> None:
        with self._lock:
            self._over.set()
            self._end()

    def _end(self) -> None:
        for pid in self._pids:
            with contextlib.suppress(OSError):
                os.kill(pid, _KILL)

    def answer(self, denied: list[str]) -> Callable[..., Any]:
        """Answers what a program asks of its system: it may sleep; all else is noted, refused."""
        from pydantic_monty import NOT_HANDLED

        def asked(*, name: str, args: tuple[Any, ...], **_: Any) -> Any:
            if name in _SLEEPS and args and isinstance(args[0], int | float):
                self._over.wait(max(0.0, min(float(args[0]), threading.TIMEOUT_MAX)))
                return None
            if len(denied) < _DENIED:
                denied.append(f"{name}({str(args[0])[:_SHOWN]!r})" if args else name)
            return NOT_HANDLED

        return asked


@contextlib.contextmanager
def _opened() -> Iterator[Monty]:
    # Not `AsyncMonty`: that of 1.4.0 now and then aborts the whole interpreter as it exits.
    with contextlib.ExitStack() as stack:
        try:
            from pydantic_monty import Monty

            pool = stack.enter_context(Monty(min_processes=1, max_processes=1))
        except (ImportError, RuntimeError) as error:  # half an installation
            raise SandboxError(
                f"Monty cannot be started: {error}.",
                hint="Install it again: `pip install --force-reinstall pydantic-monty`.",
            ) from error
        yield pool


async def watched(box: Box, wall_s: float, work: Callable[[], T]) -> T:
    """Do `work` in a thread; its processes are killed after `wall_s`, or when we are cancelled."""

    def attempt() -> T | Exception:
        try:
            return work()
        except Exception as error:
            return error

    async def clock() -> None:
        try:
            await anyio.sleep(wall_s)
            box.late = True
        finally:
            box.kill()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock)
        done = await anyio.to_thread.run_sync(attempt)
        tasks.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint_if_cancelled()  # what a killed process left is no result
    if isinstance(done, Exception):
        raise done
    return done


async def run(job: SandboxRun, limits: Limits) -> SandboxResult:
    """Run a program of pure Python.

    What Monty has not is the status `refused`, with the construct named. Nothing is collected: a
    program has no files here. A cancelled run's process is killed.
    """
    started = time.monotonic()
    beyond = _beyond(job)
    if beyond:
        return _result(RunStatus.REFUSED, None, "", _sentence(beyond), started)
    program = _Program(job.code, limits)
    status, code, limit = await watched(program.box, limits.wall_s, program.run)
    out, err = clean_bytes(program.out.value()), clean_bytes(program.err.value())
    return _result(status, code, out, err, started, limit)


def _beyond(job: SandboxRun) -> str:
    if job.args:
        return "command-line arguments"
    if job.stdin:
        return "standard input"
    names = sorted({*job.inputs, *job.files})
    return f"files beside the program: {', '.join(names[:3])}" if names else ""


def _sentence(what: str) -> str:
    return (
        f"monty, an interpreter for pure Python, lacks what this program needs: {what}. "
        f"{REAL_PYTHON}\n"
    )


def _result(
    status: RunStatus, code: int | None, out: str, err: str, started: float, limit: str = ""
) -> SandboxResult:
    seconds = time.monotonic() - started
    return SandboxResult(status, code, out, err, {}, seconds, Isolation.MONTY, limit)


class _Program:
    """One program, run once."""

    def __init__(self, code: str, limits: Limits) -> None:
        self._code = code
        self._limits = limits
        self.box = Box()
        self.out, self.err = Capped(limits.output_kept_bytes), Capped(limits.output_kept_bytes)
        self._flooded = ""

    def run(self) -> tuple[RunStatus, int | None, str]:
        """Run it to its end: status, exit code, and the limit that ended it."""
        from pydantic_monty import MontyCrashedError, MontyError

        limits, denied = self._limits, list[str]()
        try:
            with self.box.session(limits.cpu_s, limits.memory_bytes) as session:
                # The value of a last expression would cross to us: there is none.
                session.feed_run(
                    f"{self._code}\n\nNone",
                    print_callback=self._printed,
                    os=self.box.answer(denied),
                )
        except MontyError as error:
            if self._flooded:
                return RunStatus.OUTPUT, None, self._flooded
            if self.box.late:
                return RunStatus.TIMEOUT, None, f"wall_s={limits.wall_s:g}"
            if isinstance(error, MontyCrashedError):
                self.err.add(f"{error}\n".encode())
                return RunStatus.SIGNAL, error.exit_status, ""
            return self._ended(error, denied)
        return RunStatus.OK, 0, ""

    def _printed(self, stream: str, text: str) -> None:
        into = self.err if stream == "stderr" else self.out
        into.add(text.encode("utf-8", "replace"))
        if into.total > self._limits.output_kill_bytes:
            self._flooded = f"output_kill_bytes={self._limits.output_kill_bytes} on {stream}"
            self.box.kill()

    def _ended(self, error: Any, denied: list[str]) -> tuple[RunStatus, int | None, str]:
        """Read how a program ended by the exception that came out of it."""
        found, text = error.exception(), str(error.exception())
        if isinstance(found, TimeoutError) and "time limit exceeded" in text:
            return RunStatus.TIMEOUT, None, f"cpu_s={self._limits.cpu_s:g}"
        if isinstance(found, MemoryError):
            self._trace(error)
            return RunStatus.MEM, 1, f"memory_bytes={self._limits.memory_bytes}"
        if isinstance(found, SystemExit):
            self.err.add(f"{text}\n".encode() if text else b"")
            return (RunStatus.ERROR, 1, "") if text else (RunStatus.OK, 0, "")
        what = lack(error, self._code, denied)
        if what:
            self.err.add(_sentence(what).encode("utf-8", "replace"))
            return RunStatus.REFUSED, None, ""
        self._trace(error)
        return RunStatus.ERROR, 1, ""

    def _trace(self, error: Any) -> None:
        shown = error.display().replace('File "<python-input-0>"', 'File "main.py"')
        self.err.add(shown.encode("utf-8", "replace") + b"\n")
