"""What all chats of a Jupyter server share, and what outlives each persona."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from manyhands.broker.policy import Approvals as Approved
from manyhands_jupyter.server.approvals import Approvals
from manyhands_jupyter.server.tabs import Tabs
from manyhands_jupyter.server.worker import Worker

__all__ = ["Desk", "LiveTurn", "desk"]


class LiveTurn(Protocol):
    """A question that is being answered in a chat."""

    def told(self) -> dict[str, Any]: ...

    def stop(self) -> None: ...


class Desk:
    """One for a process.

    Attributes:
        turns: chat id -> what goes on in it.
        approved: chat id -> what its user has approved for the session.
    """

    def __init__(self) -> None:
        self.worker = Worker()
        self.approvals = Approvals()
        self.tabs = Tabs()
        self.turns: dict[str, LiveTurn] = {}
        self.approved: dict[str, Approved] = {}


@lru_cache(maxsize=1)
def desk() -> Desk:
    """The desk of this process."""
    return Desk()
