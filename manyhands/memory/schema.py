"""The tables of the memory file, as numbered migrations; those marked derived can be rebuilt."""

from __future__ import annotations

from manyhands.journal.database import Database

__all__ = ["MIGRATIONS", "WORDS_INDEX"]

#: Derived: the words index over the table `words`.
WORDS_INDEX = (
    "CREATE VIRTUAL TABLE words_fts USING fts5(body, around, content='words', "
    "content_rowid='item', tokenize=\"unicode61 remove_diacritics 0\")"
)


def m001_items(db: Database) -> None:
    db.execute("CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE item (pk INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
        "kind TEXT NOT NULL, family TEXT NOT NULL, scope TEXT NOT NULL, text TEXT NOT NULL, "
        "source TEXT NOT NULL, context TEXT NOT NULL, thread TEXT NOT NULL, "
        "position REAL NOT NULL, time REAL, speaker TEXT NOT NULL, subject TEXT NOT NULL, "
        "trust TEXT NOT NULL, tags TEXT NOT NULL, meta TEXT NOT NULL, "
        "marks INTEGER NOT NULL, fingerprint BLOB NOT NULL, added REAL NOT NULL, "
        "valid_from REAL NOT NULL, "
        "valid_to REAL, superseded_by TEXT NOT NULL DEFAULT '')"
    )
    db.execute("CREATE INDEX item_thread ON item (scope, thread, position)")
    db.execute("CREATE INDEX item_source ON item (source)")
    db.execute("CREATE INDEX item_subject ON item (scope, subject) WHERE subject <> ''")
    # Derived: the stems of each item.
    db.execute("CREATE TABLE words (item INTEGER PRIMARY KEY, body TEXT, around TEXT)")
    db.execute(WORDS_INDEX)
    db.execute("INSERT INTO words_fts (words_fts, rank) VALUES ('secure-delete', 1)")
    # What has changed, so that other processes can bring their index in memory up to date.
    db.execute("CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL)")
    # `state`: serving (answers queries), filling (being made), at most one of each.
    db.execute(
        "CREATE TABLE model (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, "
        "state TEXT NOT NULL, dims INTEGER NOT NULL DEFAULT 0)"
    )
    db.execute(
        "CREATE TABLE view (id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL, "
        "ord INTEGER NOT NULL, role INTEGER NOT NULL, digest BLOB NOT NULL)"
    )
    db.execute("CREATE UNIQUE INDEX view_item ON view (item, ord)")
    db.execute("CREATE INDEX view_digest ON view (digest)")
    db.execute(
        # `key` is model << 40 | view, so that one model's vectors lie together; data is float16.
        "CREATE TABLE vector (key INTEGER PRIMARY KEY, data BLOB NOT NULL)"
    )
    # Fusion profiles that were fitted on this memory; the newest of a family is used.
    db.execute(
        "CREATE TABLE profile (version INTEGER PRIMARY KEY AUTOINCREMENT, family TEXT NOT NULL, "
        "weights TEXT NOT NULL, made REAL NOT NULL, before REAL NOT NULL, after REAL NOT NULL, "
        "pairs INTEGER NOT NULL)"
    )
    # What was forgotten, as salted hashes of ids, so that indexing a file does not bring it back.
    db.execute("CREATE TABLE tombstone (hash BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID")
    # What was indexed, so that an unchanged file costs nothing.
    db.execute(
        "CREATE TABLE file (path TEXT NOT NULL, scope TEXT NOT NULL, size INTEGER NOT NULL, "
        "mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL, seen REAL NOT NULL, "
        "PRIMARY KEY (path, scope)) WITHOUT ROWID"
    )
    db.execute(
        "INSERT INTO setting VALUES ('salt', lower(hex(randomblob(16)))), "
        "('store', lower(hex(randomblob(8))))"
    )


MIGRATIONS = (m001_items,)
