"""Words by an array index and nearest vectors by pgvector, on a PostgreSQL server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from manyhands.memory.arrays import F32
from manyhands.memory.lookup import Connection

__all__ = ["PostgresLookup"]

#: As many as `sqlite-vec` is asked for.
_MOST_NEAREST = 400
#: pgvector indexes half-precision vectors of at most so many numbers; longer ones are scanned.
#: Source: pgvector's README, "HNSW", supported types.
_LONGEST_INDEXED = 4_000


class PostgresLookup:
    """See `Lookup`.

    Args:
        pgvector: its version; () where it is not there. Half-precision vectors came with 0.7.
    """

    def __init__(self, *, pgvector: tuple[int, ...]) -> None:
        self.near = pgvector >= (0, 7)
        self._goes_on = pgvector >= (0, 8)

    @property
    def told(self) -> str:
        return "PostgreSQL and pgvector" if self.near else "PostgreSQL; pgvector is not there"

    def add_words(self, db: Connection, pk: int, body: str, around: str) -> None:
        db.execute("INSERT INTO words VALUES (?, ?, ?, ?)", (pk, body, around, _held(body, around)))

    def drop_words(self, db: Connection, pk: int) -> None:
        db.execute("DELETE FROM words WHERE item = ?", (pk,))

    def remake_words(self, db: Connection, words: Iterable[tuple[int, str, str]]) -> None:
        db.execute("DELETE FROM words")
        for pk, body, around in words:
            self.add_words(db, pk, body, around)

    def by_words(
        self, db: Connection, stems: Sequence[str], where: str, values: Sequence[object], most: int
    ) -> list[int]:
        held = self.holders(db, dict.fromkeys(stems))
        (total,) = db.execute("SELECT coalesce(max(pk), 1) FROM item")[0]
        asked = [stem for stem, count in held.items() if count]
        if not asked:
            return []
        # How rare a stem is counts as in BM25; the ranking itself is made from what is found.
        rare = [math.log1p(max(float(total), held[stem]) / held[stem]) for stem in asked]
        rows = db.execute(
            "SELECT i.pk FROM unnest(?::text[], ?::float8[]) q (stem, rare) "  # noqa: S608
            "JOIN words w ON w.stems @> ARRAY[q.stem] JOIN item i ON i.pk = w.item "
            f"WHERE true{where} GROUP BY i.pk ORDER BY sum(q.rare) DESC, i.pk LIMIT ?",
            (asked, rare, *values, most),
        )
        return [int(pk) for (pk,) in rows]

    def holders(self, db: Connection, stems: Iterable[str]) -> dict[str, int]:
        rows = db.execute(
            "SELECT q.stem, (SELECT count(*) FROM words w WHERE w.stems @> ARRAY[q.stem]) "
            "FROM unnest(?::text[]) q (stem)",
            (list(stems),),
        )
        return {str(stem): int(count) for stem, count in rows}

    def add_near(self, db: Connection, model: int, views: Sequence[int], vectors: F32) -> None:
        if not self.near:
            return
        dims = vectors.shape[1]
        if not _exists(db, model):
            db.execute(f"CREATE TABLE near_{model} (view bigint PRIMARY KEY, e halfvec({dims}))")
            if dims <= _LONGEST_INDEXED:
                db.execute(
                    f"CREATE INDEX near_{model}_e ON near_{model} USING hnsw (e halfvec_ip_ops)"
                )
        for view, row in zip(views, vectors, strict=True):
            db.execute(
                f"INSERT INTO near_{model} VALUES (?, ?::halfvec) "  # noqa: S608
                "ON CONFLICT (view) DO UPDATE SET e = excluded.e",
                (view, _written(row)),
            )

    def drop_near(self, db: Connection, model: int, dims: int, view: int) -> None:
        if self.near and dims and _exists(db, model):
            db.execute(f"DELETE FROM near_{model} WHERE view = ?", (view,))  # noqa: S608

    def drop_model(self, db: Connection, model: int, dims: int) -> None:  # noqa: ARG002
        if self.near:
            db.execute(f"DROP TABLE IF EXISTS near_{model}")

    def drop_all_near(self, db: Connection) -> None:
        for (model,) in db.execute("SELECT id FROM model"):
            db.execute(f"DROP TABLE IF EXISTS near_{model}")

    def by_vectors(
        self, db: Connection, model: int, query: F32, among: str, values: Sequence[object]
    ) -> list[int]:
        if not _exists(db, model):
            return []
        with db.snapshot():
            db.execute(f"SET LOCAL hnsw.ef_search = {_MOST_NEAREST}")
            if self._goes_on:
                # A filter that leaves little is answered by going on until enough is found.
                db.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
            only = f"WHERE view IN ({among}) " if among else ""
            rows = db.execute(
                f"SELECT view FROM near_{model} {only}"  # noqa: S608
                "ORDER BY e <#> ?::halfvec LIMIT ?",
                (*values, _written(query), _MOST_NEAREST),
            )
        return [int(view) for (view,) in rows]

    def scrub(self, db: Connection) -> str:
        for table in ("item", "words", "view", "vector", "change"):
            db.execute(f"VACUUM {table}")
        return (
            "The rows are gone from the server's tables and indexes. Its write-ahead log, its "
            "freed pages and its backups are its own: they are overwritten as the server goes on."
        )


def _exists(db: Connection, model: int) -> bool:
    return bool(db.execute("SELECT to_regclass(?) IS NOT NULL", (f"near_{model}",))[0][0])


def _held(body: str, around: str) -> list[str]:
    return sorted({*body.split(), *around.split()})


def _written(vector: F32) -> str:
    return f"[{','.join(f'{number:.6g}' for number in vector.tolist())}]"
