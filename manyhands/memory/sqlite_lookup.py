"""Words by FTS5 and nearest vectors by `sqlite-vec`, in the memory file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from manyhands.memory.arrays import F32
from manyhands.memory.lookup import Connection
from manyhands.memory.neardisk import NearTable
from manyhands.memory.schema import WORDS_INDEX

__all__ = ["SqliteLookup"]


class SqliteLookup:
    """See `Lookup`."""

    def __init__(self, *, near: bool) -> None:
        self.near = near

    @property
    def told(self) -> str:
        return "FTS5 and sqlite-vec" if self.near else "FTS5; sqlite-vec cannot be loaded"

    def add_words(self, db: Connection, pk: int, body: str, around: str) -> None:
        db.execute("INSERT INTO words VALUES (?, ?, ?)", (pk, body, around))
        db.execute(
            "INSERT INTO words_fts (rowid, body, around) VALUES (?, ?, ?)", (pk, body, around)
        )

    def drop_words(self, db: Connection, pk: int) -> None:
        for body, around in db.execute("SELECT body, around FROM words WHERE item = ?", (pk,)):
            db.execute(
                "INSERT INTO words_fts (words_fts, rowid, body, around) VALUES ('delete', ?, ?, ?)",
                (pk, body, around),
            )
            db.execute("DELETE FROM words WHERE item = ?", (pk,))

    def remake_words(self, db: Connection, words: Iterable[tuple[int, str, str]]) -> None:
        db.execute("DROP TABLE IF EXISTS words_fts")
        db.execute("DELETE FROM words")
        db.execute(WORDS_INDEX)
        db.execute("INSERT INTO words_fts (words_fts, rank) VALUES ('secure-delete', 1)")
        for row in words:
            db.execute("INSERT INTO words VALUES (?, ?, ?)", row)
        db.execute("INSERT INTO words_fts (words_fts) VALUES ('rebuild')")

    def by_words(
        self, db: Connection, stems: Sequence[str], where: str, values: Sequence[object], most: int
    ) -> list[int]:
        # A stem has letters and digits only; in quotes it cannot be an operator of FTS5.
        match = " OR ".join(f'"{stem}"' for stem in dict.fromkeys(stems))
        rows = db.execute(
            "SELECT i.pk FROM words_fts JOIN item i ON i.pk = words_fts.rowid "  # noqa: S608
            f"WHERE words_fts MATCH ?{where} ORDER BY words_fts.rank LIMIT ?",
            (match, *values, most),
        )
        return [int(pk) for (pk,) in rows]

    def holders(self, db: Connection, stems: Iterable[str]) -> dict[str, int]:
        db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words_vocab "
            "USING fts5vocab(main, words_fts, row)"
        )
        found = {}
        for stem in stems:
            for (count,) in db.execute("SELECT doc FROM temp.words_vocab WHERE term = ?", (stem,)):
                found[stem] = int(count)
        return found

    def add_near(self, db: Connection, model: int, views: Sequence[int], vectors: F32) -> None:
        if self.near:
            NearTable(model, vectors.shape[1]).add(db, views, vectors)
        else:
            _stale(db)

    def drop_near(self, db: Connection, model: int, dims: int, view: int) -> None:
        if self.near:
            NearTable(model, dims).remove(db, view)
        elif dims:
            _stale(db)

    def drop_model(self, db: Connection, model: int, dims: int) -> None:
        if self.near:
            NearTable(model, dims).drop(db)

    def drop_all_near(self, db: Connection) -> None:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'near_[0-9]*'"):
            if name.removeprefix("near_").isdigit():
                db.execute(f"DROP TABLE {name}")
        db.execute("DELETE FROM setting WHERE name = 'near_stale'")

    def by_vectors(
        self, db: Connection, model: int, query: F32, among: str, values: Sequence[object]
    ) -> list[int]:
        return NearTable(model, len(query)).nearest(db, query, among, values)

    def scrub(self, db: Connection) -> str:
        # FTS5 merges what it holds, so that no page keeps a part of a deleted term.
        with db.transaction():
            db.execute("INSERT INTO words_fts (words_fts) VALUES ('optimize')")
        # `secure_delete` has put zeros over freed pages; what older versions of a page still lie
        # in the log goes with it.
        ((busy, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (
            "Another process is reading the file; run this again so that no byte stays."
            if busy
            else ""
        )


def _stale(db: Connection) -> None:
    """Another process, which can load the extension, makes the index anew."""
    db.execute("INSERT INTO setting VALUES ('near_stale', '1') ON CONFLICT DO NOTHING")
