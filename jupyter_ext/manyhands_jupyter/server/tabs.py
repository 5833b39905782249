"""The browser tabs that show this server: what a persona asks the user's open notebook through."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

from manyhands.errors import InputError

__all__ = ["Tab", "Tabs"]


class Tab:
    """One tab; `send` writes a JSON message to it.

    Attributes:
        sees_kernels: whether its user may run code in this server's kernels.
        name: by which it tells itself from the user's other tabs.
        touched: when the user was last seen in it, by this process's clock.
    """

    def __init__(
        self, user: str, send: Callable[[dict[str, Any]], None], *, sees_kernels: bool = False
    ) -> None:
        self.user = user
        self.sees_kernels = sees_kernels
        self.touched = 0.0
        self.name = ""
        self._send = send
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}

    def touch(self) -> None:
        self.touched = time.monotonic()

    async def ask(self, what: str, arguments: dict[str, Any], seconds: float) -> Any:
        """Let the tab do something and wait for what it gives back.

        Raises:
            InputError: it could not, or did not answer in time.
        """
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"id": number, "ask": what, "arguments": arguments})
            return await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise InputError(
                f"The browser tab did not answer {what!r} within {seconds:g} s.",
                hint="Look at the tab; reload it if it hangs.",
            ) from None
        finally:
            del self._asked[number]

    def took(self, message: dict[str, Any]) -> None:
        """Take a message of the tab."""
        answer = self._asked.get(message.get("id", 0))
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(InputError(str(message["error"])))
        else:
            answer.set_result(message.get("value"))

    def gone(self) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(InputError("The browser tab was closed."))


class Tabs:
    """All tabs; only used on the server's loop."""

    def __init__(self) -> None:
        self._tabs: list[Tab] = []

    def add(self, tab: Tab) -> None:
        self._tabs.append(tab)

    def remove(self, tab: Tab) -> None:
        self._tabs.remove(tab)
        tab.gone()

    def of(self, user: str) -> Tab | None:
        """The tab in which this user was seen last; none of another user's, ever."""
        mine = [tab for tab in self._tabs if tab.user == user]
        return max(mine, key=lambda tab: tab.touched, default=None)

    def named(self, user: str, name: str) -> Tab | None:
        """The tab of this user that calls itself so."""
        return next((tab for tab in self._tabs if (tab.user, tab.name) == (user, name)), None)

    def __len__(self) -> int:
        return len(self._tabs)
