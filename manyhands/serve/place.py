"""Where the owner of the models is found: a lock that one process holds, and a file that tells it.

The lock is the kernel's: it ends with its process, also after kill -9, so that another process can
take over at once. The file holds a token and is readable by the user alone.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from manyhands.errors import StorageError

__all__ = ["Owner", "OwnerLock", "forget_owner", "read_owner", "take_lock", "write_owner"]

_FILE = "serve.json"
_LOCK = "serve.lock"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns the models.

    Attributes:
        door: `serve` for `manyhands serve`, else the door that took the part itself.
    """

    url: str
    token: str
    pid: int
    door: str
    version: str


def make_folder(folder: Path) -> None:
    """Make the folder, for the user alone; raises `StorageError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {str(folder)!r} cannot be made: {error.strerror}.",
            hint="Set serve.folder to a folder of yours.",
        ) from error


def read_owner(folder: Path) -> Owner | None:
    """Who owns the models, as the file says; None where there is none that can be trusted."""
    try:
        handle = os.open(folder / _FILE, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(handle, "r", encoding="utf-8", errors="replace") as file:
        told = os.fstat(file.fileno())
        text = file.read(10_000)
    if os.name == "posix" and (stat.S_IMODE(told.st_mode) & 0o077 or told.st_uid != os.getuid()):
        return None  # somebody else may have written it: the token would go to a stranger
    try:
        owner = Owner(**json.loads(text))
    except (ValueError, TypeError):
        return None
    return owner if owner.url.startswith("http://127.0.0.1:") else None


def write_owner(folder: Path, owner: Owner) -> None:
    """Tell who owns the models: the whole file at once, mode 0600."""
    beside = folder / f".{_FILE}.{secrets.token_hex(4)}"
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(owner), file)
        beside.replace(folder / _FILE)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(
            f"{str(folder / _FILE)!r} cannot be written: {error.strerror}.",
            hint="Set serve.folder to a folder of yours.",
        ) from error


def forget_owner(folder: Path, token: str) -> None:
    """Take the file away if it is still the one of this owner."""
    known = read_owner(folder)
    if known is not None and known.token == token:
        (folder / _FILE).unlink(missing_ok=True)


class OwnerLock:
    """The right to own the models; at most one process has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Take it, without waiting; false while another has it."""
        make_folder(self._path.parent)
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise StorageError(
                f"{str(self._path)!r} cannot be opened: {error.strerror}.",
                hint="Set serve.folder to a folder of yours.",
            ) from error
        if not take_lock(file):
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def take_lock(file: IO[bytes]) -> bool:
    """Lock a file for as long as it is open, without waiting; false while another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
