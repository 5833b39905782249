"""What all chats of a Jupyter server share, and what outlives each persona."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from manyhands.broker.policy import Approvals as Approved
from manyhands_jupyter.server.approvals import Approvals
from manyhands_jupyter.server.tabs import Tabs
from manyhands_jupyter.server.worker import Worker

__all__ = ["Chat", "Desk", "LiveTurn", "desk"]


class LiveTurn(Protocol):
    """A question that is being answered in a chat."""

    def told(self) -> dict[str, Any]: ...

    def stop(self) -> None: ...


class Chat(Protocol):
    """An open chat."""

    def rated(self, run_id: str, good: bool, reason: str) -> None:
        """Show the rating with its answer, when it is one of this chat."""


class Desk:
    """One for a process.

    Attributes:
        chats: the open ones.
        turns: chat id -> what goes on in it.
        approved: chat id -> what its user has approved for the session.
        cells: user -> what they have approved of running proposed cells.
    """

    def __init__(self) -> None:
        self.worker = Worker()
        self.approvals = Approvals()
        self.tabs = Tabs()
        self.chats: set[Chat] = set()
        self.turns: dict[str, LiveTurn] = {}
        self.approved: dict[str, Approved] = {}
        self.cells: dict[str, Approved] = {}
        self._kernels: Any = None

    def connect(self, kernel_manager: Any) -> None:
        """Know the kernels of the server."""
        self._kernels = kernel_manager

    def kernel(self, kernel_id: str) -> dict[str, Any] | None:
        """How to connect to a kernel; None where it is gone or runs behind a gateway."""
        if self._kernels is None or kernel_id not in self._kernels:
            return None
        connection = self._kernels.get_connection_info(kernel_id)
        return dict(connection) if isinstance(connection, dict) else None


@lru_cache(maxsize=1)
def desk() -> Desk:
    """The desk of this process."""
    return Desk()
