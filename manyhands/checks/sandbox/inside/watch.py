# ruff: noqa: PTH116, PTH123, PTH208
"""What a tree of processes and a tree of files use, read from outside without trusting them.

Standard library only; used by the supervisor and, inside the sandbox, by the fork server.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "KERNEL_SHARE",
    "DiskUse",
    "Held",
    "TreeUse",
    "descendants",
    "disk_use",
    "held",
    "tree_use",
]

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
KERNEL_SHARE = 4  # this part of a memory limit may lie in buffers of the kernel
#: Below this address space the page tables are small beside any limit: a page of them per 2 MiB.
_WIDE = 16 << 30
_SOCKET_BYTES = 212_992  # net.core.wmem_default; larger buffers are not granted inside
_PIPE_BYTES = 65_536
_FRAME_DEPTH = 12  # folders: with names of 255 bytes still below PATH_MAX
_FOLDER = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


@dataclass(frozen=True, slots=True)
class TreeUse:
    """Memory in bytes and number of tasks (processes and threads) of a process tree."""

    memory_bytes: int
    tasks: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Allocated bytes and number of entries of a folder tree."""

    allocated_bytes: int
    entries: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a process tree keeps where neither its memory nor its folders show it.

    Attributes:
        disk_bytes: blocks of files that have no name any more.
        kernel_bytes: what its pipes and sockets can hold in the kernel, at most.
    """

    disk_bytes: int
    kernel_bytes: int


def descendants(root: int) -> Iterator[int]:
    """`root` and every process below it, parents first; a process that ends is left out."""
    waiting = [root]
    seen = {root}
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    children = file.read().split()
            except OSError:
                continue
            for child in map(int, children):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)


def tree_use(root: int, limit_bytes: int) -> TreeUse:
    """Sum over `root` and its descendants.

    Resident pages are summed first (cheap, counts shared pages once per process). Only when that
    passes `limit_bytes` are proportional shares read, which are exact and cost a page-table walk.
    """
    pids = list(descendants(root))
    resident = tasks = tables = space = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                own_space, pages = (int(field) * _PAGE for field in file.read().split()[:2])
            resident += pages
            space += own_space
            tasks += max(1, os.stat(f"/proc/{pid}/task").st_nlink - 2)
        except (OSError, IndexError, ValueError):
            continue
    if space > _WIDE:
        tables = sum(map(_page_tables, pids))
    if resident + tables <= limit_bytes:
        return TreeUse(resident + tables, tasks)
    return TreeUse(sum(map(_proportional, pids)) + tables, tasks)


def _page_tables(pid: int) -> int:
    """Memory of the kernel for a process's page tables, which is in no count of its own pages."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            sizes = [line.split()[1] for line in file if line.startswith(b"VmPTE:")]
        return int(sizes[0]) * 1024 if sizes else 0
    except (OSError, ValueError):
        return 0


def held(root: int) -> Held:
    """Look through the descriptors and shared mappings of `root` and its descendants."""
    disk: dict[tuple[int, int], int] = {}
    kernel: dict[tuple[int, int], int] = {}
    for pid in descendants(root):
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                info = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            key = (info.st_dev, info.st_ino)
            if stat.S_ISREG(info.st_mode) and not info.st_nlink:
                disk[key] = info.st_blocks * 512
            elif stat.S_ISSOCK(info.st_mode):
                kernel[key] = _SOCKET_BYTES
            elif stat.S_ISFIFO(info.st_mode):
                kernel[key] = _PIPE_BYTES
        for key, size in _mapped_nameless(pid):
            disk.setdefault(key, size)
    return Held(sum(disk.values()), sum(kernel.values()))


def _mapped_nameless(pid: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Shared mappings of deleted files: the descriptor may be closed, the blocks stay."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            lines = [line for line in file if line.endswith(b" (deleted)\n")]
    except OSError:
        return
    for line in lines:
        span, mode, _, device, inode = line.split(None, 5)[:5]
        if mode.endswith(b"s") and b"/dev/zero" not in line:  # that is anonymous memory
            first, _, last = span.partition(b"-")
            major, _, minor = device.partition(b":")
            key = (os.makedev(int(major, 16), int(minor, 16)), int(inode))
            yield key, int(last, 16) - int(first, 16)


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except ProcessLookupError:
        return 0
    except (OSError, ValueError):
        pass
    try:  # a process that made itself unreadable is counted in full
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def disk_use(root: str, limit_bytes: int, limit_entries: int) -> DiskUse:
    """Count below `root`, stopping as soon as either limit is passed. Links are not followed."""
    allocated = entries = 0
    # Per frame an open folder and paths below it that are still to be looked at: a path never gets
    # long, and a chain of folders of any depth costs a descriptor per `_FRAME_DEPTH` of it.
    frames = [(os.open(root, _FOLDER), ["."])]
    try:
        while frames and allocated <= limit_bytes and entries <= limit_entries:
            base, waiting = frames[-1]
            if not waiting:
                frames.pop()
                os.close(base)
                continue
            path = waiting.pop()
            try:
                folder = os.open(path, _FOLDER, dir_fd=base)
            except OSError:
                continue
            below: list[str] = []
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        entries += 1
                        if entries > limit_entries:
                            break
                        try:
                            info = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
                        except OSError:
                            continue
                        allocated += info.st_blocks * 512
                        if stat.S_ISDIR(info.st_mode):
                            below.append(entry.name)
            except OSError:
                pass
            if below and path.count("/") >= _FRAME_DEPTH:
                frames.append((folder, below))
            else:
                os.close(folder)
                waiting += [f"{path}/{name}" for name in below]
    finally:
        for base, _ in frames:
            os.close(base)
    return DiskUse(allocated, entries)
