"""The command line and environment that put one program behind each kind of isolation."""

from __future__ import annotations

import functools
import marshal
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manyhands.checks.sandbox import containers
from manyhands.checks.sandbox.contracts import Isolation, Limits
from manyhands.checks.sandbox.scratch import Scratch
from manyhands.checks.sandbox.seatbelt import seatbelt_profile

__all__ = [
    "INFO_FD",
    "INSIDE",
    "OWN_FILES",
    "Command",
    "command",
    "fences",
    "hidden_roots",
    "inside_path",
    "python_roots",
    "rlimits",
    "server_command",
]

#: The launcher and its helpers, read-only inside the sandbox.
INSIDE = Path(__file__).parent / "inside"

#: Stands in a command for the descriptor on which bwrap tells the process id of its init.
INFO_FD = "@info-fd@"

#: Isolations inside which the program sees a file system of its own.
OWN_FILES = (Isolation.BWRAP, Isolation.PODMAN)

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone",
    "/etc/fonts", "/etc/mime.types", "/etc/alternatives",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_PROC = (
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems",
    "/proc/sys/vm", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/cap_last_cap",
)  # fmt: skip
_INSIDE_SEEN = "/sandbox.launcher"
_HOST_NAME = "hands"
# Threads that libraries open per processor would break the limit on processes.
_THREADS = {
    name: str(min(4, os.cpu_count() or 1))
    for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS",
        "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS", "ARROW_IO_THREADS",
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """What the supervisor starts.

    Attributes:
        env: environment of the outermost process.
        pidfile: where the id of a container's first process appears; None when what runs is
            below the command itself.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    pidfile: Path | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """Where the program sees its folders."""

    work: str
    tmp: str
    shm: str
    config: str


_INSIDE_VIEW = _View("/sandbox", "/tmp", "/dev/shm", "/sandbox.config")  # noqa: S108


def command(
    isolation: Isolation,
    python: Path,
    scratch: Scratch,
    limits: Limits,
    program: tuple[str, ...],
    *,
    extra_env: dict[str, str] | None = None,
) -> Command:
    """Build the command that runs `python *program` in `scratch` behind `isolation`."""
    match isolation:
        case Isolation.BWRAP:
            return _bwrap(python, scratch, limits, program, extra_env or {})
        case Isolation.PODMAN:
            return _podman(python, scratch, limits, program, extra_env or {})
        case Isolation.LANDLOCK | Isolation.NONE:
            return _keeper(isolation, python, scratch, limits, program, extra_env or {})
        case Isolation.SEATBELT:
            inner = _keeper(Isolation.NONE, python, scratch, limits, program, extra_env or {})
            profile = seatbelt_profile(
                read=[str(p) for p in (*python_roots(python), INSIDE)], write=[str(scratch.root)]
            )
            return Command(
                ("/usr/bin/sandbox-exec", "-p", profile, *inner.argv), inner.env, inner.cwd
            )
        case _:
            raise ValueError(f"no command for isolation {isolation.value!r}")


def server_command(python: Path, pool: Scratch, isolation: Isolation, spec: str) -> Command:
    """The fork server: only our own code, which puts the fences around each program it forks."""
    one_thread = dict.fromkeys(_THREADS, "1")  # a process with threads must not be forked
    program = (inside_path(isolation, "fork_server.py"), spec)
    if isolation is not Isolation.BWRAP:
        view = _View(*(str(p) for p in (pool.work, pool.tmp, pool.shm, pool.config)))
        return Command((str(python), *program), _environment(view, python, one_thread), pool.root)
    argv = list(_namespaces(python, pool, nested=True))
    argv += ["--bind", str(pool.root), "/pool", "--remount-ro", "/dev", "--remount-ro", "/"]
    argv += [*_setenv(_environment(_INSIDE_VIEW, python, one_thread)), "--chdir", "/"]
    argv += ["--", str(python), *program]
    return Command(tuple(argv), {"PATH": "/usr/bin:/bin"}, pool.root)


def fences(isolation: Isolation, python: Path, folder: Path) -> tuple[list[str], list[str]]:
    """What a program of the fork server may read, and what it may write."""
    if isolation is Isolation.BWRAP:
        return ["/"], _inside_writable(_INSIDE_VIEW)
    return _host_readable(python), [str(folder), *_DEVICES]


def rlimits(limits: Limits) -> dict[str, int]:
    """The limits that a process puts on itself."""
    return {
        "cpu_s": int(limits.cpu_s + 0.999),
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "disk_bytes": limits.disk_bytes,
        "descriptors": limits.descriptors,
        "processes": limits.processes,
    }


def inside_path(isolation: Isolation, name: str) -> str:
    """Where a program behind `isolation` sees the file `name` of `inside/`."""
    return f"{_INSIDE_SEEN if isolation in OWN_FILES else INSIDE}/{name}"


@functools.cache
def python_roots(python: Path) -> tuple[Path, ...]:
    """The folders that `python` needs to read: its environment and the interpreter behind it."""
    environment = python.parent.parent
    roots = [environment]
    real = python.resolve()
    base = real.parent.parent
    if (environment / "pyvenv.cfg").is_file():
        for line in (environment / "pyvenv.cfg").read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                base = Path(value.strip()).parent
    for prefix in dict.fromkeys((base, real.parent.parent)):
        if str(prefix) not in ("/usr", "/"):
            roots += [prefix / name for name in ("bin", "lib", "lib64")]
        if str(prefix) == "/":
            roots.append(Path("/usr"))
    return tuple(dict.fromkeys(path for path in roots if path.exists()))


def _environment(view: _View, python: Path, extra: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": view.work,
        "TMPDIR": view.tmp,
        "USER": _HOST_NAME,
        "LOGNAME": _HOST_NAME,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": view.config,
        "XDG_CACHE_HOME": view.tmp,
        "XDG_CONFIG_HOME": view.config,
        "IPYTHONDIR": view.config,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
        **_THREADS,
        **extra,
    }


def _launcher(
    tier: str,
    launch: str,
    python: Path,
    limits: Limits,
    view: _View,
    program: tuple[str, ...],
    read: list[str],
    write: list[str],
) -> tuple[str, ...]:
    spec = {
        "tier": tier,
        "limits": rlimits(limits),
        "read": read,
        "write": write,
        "program": program,
        "cwd": view.work,
    }
    return (str(python), launch, marshal.dumps(spec, 2).hex())


def _bwrap(
    python: Path,
    scratch: Scratch,
    limits: Limits,
    program: tuple[str, ...],
    extra: dict[str, str],
) -> Command:
    view = _INSIDE_VIEW
    argv = list(_namespaces(python, scratch, nested=False))
    # bwrap's own /dev and / are writable tmpfs without a size.
    argv += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", view.work]
    argv += [*_setenv(_environment(view, python, extra)), "--"]
    argv += _launcher(
        "bwrap", f"{_INSIDE_SEEN}/launch.py", python, limits, view, program,
        read=["/"], write=_inside_writable(view),
    )  # fmt: skip
    # Its environment can be read in /proc/1/environ inside: give it nothing.
    return Command(tuple(argv), {"PATH": "/usr/bin:/bin"}, scratch.root)


def _setenv(environment: dict[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        yield from ("--setenv", name, value)


def _inside_writable(view: _View) -> list[str]:
    return [view.work, view.tmp, view.shm, view.config, *_DEVICES, "/proc/self"]


def _namespaces(python: Path, scratch: Scratch, *, nested: bool) -> Iterator[str]:
    """bwrap with every namespace, the system and `python` read-only, the run's folders."""
    view = _INSIDE_VIEW
    yield shutil.which("bwrap") or "bwrap"
    yield from (
        "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup-try", "--uid", "1000", "--gid", "1000", "--hostname", _HOST_NAME,
        "--die-with-parent", "--new-session", "--info-fd", INFO_FD, "--clearenv",
    )  # fmt: skip
    if not nested and _bwrap_knows("--disable-userns"):
        yield "--disable-userns"
    for path in _SYSTEM:
        if Path(path).is_symlink():
            yield from ("--symlink", str(Path(path).readlink()), path)
        elif Path(path).exists():
            yield from ("--ro-bind", path, path)
    for path in _ETC:
        yield from ("--ro-bind-try", path, path)
    for name in ("passwd", "group", "hosts"):
        yield from ("--ro-bind", str(INSIDE / "etc" / name), f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev", "--ro-bind", str(INSIDE), _INSIDE_SEEN)
    for source, target in _folders(scratch, view):
        yield from ("--bind", source, target)
    for folder in _own_roots(python):  # last: one may lie below /tmp
        yield from ("--ro-bind", folder, folder)


def _folders(scratch: Scratch, view: _View) -> tuple[tuple[str, str], ...]:
    return (
        (str(scratch.work), view.work), (str(scratch.tmp), view.tmp),
        (str(scratch.shm), view.shm), (str(scratch.config), view.config),
    )  # fmt: skip


def hidden_roots(python: Path) -> list[str]:
    """Those of `python`'s folders that the own `/tmp` and `/dev/shm` of a fork would hide."""
    below = (_INSIDE_VIEW.tmp, _INSIDE_VIEW.shm)
    return [root for root in _own_roots(python) if any(map(Path(root).is_relative_to, below))]


def _own_roots(python: Path) -> list[str]:
    """What `python` needs beside the system's folders."""
    return [str(path) for path in python_roots(python) if not path.is_relative_to("/usr")]


def _podman(
    python: Path,
    scratch: Scratch,
    limits: Limits,
    program: tuple[str, ...],
    extra: dict[str, str],
) -> Command:
    """Makes the folder that becomes the container's root as well: no image is needed."""
    view, empty, pidfile = _INSIDE_VIEW, scratch.root / "root", scratch.root / "init.pid"
    roots = _own_roots(python)
    binds: list[containers.Bind] = []
    for path in _SYSTEM:
        if Path(path).exists() and not Path(path).is_symlink():
            binds.append((path, path, "ro"))
    binds += [(path, path, "ro") for path in _ETC if Path(path).exists()]
    for name in ("passwd", "group", "hosts"):
        binds.append((str(INSIDE / "etc" / name), f"/etc/{name}", "ro"))
    binds.append((str(INSIDE), _INSIDE_SEEN, "ro"))
    binds += [(source, target, "rw") for source, target in _folders(scratch, view)]
    binds += [(path, path, "ro") for path in roots]
    containers.make_root(empty, binds, links=[path for path in _SYSTEM if Path(path).is_symlink()])
    launch = _launcher(
        "podman", f"{_INSIDE_SEEN}/launch.py", python, limits, view, program,
        # Not /sys, which tells about the machine.
        read=[*_SYSTEM, "/etc", "/dev", "/proc", "/sys/devices/system/cpu", _INSIDE_SEEN, *roots],
        write=_inside_writable(view),
    )  # fmt: skip
    environment = _environment(view, python, extra)
    argv = containers.run_argv(scratch.root, empty, pidfile, binds, limits, environment, launch)
    return Command(argv, containers.podman_environment(), scratch.root, pidfile)


@functools.cache
def _bwrap_knows(option: str) -> bool:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return False
    shown = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False)
    return option in shown.stdout + shown.stderr


def _keeper(
    isolation: Isolation,
    python: Path,
    scratch: Scratch,
    limits: Limits,
    program: tuple[str, ...],
    extra: dict[str, str],
) -> Command:
    view = _View(
        work=str(scratch.work), tmp=str(scratch.tmp), shm=str(scratch.shm),
        config=str(scratch.config),
    )  # fmt: skip
    read = _host_readable(python)
    argv = _launcher(
        isolation.value, str(INSIDE / "launch.py"), python, limits, view, program,
        read=read, write=[str(scratch.root), *_DEVICES],
    )  # fmt: skip
    return Command(argv, _environment(view, python, extra), scratch.root)


def _host_readable(python: Path) -> list[str]:
    roots = [str(path) for path in (*python_roots(python), INSIDE)]
    return [*_SYSTEM, *_ETC, *_PROC, "/sys/devices/system/cpu", *roots]
