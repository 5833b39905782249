"""What is derived from the plain tables and can be made anew: words, and the vectors' index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyhands.journal.database import Database
from manyhands.memory.neardisk import NearTable
from manyhands.memory.schema import WORDS_INDEX
from manyhands.memory.views import words_of
from manyhands.memory.words import stems

if TYPE_CHECKING:
    from manyhands.memory.store import Store

__all__ = ["drop_model", "keep_vectors", "near_is_stale", "rebuild_near", "rebuild_words"]


def keep_vectors(store: Store, model: int, rows: Sequence[tuple[int, int, bytes]]) -> None:
    """Write vectors, given as view, item and float16 bytes, within the caller's transaction."""
    db = store.writer
    for view, _, data in rows:
        db.execute("INSERT OR IGNORE INTO vector VALUES (?, ?)", (model << 40 | view, data))
    for item in sorted({item for _, item, _ in rows}):
        db.execute("INSERT INTO change (item) VALUES (?)", (item,))
    if rows and store.near:
        block = np.stack([np.frombuffer(data, np.float16) for _, _, data in rows])
        table = NearTable(model, block.shape[1])
        table.add(db, [view for view, _, _ in rows], block.astype(np.float32))
    elif rows:
        near_is_stale(db)


def drop_model(store: Store, model: int, dims: int) -> None:
    """Remove a model and all its vectors, within the caller's transaction."""
    db = store.writer
    low, high = model << 40, (model + 1) << 40
    db.execute("DELETE FROM vector WHERE key >= ? AND key < ?", (low, high))
    if store.near:
        NearTable(model, dims).drop(db)
    db.execute("DELETE FROM model WHERE id = ?", (model,))


def near_is_stale(db: Database) -> None:
    """Another process, which can load the extension, makes the index anew."""
    db.execute("INSERT OR IGNORE INTO setting VALUES ('near_stale', '1')")


def rebuild_near(store: Store) -> int:
    """Make the vectors' index in the file anew from the vectors; how many it holds."""
    db = store.writer
    if not store.near:
        return 0
    held = 0
    with db.transaction():
        tables = db.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'near_[0-9]*'")
        for (name,) in tables:
            if name.removeprefix("near_").isdigit():
                db.execute(f"DROP TABLE {name}")
        for model, dims in db.execute("SELECT id, dims FROM model WHERE dims > 0"):
            last = model << 40
            while rows := db.execute(
                "SELECT key, data FROM vector WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
                (last, (model + 1) << 40, 5_000),
            ):
                block = np.stack([np.frombuffer(data, np.float16) for _, data in rows])
                views = [key & ((1 << 40) - 1) for key, _ in rows]
                NearTable(model, dims).add(db, views, block.astype(np.float32))
                last, held = rows[-1][0], held + len(rows)
        db.execute("DELETE FROM setting WHERE name = 'near_stale'")
    return held


def rebuild_words(store: Store) -> int:
    """Make the words and their index anew from the items; how many items there are."""
    db = store.writer
    with db.transaction():
        db.execute("DROP TABLE IF EXISTS words_fts")
        db.execute("DELETE FROM words")
        db.execute(WORDS_INDEX)
        db.execute("INSERT INTO words_fts (words_fts, rank) VALUES ('secure-delete', 1)")
        pks = [pk for (pk,) in db.execute("SELECT pk FROM item ORDER BY pk")]
        for row in store.rows(pks, db=db):
            body, around = (" ".join(stems(text)) for text in words_of(row.item))
            db.execute("INSERT INTO words VALUES (?, ?, ?)", (row.pk, body, around))
            db.execute("INSERT INTO change (item) VALUES (?)", (row.pk,))
        db.execute("INSERT INTO words_fts (words_fts) VALUES ('rebuild')")
    return len(pks)
