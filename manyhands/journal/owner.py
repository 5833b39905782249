"""Which process works on something, told so that a dead process is known as dead."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

__all__ = ["alive", "this_process"]


def this_process() -> str:
    """Process id and start time: an id that is used again names another process."""
    return _named(os.getpid())


@lru_cache(maxsize=1)  # a forked process has another id
def _named(pid: int) -> str:
    return f"{pid}:{_began(pid)}"


def alive(owner: str) -> bool:
    """Whether the process that called itself `owner` still runs on this machine."""
    pid, _, began = owner.partition(":")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _began(int(pid)) == began


def _began(pid: int) -> str:
    """Clock ticks since boot, from `/proc`; empty where there is none, or for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
