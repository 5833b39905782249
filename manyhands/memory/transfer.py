"""Export to JSONL and back without loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from manyhands.errors import InputError
from manyhands.memory.store import Row, Store

__all__ = ["exported_lines", "read_lines"]

_FORMAT = "manyhands-memory"
_VERSION = 1


def _told(row: Row) -> dict[str, Any]:
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


def exported_lines(store: Store, *, scope: str | None = None) -> Iterator[str]:
    """A line that names the format, then one line for each memory, oldest first."""
    yield json.dumps({"format": _FORMAT, "version": _VERSION})
    last = 0
    while rows := store.all(scope=scope, after=last):
        for row in rows:
            yield json.dumps(_told(row), ensure_ascii=False)
        last = rows[-1].pk


def read_lines(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Memories from exported lines.

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
        yield told
