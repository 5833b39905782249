"""Answers that a former server did not finish: their messages say how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manyhands_jupyter.persona.board import KEY, put

if TYPE_CHECKING:
    from manyhands.settings import Settings
    from manyhands_jupyter.server.desk import Desk

__all__ = ["mend"]

_EMPTY: dict[str, Any] = {key: [] for key in ("thoughts", "pictures", "seen", "proposals")}
_OPEN = ("waiting", "running")


async def mend(chat: Any, sender: str, desk: Desk, settings: Settings | None) -> None:
    """Look through a chat that was opened; what still goes on is left alone."""
    from manyhands_jupyter.persona.jobs import how_it_ended

    if settings is None or chat.get_id() in desk.turns:
        return
    known = settings
    for message in chat.get_messages():
        if message.sender != sender:
            continue
        told = (message.metadata or {}).get(KEY)
        if told is None and not message.body:
            told = {"version": 1, "state": "running"}  # it ended before anything was known
        if not isinstance(told, dict) or told.get("state") not in _OPEN:
            continue
        run_id = str(told.get("run_id", ""))
        tree = await desk.worker.call(lambda run_id=run_id: how_it_ended(known, run_id))  # type: ignore[misc]
        if tree is None:
            continue
        words = "The server ended while this was worked on. "
        words += "`/resume` goes on with it." if run_id else "Ask again."
        body = tree.answer or message.body
        if not tree.status:
            body = f"{body}\n\n{words}" if body else words
        tree.doing = ""
        fields = {key: value for key, value in tree.as_json().items() if key != "answer"}
        mended = {**_EMPTY, **told, **fields, "waiting": None}
        put(chat, message, mended, body)
