"""Which memories may be found: of which projects and kinds, and from when."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Filter", "conditions"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What may be found; None means any.

    Attributes:
        since, until: bounds of an item's time (or of when it was added), seconds since 1970.
    """

    scopes: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    since: float | None = None
    until: float | None = None

    @property
    def open(self) -> bool:
        return self == Filter()


def conditions(wanted: Filter) -> tuple[str, list[object]]:
    """SQL over `item i`, beginning with AND, and its values."""
    parts: list[str] = []
    values: list[object] = []
    for column, names in (("scope", wanted.scopes), ("kind", wanted.kinds)):
        if names is not None:
            parts.append(f" AND i.{column} IN ({','.join('?' * len(names))})")
            values += names
    for sign, time in ((">=", wanted.since), ("<=", wanted.until)):
        if time is not None:
            parts.append(f" AND coalesce(i.time, i.added) {sign} ?")
            values.append(time)
    return "".join(parts), values
