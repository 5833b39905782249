"""`%mind memory add|search|…`: the commands of the command line, in a cell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from manyhands.errors import InputError
from manyhands_jupyter.command_line import run_manyhands
from manyhands_jupyter.telling import wait_for

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["is_command", "run_command"]

_TOLD = "add list search why show edit forget export import stats index encrypt"
_COMMANDS = frozenset(_TOLD.split())
#: What a command would wait for that a cell cannot give.
_NEEDS = {
    "forget": ({"--yes"}, "A cell asks nothing back: add --yes."),
    "edit": ({"--text", "--confirm"}, 'A cell opens no editor: add --text "…" or --confirm.'),
}


def is_command(text: str) -> bool:
    """Whether the words after `%mind memory` begin with a command, not with what to look for."""
    return bool(text.strip()) and text.split(None, 1)[0] in _COMMANDS


def run_command(session: Session, text: str) -> str:
    """Run one command; what it says.

    Raises:
        InputError: it cannot be read, would wait for a person, or has failed.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text[:80]!r} cannot be read: {error}.") from error
    given = {word.partition("=")[0] for word in words}
    needed, how = _NEEDS.get(words[0], (set(), ""))
    if needed and not given & {*needed, "--help"}:
        raise InputError(f"`{words[0]}` would wait for an answer.", hint=how)
    if "--watch" in given:
        raise InputError("A cell does not watch files.", hint="A terminal does.")
    code, out, messages = wait_for(session, run_manyhands(session, "memory", *words))
    if code:
        raise InputError((messages or out).strip() or f"`memory {words[0]}` failed.")
    return (out + messages).rstrip()
