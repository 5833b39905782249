"""A door with scripted models, and a client on it in each era of the protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers_mcp import PROMPTS, ROLES
from helpers_requirements import TOKEN, Ask, listing
from manyhands_mcp.door import Door, open_door
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from manyhands_mcp.limits import Limits

from manyhands.cli.demo_models import say
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.settings import Settings

OpenDoor = Callable[..., AbstractAsyncContextManager[Door]]


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def door_on(settings: Settings, tmp_path: Path) -> OpenDoor:
    """Opens a door: `reply` is what the scripted models say; the rest goes to `open_door`."""

    @asynccontextmanager
    async def opened(
        reply: Callable[[Any], Any] | None = None,
        limits: Limits | None = None,
        folders: tuple[Path, ...] = (),
        **options: Any,
    ) -> AsyncIterator[Door]:
        said = reply or (lambda request: say(request, PROMPTS))
        with scripted_tiers(settings, said, **options) as rehearsed:
            mind = Mind(rehearsed, roles=ROLES, door="mcp", simulated=True)
            async with open_door(mind, limits=limits, folders=folders or (tmp_path,)) as door:
                yield door

    return opened


@pytest.fixture
def web(door_on: Any) -> Any:
    """A server, and `ask(method, body, **headers)` on it; None leaves a header out."""

    @asynccontextmanager
    async def opened(**rules: Any) -> AsyncIterator[Ask]:
        async with (
            door_on() as door,
            running_http(door, GuardRules(TOKEN, **rules)) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):

            async def ask(
                body: Any = None, method: str = "POST", path: str = "/mcp", **headers: Any
            ) -> httpx.Response:
                named = {key.replace("_", "-"): value for key, value in headers.items()}
                whole = {
                    "authorization": f"Bearer {TOKEN}",
                    "content-type": "application/json",
                    "accept": "application/json, text/event-stream",
                    **named,
                }
                content = body if isinstance(body, bytes) else json.dumps(body or listing())
                return await client.request(
                    method,
                    path,
                    content=content,
                    headers={key: value for key, value in whole.items() if value is not None},
                )

            yield ask

    return opened
