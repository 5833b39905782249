"""What all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import hypothesis
import pytest

from manyhands.checks.sandbox.environment import ensure_environment
from manyhands.settings import Settings, load_settings

# The same examples in every run, however slow the machine; `--hypothesis-profile=default` searches.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


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


@pytest.fixture(scope="session", autouse=True)
def own_owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Doors that tests open share the models among themselves, never with those of the user."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runtime")
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv("MANYHANDS_SERVE__FOLDER", str(folder))
        patch.setenv("MANYHANDS_SERVE__TIMES", str(folder / "loads.db"))
        yield


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
                "MANYHANDS_SERVE__FOLDER": str(folder / "runtime"),
                "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
            },
        )

    return make
