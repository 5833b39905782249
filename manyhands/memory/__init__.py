"""Memory: what was worked out, kept in one file, found again in milliseconds, forgotten when told.

Read `memory.py` first; `store.py` holds the truth, `hot.py` the index that answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhands.memory.memory import Memory
    from manyhands.memory.records import Hit, Item, Trust

__all__ = ["Hit", "Item", "Memory", "Trust"]

#: Name -> module; imported when the name is first asked for.
_WHERE = {
    "Memory": "manyhands.memory.memory",
    "Hit": "manyhands.memory.records",
    "Item": "manyhands.memory.records",
    "Trust": "manyhands.memory.records",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
