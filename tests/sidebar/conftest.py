"""Settings of a test's own, and scripted models behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.settings import load_settings

Play = Callable[..., AbstractContextManager[RehearsalServer]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays the models of fresh settings, which the persona reads as a user's own."""
    (tmp_path / "config.toml").touch()
    for name, value in {
        "CONFIG": "config.toml",
        "JOURNAL__PATH": "journal.db",
        "MEMORY__PATH": "memory.db",
        "ROUTING__PATH": "learning.db",
    }.items():
        monkeypatch.setenv(f"MANYHANDS_{name}", str(tmp_path / value))
    tiers = load_settings().tiers

    @contextmanager
    def playing(reply: Callable[[Any], Any]) -> Iterator[RehearsalServer]:
        names = {tier.model: name for name, tier in tiers.items()}
        models = [
            ScriptedModel(
                name=model,
                reply=reply,
                capabilities=("embedding",) if tier == "embed" else ("completion", "thinking"),
                dimensions=64 if tier == "embed" else 0,
            )
            for model, tier in names.items()
        ]
        with running_server(models) as server:
            monkeypatch.setenv("OLLAMA_HOST", server.url)
            yield server

    return playing
