"""Cases kept with a run, so that `manyhands check rerun` repeats a check on the same data."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from pydantic import JsonValue

from manyhands.checks.tables import kept_tables
from manyhands.clean import storable
from manyhands.hands.contracts import Artifact, Evidence

__all__ = ["Keep", "cases_of", "keep_case", "tables_named"]

#: Stores an artifact by name, media type and content.
Keep = Callable[[str, str, bytes], Awaitable[Artifact]]


async def keep_case(case: Mapping[str, Any], name: str, keep: Keep) -> dict[str, JsonValue]:
    """Store a case, and a copy of the tables that it needs unless they are large.

    Returns the details by which an evidence names them: `rerun` and, where there are any, `tables`.
    """
    tables: list[JsonValue] = []
    for at, content in await anyio.to_thread.run_sync(kept_tables, case):
        tables.append((await keep(storable(at), "text/csv", content)).id)
    text = json.dumps(case, ensure_ascii=False, sort_keys=True, default=str)
    # A lone surrogate becomes the JSON escape that it came from.
    kept = await keep(name, "application/json", text.encode("utf-8", "backslashreplace"))
    return {"rerun": kept.id} | ({"tables": tables} if tables else {})


def cases_of(check: Evidence) -> list[tuple[str, str]]:
    """Key and artifact id of each case that a check can be rerun from."""
    return [(key, str(case)) for key, case in check.detail.items() if key.startswith("rerun")]


def tables_named(check: Evidence) -> list[str]:
    """Artifact ids of the kept tables that its cases need."""
    named = check.detail.get("tables")
    return [str(one) for one in named] if isinstance(named, list) else []
