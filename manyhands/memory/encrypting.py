"""Encrypting a memory file that is plain, making an encrypted one plain, changing its key."""

from __future__ import annotations

from pathlib import Path

import apsw

from manyhands.errors import StorageError
from manyhands.journal.database import unlock

__all__ = ["change_key", "is_encrypted"]

_MAGIC = b"SQLite format 3\0"


def is_encrypted(path: Path) -> bool:
    """Whether a file that is there is no plain SQLite file."""
    with path.open("rb") as file:
        return not file.read(len(_MAGIC)).startswith(_MAGIC)


def change_key(path: Path, old: str, new: str) -> None:
    """Write every page of the file anew under another key, in one transaction.

    Args:
        old: the key it has; "" when it is plain.
        new: the key it is to have; "" to make it plain.

    Raises:
        StorageError: another process has it open, the old key does not fit, or SQLite cannot
            encrypt here. The file is as it was.
    """
    if not hasattr(apsw, "mc_version"):
        raise StorageError(
            "The `apsw` installed here cannot encrypt.",
            hint="pip uninstall -y apsw && pip install --force-reinstall apsw-sqlite3mc",
        )
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(2_000)
        if old:
            unlock(connection, old, path)
        # Pages in the log cannot be rewritten: it is folded in first, which needs the file alone.
        mode = connection.pragma("journal_mode", "delete")
        if mode != "delete":
            raise apsw.BusyError(mode)
        connection.pragma("secure_delete", True)
        connection.pragma("rekey", new)
        connection.pragma("journal_mode", "wal")
    except apsw.BusyError as error:
        raise StorageError(
            f"{str(path)!r} is open in another process.",
            hint="Close notebooks, servers and IDEs that use it, and try again.",
        ) from error
    except apsw.Error as error:
        raise StorageError(f"The key of {str(path)!r} was not changed: {error}.") from error
    finally:
        connection.close()
