"""Files that hold what a person asked and remembers: for that user alone from the first byte on."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from manyhands.configuration.sections import user_data_folder

__all__ = ["make_private_folder", "new_private_file", "open_to_others", "tighten"]

#: SQLite gives the files that it makes beside a database the rights of the database.
_BESIDE = ("", "-wal", "-shm", "-journal")


def make_private_folder(folder: Path) -> None:
    """Make a folder with mode 0700; one that is there is tightened only if it is our own.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        return
    if _ours(folder):
        _close(folder, 0o700)


def tighten(path: Path) -> None:
    """Make an SQLite file with mode 0600, or give that mode to one that others may read.

    What belongs to somebody else, and file systems without rights, stay as they are.
    """
    with suppress(OSError):
        # Only a file that is new is opened: closing a descriptor of one that is in use would
        # drop this process's locks on it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for suffix in _BESIDE:
        _close(path.with_name(path.name + suffix), 0o600)


def open_to_others(path: Path) -> str:
    """What other users of this machine may do with a file, in words; "" for nothing."""
    if os.name != "posix":
        return ""  # Windows keeps others out by the rights of the user's folder
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return ""
    kinds = [word for bits, word in ((0o044, "read"), (0o022, "change")) if mode & bits]
    return " and ".join(kinds)


@contextmanager
def new_private_file(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place whole when the body ends, and not at all else.

    It has its rights before it holds a byte, and a name that nobody can have put a link under.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            beside.chmod(mode)  # wider than the process's mask, where the original is
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _ours(folder: Path) -> bool:
    own = user_data_folder().absolute()
    return folder.absolute() == own or own in folder.absolute().parents


def _close(path: Path, mode: int) -> None:
    with suppress(OSError):
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(mode)
