"""`%mind`, `%%mind` and `%%hand`: loaded by `%load_ext manyhands`, quickly and without network."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from manyhands_jupyter.magics.commands import MindMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["keep_questions", "register", "unregister"]

_ASKED = re.compile(r"^(\s*)%mind\s+(.*\?)\s*$")


def register(shell: InteractiveShell) -> None:
    """Add the magics to a shell; again begins afresh."""
    unregister(shell)
    magics = MindMagics(shell)
    shell.register_magics(magics)
    magics.session.recorder.begin()
    shell.input_transformers_cleanup.append(keep_questions)
    shell._manyhands = magics
    if getattr(shell, "kernel", None) is not None:
        # What the first question needs is loaded meanwhile, so that it shows at once.
        threading.Thread(target=_warm, name="manyhands-loads", daemon=True).start()


def unregister(shell: InteractiveShell) -> None:
    """Stop what goes on and listen no longer."""
    known = getattr(shell, "_manyhands", None)
    if known is not None:
        known.session.close()
        if keep_questions in shell.input_transformers_cleanup:
            shell.input_transformers_cleanup.remove(keep_questions)
        del shell._manyhands


def keep_questions(lines: list[str]) -> list[str]:
    """A line `%mind …?` as a call: IPython would take its question mark for a wish for help."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_ASKED.sub(_call, line) for line in lines]


def _call(match: re.Match[str]) -> str:
    return f"{match[1]}get_ipython().run_line_magic('mind', {match[2].strip()!r})\n"


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
