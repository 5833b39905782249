"""BM25 over postings in memory: which items hold which stems, and how much that says."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32, Growing

__all__ = ["Postings", "TermScores"]

#: Okapi BM25's saturation and length weight, with the values that SQLite's `bm25()` has.
K1 = 1.2
B = 0.75
#: Slots added since the base was made before it is made anew.
_TAIL_DOCS = 2_000


class _Vocabulary(dict[str, int]):
    """Stem -> number; a stem that is new gets the next."""

    def __init__(self) -> None:
        super().__init__()
        self._next = count()

    def __missing__(self, key: str) -> int:
        number = self[key] = next(self._next)
        return number


@dataclass(frozen=True, slots=True)
class TermScores:
    """What one query's words say about all items.

    Attributes:
        total: BM25 of each slot, body and surroundings together.
        idf: of each query term that occurs at all.
        terms: their numbers.
    """

    total: F32
    idf: F32
    terms: tuple[int, ...]


class Postings:
    """Slots and their stems.

    The base is sorted by term and immutable; what was added since lies in a short tail that is
    scanned, and is folded into the base when it has grown.
    """

    def __init__(self) -> None:
        #: Items in all and holders of each stem, when these slots are only a part of them.
        self.known_rarity: tuple[int, dict[str, int]] | None = None
        self._vocabulary = _Vocabulary()
        self._tokens = array("I")
        self._lengths = Growing(np.int32)
        self._ends: NDArray[np.int64] = np.zeros(0, np.int64)
        self._folded = 0  # slots in the base
        self._folded_tokens = 0
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._docs: NDArray[np.int32] = np.zeros(0, np.int32)
        self._tf: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._norm: F32 = np.zeros(0, np.float32)
        self._impact: F32 = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Stems of each slot."""
        return self._lengths.view

    def extend(self, texts: Iterable[str]) -> None:
        """Append slots, each given as its stems joined by spaces."""
        number = self._vocabulary.__getitem__
        lengths = []
        for text in texts:
            found = text.split()
            self._tokens.extend(map(number, found))
            lengths.append(len(found))
        self._lengths.extend(lengths)

    def fold(self) -> None:
        """Sort everything into the base when the tail has grown long."""
        tail = len(self) - self._folded
        if tail <= max(_TAIL_DOCS, self._folded // 10):
            return
        slots, terms = len(self), len(self._vocabulary)
        tokens = np.frombuffer(self._tokens, dtype=np.uint32).astype(np.uint64)
        docs = np.repeat(np.arange(slots, dtype=np.uint64), self.lengths)
        keys = tokens << np.uint64(32)
        keys |= docs
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=np.uint64(2**64 - 1)))
        tf = np.diff(first, append=len(keys))
        kept = keys[first]
        self._docs = (kept & np.uint64(0xFFFFFFFF)).astype(np.int32)
        self._starts = np.searchsorted(
            (kept >> np.uint64(32)).astype(np.int64), np.arange(terms + 1)
        )
        self._tf = np.minimum(tf, 255).astype(np.uint8)
        self._norm = self._norms(self.lengths)
        found = self._tf.astype(np.float32)
        self._impact = found * np.float32(K1 + 1) / (found + self._norm[self._docs])
        self._folded, self._folded_tokens = slots, len(self._tokens)

    def _norms(self, lengths: NDArray[np.int32]) -> F32:
        average = max(float(self.lengths.mean()), 1.0) if len(self) else 1.0
        norms: F32 = (K1 * (1 - B + B * lengths.astype(np.float32) / average)).astype(np.float32)
        return norms

    def score(
        self, stems: Sequence[str], mask: NDArray[np.bool_], alive: int, *, masked: bool
    ) -> TermScores:
        """BM25 of every slot in the mask.

        Args:
            stems: of the query; a stem given twice counts twice.
            mask: slots that may be found.
            alive: how many those are.
            masked: whether the mask leaves out more than dead slots; a term's rarity is then
                counted among what may be found only.
        """
        slots = len(self)
        total = np.zeros(slots, np.float32)
        tail = np.frombuffer(self._tokens, dtype=np.uint32)[self._folded_tokens :]
        tail_docs = np.repeat(np.arange(self._folded, slots), self.lengths[self._folded :])
        tail_norm = self._norms(self.lengths[self._folded :])
        known: list[int] = []
        idfs: list[float] = []
        weights = {term: stems.count(term) for term in stems}
        for term, times in weights.items():
            number = self._vocabulary.get(term)
            if number is None:
                continue
            docs, impact = self._base(number)
            late = np.bincount(tail_docs[tail == number] - self._folded, minlength=0)
            late_at = np.flatnonzero(late)
            holders = len(docs) + len(late_at)
            if masked:
                holders = int(mask[docs].sum()) + int(mask[late_at + self._folded].sum())
            if not holders:
                continue
            if self.known_rarity is not None:
                alive = self.known_rarity[0]
                holders = self.known_rarity[1].get(term, holders)
            idf = (
                float(np.log1p((alive - holders + 0.5) / (holders + 0.5)))
                if alive > holders
                else 0.05
            )
            known.append(number)
            idfs.append(idf)
            total[docs] += np.float32(idf * times) * impact
            if len(late_at):
                tf = late[late_at].astype(np.float32)
                total[late_at + self._folded] += (
                    np.float32(idf * times * (K1 + 1)) * tf / (tf + tail_norm[late_at])
                )
        if not mask.all():
            total *= mask
        return TermScores(total, np.array(idfs, np.float32), tuple(known))

    def _base(self, term: int) -> tuple[NDArray[np.int32], F32]:
        if term + 1 >= len(self._starts):
            return self._docs[:0], self._impact[:0]
        start, end = self._starts[term], self._starts[term + 1]
        return self._docs[start:end], self._impact[start:end]

    def opening(self, slots: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """The first terms of each slot: array (slots, most); -1 where it is shorter."""
        if len(self._ends) != len(self):
            self._ends = np.cumsum(self.lengths, dtype=np.int64)
        held = self.lengths[slots].astype(np.int64)
        at = (self._ends[slots] - held)[:, None] + np.arange(most)
        inside = np.arange(most) < held[:, None]
        tokens = np.frombuffer(self._tokens, dtype=np.uint32)
        if not len(tokens):
            return np.full(at.shape, -1, np.int64)
        found: NDArray[np.int64] = np.where(inside, tokens[np.where(inside, at, 0)], -1)
        return found

    def frequencies(self, terms: Sequence[int], slots: NDArray[np.int64]) -> F32:
        """How often each term occurs in each slot: array (terms, slots); slot -1 holds nothing."""
        found = np.zeros((len(terms), len(slots)), np.float32)
        tail = np.frombuffer(self._tokens, dtype=np.uint32)[self._folded_tokens :]
        offsets = np.concatenate([[0], np.cumsum(self.lengths[self._folded :])])
        late = np.flatnonzero(slots >= self._folded)
        for row, term in enumerate(terms):
            docs, _ = self._base(term)
            if len(docs):
                at = np.searchsorted(docs, slots)
                at[at == len(docs)] = 0
                start = self._starts[term]
                found[row] = self._tf[start : start + len(docs)][at] * (docs[at] == slots)
        for place in late:
            number = int(slots[place]) - self._folded
            own = tail[offsets[number] : offsets[number + 1]]
            for row, term in enumerate(terms):
                found[row, place] = np.count_nonzero(own == term)
        return found
