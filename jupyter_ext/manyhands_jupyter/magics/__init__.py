"""`%mind`, `%%mind` and `%%hand`: loaded by `%load_ext manyhands`, quickly and without network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from manyhands_jupyter.magics.commands import MindMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["register", "unregister"]


def register(shell: InteractiveShell) -> None:
    """Add the magics to a shell; again begins afresh."""
    unregister(shell)
    magics = MindMagics(shell)
    shell.register_magics(magics)
    magics.session.recorder.begin()
    shell._manyhands = magics
    if getattr(shell, "kernel", None) is not None:
        # What the first question needs is loaded meanwhile, so that it shows at once.
        threading.Thread(target=_warm, name="manyhands-loads", daemon=True).start()


def unregister(shell: InteractiveShell) -> None:
    """Stop what goes on and listen no longer."""
    known = getattr(shell, "_manyhands", None)
    if known is not None:
        known.session.close()
        del shell._manyhands


def _warm() -> None:
    import importlib

    for name in (
        "manyhands_jupyter.views.panel",
        "manyhands_jupyter.answering",
        "manyhands.mind.single",
        "manyhands.hands.bench",
        "manyhands.hands.models",
    ):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # an optional part; who needs it says so
