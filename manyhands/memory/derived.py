"""What is derived from the plain tables and can be made anew: words, and the vectors' index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyhands.memory.views import words_of
from manyhands.memory.words import stems

if TYPE_CHECKING:
    from manyhands.memory.store import Store

__all__ = ["drop_model", "keep_vectors", "rebuild_near", "rebuild_words"]


def keep_vectors(store: Store, model: int, rows: Sequence[tuple[int, int, bytes]]) -> None:
    """Write vectors, given as view, item and float16 bytes, within the caller's transaction."""
    db = store.writer
    for view, _, data in rows:
        db.execute(
            "INSERT INTO vector VALUES (?, ?) ON CONFLICT DO NOTHING", (model << 40 | view, data)
        )
    for item in sorted({item for _, item, _ in rows}):
        db.execute("INSERT INTO change (item) VALUES (?)", (item,))
    if rows:
        block = np.stack([np.frombuffer(data, np.float16) for _, _, data in rows])
        views = [view for view, _, _ in rows]
        store.lookup.add_near(db, model, views, block.astype(np.float32))


def drop_model(store: Store, model: int, dims: int) -> None:
    """Remove a model and all its vectors, within the caller's transaction."""
    db = store.writer
    low, high = model << 40, (model + 1) << 40
    db.execute("DELETE FROM vector WHERE key >= ? AND key < ?", (low, high))
    store.lookup.drop_model(db, model, dims)
    db.execute("DELETE FROM model WHERE id = ?", (model,))


def rebuild_near(store: Store) -> int:
    """Make the vectors' index anew from the vectors; how many it holds."""
    db = store.writer
    if not store.lookup.near:
        return 0
    held = 0
    with db.transaction():
        store.lookup.drop_all_near(db)
        for (model,) in db.execute("SELECT id FROM model WHERE dims > 0"):
            last = model << 40
            while rows := db.execute(
                "SELECT key, data FROM vector WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
                (last, (model + 1) << 40, 5_000),
            ):
                block = np.stack([np.frombuffer(data, np.float16) for _, data in rows])
                views = [key & ((1 << 40) - 1) for key, _ in rows]
                store.lookup.add_near(db, model, views, block.astype(np.float32))
                last, held = rows[-1][0], held + len(rows)
    return held


def rebuild_words(store: Store) -> int:
    """Make the words and their index anew from the items; how many items there are."""
    db = store.writer
    with db.transaction():
        pks = [int(pk) for (pk,) in db.execute("SELECT pk FROM item ORDER BY pk")]

        def words() -> Iterator[tuple[int, str, str]]:
            for start in range(0, len(pks), 1_000):
                for row in store.rows(pks[start : start + 1_000], db=db):
                    body, around = (" ".join(stems(text)) for text in words_of(row.item))
                    yield row.pk, body, around

        store.lookup.remake_words(db, words())
        for pk in pks:
            db.execute("INSERT INTO change (item) VALUES (?)", (pk,))
    return len(pks)
