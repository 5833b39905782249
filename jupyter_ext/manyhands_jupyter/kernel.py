"""What kind of kernel this is: whether a person looks on, and whether more cells wait to run."""

from __future__ import annotations

import asyncio
import select
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CellFault", "cells_wait", "has_person", "main_loop", "parent_of"]

#: How long a cell waits to see whether others come right behind it, as with Run All.
_LOOK_S = 0.02


class CellFault(Exception):
    """What a cell raises for a foreseeable fault: one message, no traceback, and Run All stops."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def parent_of(shell: InteractiveShell) -> dict[str, Any]:
    """The message that the running cell was sent with; empty in plain IPython."""
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent is not None else None
    return parent if isinstance(parent, dict) else {}


def has_person(shell: InteractiveShell) -> bool:
    """Whether the running cell can ask somebody: nbconvert and papermill say that it cannot."""
    if getattr(shell, "kernel", None) is None:
        return True
    content = parent_of(shell).get("content") or {}
    return bool(content.get("allow_stdin"))


def cells_wait(shell: InteractiveShell) -> bool:
    """Whether other messages wait behind this cell: then it is one of many, as with Run All.

    A message may wait in the socket between ipykernel's threads, or as a task that was made for it.
    Neither is declared public; where they are named otherwise the answer is no.
    """
    kernel = getattr(shell, "kernel", None)
    try:
        thread = kernel.shell_channel_thread  # type: ignore[union-attr]
        socket = thread.manager._shell_channel_to_main.to_socket
    except AttributeError:
        return False
    end = time.monotonic() + _LOOK_S
    if _taken() > 1:
        return True
    while True:
        # Only the descriptor is looked at. Asking ZeroMQ for its events would take the one signal
        # that the kernel's loop waits for, and the waiting cell would never be run.
        if select.select([socket.fileno()], [], [], 0)[0]:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.002)


def _taken() -> int:
    """Messages that the main thread has taken, this cell's own among them."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return 0
    names = [getattr(task.get_coro(), "__qualname__", "") for task in tasks]
    return sum(name.endswith(".run_in_context") for name in names)


def main_loop(shell: InteractiveShell) -> asyncio.AbstractEventLoop | None:
    """The kernel's own loop; None in plain IPython, where no loop runs between two lines."""
    if getattr(shell, "kernel", None) is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
