# ruff: noqa: PTH116, PTH123, PTH208
"""What a tree of processes and a tree of files use, read from outside without trusting them.

Standard library only; used by the supervisor and, inside the sandbox, by the fork server.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["DiskUse", "TreeUse", "descendants", "disk_use", "tree_use"]

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PATH_STEP = 3000  # bytes: a path longer than PATH_MAX is opened in steps


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
    resident = tasks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                resident += int(file.read().split()[1]) * _PAGE
            tasks += max(1, os.stat(f"/proc/{pid}/task").st_nlink - 2)
        except (OSError, IndexError, ValueError):
            continue
    if resident <= limit_bytes:
        return TreeUse(resident, tasks)
    return TreeUse(sum(map(_proportional, pids)), tasks)


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
    waiting: list[tuple[str, ...]] = [()]
    while waiting and allocated <= limit_bytes and entries <= limit_entries:
        parts = waiting.pop()
        try:
            folder = _open_folder(root, parts)
        except OSError:
            continue
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
                        waiting.append((*parts, entry.name))
        except OSError:
            continue
        finally:
            os.close(folder)
    return DiskUse(allocated, entries)


def _open_folder(root: str, parts: tuple[str, ...]) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(root, flags)
    step: list[str] = []
    length = 0
    for index, part in enumerate(parts):
        step.append(part)
        length += len(os.fsencode(part)) + 1
        if length > _PATH_STEP or index == len(parts) - 1:
            try:
                deeper = os.open("/".join(step), flags, dir_fd=folder)
            finally:
                os.close(folder)
            folder, step, length = deeper, [], 0
    return folder
