"""Counting what a memory file holds, and checking that it is sound."""

from __future__ import annotations

from typing import Any

from manyhands.memory.store import Store
from manyhands.memory.vectors import VectorShelf

__all__ = ["statistics"]


def statistics(store: Store, shelf: VectorShelf) -> dict[str, Any]:
    """What `manyhands memory stats` prints, by name."""
    number, serving, dims = shelf.serving()
    _, filling, _ = shelf.filling()
    scopes = store.reader.execute("SELECT scope, count(*) FROM item GROUP BY scope ORDER BY scope")
    told: dict[str, Any] = {
        "file": store.place,
        "bytes": store.size(),
        "kinds": dict(store.counts()),
        "projects": {str(scope) or "(none)": int(count) for scope, count in scopes},
        "searched by": f"words and vectors of {serving}, {dims} numbers" if dims else "words alone",
        "on disk": store.lookup.told,
        "integrity": store.reader.integrity(),
    }
    if number:
        told["to embed"] = shelf.count_pending(number)
    if filling:
        told["filling"] = filling
    return told
