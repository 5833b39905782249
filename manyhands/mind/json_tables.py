"""Tables in JSON: a list of objects, or what `DataFrame.to_json` writes in any of its forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyhands.errors import InputError

__all__ = ["rows_in"]

#: Cells that a table may have whatever was given; beyond, most of them must have been.
_FREE_CELLS = 100_000
_MOST_EMPTY = 10


def rows_in(value: Any) -> list[dict[str, Any]]:
    """The rows of what JSON held; empty where it is no table.

    The forms of pandas are `records`, `columns` (its default), `index`, `split` and `table`. Row
    labels become a column `index` unless they only count the rows. Objects in an object can be
    meant by column or by row: by row where the outer names count the rows or are numbers and the
    inner ones are not, else by column, as pandas writes them by default.

    Raises:
        InputError: the table would be all gaps.
    """
    rows = _rows(value)
    _check_density(len(rows), len({name for row in rows for name in row}), sum(map(len, rows)))
    return rows


def _check_density(rows: int, columns: int, given: int) -> None:
    """Refuse a table that is all gaps: a small file could ask for more memory than there is.

    Args:
        given: cells that have a value.

    Raises:
        InputError: with both numbers.
    """
    cells = rows * columns
    if cells > max(_FREE_CELLS, _MOST_EMPTY * given):
        raise InputError(
            f"A table of {rows:,} rows and {columns:,} columns would have {cells:,} cells for "
            f"{given:,} values.",
            hint="Give one row for each value: its row, its column, and the value.",
        )


def _rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return value if all(isinstance(row, dict) for row in value) else []
    if not isinstance(value, dict) or not value:
        return []
    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list):
        if not all(isinstance(row, list) and len(row) == len(names) for row in data):
            return []
        rows = [dict(zip(map(str, names), row, strict=True)) for row in data]
        return _labelled(value.get("index"), rows)
    if "schema" in value and isinstance(data, list):
        rows = _rows(data)
        # pandas calls labels without a name `index`; those with one are a column like others.
        if not _counts([row.get("index") for row in rows]):
            return rows
        return [{key: row[key] for key in row if key != "index"} for row in rows]
    parts = list(value.values())
    if all(isinstance(part, list) for part in parts):
        return _by_column({name: dict(enumerate(part)) for name, part in value.items()})
    if not all(isinstance(part, dict) for part in parts):
        return []
    inner = list(dict.fromkeys(name for part in parts for name in part))
    if _by_row(list(value), inner):
        return _labelled(list(value), parts)
    return _by_column(value)


def _by_row(outer: Sequence[str], inner: Sequence[str]) -> bool:
    if _counts(outer):
        return not _counts(inner)
    return all(name.isdigit() for name in outer) and not all(name.isdigit() for name in inner)


def _counts(labels: Sequence[object]) -> bool:
    return [str(label) for label in labels] == [str(at) for at in range(len(labels))]


def _labelled(labels: object, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not isinstance(labels, list) or len(labels) != len(rows) or _counts(labels):
        return rows
    name = "index"
    while any(name in row for row in rows):
        name = f"row_{name}"
    return [{name: label} | row for label, row in zip(labels, rows, strict=True)]


def _by_column(columns: Mapping[str, Mapping[Any, Any]]) -> list[dict[str, Any]]:
    labels = list(dict.fromkeys(label for part in columns.values() for label in part))
    _check_density(len(labels), len(columns), sum(map(len, columns.values())))
    rows = [{name: part.get(label) for name, part in columns.items()} for label in labels]
    return _labelled(labels, rows)
