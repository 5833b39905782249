"""Searching in the database: while the index in memory is being made, or where none is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyhands.memory.arrays import F32
from manyhands.memory.filters import Filter, conditions
from manyhands.memory.hot import HotIndex
from manyhands.memory.lookup import Connection, Lookup
from manyhands.memory.records import Family
from manyhands.memory.signals import Question

__all__ = ["narrowed"]

#: Items that each of the two searches may name.
_FROM_EACH = 120


def narrowed(
    db: Connection, lookup: Lookup, question: Question, wanted: Filter, *, model: int
) -> HotIndex:
    """An index of only what may answer one question: the nearest by words and by vectors.

    Ranking then goes the same way as in the whole index; how rare a word is comes from all items,
    so that scores are about the same.

    Args:
        model: the number of the model whose vectors the question's belongs to; 0 for words alone.
    """
    where, values = conditions(wanted)
    stems = question.stems
    pks = lookup.by_words(db, stems, where, values, _FROM_EACH) if stems else []
    if model and lookup.near and question.vector is not None:
        pks += _by_vectors(db, lookup, question.vector, model, where, values)
    chosen = list(dict.fromkeys(pks))
    chosen = list(dict.fromkeys([*chosen, *_beside(db, chosen)]))
    index = HotIndex(db)
    index.take_only(sorted(chosen), model)
    (total,) = db.execute("SELECT max(pk) FROM item")[0]
    index.words.known_rarity = (int(total or 0), lookup.holders(db, set(stems)))
    return index


def _by_vectors(
    db: Connection,
    lookup: Lookup,
    vector: F32,
    model: int,
    where: str,
    values: Sequence[object],
) -> list[int]:
    among = "SELECT v.id FROM view v JOIN item i ON i.pk = v.item WHERE true"
    among = among + where if where else ""
    views = lookup.by_vectors(db, model, vector, among, values)
    if not views:
        return []
    marks = ",".join("?" * len(views))
    rows = db.execute(
        "SELECT v.item, x.data FROM view v JOIN vector x ON x.key = (? | v.id) "  # noqa: S608
        f"WHERE v.id IN ({marks})",
        (model << 40, *views),
    )
    block = np.stack([np.frombuffer(data, np.float16) for _, data in rows]).astype(np.float32)
    order = np.argsort(-(block @ vector), kind="stable")[:_FROM_EACH]
    return [int(rows[at][0]) for at in order]


def _beside(db: Connection, pks: Sequence[int]) -> list[int]:
    """The neighbours in their threads of what has neighbours that count."""
    found = []
    for pk in pks:
        for sign, order in (("<", "DESC"), (">", "ASC")):
            found += db.execute(
                "SELECT n.pk FROM item i JOIN item n ON n.scope = i.scope AND "  # noqa: S608
                f"n.thread = i.thread AND n.position {sign} i.position "
                "WHERE i.pk = ? AND i.family IN (?, ?) AND i.thread <> '' "
                f"ORDER BY n.position {order} LIMIT 1",
                (pk, Family.DIALOGUE, Family.CELL),
            )
    return [int(pk) for (pk,) in found]
