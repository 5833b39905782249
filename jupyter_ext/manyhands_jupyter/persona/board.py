"""One message of the chat that changes while it is answered, at little cost to the server's loop.

Every `update_message` of a chat without collaboration writes the whole chat to its file before it
returns (jupyterlab-chat 0.25: `WsChatModel.save`, `open(…, "w")`). So what changes from moment to
moment goes to the browsers only, and the file is written seldom: often enough that a crash loses
seconds, and never for more than a hundredth of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyterlab_chat.models import Message, NewMessage

from manyhands_jupyter.persona.markdown import chat_markdown

if TYPE_CHECKING:
    from jupyterlab_chat.models import BaseChatModel

__all__ = ["KEY", "Board", "put"]

#: Under this key of a message's metadata lies what our lab extension draws.
KEY = "manyhands"

#: Seconds between two updates of the browsers (at most ten a second).
_SHOW_S = 0.1
#: Seconds between two writings of the chat's file, and the same in units of what one costs.
_SAVE_S = 3.0
_SAVE_COSTS = 100


class Board:
    """The message. `show` is called as often as something changes and draws when it is due.

    Args:
        tool_calls: the metadata for Jupyter AI's own tool cards, where they are installed.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        sender: str,
        tool_calls: Callable[[dict[str, Any]], list[dict[str, Any]]] | None = None,
    ) -> None:
        self._chat = chat
        self._sender = sender
        self._tool_calls = tool_calls
        self._push = _pusher(chat)
        self.id = chat.add_message(NewMessage(body="", sender=sender))
        added = chat.get_message(self.id)
        self._at = added.time if added is not None else time.time()
        self._shown = 0.0
        self._saved = time.monotonic()
        self._cost = 0.0

    @property
    def due_s(self) -> float:
        """Seconds until the next update is due."""
        return max(0.0, self._shown + _SHOW_S - time.monotonic())

    def show(self, body: str, told: dict[str, Any]) -> None:
        """Draw it in the browsers; now and then into the file."""
        now = time.monotonic()
        self._shown = now
        if self._push is None or now - self._saved >= max(_SAVE_S, _SAVE_COSTS * self._cost):
            self.save(body, told)
        else:
            self._push(self._message(body, told))

    def save(self, body: str, told: dict[str, Any]) -> None:
        """Draw it and write it to the chat's file."""
        started = time.monotonic()
        self._chat.update_message(self._message(body, told))
        self._saved = self._shown = time.monotonic()
        self._cost = self._saved - started

    def _message(self, body: str, told: dict[str, Any]) -> Message:
        metadata: dict[str, Any] = {KEY: told}
        if self._tool_calls is not None:
            metadata["tool_calls"] = self._tool_calls(told)
        return Message(
            id=self.id,
            body=chat_markdown(body),
            time=self._at,
            sender=self._sender,
            raw_time=False,
            metadata=metadata,
        )


def put(chat: BaseChatModel, message: Message, told: dict[str, Any], body: str = "") -> None:
    """Change what is told with a message that is over, and its text unless `body` is empty."""
    chat.update_message(
        Message(
            id=message.id,
            body=chat_markdown(body) if body else message.body,
            time=message.time,
            sender=message.sender,
            raw_time=False,
            metadata={**(message.metadata or {}), KEY: told},
        )
    )


def _pusher(chat: BaseChatModel) -> Callable[[Message], None] | None:
    """Sends a message to the open browsers and leaves the file alone; None where there is no way.

    With collaboration there is none and none is needed: the shared document is saved on its own.
    """
    from dataclasses import asdict

    try:
        from jupyterlab_chat.models import message_asdict_factory
        from jupyterlab_chat.websocket_model import WsChatModel
        from jupyterlab_chat.ws_messages import ServerMessageMessage, to_wire
    except ImportError:
        return None
    if not isinstance(chat, WsChatModel):
        return None
    room = chat

    def push(message: Message) -> None:
        fields = asdict(message, dict_factory=message_asdict_factory)
        room.broadcast(to_wire(ServerMessageMessage(message=fields)))

    return push
