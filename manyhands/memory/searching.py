"""Finding: by the index in memory, or in the file while that is not there; and fitting it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from manyhands.errors import StorageError
from manyhands.memory.arrays import F32
from manyhands.memory.cold import narrowed
from manyhands.memory.filters import Filter
from manyhands.memory.fitting import FEWEST_PAIRS, FamilyFit, FitReport, Lesson, fit_family
from manyhands.memory.hot import FAMILIES, HotIndex, Stopped
from manyhands.memory.profile import Profile
from manyhands.memory.profiles import keep_profile, lesson_from, profiles_of
from manyhands.memory.ranking import best_first, fold_and_pack, fuse, parts_of
from manyhands.memory.records import Family, Hit
from manyhands.memory.signal_names import Signal
from manyhands.memory.signals import Candidates, Question, gather, read_question
from manyhands.memory.store import Row, Store
from manyhands.memory.vectors import VectorShelf

__all__ = ["LOADED_AT_ONCE", "MOST_HITS", "Searcher"]

#: Candidates that are read at a time beyond k: some will be copies of others.
_READ_AHEAD = 4
MOST_HITS = 1_000
#: Items up to which a search runs in the caller's own thread when the index is fresh.
_INLINE = 150_000
#: Items up to which the index in memory is made before the first search; beyond, searches are
#: done in the file meanwhile.
LOADED_AT_ONCE = 10_000


class Searcher:
    """Searches one store; may be called from any thread.

    Args:
        in_memory: whether to make the index in memory.
    """

    def __init__(self, store: Store, shelf: VectorShelf, *, in_memory: bool) -> None:
        self._store = store
        self._shelf = shelf
        self._in_memory = in_memory
        self._lock = threading.Lock()
        self._loader: threading.Thread | None = None
        self.hot = HotIndex(store.reader)
        self.profiles: dict[Family, Profile] = profiles_of(store)

    def close(self) -> None:
        """Give up a load that is going on, and wait until it has."""
        self.hot.stopped.set()
        self.wait()

    def wait(self) -> None:
        """Wait until a load that was begun is done."""
        if self._loader is not None:
            self._loader.join()

    def serving(self) -> tuple[int, str, int]:
        """Number, name and dimensions of the model whose vectors are searched."""
        if self.hot.loaded and self.hot.dims:
            return self.hot.model, self.hot.model_name, self.hot.dims
        return self._shelf.serving()

    def quick(self) -> bool:
        """Whether a search takes so few milliseconds that a thread would cost more than it."""
        if self._store.remote:
            return False
        return len(self.hot) <= _INLINE and not self._lock.locked() and self.hot.fresh()

    def _in_file(self) -> bool:
        """Whether to search in the file: the index in memory is unwanted, or not there yet."""
        if self.hot.loaded:
            return False
        if not self._in_memory:
            return True
        (newest,) = self._store.reader.execute("SELECT max(pk) FROM item")[0]
        if (newest or 0) <= LOADED_AT_ONCE:
            return False
        if self._loader is None:
            self._loader = threading.Thread(target=self._load, name="memory", daemon=True)
            self._loader.start()
        return True

    def begin(self) -> None:
        """Make the index in memory where that is done before the first search."""
        if not self._in_file():
            self.refresh()

    def _load(self) -> None:
        with suppress(Stopped, StorageError):  # an error comes again, with the next search
            self.refresh()

    def _ranked(self, hot: HotIndex, question: Question, wanted: Filter) -> tuple[Candidates, F32]:
        vectors = question.vector is not None
        needed = frozenset[Signal]().union(
            *(self.profiles[family].needed(vectors=vectors) for family in hot.families)
        )
        found = gather(hot, question, wanted, needed)
        return found, fuse(hot, found, self.profiles, vectors=vectors)

    def refresh(self) -> None:
        with self._lock:
            self.hot.refresh()

    def look_up(
        self, query: str, vector: Any, number: int, wanted: Filter, k: int, budget: int | None
    ) -> list[Hit] | None:
        """Hits, best first; None when another model serves by now."""
        question = read_question(query, vector)
        vectors = vector is not None
        if self._in_file():
            if vectors and number != self._shelf.serving()[0]:
                return None
            store = self._store
            hot = narrowed(store.reader, store.lookup, question, wanted, model=number)
            found, scores = self._ranked(hot, question, wanted)
        else:
            with self._lock:
                hot = self.hot
                hot.refresh()
                if vectors and number != hot.model:
                    return None
                found, scores = self._ranked(hot, question, wanted)
        order = best_first(scores, MOST_HITS + k)
        slots = found.slots[order]
        pks = hot.pk.view[slots].tolist()
        families = hot.family.view[slots]

        def ranked() -> Iterator[tuple[Row, float, int]]:
            for start in range(0, len(pks), k + _READ_AHEAD):
                page = pks[start : start + k + _READ_AHEAD]
                place = {pk: start + at for at, pk in enumerate(page)}
                for row in self._store.rows(page):
                    yield row, float(scores[order[place[row.pk]]]), place[row.pk]

        def explained(at: int) -> tuple[Profile, Mapping[str, float]]:
            profile = self.profiles[FAMILIES[families[at]]]
            return profile, parts_of(found.signals[order[at]], profile, vectors=vectors)

        return fold_and_pack(ranked(), explained, k=k, budget_tokens=budget)

    def fit(self, asked: list[tuple[str, list[str]]], vectors: list[tuple[int, Any]]) -> FitReport:
        lessons: dict[Family, list[Lesson]] = {}
        unused = 0
        by_vector = any(vector is not None for _, vector in vectors)
        with self._lock:
            self.hot.refresh()
            for (query, ids), (number, vector) in zip(asked, vectors, strict=True):
                known = vector if number == self.hot.model else None
                told = lesson_from(self.hot, self._store, query, ids, known)
                if told is None:
                    unused += 1
                else:
                    lessons.setdefault(told[0], []).append(told[1])
        fits = []
        for family, taught in lessons.items():
            if len(taught) < FEWEST_PAIRS:
                unused += len(taught)
                continue
            today = self.profiles[family]
            before, after, kept, weights = fit_family(taught, today, vectors=by_vector)
            if kept:
                self.profiles[family] = keep_profile(
                    self._store, today, weights, before, after, len(taught), vectors=by_vector
                )
            fits.append(FamilyFit(family, len(taught), before, after, kept))
        return FitReport(tuple(fits), unused)
