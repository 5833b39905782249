"""What waits for a person's yes or no, and who may give it: an authenticated user, never a text."""

from __future__ import annotations

import asyncio
import concurrent.futures
import secrets
from dataclasses import dataclass, field
from typing import Any

from manyhands.broker.contracts import Choice, Effect

__all__ = ["Approvals", "Waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One effect that a person is asked about.

    Attributes:
        id: good for one answer to this question.
        chat: id of the chat that it is shown in.
    """

    id: str
    chat: str
    effect: Effect
    why: str
    choice: concurrent.futures.Future[Choice] = field(repr=False)

    def told(self) -> dict[str, Any]:
        """For the card in the chat: exactly what would be done."""
        return {
            "id": self.id,
            "tool": self.effect.tool,
            "summary": self.effect.summary,
            "preview": self.effect.preview,
            "arguments": self.effect.arguments,
            "digest": self.effect.digest,
            "why": self.why,
        }


class Approvals:
    """The open questions of this server; used from the server's loop and the minds' thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}

    def ask(self, chat: str, effect: Effect, why: str) -> Waiting:
        waiting = Waiting(secrets.token_urlsafe(18), chat, effect, why, concurrent.futures.Future())
        self._waiting[waiting.id] = waiting
        return waiting

    async def answer_to(self, waiting: Waiting) -> Choice:
        """Wait for the person; when the wait is cancelled the question is closed."""
        try:
            return await asyncio.wrap_future(waiting.choice)
        finally:
            self._waiting.pop(waiting.id, None)

    def answer(self, waiting_id: str, choice: Choice) -> bool:
        """Give the answer; false when nothing waits for it (any more)."""
        waiting = self._waiting.pop(waiting_id, None)
        if waiting is None or not waiting.choice.set_running_or_notify_cancel():
            return False
        waiting.choice.set_result(choice)
        return True

    def open(self) -> list[Waiting]:
        return list(self._waiting.values())
