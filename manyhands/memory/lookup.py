"""What a database must offer for searching in it: the indexes that are derived from its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from manyhands.memory.arrays import F32

__all__ = ["Connection", "Lookup"]


class Connection(Protocol):
    """A database connection that may be used from any thread, one call at a time."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement with `?` for each parameter; its rows."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """A write transaction; writers follow one another."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """One steady state for all that is read within."""
        ...

    def version(self) -> object:
        """Changes whenever anything was written, by this process or another."""
        ...

    def integrity(self) -> str:
        """`ok`, or what is wrong."""
        ...

    def close(self) -> None: ...


class Lookup(Protocol):
    """The words and the nearest vectors as a database indexes them.

    All of it is derived from `item` and `vector` and can be made anew.

    Attributes:
        near: whether vectors can be searched in the database.
        told: what searches in it, for people.
    """

    near: bool

    @property
    def told(self) -> str: ...

    def add_words(self, db: Connection, pk: int, body: str, around: str) -> None: ...

    def drop_words(self, db: Connection, pk: int) -> None: ...

    def remake_words(self, db: Connection, words: Iterable[tuple[int, str, str]]) -> None:
        """Make all of it anew from the stems of each item."""
        ...

    def by_words(
        self, db: Connection, stems: Sequence[str], where: str, values: Sequence[object], most: int
    ) -> list[int]:
        """Items that hold the stems best.

        Args:
            where: conditions on `item i`, each beginning with AND.
        """
        ...

    def holders(self, db: Connection, stems: Iterable[str]) -> dict[str, int]:
        """How many items hold each stem."""
        ...

    def add_near(self, db: Connection, model: int, views: Sequence[int], vectors: F32) -> None: ...

    def drop_near(self, db: Connection, model: int, dims: int, view: int) -> None: ...

    def drop_model(self, db: Connection, model: int, dims: int) -> None: ...

    def drop_all_near(self, db: Connection) -> None: ...

    def by_vectors(
        self, db: Connection, model: int, query: F32, among: str, values: Sequence[object]
    ) -> list[int]:
        """Views that are nearest to a unit vector.

        Args:
            among: SQL that selects the views that may be found; "" for all.
        """
        ...

    def scrub(self, db: Connection) -> str:
        """Overwrite what was deleted; what may still hold bytes of it, or ""."""
        ...
