"""Vectors in the file: which model serves, what it has yet to embed, when another takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from manyhands.errors import InputError
from manyhands.memory.arrays import F32
from manyhands.memory.derived import drop_model, keep_vectors
from manyhands.memory.store import Row, Store
from manyhands.memory.views import views_of

__all__ = ["ModelState", "Pending", "VectorShelf", "unit_vectors"]


class ModelState(StrEnum):
    """A model's part in a memory file."""

    SERVING = "serving"  # its vectors answer queries
    FILLING = "filling"  # its vectors are being made; it serves when all are there


@dataclass(frozen=True, slots=True)
class Pending:
    """A text that has no vector of a model yet."""

    view: int
    item: int
    text: str


def unit_vectors(given: Sequence[Sequence[float]], expected: int, dims: int) -> F32:
    """Vectors at unit length.

    Raises:
        InputError: the wrong number or length, or a number that is not finite: one NaN would
            come first in every search.
    """
    if len(given) != expected:
        raise InputError(f"The embedder gave {len(given)} vectors for {expected} texts.")
    try:
        block = np.asarray(given, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"The embedder's vectors are no equal rows of numbers: {error}."
        ) from error
    if block.ndim != 2 or not block.shape[1]:
        raise InputError(f"The embedder's vectors have shape {block.shape}, not (texts, numbers).")
    if dims and block.shape[1] != dims:
        raise InputError(
            f"The embedder gave vectors of {block.shape[1]} numbers; this memory has {dims}.",
            hint="Give the other model another name, so that all is embedded anew.",
        )
    if not np.isfinite(block).all():
        raise InputError("The embedder gave a number that is not finite.")
    norms = np.linalg.norm(block, axis=1, keepdims=True)
    found: F32 = (block / np.maximum(norms, 1e-12)).astype(np.float32)
    return found


class VectorShelf:
    """The vectors of a store, by model."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def serving(self) -> tuple[int, str, int]:
        """Number, name and dimensions of the model that answers; (0, "", 0) when none does."""
        return self._model(ModelState.SERVING)

    def filling(self) -> tuple[int, str, int]:
        return self._model(ModelState.FILLING)

    def _model(self, state: ModelState) -> tuple[int, str, int]:
        rows = self._store.reader.execute(
            "SELECT id, name, dims FROM model WHERE state = ? ORDER BY id DESC LIMIT 1", (state,)
        )
        return (int(rows[0][0]), str(rows[0][1]), int(rows[0][2])) if rows else (0, "", 0)

    def begin(self, name: str) -> ModelState:
        """Make a model known: it serves at once when no other does, else it begins to fill.

        What another model had begun to fill is given up.
        """
        db = self._store.writer
        with db.transaction():
            rows = db.execute("SELECT id, state FROM model WHERE name = ?", (name,))
            others = db.execute(
                "SELECT id, dims FROM model WHERE state = ? AND name <> ?",
                (ModelState.FILLING, name),
            )
            for other, dims in others:
                drop_model(self._store, int(other), int(dims))
            if rows:
                return ModelState(rows[0][1])
            (held,) = db.execute(
                "SELECT count(*) FROM model WHERE state = ?", (ModelState.SERVING,)
            )[0]
            state = ModelState.FILLING if held else ModelState.SERVING
            db.execute("INSERT INTO model (name, state) VALUES (?, ?)", (name, state))
            return state

    def pending(self, model: int, *, after: int = 0, limit: int = 64) -> list[Pending]:
        """Texts that a model has yet to embed, in order of their views."""
        db = self._store.writer
        rows = db.execute(
            "SELECT v.id, v.item, v.ord FROM view v WHERE v.id > ? AND NOT EXISTS "
            "(SELECT 1 FROM vector x WHERE x.key = (? | v.id)) ORDER BY v.id LIMIT ?",
            (after, model << 40, limit),
        )
        items = {row.pk: row for row in self._store.rows([item for _, item, _ in rows], db=db)}
        found = []
        stale: dict[int, Row] = {}
        for view, item, order in rows:
            row = items.get(item)
            if row is None:
                continue
            texts = views_of(row.item, self._store.before(row.item, row.position))
            if order < len(texts):
                found.append(Pending(view, item, texts[order].text))
            else:
                stale[item] = row
        if stale:
            # Of a version that left views as they were when the turn before them was forgotten.
            with db.transaction():
                self._store.renew_views(stale.values())
        return found

    def count_pending(self, model: int) -> int:
        (views,) = self._store.reader.execute("SELECT count(*) FROM view")[0]
        (held,) = self._store.reader.execute(
            "SELECT count(*) FROM vector WHERE key >= ? AND key < ?",
            (model << 40, (model + 1) << 40),
        )[0]
        return int(views) - int(held)

    def newest_view(self) -> int:
        rows = self._store.writer.execute("SELECT max(id) FROM view")
        return int(rows[0][0] or 0)

    def known(self, model: int, views: Sequence[int]) -> dict[int, F32]:
        """By view, the vector that another view of the very same text has."""
        if not views:
            return {}
        marks = ",".join("?" * len(views))
        rows = self._store.writer.execute(
            "SELECT v.id, x.data FROM view v "  # noqa: S608
            "JOIN view w ON w.digest = v.digest AND w.id <> v.id "
            f"JOIN vector x ON x.key = (? | w.id) WHERE v.id IN ({marks})",
            (model << 40, *views),
        )
        return {int(view): np.frombuffer(data, np.float16).astype(np.float32)
                for view, data in rows}  # fmt: skip

    def keep(self, model: int, texts: Sequence[Pending], vectors: F32) -> None:
        """Write unit vectors; those of items that were changed meanwhile are dropped."""
        db = self._store.writer
        blobs = vectors.astype(np.float16)
        with db.transaction():
            db.execute(
                "UPDATE model SET dims = ? WHERE id = ? AND dims = 0", (vectors.shape[1], model)
            )
            marks = ",".join("?" * len(texts))
            alive = {
                int(view)
                for (view,) in db.execute(
                    f"SELECT id FROM view WHERE id IN ({marks})",  # noqa: S608
                    [pending.view for pending in texts],
                )
            }
            keep_vectors(
                self._store,
                model,
                [
                    (pending.view, pending.item, blob.tobytes())
                    for pending, blob in zip(texts, blobs, strict=True)
                    if pending.view in alive
                ],
            )

    def switch(self, model: int) -> bool:
        """Let a model that has filled serve, and drop the one before; False when it has not."""
        db = self._store.writer
        with db.transaction():
            (left,) = db.execute(
                "SELECT count(*) FROM view v WHERE NOT EXISTS "
                "(SELECT 1 FROM vector x WHERE x.key = (? | v.id))",
                (model << 40,),
            )[0]
            if left:
                return False
            others = db.execute("SELECT id, dims FROM model WHERE id <> ?", (model,))
            for other, dims in others:
                drop_model(self._store, int(other), int(dims))
            db.execute("UPDATE model SET state = ? WHERE id = ?", (ModelState.SERVING, model))
        return True
