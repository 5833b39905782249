# ruff: noqa: SIM105
"""Puts the fences around this process and runs the program in it, or in a child that it keeps.

A second interpreter for the program would cost as much again as the first. So this one is started
as the program's own would be (environment, flags), and what it has loaded for itself is put away.

Outside a pid namespace (`landlock`, `none`) this process stays as the keeper: the fenced program
runs in a child, whatever it leaves behind becomes the keeper's child, and dies with it. In a
container (`podman`) it stays too, as init. Descriptor 3 is then its line to the supervisor: it says
`S` when the program starts and `M` when the kernel ended it for want of memory, and ends, and all
with it, when the other end is gone. The program does not get that line.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # without the enumerations, which take longer than the rest
import ctypes
import marshal
import os
import sys

import confine  # type: ignore[import-not-found]
import play  # type: ignore[import-not-found]

TYPE_CHECKING = False  # the module typing would cost a third of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_LINE = 3  # descriptor
_REFUSED = 125  # exit code when a fence could not be put up


def main() -> None:
    spec = marshal.loads(bytes.fromhex(sys.argv[1]))  # noqa: S302 our own supervisor's
    if spec["tier"] == "bwrap":
        _become(spec, tasks_before=0)
    _keep(spec)


def _become(spec: dict[str, Any], tasks_before: int) -> None:
    """Put up every fence, then run the program and end as it does. Never returns."""
    try:
        _fence(spec, tasks_before)
    except OSError as error:
        os.write(2, f"manyhands sandbox: cannot put up a fence: {error}\n".encode())
        os._exit(_REFUSED)
    os.closerange(3, 1 << 16)
    os.chdir(spec["cwd"])
    script, *args = spec["program"]
    sys.exit(play.script(script, args))


def _fence(spec: dict[str, Any], tasks_before: int) -> None:
    namespaces = spec["tier"] in ("bwrap", "podman")
    os.umask(0o077)
    confine.set_limits(spec["limits"], tasks_before=tasks_before)
    if not sys.platform.startswith("linux") or spec["tier"] == "none":
        return
    abi = confine.landlock_abi()
    if abi or not namespaces:
        confine.landlock(spec["read"], spec["write"])
    confine.seccomp(unix_sockets=namespaces, owns_files=namespaces, abi=abi)


def _keep(spec: dict[str, Any]) -> None:
    """Run the program in a child, end everything that it leaves behind, pass its end on."""
    contained = spec["tier"] == "podman"
    linux = sys.platform.startswith("linux")
    if linux:
        libc = ctypes.CDLL(None)
        libc.prctl(36, 1, 0, 0, 0)  # orphans become children of this process
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # sent when the supervisor dies
    tasks_before = confine.own_tasks() if linux else 10_000
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until the handler is there
    if contained:
        libc.prctl(4, 0, 0, 0, 0)  # not dumpable: the program cannot look into this process
    child = os.fork()
    if child == 0:
        if contained:
            libc.prctl(4, 1, 0, 0, 0)
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if linux and spec["tier"] == "landlock":
            try:
                was_root = os.geteuid() == 0
                confine.drop_to_plain_user()
                tasks_before = 0 if was_root else tasks_before
            except OSError as error:
                os.write(2, f"manyhands sandbox: cannot leave root: {error}\n".encode())
                os._exit(_REFUSED)
        _become(spec, tasks_before)
    group = 0 if contained else child  # the kernel ends a container with its init
    signal.signal(signal.SIGTERM, lambda *_: _end(group, 128 + signal.SIGTERM))
    if contained:
        _tie()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    for stream in (0, 1, 2):  # the pipes must close with the program
        try:
            os.close(stream)
        except OSError:
            pass
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            if contained and code and _out_of_memory():
                os.write(_LINE, b"M")
            _end(group, code if code >= 0 else 128 - code)


def _end(group: int, code: int) -> None:
    if group:
        confine.end_children(group)
    os._exit(code)


def _tie() -> None:
    """End when the supervisor does: its end of the line closes, which comes as SIGIO."""
    import fcntl

    def look(*_: object) -> None:
        try:
            gone = not os.read(_LINE, 1)
        except BlockingIOError:
            gone = False  # it read what we said
        if gone:
            os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGIO, look)
    fcntl.fcntl(_LINE, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(_LINE, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK | os.O_RDWR)
    look()  # it may have been gone before
    os.write(_LINE, b"S")


def _out_of_memory() -> bool:
    """Whether the kernel ended a process of this container at the container's limit."""
    for path in ("memory.events", "memory/memory.oom_control"):  # cgroup 2, 1
        try:
            with open(f"/sys/fs/cgroup/{path}") as file:  # noqa: PTH123
                for line in file:
                    if line.startswith("oom_kill ") and line.split()[1] != "0":
                        return True
        except OSError:
            continue
    return False
