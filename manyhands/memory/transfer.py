"""Export to JSONL and back without loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from manyhands.errors import InputError
from manyhands.memory.records import id_of
from manyhands.memory.store import Row, Store

__all__ = ["Standing", "as_json", "exported_lines", "read_lines"]

_FORMAT = "manyhands-memory"
_VERSION = 1


def as_json(row: Row) -> dict[str, Any]:
    """All that is known of one memory, as JSON has it."""
    item = row.item
    return {
        "id": item.id,
        "kind": item.kind,
        "text": item.text,
        "scope": item.scope,
        "source": item.source,
        "context": item.context,
        "thread": item.thread,
        "position": row.position,
        "time": item.time,
        "speaker": item.speaker,
        "subject": item.subject,
        "trust": item.trust,
        "tags": list(item.tags),
        "meta": dict(item.meta),
        "added": row.added,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "superseded_by": row.superseded_by,
    }


#: Id, when it was added, since when it is valid, until when, and what superseded it.
Standing = tuple[str, float, float, float | None, str]


def exported_lines(store: Store, *, scope: str | None = None) -> Iterator[str]:
    """A line that names the format, then one line for each memory, oldest first."""
    yield json.dumps({"format": _FORMAT, "version": _VERSION})
    last = 0
    while rows := store.all(scope=scope, after=last):
        for row in rows:
            yield json.dumps(as_json(row), ensure_ascii=False)
        last = rows[-1].pk


def read_lines(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any], Standing | None]]:
    """Numbers of exported lines, and their memories with times and standing where a line has them.

    Raises:
        InputError: it is no export, or of a newer version; names the line.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"Line {number} is no JSON: {error}.") from error
        if not isinstance(told, dict):
            raise InputError(f"Line {number} is no JSON object.")
        if told.get("format") == _FORMAT:
            if told.get("version") != _VERSION:
                raise InputError(
                    f"The export has version {told.get('version')!r}; this version reads "
                    f"{_VERSION}.",
                    hint="Upgrade manyhands.",
                )
            continue
        yield number, told, _standing(told, number)


def _standing(told: dict[str, Any], number: int) -> Standing | None:
    """Take the times and the standing out of a line."""
    added, since = told.pop("added", None), told.pop("valid_from", None)
    until, by = told.pop("valid_to", None), told.pop("superseded_by", None)
    if added is None or since is None:
        return None
    try:
        last = None if until is None else float(until)
        return id_of(told.get("id")), float(added), float(since), last, str(by or "")
    except (TypeError, ValueError) as error:
        raise InputError(f"Line {number} has a time that is no number: {error}.") from error
