"""The first process of the pid namespace that a command makes: everything in it dies with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

import anyio

from manyhands.checks.sandbox.containers import LINE_FD
from manyhands.checks.sandbox.layers import INFO_FD

__all__ = ["NamespaceInit"]

_START_S = 60.0  # making a container, on a busy machine


class NamespaceInit:
    """What is known of it: bwrap tells its process id on a pipe, podman in a file.

    One in a container has a line to us (`inside/keeper.py`) as well. A command without a namespace
    has neither, and nothing here does anything.

    Attributes:
        pid: its process id; 0 while it is not known.
    """

    def __init__(self, pidfile: Path | None) -> None:
        self.pid = 0
        self._pidfile = pidfile
        self._info: int | None = None
        self._line: socket.socket | None = None
        self._pidfd: int | None = None

    def open(self, argv: list[str], started: contextlib.ExitStack) -> tuple[int, ...]:
        """Put descriptors in place of their names in `argv`; which the command must inherit.

        `started` closes our copies of them.
        """
        if INFO_FD in argv:
            self._info, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            started.callback(os.close, theirs)
            argv[argv.index(INFO_FD)] = str(theirs)
            return (theirs,)
        if LINE_FD in argv:
            self._line, end = socket.socketpair()
            self._line.setblocking(False)
            started.callback(end.close)
            argv[argv.index(LINE_FD)] = str(end.fileno())
            return (end.fileno(),)
        return ()

    async def begun(self) -> bool:
        """Wait until a container's program starts, or never will; False when it takes too long."""
        if self._line is None:
            return True
        with anyio.move_on_after(_START_S) as clock:
            await anyio.wait_readable(self._line)
        return not clock.cancelled_caught

    def said(self) -> bytes | None:
        """What came on a container's line; None without a line."""
        if self._line is None:
            return None
        try:
            return self._line.recv(16)
        except OSError:
            return b""

    def look(self) -> bool:
        """Whether it is known by now; from then on its number cannot become another's."""
        if self._pidfd is None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                pid = self._told()
                if pid is not None:
                    self._pidfd, self.pid = os.pidfd_open(pid), pid
        return self._pidfd is not None

    def _told(self) -> int | None:
        if self._pidfile is not None:
            return int(self._pidfile.read_text())
        if self._info is None:
            return None
        try:
            told = os.read(self._info, 4096)
        except BlockingIOError:
            return None
        os.close(self._info)
        self._info = None
        return int(json.loads(told)["child-pid"])

    def kill(self) -> None:
        """End it as far as it is known, and let go of a line: who holds the other end, ends.

        The signal comes first, so that it is what a program that ran was ended by.
        """
        if self.look() and self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if self._line is not None:
            self._line.close()
            self._line = None

    async def gone(self) -> None:
        """End it and wait until it is dead, which may be after its command, which has ended."""
        self._pidfile = None  # podman ends last: by now the number may be another's
        self.kill()
        pidfd, self._pidfd = self._pidfd, None
        try:
            if pidfd is not None:
                await anyio.wait_readable(pidfd)
        finally:
            if pidfd is not None:
                os.close(pidfd)
            self.close()

    def close(self) -> None:
        """Close what is open, of a command that was not started."""
        if self._info is not None:
            os.close(self._info)
            self._info = None
        if self._line is not None:
            self._line.close()
            self._line = None
