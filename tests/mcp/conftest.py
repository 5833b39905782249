"""A door with scripted models, and a client on it in each era of the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_mcp import PROMPTS, ROLES
from manyhands_mcp.door import Door, open_door
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
