"""What all tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from manyhands.checks.sandbox.environment import ensure_environment
from manyhands.settings import Settings, load_settings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def hands_environment() -> None:
    """Built before anything runs in it.

    Tests start commands with a bare environment, where an installer would lack this machine's
    proxies and certificates.
    """
    anyio.run(ensure_environment)


@pytest.fixture(scope="session")
def settings_in() -> Callable[[Path], Settings]:
    """Makes settings whose journal lies in a folder, with nothing of the user's own."""

    def make(folder: Path) -> Settings:
        (folder / "settings.toml").touch()
        return load_settings(
            path=folder / "settings.toml",
            env={
                "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
                "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
                "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
            },
        )

    return make
