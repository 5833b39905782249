"""Forgetting: a memory is gone from every table, index and log, and from the bytes of the files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyhands.memory.store import Store

__all__ = ["Forgotten", "erase", "is_forgotten", "traces_of"]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did.

    Attributes:
        items: memories that were removed.
        clean: whether no byte of them is left in the file and its log. False while another
            process holds the log open in a long read; `manyhands memory forget` again finishes it.
    """

    items: int
    clean: bool


def erase(store: Store, ids: Sequence[str]) -> Forgotten:
    """Remove memories, write tombstones, and overwrite what the files still held of them."""
    removed = store.delete(ids)
    db = store.writer
    with db.transaction():
        for item_id in ids:
            db.execute(
                "INSERT OR REPLACE INTO tombstone VALUES (?, ?)",
                (_hash(store, item_id), time.time()),
            )
        # FTS5 merges what it holds, so that no page keeps a part of a deleted term.
        db.execute("INSERT INTO words_fts (words_fts) VALUES ('optimize')")
    # `secure_delete` has put zeros over freed pages; what older versions of a page still lie in
    # the log goes with it.
    ((busy, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Forgotten(removed, clean=not busy)


def is_forgotten(store: Store, item_id: str) -> bool:
    """Whether a memory of that id was forgotten; indexing a file then leaves it out."""
    return bool(
        store.reader.execute("SELECT 1 FROM tombstone WHERE hash = ?", (_hash(store, item_id),))
    )


def _hash(store: Store, item_id: str) -> bytes:
    # Salted, so that the tombstone does not tell what was forgotten.
    salt = store.setting("salt").encode()
    return hashlib.blake2b(item_id.encode(), key=salt, digest_size=16).digest()


def traces_of(path: Path, needles: Sequence[str]) -> list[tuple[str, str]]:
    """Where texts still lie in the bytes of a memory file and the files beside it.

    Returns:
        Pairs of file name and text; empty when nothing is left.
    """
    found = []
    for file in sorted(path.parent.glob(path.name + "*")):
        content = file.read_bytes()
        found += [(file.name, needle) for needle in needles if needle.encode() in content]
    return found
