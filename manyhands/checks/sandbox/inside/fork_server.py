# ruff: noqa: PTH103, PTH123
"""Loads libraries once, then gives every program a forked process behind fresh fences.

Runs as pid 2 of bwrap's namespaces (mode `bwrap`) or as a plain process (mode `landlock`), and
runs nothing but this file. Standard input is a socket; a message is JSON:

    {"run": id, "folder": path, "stdin", "limits", "read", "write", "hidden"} + 4 descriptors
    {"watch": id}       its program starts: look at what it uses from now on
    {"kill": id}

The descriptors: standard output; standard error; a pipe on which the program's keeper and this
process, never the program, say in JSON lines how it ended (`code`: exit code or negative signal,
`memory`, `disk`: it passed that limit), closed when all its processes are dead; a pipe on which the
program's arguments come as a JSON line when it shall start, or nothing when it shall not.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import confine  # type: ignore[import-not-found]
import play  # type: ignore[import-not-found]
import watch  # type: ignore[import-not-found]

_libc = ctypes.CDLL(None, use_errno=True)
_clone = ctypes.PyDLL(None)  # keeps the interpreter's lock over the call
_NEW = 0x10000000 | 0x20000000 | 0x00020000 | 0x40000000 | 0x08000000  # user pid mount net ipc
_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RDONLY = 4096, 16384, 1 << 18, 1
_MS_SAFE = 2 | 4 | 8  # nosuid nodev noexec
_LOOK_S = 0.025
_DONE, _GO = 3, 4  # descriptors of a keeper


@dataclass
class _Run:
    pid: int
    done: int
    memory_bytes: int
    tasks: int
    disk_bytes: int
    watched: bool = False
    over: str = ""


def main() -> None:
    spec = json.loads(sys.argv[1])
    namespaces = spec["mode"] == "bwrap"
    control = socket.socket(fileno=os.dup(0))
    for name in spec["preload"]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    runs: dict[int, _Run] = {}
    try:
        control.send(b"R")
        _serve(control, wake, runs, namespaces)
    except OSError:
        pass  # the supervisor is gone
    finally:
        for run in runs.values():
            _kill(run, namespaces)
        while runs:
            _reap(runs, block=True)


def _serve(control: socket.socket, wake: int, runs: dict[int, _Run], namespaces: bool) -> None:
    looked = time.monotonic()
    while True:
        watched = [run for run in runs.values() if run.watched]
        ready, _, _ = select.select([control.fileno(), wake], [], [], _LOOK_S if watched else None)
        if control.fileno() in ready:
            message, extra, _, _ = control.recvmsg(1 << 18, socket.CMSG_SPACE(64))
            if not message:
                return
            job = json.loads(message)
            if "kill" in job:
                _kill(runs.get(job["kill"]), namespaces)
            elif "watch" in job:
                if job["watch"] in runs:
                    runs[job["watch"]].watched = True
            else:
                runs[job["run"]] = _start(job, array.array("i", extra[0][2]), namespaces)
        if wake in ready:
            os.read(wake, 4096)
        _reap(runs)
        if time.monotonic() - looked > _LOOK_S:
            looked = time.monotonic()
            for run in watched:
                _look(run, namespaces)


def _look(run: _Run, namespaces: bool) -> None:
    use = watch.tree_use(run.pid, run.memory_bytes)
    held = watch.held(run.pid)
    buffers = held.kernel_bytes > run.memory_bytes // watch.KERNEL_SHARE
    if use.memory_bytes > run.memory_bytes or buffers:
        run.over = "memory"
    elif held.disk_bytes > run.disk_bytes:
        run.over = "disk"
    if run.over or use.tasks > run.tasks:
        _kill(run, namespaces)


def _kill(run: _Run | None, namespaces: bool) -> None:
    if run is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL if namespaces else signal.SIGTERM)


def _reap(runs: dict[int, _Run], *, block: bool = False) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        for key, run in list(runs.items()):
            if run.pid == pid:
                code = os.waitstatus_to_exitcode(status)
                said = {"code": 128 - code if code > 128 else code}
                _say(run.done, **({**said, run.over: 1} if run.over else said))
                os.close(run.done)
                del runs[key]


def _say(done: int, **what: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(done, json.dumps(what).encode() + b"\n")


def _start(job: dict[str, Any], given: array.array[int], namespaces: bool) -> _Run:
    limits = job["limits"]
    out, err, done, go = given
    tasks_before = 0 if namespaces else confine.own_tasks()
    if namespaces:
        # No thread but this one runs here (libraries are told to use one), so a bare clone is safe.
        python = ctypes.pythonapi
        python.PyOS_BeforeFork()
        pid = int(_clone.syscall(_CLONE, _NEW | signal.SIGCHLD, 0, 0, 0, 0))
        (python.PyOS_AfterFork_Parent if pid else python.PyOS_AfterFork_Child)()
    else:
        pid = os.fork()
    if pid == 0:
        try:
            _keep(job, given, namespaces, tasks_before)
        finally:
            os._exit(125)
    for descriptor in (out, err, go):
        os.close(descriptor)
    if pid < 0:
        _say(done, code=-signal.SIGKILL)
        os.close(done)
        raise SystemExit("no new namespaces")
    return _Run(pid, done, limits["memory_bytes"], limits["processes"] + 8, limits["disk_bytes"])


def _keep(
    job: dict[str, Any], given: array.array[int], namespaces: bool, tasks_before: int
) -> None:
    """The parent of one program: init of its pid namespace, or a subreaper."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    _libc.prctl(1, signal.SIGKILL if namespaces else signal.SIGTERM, 0, 0, 0)  # with the server
    if namespaces:
        _map_user()
        _mounts(job["folder"], job["hidden"])
        work = "/sandbox"
    else:
        _libc.prctl(36, 1, 0, 0, 0)
        work = job["folder"] + "/work"
    _libc.prctl(4, 0, 0, 0, 0)  # not dumpable: the program cannot look into this process
    stdin = os.open(job["stdin"], os.O_RDONLY)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (stdin, *given)]
    for target, source in enumerate(high):
        os.dup2(source, target)
    os.closerange(_GO + 1, 1 << 12)
    child = os.fork()
    if child == 0:
        os.close(_DONE)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _libc.prctl(4, 1, 0, 0, 0)
        os.setsid()
        os.umask(0o077)
        os.chdir(work)
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
            part = {"HOME": "work", "MPLCONFIGDIR": "config"}.get(name, "tmp")
            if not namespaces:
                os.environ[name] = f"{job['folder']}/{part}"
        _fence(job, namespaces, tasks_before)
        _fresh_randomness()
        with os.fdopen(_GO) as go:
            args = go.readline()
        os._exit(play.play(json.loads(args)) if args else 0)
    signal.signal(signal.SIGTERM, lambda *_: _end(child, 128 + signal.SIGTERM, namespaces))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    for stream in (0, 1, 2, _GO):
        os.close(stream)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            _say(_DONE, code=code)
            _end(child, code if code >= 0 else 128 - code, namespaces)


def _end(group: int, code: int, namespaces: bool) -> None:
    if not namespaces:  # the kernel ends a pid namespace with its init
        confine.end_children(group)
    os._exit(code)


def _fence(job: dict[str, Any], namespaces: bool, tasks_before: int) -> None:
    if not namespaces:
        confine.drop_to_plain_user()
    confine.set_limits(job["limits"], tasks_before=tasks_before, cpu_used=time.process_time())
    abi = confine.landlock_abi()
    if abi or not namespaces:
        confine.landlock(job["read"], job["write"])
    if namespaces:
        confine.drop_capabilities()
    confine.seccomp(unix_sockets=namespaces, owns_files=namespaces, abi=abi)


def _fresh_randomness() -> None:
    import random

    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _map_user() -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", "1000 1000 1"),
                       ("gid_map", "1000 1000 1")):  # fmt: skip
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mounts(folder: str, hidden: list[str]) -> None:
    """Give the fork its folders; `hidden` are those of the interpreter that they would cover."""

    def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> int:
        args = [s.encode() if s is not None else None for s in (source, target, kind)]
        return int(_libc.mount(*args, ctypes.c_ulong(flags), data.encode()))

    def must(result: int) -> None:
        if result:
            os.write(2, b"manyhands sandbox: cannot mount\n")
            os._exit(125)

    must(mount(None, "/", None, _MS_REC | _MS_PRIVATE))
    open_before = [(os.open(path, os.O_PATH), path) for path in hidden]
    for part, target in (("tmp", "/tmp"), ("shm", "/dev/shm"), ("config", "/sandbox.config"),  # noqa: S108
                         ("work", "/sandbox")):  # fmt: skip
        must(mount(f"{folder}/{part}", target, None, _MS_BIND))
    for descriptor, path in open_before:  # read-only, as where it comes from
        os.makedirs(path, exist_ok=True)
        must(mount(f"/proc/self/fd/{descriptor}", path, None, _MS_BIND))
        os.close(descriptor)
    if mount("proc", "/proc", "proc", _MS_SAFE):
        must(mount("none", "/proc", "tmpfs", _MS_SAFE | _MS_RDONLY, "size=4k"))
    must(mount("none", "/pool", "tmpfs", _MS_SAFE | _MS_RDONLY, "size=4k"))


main()
