"""Opening an SQLite file so that several processes may use it and none can damage it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import apsw

from manyhands.errors import NewerFormat, StorageBusy, StorageError, StorageFull
from manyhands.journal.private import make_private_folder, tighten

__all__ = ["Database", "Migration", "open_database", "unlock"]

#: How long a writer waits for another process's transaction.
_BUSY_MS = 30_000
#: How often one that waits on an event loop tries again.
_TRY_S = 0.02

T = TypeVar("T")


class Database:
    """A connection that may be used from any thread, one call at a time.

    `apsw` is used instead of `sqlite3` because many Python builds cannot load extensions with
    the latter; its wheels bundle one SQLite with FTS5.
    """

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self._lock = threading.RLock()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; its rows. Raises `StorageError` and its kinds."""
        with self._lock, _told(self.path):
            return list(self.connection.execute(sql, tuple(parameters)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction, begun at once so that it cannot fail half-way for a lock."""
        with self._lock:
            if self.connection.in_transaction:
                yield
                return
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self.connection.in_transaction:
                    self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One steady state for all that is read within."""
        with self._lock:
            self.execute("BEGIN")
            try:
                yield
            finally:
                self.execute("COMMIT")

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is done within does not wait for a lock: it raises `StorageBusy` instead."""
        if not self._lock.acquire(blocking=False):
            raise _busy(self.path)
        try:
            self.connection.set_busy_timeout(0)
            try:
                yield
            finally:
                self.connection.set_busy_timeout(_BUSY_MS)
        finally:
            self._lock.release()

    async def when_free(self, work: Callable[[], T], *, threaded: bool = False) -> T:
        """Do a short piece of work on an event loop, which goes on while others have the file.

        Where nobody has it, no await stands before the work: it is done also in a task that is
        cancelled. Who is cancelled while it waits has done nothing.

        Args:
            threaded: the work is not that short: do it in a thread.

        Raises:
            StorageBusy: others had it for as long as a writer waits.
        """

        def tried() -> T:
            with self.at_once():
                return work()

        end = anyio.current_time() + _BUSY_MS / 1000
        while True:
            try:
                return await anyio.to_thread.run_sync(tried) if threaded else tried()
            except StorageBusy:
                if anyio.current_time() >= end:
                    raise
            await anyio.sleep(_TRY_S)

    def version(self) -> int:
        """Changes with every write of another connection; 2 µs."""
        return int(self.execute("PRAGMA data_version")[0][0])

    def integrity(self) -> str:
        """`ok`, or what `PRAGMA integrity_check` complains of."""
        return "; ".join(str(row[0]) for row in self.execute("PRAGMA integrity_check(5)"))

    def close(self) -> None:
        with self._lock:
            self.connection.close()


def unlock(connection: apsw.Connection, key: str, path: Path) -> None:
    """Give a connection the key of its file, before anything else is done with it.

    Raises:
        StorageError: the key does not fit, or this SQLite cannot encrypt.
    """
    if not hasattr(apsw, "mc_version"):
        raise StorageError(
            f"{str(path)!r} has a key, but the `apsw` installed here cannot encrypt.",
            hint="pip uninstall -y apsw && pip install --force-reinstall apsw-sqlite3mc",
        )
    with _told(path):
        connection.pragma("key", key)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except apsw.NotADBError as error:
            raise StorageError(
                f"The key does not open {str(path)!r}.",
                hint="Nothing was changed. Give the key it was made with.",
            ) from error


Migration = Callable[[Database], None]


def open_database(
    path: Path, migrations: Sequence[Migration], *, read_only: bool = False, key: str = ""
) -> Database:
    """Open or create a file, for this user alone, and bring it to the newest form.

    Args:
        migrations: in order; `user_version` counts those that were applied. Never edited once
            released, only added to.
        key: opens a file that is encrypted, and encrypts one that is made; "" for a plain one.

    Raises:
        NewerFormat: the file was written by a newer version; it is not touched.
        StorageFull: there is no space left.
        StorageError: it cannot be opened, or is no database.
    """
    flags = apsw.SQLITE_OPEN_READONLY
    try:
        if not read_only:
            make_private_folder(path.parent)
            tighten(path)
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    except OSError as error:
        raise StorageError(
            f"The folder of {str(path)!r} cannot be made: {error.strerror}.",
            hint="Check its permissions, or set another path.",
        ) from error
    with _told(path):
        connection = apsw.Connection(str(path), flags=flags)
    database = Database(connection, path)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        if key:
            unlock(connection, key, path)
        if not read_only:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        _migrate(database, migrations, read_only=read_only)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: Database, migrations: Sequence[Migration], *, read_only: bool) -> None:
    (version,) = database.execute("PRAGMA user_version")[0]
    if version > len(migrations):
        raise NewerFormat(
            f"{str(database.path)!r} has format {version}; this version knows {len(migrations)}.",
            hint="Upgrade manyhands, or set another path.",
        )
    if read_only or version == len(migrations):
        return
    with database.transaction():
        # Another process may have migrated while this one waited for the lock.
        (version,) = database.execute("PRAGMA user_version")[0]
        for number in range(version, len(migrations)):
            migrations[number](database)
            database.execute(f"PRAGMA user_version = {number + 1}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.FullError as error:
        raise StorageFull(
            f"No space is left for {str(path)!r}.", hint="Free some space; nothing was lost."
        ) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StorageError(
            f"{str(path)!r} is damaged or no database: {error}.",
            hint="Move it away; a new one is made.",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise StorageError(
            f"{str(path)!r} cannot be opened for writing: {error}.",
            hint="Check its permissions, or set another path.",
        ) from error
    except apsw.BusyError as error:
        raise _busy(path) from error
    except apsw.Error as error:
        raise StorageError(f"{str(path)!r}: {error}.") from error


def _busy(path: Path) -> StorageBusy:
    return StorageBusy(
        f"{str(path)!r} is in use by another process for over {_BUSY_MS // 1000} s.",
        hint="Try again when it is done.",
    )
