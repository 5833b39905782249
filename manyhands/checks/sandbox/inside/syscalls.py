"""The system calls that a computing program never needs, as a filter for the kernel.

Standard library only: it is part of what `confine.py` says of itself.
Filter format: `include/uapi/linux/{filter,seccomp,audit}.h`.
"""

from __future__ import annotations

import errno
import os
import struct

__all__ = ["filter_program"]

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86_64, aarch64); None where the architecture lacks the call.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "nfsservctl": (180, 42), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "vhangup": (153, 58), "lookup_dcookie": (212, 18), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None),
    "_sysctl": (156, None), "ustat": (136, None), "sysfs": (139, None),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Memory that no monitor of processes and files can see.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191),
    "semop": (65, 193), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
}  # fmt: skip
# Landlock has no right for these. Copying a file sets its mode and times, so they pretend.
_PRETEND: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88),
}  # fmt: skip
_OWNER: dict[str, tuple[int | None, int | None]] = {
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
}  # fmt: skip
_CHECKED: dict[str, tuple[int, int]] = {
    "clone": (56, 220), "clone3": (435, 435), "socket": (41, 198), "fcntl": (72, 25),
    "ioctl": (16, 29), "mmap": (9, 222), "prlimit64": (302, 261), "personality": (135, 92),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "truncate": (76, 45),
    "pidfd_send_signal": (424, 424), "prctl": (157, 167), "setsockopt": (54, 208),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
}  # fmt: skip

_LD, _JEQ, _JGT, _JGE, _JSET, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag but NEWTIME, which clone has no bit for
_SHARED_ANONYMOUS_MAX = 16 << 20  # bytes; larger ones could hide from the memory monitor
_AF_UNIX, _F_SETPIPE_SZ, _TIOCSTI, _TIOCLINUX = 1, 1031, 0x5412, 0x541C
_F_SETOWN, _F_SETOWN_EX, _SET_DUMPABLE, _SOL_SOCKET = 8, 15, 4, 1
_BUFFER_SIZES = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF and their FORCE forms


def filter_program(*, unix_sockets: bool, owns_files: bool, abi: int) -> bytes:
    """The filter's instructions; the arguments are those of `confine.seccomp`.

    Raises OSError on an architecture without a table.
    """
    machine = os.uname().machine
    if machine not in _AUDIT_ARCH:
        raise OSError(errno.ENOSYS, f"no system call table for {machine!r}")
    column = 0 if machine == "x86_64" else 1
    out = [
        _op(_LD, 4), _op(_JEQ, _AUDIT_ARCH[machine], 1, 0), _op(_RET, _KILL), _op(_LD, 0),
    ]  # fmt: skip
    if machine == "x86_64":  # the x32 table is a second way to the same calls
        out += [_op(_JGE, 0x40000000, 0, 1), _op(_RET, _ERRNO | errno.ENOSYS)]

    def deny(numbers: tuple[int | None, int | None], code: int) -> None:
        number = numbers[column]
        if number is not None:
            out.extend([_op(_JEQ, number, 0, 1), _op(_RET, _ERRNO | code)])

    def when(name: str, *body: bytes) -> None:
        """`body` sees the call's arguments and falls out of its end when it has no objection."""
        number = _CHECKED[name][column]
        out.extend([_op(_JEQ, number, 0, len(body) + 1), *body, _op(_LD, 0)])

    for numbers in _CALLS.values():
        deny(numbers, errno.EPERM)
    if not owns_files:
        for numbers in _PRETEND.values():
            deny(numbers, 0)
        for numbers in _OWNER.values():
            deny(numbers, errno.EPERM)
    if abi < 3 and not owns_files:
        deny(_CHECKED["truncate"], errno.EPERM)
    if abi < 6 and not owns_files:
        deny(_CHECKED["kill"], errno.EPERM)
        for name in ("tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            deny(_CHECKED[name], errno.EPERM)
        when("tgkill", _arg(0), _op(_JEQ, os.getpid(), 1, 0), _op(_RET, _ERRNO | errno.EPERM))
    deny(_CHECKED["pidfd_send_signal"], errno.EPERM)
    deny(_CHECKED["clone3"], errno.ENOSYS)  # its flags are in memory; libc then uses clone
    no = _op(_RET, _ERRNO | errno.EPERM)
    when("clone", _arg(0), _op(_JSET, _NEW_NAMESPACES, 0, 1), no)
    if unix_sockets:
        when("socket", _arg(0), _op(_JEQ, _AF_UNIX, 1, 0), _op(_RET, _ERRNO | errno.EACCES))
    else:
        deny(_CHECKED["socket"], errno.EACCES)
    # F_SETOWN lets the kernel send any signal to any process of the user.
    owners = () if owns_files or abi >= 6 else (_F_SETOWN, _F_SETOWN_EX)
    when("fcntl", _arg(1), *_any_of((_F_SETPIPE_SZ, *owners), no))
    if not owns_files:  # without a pid namespace: nothing about other processes of the user
        me = (0, os.getpid())
        for name in ("sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"):
            when(name, _arg(0), *_none_of(me, no))
        when("setpriority", _arg(0), *_none_of((0,), no), _arg(1), *_none_of(me, no))
        when("ioprio_set", _arg(0), *_none_of((1,), no), _arg(1), *_none_of(me, no))
    as_if = _op(_RET, _ERRNO)
    # The monitor outside must be able to look at what a process holds.
    when("prctl", _arg(0), _op(_JEQ, _SET_DUMPABLE, 0, 1), as_if)
    when(
        "setsockopt",
        _arg(1), _op(_JEQ, _SOL_SOCKET, 0, len(_BUFFER_SIZES) + 2),
        _arg(2), *_any_of(_BUFFER_SIZES, as_if),
    )  # fmt: skip
    when("ioctl", _arg(1), _op(_JEQ, _TIOCSTI, 1, 0), _op(_JEQ, _TIOCLINUX, 0, 1), no)
    when("prlimit64", _arg(0), _op(_JEQ, 0, 1, 0), no)
    when("personality", _arg(0), _op(_JEQ, 0xFFFFFFFF, 1, 0), no)
    too_big = _op(_RET, _ERRNO | errno.ENOMEM)
    when(
        "mmap",
        _arg(3), _op(_JSET, 0x1, 0, 6),
        _op(_JSET, 0x20, 0, 5),
        _arg(1, high=True), _op(_JEQ, 0, 0, 2),
        _arg(1), _op(_JGT, _SHARED_ANONYMOUS_MAX, 0, 1), too_big,
    )  # fmt: skip
    return b"".join([*out, _op(_RET, _ALLOW)])


def _op(code: int, k: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, k)


def _any_of(values: tuple[int, ...], act: bytes) -> list[bytes]:
    """`act` when the loaded word is one of `values`, else fall out of the end."""
    last = len(values) - 1
    tests = [_op(_JEQ, value, last - at, 1 if at == last else 0) for at, value in enumerate(values)]
    return [*tests, act]


def _none_of(values: tuple[int, ...], act: bytes) -> list[bytes]:
    """`act` unless the loaded word is one of `values`."""
    return [*(_op(_JEQ, value, len(values) - at, 0) for at, value in enumerate(values)), act]


def _arg(index: int, *, high: bool = False) -> bytes:
    return _op(_LD, 16 + 8 * index + (4 if high else 0))
