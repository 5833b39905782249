# ruff: noqa: SIM105
"""Puts the fences around this process and runs the program in it, or in a child that it keeps.

A second interpreter for the program would cost as much again as the first. So this one is started
as the program's own would be (environment, flags), and what it has loaded for itself is put away.

Outside a pid namespace (`landlock`, `none`) this process stays as the keeper: the fenced program
runs in a child, whatever it leaves behind becomes the keeper's child, and dies with it.
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
    namespaces = spec["tier"] == "bwrap"
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
    linux = sys.platform.startswith("linux")
    if linux:
        libc = ctypes.CDLL(None)
        libc.prctl(36, 1, 0, 0, 0)  # orphans become children of this process
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # sent when the supervisor dies
    tasks_before = confine.own_tasks() if linux else 10_000
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until the handler is there
    child = os.fork()
    if child == 0:
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
    signal.signal(signal.SIGTERM, lambda *_: _end(child, 128 + signal.SIGTERM))
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
            _end(child, code if code >= 0 else 128 - code)


def _end(group: int, code: int) -> None:
    confine.end_children(group)
    os._exit(code)
