"""The environment in which tests start commands: nothing of the user's own is seen or changed."""

from __future__ import annotations

import os
from pathlib import Path

from manyhands.checks.sandbox.environment import OVERRIDE, hands_python

__all__ = ["own_environment"]


def own_environment(folder: Path, **more: str) -> dict[str, str]:
    """A bare environment whose settings, stores and serve folder all lie in `folder`.

    Only the hands' Python is that of the machine, because building one takes a minute.
    """
    settings = folder / "config.toml"
    settings.touch()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder / "xdg-config"),
        "XDG_DATA_HOME": str(folder / "xdg-data"),
        "MANYHANDS_CONFIG": str(settings),
        "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
        "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
        "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        "MANYHANDS_SERVE__FOLDER": str(folder / "serve"),
        "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
        OVERRIDE: str(hands_python()),
        **more,
    }
