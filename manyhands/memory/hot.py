"""The index in memory that answers queries; made from the file, kept fresh, never the only copy."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32, Growing
from manyhands.memory.filters import Filter
from manyhands.memory.lookup import Connection
from manyhands.memory.postings import Postings
from manyhands.memory.records import Family
from manyhands.memory.signatures import Signatures

__all__ = ["FAMILIES", "HotIndex", "Stopped"]

#: Items read at a time when the file is loaded.
_PAGE = 5_000
#: Vectors whose mean the signs are taken around.
_SAMPLE = 4_096
#: Filters whose slots and bits are kept, until something is written.
_FILTERS_KEPT = 8
_ITEM = (
    "SELECT i.pk, i.kind, i.family, i.scope, i.thread, i.position, i.time, i.speaker, i.marks, "
    "i.superseded_by <> '', i.added, w.body || ' ' || w.around FROM item i "
    "LEFT JOIN words w ON w.item = i.pk WHERE "
)
FAMILIES = tuple(Family)


@dataclass
class _Names:
    """Texts that repeat, as small numbers."""

    number: dict[Any, int] = field(default_factory=dict)

    def of(self, name: Any) -> int:
        return self.number.setdefault(name, len(self.number))


class Stopped(Exception):
    """Loading was given up because the memory is being closed."""


class HotIndex:
    """All items of one file in arrays, one slot each; a changed item moves to a new slot."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._version: object = None
        #: Set to give up a load that is going on.
        self.stopped = threading.Event()
        self._seq = 0
        self.clear()

    def clear(self) -> None:
        self.words = Postings()
        self.vectors: Signatures | None = None
        self.model = 0
        self.model_name, self.dims = "", 0
        self.pk = Growing(np.int64)
        self.alive = Growing(np.bool_)
        self.kind = Growing(np.int16)
        self.family = Growing(np.int8)
        self.scope = Growing(np.int32)
        self.thread = Growing(np.int32)
        self.session = Growing(np.int32)
        self.position = Growing(np.float64)
        self.time = Growing(np.float64)
        self.speaker = Growing(np.int32)
        self.closed = Growing(np.bool_)
        self.marks = Growing(np.uint8)
        self.first_row = Growing(np.int64)
        self.rows = Growing(np.int32)
        self.kinds, self.scopes, self.threads, self.sessions, self.speakers = (
            _Names() for _ in range(5)
        )
        self.families: set[Family] = set()
        self.slot_of: dict[int, int] = {}
        self.dead = 0
        self._linked = -1
        self._names: tuple[int, frozenset[str]] = (0, frozenset())
        self.before: NDArray[np.int64] = np.zeros(0, np.int64)
        self.after: NDArray[np.int64] = np.zeros(0, np.int64)
        self._masks: dict[Filter, NDArray[np.bool_]] = {}
        self._row_lists: dict[Filter, tuple[NDArray[np.int64], NDArray[np.uint64]]] = {}

    def __len__(self) -> int:
        return len(self.pk)

    @property
    def living(self) -> int:
        return len(self) - self.dead

    # --- freshness ---------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        return self._version is not None

    def fresh(self) -> bool:
        """Whether nothing was written since it was last brought up to date."""
        return self._db.version() == self._version

    def refresh(self) -> None:
        """Take in what was written since, by this process or another; 2 µs when nothing was."""
        version = self._db.version()
        if version == self._version:
            return
        with self._db.snapshot():
            serving = "SELECT id, name, dims FROM model WHERE state = 'serving'"
            model, name, dims = (*self._db.execute(serving), (0, "", 0))[0]
            low, high = self._db.execute("SELECT min(seq), max(seq) FROM change")[0]
            first = self._version is None
            gap = low is not None and low > self._seq + 1
            if first or gap or model != self.model or self.dead > max(1_000, self.living):
                self._load(model)
            elif high is not None and high > self._seq:
                rows = self._db.execute(
                    "SELECT DISTINCT item FROM change WHERE seq > ?", (self._seq,)
                )
                self._renew([pk for (pk,) in rows])
            self._seq = max(self._seq, high or 0)
            self.model_name, self.dims = name, dims
        self.words.fold()
        self._version = version

    def _load(self, model: int) -> None:
        self.clear()
        self.model = model
        last = 0
        while True:
            if self.stopped.is_set():
                raise Stopped
            rows = self._db.execute(_ITEM + "i.pk > ? ORDER BY i.pk LIMIT ?", (last, _PAGE))
            if not rows:
                break
            self._append(rows)
            last = rows[-1][0]

    def take_only(self, pks: Sequence[int], model: int) -> None:
        """Hold nothing but these items, with the vectors of one model."""
        self.clear()
        self.model = model
        self._renew(pks)

    def _renew(self, pks: Sequence[int]) -> None:
        for pk in pks:
            slot = self.slot_of.pop(pk, None)
            if slot is not None:
                self.alive.view[slot] = False
                self.dead += 1
        self._masks.clear()
        self._row_lists.clear()
        for chunk in _chunks(pks):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(f"{_ITEM} i.pk IN ({marks}) ORDER BY i.pk", chunk)
            if rows:
                self._append(rows)

    def _append(self, rows: Sequence[tuple[Any, ...]]) -> None:
        pks, kinds, families, scopes, threads, positions, times, speakers, marks, closed = tuple(
            zip(*rows, strict=True)
        )[:10]
        added, words = tuple(zip(*rows, strict=True))[10:]
        start = len(self)
        self.slot_of.update(zip(pks, itertools.count(start), strict=False))
        self.pk.extend(pks)
        self.alive.extend(np.ones(len(pks), np.bool_))
        self.kind.extend([self.kinds.of(name) for name in kinds])
        self.families.update(Family(name) for name in set(families))
        self.family.extend([FAMILIES.index(Family(name)) for name in families])
        self.scope.extend([self.scopes.of(name) for name in scopes])
        self.thread.extend([self.threads.of(pair) for pair in zip(scopes, threads, strict=True)])
        # One thread on one day is one session.
        days = (None if time is None else time // 86_400 for time in times)
        self.session.extend(
            [self.sessions.of(told) for told in zip(scopes, threads, days, strict=True)]
        )
        self.position.extend(positions)
        self.time.extend([a if t is None else t for t, a in zip(times, added, strict=True)])
        self.speaker.extend([self.speakers.of(name.casefold()) for name in speakers])
        self.closed.extend(closed)
        self.marks.extend(marks)
        self.words.extend(text or "" for text in words)
        self._masks.clear()
        self._row_lists.clear()
        self._append_vectors(list(pks), start)

    def _append_vectors(self, pks: list[int], start: int) -> None:
        held = len(self.vectors) if self.vectors is not None else 0
        counts = np.zeros(len(pks), np.int32)
        if self.model:
            place = {pk: at for at, pk in enumerate(pks)}
            found: list[tuple[int, int, int, bytes]] = []
            for chunk in _chunks(pks):
                marks = ",".join("?" * len(chunk))
                found += self._db.execute(
                    "SELECT v.item, v.role, v.id, x.data FROM view v JOIN vector x ON "  # noqa: S608
                    f"x.key = (? | v.id) WHERE v.item IN ({marks}) ORDER BY v.item, v.ord",
                    (self.model << 40, *chunk),
                )
            if found:
                items, roles, views, blobs = zip(*found, strict=True)
                at = np.array([place[item] for item in items], np.int32)
                counts += np.bincount(at, minlength=len(pks)).astype(np.int32)
                block = np.frombuffer(b"".join(blobs), np.float16).astype(np.float32)
                block = block.reshape(len(found), -1)
                if self.vectors is None:
                    self.vectors = Signatures(block.shape[1], block[:_SAMPLE].mean(axis=0))
                self.vectors.extend(
                    block,
                    at + np.int32(start),
                    np.array(roles, np.int8),
                    np.array(views, np.int64),
                )
        self.first_row.extend(held + np.cumsum(counts) - counts)
        self.rows.extend(counts)

    # --- what may be found -------------------------------------------------------------------

    def mask(self, wanted: Filter) -> NDArray[np.bool_]:
        """Slots that may be found."""
        known = self._masks.get(wanted)
        if known is not None:
            return known
        mask: NDArray[np.bool_] = self.alive.view.copy()
        if wanted.scopes is not None:
            mask &= _among(self.scope.view, self.scopes, wanted.scopes)
        if wanted.kinds is not None:
            mask &= _among(self.kind.view, self.kinds, wanted.kinds)
        if wanted.since is not None:
            mask &= self.time.view >= wanted.since
        if wanted.until is not None:
            mask &= self.time.view <= wanted.until
        if len(self._masks) >= _FILTERS_KEPT:
            self._masks.clear()
        self._masks[wanted] = mask
        return mask

    def vector_rows(
        self, wanted: Filter
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.uint64] | None]:
        """Rows of the vectors that may be found, and their sign bits; None for all."""
        if self.vectors is None or (wanted.open and not self.dead):
            return None, None
        known = self._row_lists.get(wanted)
        if known is None:
            if len(self._row_lists) >= _FILTERS_KEPT:
                self._row_lists.clear()
            rows = np.flatnonzero(self.mask(wanted)[self.vectors.slot])
            known = self._row_lists[wanted] = (rows, self.vectors.signs_of(rows))
        return known

    # --- neighbours --------------------------------------------------------------------------

    def link(self) -> None:
        """Know each slot's neighbours in its thread; `before` and `after` hold -1 for none."""
        state = len(self) * 2 + self.dead
        if state == self._linked:
            return
        living = np.flatnonzero(self.alive.view)
        order = living[np.lexsort((self.position.view[living], self.thread.view[living]))]
        thread = self.thread.view[order]
        same = thread[1:] == thread[:-1]
        self.before = np.full(len(self), -1, np.int64)
        self.after = np.full(len(self), -1, np.int64)
        self.before[order[1:][same]] = order[:-1][same]
        self.after[order[:-1][same]] = order[1:][same]
        self._linked = state

    def first_names(self) -> frozenset[str]:
        """The first word of each speaker's name, when there are several speakers."""
        if len(self.speakers.number) != self._names[0]:
            told = {name.split()[0] for name in self.speakers.number if name.split()}
            self._names = (
                len(self.speakers.number),
                frozenset(told) if len(told) > 1 else frozenset(),
            )
        return self._names[1]

    def floats(self, views: list[int]) -> F32:
        """Vectors as they lie in the file, in the order asked for; zeros for what is gone."""
        assert self.vectors is not None
        keys = [self.model << 40 | view for view in views]
        found: dict[int, bytes] = {}
        for chunk in _chunks(keys):
            marks = ",".join("?" * len(chunk))
            found.update(
                self._db.execute(f"SELECT key, data FROM vector WHERE key IN ({marks})", chunk)  # noqa: S608
            )
        empty = bytes(2 * self.vectors.dims)
        told = b"".join(found.get(key, empty) for key in keys)
        return np.frombuffer(told, np.float16).astype(np.float32).reshape(len(keys), -1)


def _among(column: NDArray[Any], names: _Names, wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    numbers = [names.number[name] for name in wanted if name in names.number]
    if len(numbers) == 1:
        one: NDArray[np.bool_] = column == numbers[0]
        return one
    return np.isin(column, numbers)


def _chunks(values: Sequence[int], size: int = 500) -> list[Sequence[int]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
