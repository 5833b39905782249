"""Items as rows of the table `item`, there and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from manyhands.memory.marks import marks_of
from manyhands.memory.records import Family, Item, Trust

__all__ = ["COLUMNS", "Row", "row_of", "values_of"]

COLUMNS = (
    "pk, id, kind, family, scope, text, source, context, thread, position, time, speaker, "
    "subject, trust, tags, meta, added, valid_from, valid_to, superseded_by"
)


@dataclass(frozen=True, slots=True)
class Row:
    """An item as it lies in the file.

    Attributes:
        pk: its row; never used twice.
        position: its place in its thread.
        valid_to: when a newer fact superseded it; None while it holds.
    """

    pk: int
    item: Item
    position: float
    added: float
    valid_from: float
    valid_to: float | None
    superseded_by: str


def values_of(item: Item, position: float) -> tuple[Any, ...]:
    """An item's columns from `kind` to `fingerprint`."""
    where = (item.kind, item.family, item.scope, item.text, item.source, item.context, item.thread)
    who = (position, item.time, item.speaker, item.subject, item.trust)
    told = (_told(item.tags), _told(dict(item.meta)), marks_of(item.text))
    return (*where, *who, *told, item.fingerprint())


def _told(value: Iterable[Any]) -> str:
    return json.dumps(value if isinstance(value, dict) else list(value), ensure_ascii=False)


def row_of(raw: tuple[Any, ...]) -> Row:
    (pk, item_id, kind, family, scope, text, source, context, thread, position, when) = raw[:11]
    (speaker, subject, trust, tags, meta, added, valid_from, valid_to, superseded) = raw[11:]
    item = Item(
        id=item_id,
        kind=kind,
        text=text,
        scope=scope,
        source=source,
        context=context,
        thread=thread,
        position=None,
        time=when,
        speaker=speaker,
        subject=subject,
        trust=Trust(trust),
        tags=tuple(json.loads(tags)) if tags != "[]" else (),
        meta=json.loads(meta) if meta != "{}" else {},
        family=Family(family),
    )
    return Row(pk, item, position, added, valid_from, valid_to, superseded)
