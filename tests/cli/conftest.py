"""What the command line's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_cli import Stage

from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.settings import load_settings


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    (tmp_path / "config.toml").touch()
    made: list[Stage] = []
    tiers = load_settings(tmp_path / "config.toml", env={}).tiers
    models = [
        ScriptedModel(name=tier.model, reply=lambda request: made[0].say(request))
        for tier in tiers.values()
    ]
    with running_server(models) as server:
        made.append(Stage(tmp_path, server.url))
        yield made[0]
