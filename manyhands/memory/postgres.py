"""The memory on a PostgreSQL server, for those who outgrow one machine; pgvector searches there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from manyhands.errors import InputError, NewerFormat, StorageError, StorageFull
from manyhands.memory.lookup import Connection
from manyhands.memory.postgres_lookup import PostgresLookup
from manyhands.memory.store import Store

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresDatabase", "open_on_server", "without_password"]

#: One writer at a time, as in the file: the change log's numbers are then in order of commit.
_WRITERS = 0x6D616E79
_CONNECT_S = 10
#: Statements that are sent together at most.
_MOST_WAITING = 500
#: Where the tables lie, unless the URL has a search path of its own.
_SCHEMA = "manyhands"


def without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:…@{host}"))


class PostgresDatabase:
    """A connection that may be used from any thread; see `Connection`.

    A connection that the server has dropped is made again, unless a transaction is open. Within
    a transaction a statement that gives no rows waits for one that does, or for the end, and goes
    with it in one round trip; its error comes then, and undoes the whole transaction all the same.
    """

    def __init__(self, url: str, *, read_only: bool) -> None:
        self.place = without_password(url)
        self._url = url
        self._read_only = read_only
        self._lock = threading.RLock()
        self._open = 0  # transactions that are entered
        self._closed = False
        self._waiting: list[str] = []
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Any]:
        psycopg = _psycopg()
        with _told(self.place):
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                # Values are put into the statement here: one round trip, and no guessed types.
                cursor_factory=psycopg.ClientCursor,
            )
            if "search_path" not in self._url:
                if not self._read_only:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
                connection.execute(f"SET search_path = {_SCHEMA}, public")
            if self._read_only:
                connection.execute("SET default_transaction_read_only = on")
            return connection  # type: ignore[no-any-return]

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; its rows. Raises `StorageError` and its kinds."""
        with self._lock, _told(self.place):
            if self._closed:
                raise StorageError(f"The memory at {self.place!r} has been closed.")
            psycopg = _psycopg()
            if self._connection.closed and not self._open:
                self._connection = self._connect()
            whole = psycopg.ClientCursor(self._connection).mogrify(
                _marked(sql), [_plain(one) for one in parameters]
            )
            if self._open and _gives_no_rows(sql):
                self._waiting.append(whole)
                if len(self._waiting) < _MOST_WAITING:
                    return []
                whole = self._waiting.pop()
            sent, self._waiting = "; ".join([*self._waiting, whole]).encode(), []
            try:
                return self._sent(sent)
            except psycopg.OperationalError:
                begins = sql.startswith(("SELECT", "BEGIN")) and not self._open
                if not (begins and self._connection.closed):
                    raise
                self._connection = self._connect()
                return self._sent(sent)

    def _sent(self, statements: bytes) -> list[tuple[Any, ...]]:
        # Without parameters nothing in them is taken for a placeholder.
        cursor = self._connection.execute(statements)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._within("BEGIN", first=f"SELECT pg_advisory_xact_lock({_WRITERS})"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._within("BEGIN ISOLATION LEVEL REPEATABLE READ"):
            yield

    @contextmanager
    def _within(self, begin: str, first: str = "") -> Iterator[None]:
        with self._lock:
            if self._open:
                yield
                return
            self.execute(begin)
            self._open += 1
            try:
                if first:
                    self.execute(first)
                yield
            except BaseException:
                self._waiting.clear()
                if not self._connection.closed:
                    self.execute("ROLLBACK")
                raise
            else:
                self.execute("COMMIT")
            finally:
                self._open -= 1

    def version(self) -> object:
        """The last change, and the model that serves: one short round trip."""
        return self.execute(
            "SELECT (SELECT max(seq) FROM change), "
            "(SELECT max(id) FROM model WHERE state = 'serving' AND dims > 0)"
        )[0]

    def integrity(self) -> str:
        """`ok`: whether its pages are whole is the server's business (`pg_amcheck`)."""
        self.execute("SELECT count(*) FROM item")
        return "ok"

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()


class ServerStore(Store):
    """A store whose tables lie on a server."""

    def size(self) -> int:
        ((size,),) = self.reader.execute(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
        )
        return int(size)


def open_on_server(url: str, *, read_only: bool = False) -> Store:
    """Open or create the memory of a database, in the first schema of its search path.

    Raises:
        NewerFormat, StorageError, InputError: said in words; the tables are as they were.
    """
    writer = None if read_only else PostgresDatabase(url, read_only=False)
    try:
        if writer is not None:
            with writer.transaction():
                _migrate(writer)
        reader = PostgresDatabase(url, read_only=True)
        try:
            if not _has_tables(reader):
                raise InputError(
                    f"Nothing is remembered yet at {reader.place!r}.",
                    hint='The first memory makes its tables: manyhands memory add "…"',
                )
            lookup = PostgresLookup(pgvector=_pgvector(writer or reader))
        except BaseException:
            reader.close()
            raise
    except BaseException:
        if writer is not None:
            writer.close()
        raise
    return ServerStore(reader.place, writer, reader, lookup, remote=True)


def _has_tables(db: Connection) -> bool:
    # The first schema of the search path that is there; a read-only look may find another.
    return bool(
        db.execute(
            "SELECT count(*) = 2 FROM pg_tables WHERE schemaname = current_schema() "
            "AND tablename IN ('setting', 'tombstone')"
        )[0][0]
    )


def _migrate(db: Connection) -> None:
    version = 0
    if _has_tables(db):
        rows = db.execute("SELECT value FROM setting WHERE name = 'format'")
        version = int(rows[0][0]) if rows else 0
    if version > len(MIGRATIONS):
        raise NewerFormat(
            f"The memory on the server has format {version}; this version knows {len(MIGRATIONS)}.",
            hint="Upgrade manyhands.",
        )
    for number in range(version, len(MIGRATIONS)):
        MIGRATIONS[number](db)
        db.execute(
            "INSERT INTO setting VALUES ('format', ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (str(number + 1),),
        )


def _pgvector(db: Connection) -> tuple[int, ...]:
    """pgvector's version; where it is installed but not yet made known, that is tried."""
    known = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    rows = db.execute(known)
    if not rows:
        try:
            # Not beside our tables: one of them has the name of its first type.
            db.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        except StorageError:
            return ()  # not installed, or not ours to make known: searched in memory instead
        rows = db.execute(known)
    if not db.execute("SELECT to_regtype('halfvec') IS NOT NULL")[0][0]:
        return ()  # too old, or in a schema outside the search path
    return tuple(int(part) for part in str(rows[0][0]).split(".") if part.isdigit())


def m001_items(db: Connection) -> None:
    """The tables of `schema.m001_items`, in PostgreSQL's types."""
    key = "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    real = "double precision"
    for statement in (
        "CREATE TABLE setting (name text PRIMARY KEY, value text NOT NULL)",
        f"CREATE TABLE item (pk {key}, id text NOT NULL UNIQUE, kind text NOT NULL, "
        "family text NOT NULL, scope text NOT NULL, text text NOT NULL, source text NOT NULL, "
        f"context text NOT NULL, thread text NOT NULL, position {real} NOT NULL, time {real}, "
        "speaker text NOT NULL, subject text NOT NULL, trust text NOT NULL, tags text NOT NULL, "
        "meta text NOT NULL, marks integer NOT NULL, fingerprint bytea NOT NULL, "
        f"added {real} NOT NULL, valid_from {real} NOT NULL, valid_to {real}, "
        "superseded_by text NOT NULL DEFAULT '')",
        "CREATE INDEX item_thread ON item (thread, position)",
        "CREATE INDEX item_subject ON item USING hash (subject) WHERE subject <> ''",
        "CREATE TABLE words (item bigint PRIMARY KEY, body text NOT NULL, around text NOT NULL, "
        "stems text[] NOT NULL)",
        "CREATE INDEX words_stems ON words USING gin (stems)",
        f"CREATE TABLE change (seq {key}, item bigint NOT NULL)",
        f"CREATE TABLE model (id {key}, name text NOT NULL UNIQUE, state text NOT NULL, "
        "dims integer NOT NULL DEFAULT 0)",
        f"CREATE TABLE view (id {key}, item bigint NOT NULL, ord integer NOT NULL, "
        "role integer NOT NULL, digest bytea NOT NULL, UNIQUE (item, ord))",
        "CREATE INDEX view_digest ON view (digest)",
        "CREATE TABLE vector (key bigint PRIMARY KEY, data bytea NOT NULL)",
        f"CREATE TABLE profile (version {key}, family text NOT NULL, weights text NOT NULL, "
        f"made {real} NOT NULL, before {real} NOT NULL, after {real} NOT NULL, "
        "pairs integer NOT NULL)",
        f"CREATE TABLE tombstone (hash bytea PRIMARY KEY, at {real} NOT NULL)",
        "CREATE TABLE file (path text NOT NULL, scope text NOT NULL, size bigint NOT NULL, "
        f"mtime_ns bigint NOT NULL, hash bytea NOT NULL, seen {real} NOT NULL, "
        "PRIMARY KEY (path, scope))",
        "INSERT INTO setting VALUES ('salt', md5(gen_random_uuid()::text)), "
        "('store', md5(gen_random_uuid()::text))",
    ):
        db.execute(statement)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (m001_items,)


def _gives_no_rows(sql: str) -> bool:
    return sql.startswith(("INSERT", "UPDATE", "DELETE")) and "RETURNING" not in sql


@lru_cache(maxsize=2_048)
def _marked(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _plain(value: Any) -> Any:
    """A value as PostgreSQL takes it; its text holds no NUL, which becomes U+FFFD."""
    if isinstance(value, str):
        return str(value.value if isinstance(value, Enum) else value).replace("\0", "\ufffd")
    return value.item() if hasattr(value, "item") else value


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise StorageError(
            "A memory on PostgreSQL needs psycopg, which is not installed.",
            hint="pip install '.[farm]' in the clone",
        ) from error
    return psycopg


@contextmanager
def _told(place: str) -> Iterator[None]:
    psycopg = _psycopg()
    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise StorageError(f"{place!r} is open for reading only.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StorageError(
            f"{place!r}: {_first_line(error)}.", hint="Give this user rights on its own schema."
        ) from error
    except psycopg.errors.DiskFull as error:
        raise StorageFull(
            f"No space is left at {place!r}.", hint="Free some space; nothing was lost."
        ) from error
    except psycopg.OperationalError as error:
        raise StorageError(
            f"The server at {place!r} does not answer: {_first_line(error)}.",
            hint="Start it, or check memory.url.",
        ) from error
    except psycopg.Error as error:
        raise StorageError(f"{place!r}: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
