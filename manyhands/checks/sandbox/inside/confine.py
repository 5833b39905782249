# ruff: noqa: SIM105, PTH112, PTH116, PTH123, PTH208
"""Limits and kernel fences that a process puts on itself before it runs a stranger's program.

Standard library only: this file is run by the hands' interpreter inside the sandbox, where the
manyhands package does not exist; and little of it, because every cold run waits for its imports.
Landlock numbers: `include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct

from syscalls import filter_program  # type: ignore[import-not-found]

TYPE_CHECKING = False  # the module typing would cost a third of the start
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "drop_capabilities",
    "drop_to_plain_user",
    "end_children",
    "landlock",
    "landlock_abi",
    "lower_limits",
    "own_tasks",
    "seccomp",
    "set_limits",
]

_SIGKILL = 9
_libc = ctypes.CDLL(None, use_errno=True)

# --- limits ------------------------------------------------------------------------------


def own_tasks() -> int:
    """How many threads this uid runs on the machine (RLIMIT_NPROC counts all of them)."""
    uid, total = os.getuid(), 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    total += os.stat(f"/proc/{name}/task").st_nlink - 2
            except OSError:
                continue
    return total


def set_limits(limits: dict[str, int], *, tasks_before: int = 0, cpu_used: float = 0.0) -> None:
    """Put the rlimits on this process; they pass to everything that it starts.

    Args:
        limits: cpu_s, memory_bytes, file_bytes, descriptors, processes.
        tasks_before: threads that the uid runs already and that count against the limit.
        cpu_used: processor seconds that this process has spent already.
    """
    cpu = max(1, limits["cpu_s"]) + int(cpu_used + 0.999)
    wanted = {
        "CPU": (cpu, cpu + 1),
        # RLIMIT_AS would kill V8, which reserves address space that it never touches.
        "DATA": (limits["memory_bytes"],) * 2,
        "FSIZE": (limits["file_bytes"],) * 2,
        "NOFILE": (limits["descriptors"],) * 2,
        "NPROC": (limits["processes"] + tasks_before,) * 2,
        # 1, not 0: with a piped core_pattern the kernel obeys only the special value 1.
        "CORE": (1, 1),
        "MEMLOCK": (65536, 65536),
        "MSGQUEUE": (0, 0),
        "SIGPENDING": (1024, 1024),
        "RTPRIO": (0, 0),
        "NICE": (0, 0),
    }
    for name, (soft, hard) in wanted.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is None:
            continue
        top = resource.getrlimit(which)[1]
        if top != resource.RLIM_INFINITY:
            soft, hard = min(soft, top), min(hard, top)
        try:
            resource.setrlimit(which, (soft, hard))
        except (ValueError, OSError):
            if name not in ("RTPRIO", "NICE", "SIGPENDING", "MSGQUEUE", "MEMLOCK", "DATA"):
                raise


def lower_limits(limits: dict[str, int], *, cpu_used: float) -> None:
    """Bring the limits of a process that is fenced in already down to those of its program.

    Without that on processes, which counts the whole uid outside a user namespace.
    """
    for name, wanted in (
        ("CPU", max(1, limits["cpu_s"]) + int(cpu_used + 0.999)),
        ("DATA", limits["memory_bytes"]),
        ("FSIZE", limits["file_bytes"]),
        ("NOFILE", limits["descriptors"]),
    ):
        which = getattr(resource, f"RLIMIT_{name}")
        soft, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY or wanted < hard:
            resource.setrlimit(which, (wanted, wanted + 1 if name == "CPU" else wanted))
        elif soft != resource.RLIM_INFINITY and wanted < soft:
            resource.setrlimit(which, (wanted, hard))


# --- Landlock ----------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of file rights that an ABI knows
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | (1 << 14) | (1 << 15)
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_NET_TCP = 3  # bind and connect
_SCOPED = 3  # abstract unix sockets and signals


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def landlock(read: list[str], write: list[str]) -> int:
    """Allow reading below `read`, everything below `write`, and nothing else; returns the ABI.

    TCP is closed from ABI 4 on, signals and abstract sockets to outside from ABI 6 on.
    Paths that do not exist are left out. Raises OSError when the kernel refuses.
    """
    abi = landlock_abi()
    if not abi:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    all_fs = (1 << _FS_BITS.get(abi, 16)) - 1
    attr = struct.pack("=Q", all_fs)
    if abi >= 4:
        attr += struct.pack("=Q", _NET_TCP)
    if abi >= 6:
        attr += struct.pack("=Q", _SCOPED)
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attr, ctypes.c_size_t(len(attr)), 0))
    for paths, rights in ((read, _READ), (write, all_fs & ~_EXECUTE | _EXECUTE)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = rights & all_fs
            if not os.path.isdir(path):
                allowed &= _FILE_RIGHTS
            rule = struct.pack("=Qi", allowed, fd)
            try:
                _checked(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0))
            finally:
                os.close(fd)
    _no_new_privs()
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
    return abi


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def _no_new_privs() -> None:
    _checked(_libc.prctl(38, 1, 0, 0, 0))


# --- seccomp -----------------------------------------------------------------------------


def seccomp(*, unix_sockets: bool, owns_files: bool, abi: int) -> None:
    """Close the system calls that a computing program never needs.

    Args:
        unix_sockets: whether unix sockets may be made (only in a private mount and network
            namespace: Landlock cannot keep a program from a socket file of the host).
        owns_files: whether mode, time and owner of visible files may change.
        abi: Landlock's version; below 6 signals, below 3 `truncate` must be closed here.

    Every other network family is closed always. Raises OSError on an unknown architecture.
    """
    program = filter_program(unix_sockets=unix_sockets, owns_files=owns_files, abi=abi)
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _no_new_privs()
    _checked(_libc.prctl(22, 2, ctypes.c_char_p(fprog), 0, 0))


# --- the end of a tree without a pid namespace -------------------------------------------


def end_children(group: int) -> None:
    """Kill the process group, then every child of this subreaper until none is left."""
    _kill(os.killpg, group)
    children = f"/proc/self/task/{os.getpid()}/children"
    while True:
        try:
            with open(children) as file:
                pids = [int(pid) for pid in file.read().split()]
        except OSError:
            pids = []
        for pid in pids:
            _kill(os.kill, pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


def _kill(how: Callable[[int, int], None], target: int) -> None:
    try:
        how(target, _SIGKILL)
    except OSError:
        pass  # gone already


# --- root --------------------------------------------------------------------------------


def drop_to_plain_user() -> None:
    """When run as root: become uid 1000 of an own user namespace, or lose every capability."""
    if os.geteuid() != 0:
        return
    gid = os.getegid()
    if _libc.unshare(0x10000000) == 0:
        for name, text in (
            ("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", f"1000 {gid} 1"),
        ):  # fmt: skip
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        return
    drop_capabilities()


def drop_capabilities() -> None:
    """Give up every capability for good."""
    _no_new_privs()
    for capability in range(64):
        _libc.prctl(24, capability, 0, 0, 0)  # out of the bounding set
    header = struct.pack("=Ii", 0x20080522, 0)
    _checked(_libc.capset(header, bytes(24)))
