"""The vectors' index in the file, by `sqlite-vec`: derived, and used while none is in memory."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import numpy as np

from manyhands.journal.database import Database
from manyhands.memory.arrays import F32
from manyhands.memory.lookup import Connection

__all__ = ["NearTable", "load_extension"]

#: `sqlite-vec` refuses a KNN query for more; its time grows with the square.
MOST_NEAREST = 400


def load_extension(db: Database) -> bool:
    """Load `sqlite-vec` into a connection; False when this build of it cannot be loaded."""
    try:
        import sqlite_vec

        db.connection.enable_load_extension(True)
        try:
            db.connection.load_extension(sqlite_vec.loadable_path())
        finally:
            db.connection.enable_load_extension(False)
    except (ImportError, OSError, apsw.Error, AttributeError):
        return False
    return True


def _signs(vectors: F32) -> list[bytes]:
    packed = np.packbits(vectors > 0, axis=1)
    wide = -(-packed.shape[1] // 8) * 8  # whole words: `bit[n]` wants n to be a multiple of 8
    return [row.tobytes().ljust(wide, b"\0") for row in packed]


class NearTable:
    """The sign bits of one model's vectors, a row for each view.

    Bits instead of floats: to scan they are 4 to 9 times cheaper, to insert 4 to 7 times, and
    the floats of the nearest are read from the plain table. A row is inserted or deleted, never
    replaced, and the table never renamed: `sqlite-vec` 0.1.9 breaks on both.
    """

    def __init__(self, model: int, dims: int) -> None:
        self.name = f"near_{model}"
        self._bits = -(-dims // 64) * 64

    def exists(self, db: Connection) -> bool:
        return bool(db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (self.name,)))

    def add(self, db: Connection, views: Sequence[int], vectors: F32) -> None:
        """Insert rows, within a transaction of the caller's."""
        if not self.exists(db):
            db.execute(f"CREATE VIRTUAL TABLE {self.name} USING vec0(signs bit[{self._bits}])")
        for view, signs in zip(views, _signs(vectors), strict=True):
            db.execute(f"DELETE FROM {self.name} WHERE rowid = ?", (view,))  # noqa: S608
            db.execute(
                f"INSERT INTO {self.name} (rowid, signs) VALUES (?, vec_bit(?))",  # noqa: S608
                (view, signs),
            )

    def remove(self, db: Connection, view: int) -> None:
        if self.exists(db):
            db.execute(f"DELETE FROM {self.name} WHERE rowid = ?", (view,))  # noqa: S608

    def drop(self, db: Connection) -> None:
        if self.exists(db):
            db.execute(f"DROP TABLE {self.name}")

    def nearest(
        self, db: Connection, query: F32, where: str, values: Sequence[object]
    ) -> list[int]:
        """Views whose signs are nearest to the query's.

        Args:
            where: SQL that selects the views that may be found; "" for all.
        """
        if not self.exists(db):
            return []
        only = f" AND rowid IN ({where})" if where else ""
        rows = db.execute(
            f"SELECT rowid FROM {self.name} WHERE signs MATCH vec_bit(?) AND k = ?{only}",  # noqa: S608
            (_signs(query[None, :])[0], MOST_NEAREST, *values),
        )
        return [int(view) for (view,) in rows]
