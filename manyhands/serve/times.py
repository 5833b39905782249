"""Measured load times, kept for the next process: by host and file of weights."""

from __future__ import annotations

from pathlib import Path

from manyhands.journal.database import Database, open_database
from manyhands.schedule.estimates import LoadSample

__all__ = ["LoadTimes"]

#: Loads of one file on one host that are kept.
_KEPT = 20


def m001_loads(db: Database) -> None:
    db.execute(
        "CREATE TABLE loads (id INTEGER PRIMARY KEY, host TEXT NOT NULL, weights TEXT NOT NULL, "
        "at REAL NOT NULL, size INTEGER NOT NULL, seconds REAL NOT NULL)"
    )
    db.execute("CREATE INDEX loads_by_host ON loads (host, weights, id)")


MIGRATIONS = (m001_loads,)


class LoadTimes:
    """One SQLite file that several processes may use."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(cls, path: Path) -> LoadTimes:
        """Open or create the file; raises `StorageError` and its kinds."""
        return cls(open_database(path, MIGRATIONS))

    def close(self) -> None:
        self._db.close()

    def add(self, host: str, sample: LoadSample, at: float) -> None:
        """Keep one measurement; only the newest of each file stay.

        Raises:
            StorageBusy: another process writes just now; it is not waited for.
        """
        with self._db.at_once(), self._db.transaction():
            self._db.execute(
                "INSERT INTO loads (host, weights, at, size, seconds) VALUES (?, ?, ?, ?, ?)",
                (host, sample.weights, at, sample.size, sample.seconds),
            )
            self._db.execute(
                "DELETE FROM loads WHERE host = ? AND weights = ? AND id NOT IN (SELECT id FROM "
                "loads WHERE host = ? AND weights = ? ORDER BY id DESC LIMIT ?)",
                (host, sample.weights, host, sample.weights, _KEPT),
            )

    def samples(self, host: str) -> list[LoadSample]:
        """Measured loads of a host, the newest first."""
        rows = self._db.execute(
            "SELECT weights, size, seconds FROM loads WHERE host = ? ORDER BY id DESC", (host,)
        )
        return [LoadSample(*row) for row in rows]
