"""What a memory's tables hold, read without changing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice

from manyhands.errors import InputError
from manyhands.memory.filters import Filter, conditions
from manyhands.memory.lookup import Connection
from manyhands.memory.records import Trust, thread_of
from manyhands.memory.rows import COLUMNS, Row, row_of

__all__ = ["CHUNK", "StoredItems"]

#: SQLite's limit for parameters is far higher; this keeps statements few and cached.
CHUNK = 400


class StoredItems:
    """The items that one connection sees."""

    def __init__(self, reader: Connection) -> None:
        self.reader = reader

    def rows(self, pks: Sequence[int], *, db: Connection | None = None) -> list[Row]:
        """Items by their rows, in the order asked for; what is gone is left out."""
        found: dict[int, Row] = {}
        for start in range(0, len(pks), CHUNK):
            chunk = pks[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            for raw in (db or self.reader).execute(
                f"SELECT {COLUMNS} FROM item WHERE pk IN ({marks})",  # noqa: S608
                chunk,
            ):
                row = row_of(raw)
                found[row.pk] = row
        return [found[pk] for pk in pks if pk in found]

    def get(self, item_id: str) -> Row:
        """One item.

        Raises:
            InputError: there is none of that id.
        """
        rows = self.reader.execute(f"SELECT {COLUMNS} FROM item WHERE id = ?", (item_id,))  # noqa: S608
        if not rows:
            raise InputError(
                f"There is no memory {item_id!r}.", hint="`manyhands memory list` shows them."
            )
        return row_of(rows[0])

    def beginning_with(self, beginning: str, most: int) -> list[str]:
        """Ids that begin so, the shortest first."""
        return [
            str(item_id)
            for (item_id,) in self.reader.execute(
                "SELECT id FROM item WHERE substr(id, 1, ?) = ? ORDER BY length(id), id LIMIT ?",
                (len(beginning), beginning, most),
            )
        ]

    def newest(self, wanted: Filter, tags: Sequence[str], limit: int) -> list[Row]:
        """The newest of what a filter and all of some tags leave."""
        where, values = conditions(wanted)
        found = self.reader.execute(
            f"SELECT i.pk, i.tags FROM item i WHERE true{where} "  # noqa: S608
            "ORDER BY coalesce(i.time, i.added) DESC, i.pk DESC",
            values,
        )
        tagged = (pk for pk, told in found if not tags or set(tags) <= set(json.loads(told)))
        return self.rows(list(islice(tagged, limit)))

    def holds(self, item_id: str) -> bool:
        return bool(self.reader.execute("SELECT 1 FROM item WHERE id = ?", (item_id,)))

    def on_subject_of(self, item_id: str) -> list[Row]:
        """Other facts on the subject of a fact, newest first."""
        item = self.get(item_id).item
        if not item.subject:
            return []
        return [
            row_of(raw)
            for raw in self.reader.execute(
                f"SELECT {COLUMNS} FROM item WHERE scope = ? AND subject = ? AND id <> ? "  # noqa: S608
                "ORDER BY valid_from DESC, pk DESC",
                (item.scope, item.subject, item_id),
            )
        ]

    def all(self, *, scope: str | None = None, after: int = 0, limit: int = 1_000) -> list[Row]:
        """Items in the order they were first written, a page at a time."""
        where = "pk > ?"
        values: list[object] = [after, limit]
        if scope is not None:
            where, values = "pk > ? AND scope = ?", [after, scope, limit]
        return [
            row_of(raw)
            for raw in self.reader.execute(
                f"SELECT {COLUMNS} FROM item WHERE {where} ORDER BY pk LIMIT ?",  # noqa: S608
                values,
            )
        ]

    def from_source(self, source: str) -> list[str]:
        """Ids of the items whose source is this, or begins with it and a comma."""
        part = f"{source},"
        return [
            str(item_id)
            for (item_id,) in self.reader.execute(
                "SELECT id FROM item WHERE source = ? OR substr(source, 1, ?) = ? ORDER BY pk",
                (source, len(part), part),
            )
        ]

    def ids_from(self, path: str, scope: str) -> dict[str, bytes]:
        """Ids and fingerprints of the items that were read from a file."""
        return {
            str(item_id): bytes(print_)
            for item_id, print_ in self.reader.execute(
                "SELECT id, fingerprint FROM item WHERE scope = ? AND thread = ? AND trust = ?",
                (scope, thread_of(path), Trust.FILE),
            )
        }

    def setting(self, name: str) -> str:
        rows = self.reader.execute("SELECT value FROM setting WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def counts(self) -> Mapping[str, int]:
        """How many items there are of each kind."""
        found = self.reader.execute("SELECT kind, count(*) FROM item GROUP BY kind ORDER BY kind")
        return {str(kind): int(count) for kind, count in found}
