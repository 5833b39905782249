"""A chat with the real persona in it, without a browser; a tab is played by a few lines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_ai_persona_manager import PersonaManager
from jupyterlab_chat.models import Message
from jupyterlab_chat.websocket_model import WsChatModel
from manyhands_jupyter.persona import MindPersona
from manyhands_jupyter.server.desk import desk
from manyhands_jupyter.server.tabs import Tab

from manyhands.rehearsal.script import Reply, ScriptedRequest
from manyhands.roles.loader import load_roles

__all__ = ["Chat", "frame", "open_chat", "played_tab", "role_of"]

PROMPTS = {name: role.prompt for name, role in load_roles().items()}


def role_of(request: ScriptedRequest) -> str:
    return next((name for name, prompt in PROMPTS.items() if prompt == request.system), "")


def frame(**fields: Any) -> str:
    return json.dumps({"goal": "g", **fields})


class Chat:
    """A person at a chat."""

    def __init__(self, model: WsChatModel, persona: MindPersona) -> None:
        self.model = model
        self.persona = persona
        self._count = 0

    async def say(self, text: str, attachments: list[str] | None = None) -> str:
        """Send a message; what the newest message says when all is done."""
        self._count += 1
        message = Message(
            id=f"said{self._count}",
            body=text,
            time=time.time(),
            sender="ann",
            attachments=attachments,
        )
        async with asyncio.timeout(60):
            await self.persona.on_message(message)
        return self.last.body

    @property
    def last(self) -> Message:
        return self.model.get_messages()[-1]

    @property
    def told(self) -> dict[str, Any]:
        """What our lab extension draws for the newest message."""
        told: dict[str, Any] = (self.last.metadata or {})["manyhands"]
        return told


@asynccontextmanager
async def open_chat(folder: Path, name: str = "talk") -> AsyncIterator[Chat]:
    """A chat whose file lies in the folder, with the personas that are installed."""
    model = WsChatModel(path=f"{name}.chat", root_dir=folder)
    model.load_from_file()
    manager = PersonaManager(
        chat=model, root_dir=str(folder), event_loop=asyncio.get_running_loop(), base_url="/"
    )
    persona = next(item for item in manager.personas.values() if isinstance(item, MindPersona))
    try:
        yield Chat(model, persona)
    finally:
        await manager.shutdown_personas()


@asynccontextmanager
async def played_tab(
    answers: dict[str, Any], user: str = "ann", *, name: str = "left", sees_kernels: bool = False
) -> AsyncIterator[Tab]:
    """A browser tab of a user that answers what it is asked."""

    def send(message: dict[str, Any]) -> None:
        value = answers.get(message["ask"])
        reply = {"id": message["id"], "value": value}
        if message["ask"] not in answers:
            reply = {"id": message["id"], "error": "This tab cannot."}
        asyncio.get_running_loop().call_soon(tab.took, reply)

    tab = Tab(user, send, sees_kernels=sees_kernels)
    tab.name = name
    tab.touch()
    desk().tabs.add(tab)
    try:
        yield tab
    finally:
        desk().tabs.remove(tab)


def paced(text: str, seconds: float) -> Reply:
    return Reply(frame(route="direct", answer=text), thinking="hm " * 200, pace_s=seconds)
