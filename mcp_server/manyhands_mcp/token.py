"""The token of the HTTP transport: made on first use, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from manyhands.errors import SettingsError
from manyhands.journal.private import make_private_folder

__all__ = ["read_token", "token_path"]

_BITS = 256


def token_path() -> Path:
    """Where the token lies by default; the folder is not made here."""
    from platformdirs import user_data_path

    return user_data_path("manyhands", appauthor=False) / "mcp-token"


def read_token(path: Path) -> str:
    """The token in the file, which is made (mode 0600, 256 random bits) if it is not there.

    Raises:
        SettingsError: the file can be read by others, belongs to somebody else, is a link, or
            holds no token.
    """
    make_private_folder(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _checked(path)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        token = secrets.token_hex(_BITS // 8)
        file.write(token + "\n")
    return token


def _checked(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise SettingsError(
            f"The token file {str(path)!r} cannot be read: {error.strerror}.",
            hint="Move it away; a new one is made.",
        ) from error
    with os.fdopen(handle, "r", encoding="ascii", errors="replace") as file:
        told = os.fstat(file.fileno())
        text = file.read(1_000).strip()
    # Windows keeps other users out by the folder's rights and knows no such modes.
    if os.name == "posix" and (stat.S_IMODE(told.st_mode) & 0o077 or told.st_uid != os.getuid()):
        raise SettingsError(
            f"The token file {str(path)!r} can be read by others.",
            hint=f"Run `chmod 600 {path}`, or delete it: a new token is made.",
        )
    if len(text) < _BITS // 8 or not text.isalnum():
        raise SettingsError(
            f"The token file {str(path)!r} holds no token.", hint="Delete it; a new one is made."
        )
    return text
