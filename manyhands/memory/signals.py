"""The signals that a ranking is fused from, for the candidates of one query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32, best_of
from manyhands.memory.filters import Filter
from manyhands.memory.hot import HotIndex
from manyhands.memory.marks import Mark, asks_when
from manyhands.memory.postings import K1, B, TermScores
from manyhands.memory.signal_names import SIGNALS, Signal
from manyhands.memory.views import ViewRole
from manyhands.memory.words import STOP_WORDS, stems

__all__ = ["Candidates", "Question", "gather", "read_question"]

#: Candidates that each of the two searches may name.
_FROM_EACH = 120
#: Rows that the scan of bits may name; the best of them by bytes become candidates.
_FROM_BITS = 400
#: Cosines that are all alike say little: the scale is never narrower than this.
_SCALE_LEAST = 0.15
#: The candidate by vectors at which `vector_scaled` is zero.
_SCALE_FROM = 100
#: Rows whose similarity is made exact from their floats.
_EXACT = 24
#: Stems of a question that are looked up; a pasted page is cut.
_MOST_STEMS = 64
#: When no more items than this may be found, all are candidates.
_ALL = 1_200


#: Signals for which an item's neighbours are looked at.
_BESIDE = frozenset({Signal.WINDOW, Signal.NEAR_WORDS, Signal.NEAR_VECTOR})
_CLOSE = {
    ViewRole.WHOLE: Signal.VECTOR,
    ViewRole.AFTER: Signal.AFTER,
    ViewRole.PART: Signal.PART,
    ViewRole.HEAD: Signal.HEAD,
}
_BARE = {
    ViewRole.WHOLE: Signal.BARE,
    ViewRole.AFTER: Signal.BARE_AFTER,
    ViewRole.PART: Signal.BARE_PART,
}
#: First stems of an item that `head_words` looks at: a function's name and its parameters.
_HEAD = 12
_AT = {signal: place for place, signal in enumerate(SIGNALS)}


@dataclass(frozen=True, slots=True)
class Question:
    """A query as it is looked up.

    Attributes:
        bare: the vector of what is left of it without the names that `bare_of` takes out.
    """

    text: str
    stems: tuple[str, ...]
    vector: F32 | None
    bare: F32 | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Slots that may answer, and what each signal says of them: shape (slots, signals)."""

    slots: NDArray[np.int64]
    signals: F32


def read_question(text: str, vectors: F32 | None) -> Question:
    """The words that matter, and the vectors at unit length.

    Args:
        vectors: of the text and perhaps of what `bare_of` gave for it, one a row.
    """
    words = text.split()
    kept = stems(
        " ".join(word for word in words if word.strip("?.,!;:'\"").lower() not in STOP_WORDS)
    )
    found = tuple(kept or stems(text))[:64]
    units = [None] if vectors is None else [_unit(row) for row in vectors]
    return Question(text, found, *units)


def _unit(vector: F32) -> F32 | None:
    norm = float(np.linalg.norm(vector))
    return (vector / norm).astype(np.float32) if norm > 0 else None


def gather(
    hot: HotIndex,
    question: Question,
    wanted: Filter,
    needed: frozenset[Signal] = frozenset(SIGNALS),
) -> Candidates:
    """Candidates by words and by vectors, with their signals.

    Args:
        needed: signals that some profile weighs; what only others need is not computed.
    """
    mask = hot.mask(wanted)
    terms = hot.words.score(question.stems, mask, hot.living, masked=not wanted.open)
    slots, near_by_vector = _choose(hot, question, wanted, mask, terms.total)
    if not len(slots):
        return Candidates(slots, np.zeros((0, len(SIGNALS)), np.float32))
    table = np.zeros((len(slots), len(SIGNALS)), np.float32)
    around = np.zeros((0, len(slots)), np.int64)
    if needed & _BESIDE:
        hot.link()
        around = np.stack([hot.before[slots], hot.after[slots]])
    _tell_words(hot, terms, slots, around, table, needed)
    if question.vector is not None and hot.vectors is not None:
        sides = around if Signal.NEAR_VECTOR in needed else around[:0]
        _tell_vectors(hot, question, slots, sides, near_by_vector, table, needed)
    else:
        # By words alone, what holds none of them, itself or beside it, is no hit.
        said = (table[:, _AT[Signal.WORDS]] > 0) | (table[:, _AT[Signal.WINDOW]] > 0)
        slots, table = slots[said], table[said]
    if len(slots):
        _tell_rest(hot, question, slots, table, needed)
    return Candidates(slots, table)


def _choose(
    hot: HotIndex,
    question: Question,
    wanted: Filter,
    mask: NDArray[np.bool_],
    total: F32,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slots to look at, and the rows of vectors that are nearest."""
    by_words = best_of(total, _FROM_EACH)
    rows = np.zeros(0, np.int64)
    if question.vector is not None and hot.vectors is not None:
        allowed, bits = hot.vector_rows(wanted)
        near = hot.vectors.nearest(question.vector, allowed, _FROM_BITS, bits)
        if len(near):
            close = hot.vectors.similar(question.vector, near)
            rows = near[np.argsort(-close)[:_FROM_EACH]]
    held = np.flatnonzero(mask) if len(mask) <= 20 * _ALL or not wanted.open else None
    if held is not None and len(held) <= _ALL:
        return held, rows
    by_vector = hot.vectors.slot[rows] if hot.vectors is not None else rows
    return np.union1d(by_words, by_vector.astype(np.int64)), rows


def _tell_words(
    hot: HotIndex,
    terms: TermScores,
    slots: NDArray[np.int64],
    around: NDArray[np.int64],
    table: F32,
    needed: frozenset[Signal],
) -> None:
    best = max(float(terms.total[slots].max()), 1e-6)
    words = terms.total[slots] / best
    table[:, _AT[Signal.WORDS]] = words
    table[:, _AT[Signal.WORDS_RANK]] = _by_rank(words)
    if Signal.THREAD_WORDS in needed:
        table[:, _AT[Signal.THREAD_WORDS]] = _best_of_session(hot.session.view[slots], words)
    own = hot.words.frequencies(terms.terms, slots)
    if len(terms.idf):
        held = own > 0
        table[:, _AT[Signal.COVER]] = terms.idf @ held / max(float(terms.idf.sum()), 1e-6)
        table[:, _AT[Signal.RAREST]] = held[int(terms.idf.argmax())]
    if needed & {Signal.HEAD_WORDS, Signal.HEAD_SHARE} and len(terms.idf):
        first = hot.words.opening(slots, _HEAD)
        asked = np.stack([first == term for term in terms.terms])
        there = asked.any(axis=2)
        table[:, _AT[Signal.HEAD_WORDS]] = terms.idf @ there / max(float(terms.idf.sum()), 1e-6)
        table[:, _AT[Signal.HEAD_SHARE]] = there.sum(axis=0) / np.maximum(
            (first >= 0).sum(axis=1), 1
        )
    if not needed & _BESIDE:
        return
    near = np.where(around >= 0, terms.total[around], 0) / best
    table[:, _AT[Signal.NEAR_WORDS]] = near.max(axis=0)
    lengths = hot.words.lengths
    summed, length = own.copy(), lengths[slots].astype(np.float32)
    for side in around:
        summed += hot.words.frequencies(terms.terms, side) * np.float32(0.5)
        length += np.where(side >= 0, lengths[side], 0) * np.float32(0.5)
    average = max(float(length.mean()), 1.0)
    norm = K1 * (1 - B + B * length / average)
    window = terms.idf @ (summed * (K1 + 1) / (summed + norm)) if len(terms.idf) else words * 0
    table[:, _AT[Signal.WINDOW]] = window / max(float(window.max()), 1e-6)


def _tell_vectors(
    hot: HotIndex,
    question: Question,
    slots: NDArray[np.int64],
    around: NDArray[np.int64],
    nearest: NDArray[np.int64],
    table: F32,
    needed: frozenset[Signal],
) -> None:
    vectors, vector = hot.vectors, question.vector
    assert vectors is not None
    assert vector is not None
    everyone = np.union1d(slots, around[around >= 0]) if len(around) else slots
    first, count = hot.first_row.view[everyone], hot.rows.view[everyone]
    rows = np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    if not len(rows):
        return
    close = vectors.similar(vector, rows)
    exact = nearest[:_EXACT]
    known = np.searchsorted(rows, exact)
    known[known == len(rows)] = 0
    hit = rows[known] == exact
    close[known[hit]] = vectors.refine(vector, exact[hit], hot.floats)
    owner = np.repeat(np.arange(len(everyone)), count)
    at = np.searchsorted(everyone, slots)
    best, top = _by_role(vectors.role[rows], owner, close, len(everyone))
    ours = top[at]
    for kind, signal in _CLOSE.items():
        table[:, _AT[signal]] = best[kind][at]
    if needed & frozenset(_BARE.values()):
        if question.bare is not None:
            own = np.isin(everyone[owner], slots)
            bare = vectors.similar(question.bare, rows[own])
            best, _ = _by_role(vectors.role[rows[own]], owner[own], bare, len(everyone))
        for kind, signal in _BARE.items():
            table[:, _AT[signal]] = best[kind][at]
    # The scale runs from the hundredth best: it is then the same whatever else is a candidate.
    base = max(len(ours) - _SCALE_FROM, 0)
    low, high = float(np.partition(ours, base)[base]), float(ours.max())
    scaled: F32 = (np.maximum(ours - low, 0) / max(high - low, _SCALE_LEAST)).astype(np.float32)
    table[:, _AT[Signal.VECTOR_SCALED]] = scaled
    table[:, _AT[Signal.VECTOR_RANK]] = _by_rank(ours)
    if len(around):
        place = np.searchsorted(everyone, np.maximum(around, 0)) % len(top)
        beside = np.where(around >= 0, top[place], 0)
        table[:, _AT[Signal.NEAR_VECTOR]] = np.maximum(beside.max(axis=0), 0)
    if Signal.THREAD_VECTOR in needed:
        table[:, _AT[Signal.THREAD_VECTOR]] = _best_of_session(hot.session.view[slots], scaled)


def _by_role(
    role: NDArray[np.int8], owner: NDArray[np.int64], close: F32, owners: int
) -> tuple[dict[ViewRole, F32], F32]:
    """The greatest similarity of each owner by what the text is of it, and the greatest in all.

    An item that has no text of one role is judged by its best of another.
    """
    role = np.where(role == ViewRole.SENTENCE, ViewRole.PART, role)
    best = {kind: _greatest(owner[role == kind], close[role == kind], owners) for kind in _CLOSE}
    top = np.maximum.reduce([best[kind] for kind in _CLOSE if kind is not ViewRole.HEAD])
    top = np.where(np.isneginf(top), 0, top)
    return {kind: np.where(np.isneginf(found), top, found) for kind, found in best.items()}, top


def _tell_rest(
    hot: HotIndex,
    question: Question,
    slots: NDArray[np.int64],
    table: F32,
    needed: frozenset[Signal],
) -> None:
    def put(signal: Signal, value: NDArray[np.bool_] | F32) -> None:
        table[:, _AT[signal]] = value

    def has(signal: Signal) -> F32:
        column: F32 = table[:, _AT[signal]]
        return column

    lengths = hot.words.lengths[slots]
    put(Signal.LENGTH, np.minimum(np.log1p(lengths) / np.log(400), 1).astype(np.float32))
    marks = hot.marks.view[slots]
    put(Signal.ASKS, (marks & Mark.QUESTION) > 0)
    put(Signal.SHORT, (marks & Mark.SHORT) > 0)
    if asks_when(question.text):
        put(Signal.WHEN, (marks & Mark.TIME) > 0)
    lowered = question.text.casefold()
    if "how many" in lowered or "how much" in lowered:
        put(Signal.NUMBER, (marks & Mark.NUMBER) > 0)
    if needed & {Signal.SPEAKER, Signal.OTHER_SPEAKER}:
        _tell_speakers(hot, lowered, slots, put)
    order = np.argsort(np.argsort(hot.time.view[slots], kind="stable"), kind="stable")
    put(Signal.RECENT, (order / max(len(slots) - 1, 1)).astype(np.float32))
    put(Signal.CLOSED, hot.closed.view[slots])
    put(Signal.BOTH, has(Signal.WORDS) * has(Signal.VECTOR_SCALED))
    sure = np.float32(has(Signal.COVER).max())
    long = np.float32(min(len(question.stems) / 12, 1))
    put(Signal.WORDS_SURE, has(Signal.WORDS) * sure)
    put(Signal.VECTOR_SURE, has(Signal.VECTOR_SCALED) * sure)
    put(Signal.WORDS_LONG, has(Signal.WORDS) * long)
    put(Signal.VECTOR_LONG, has(Signal.VECTOR_SCALED) * long)


def _tell_speakers(
    hot: HotIndex,
    lowered: str,
    slots: NDArray[np.int64],
    put: Callable[[Signal, NDArray[np.bool_]], None],
) -> None:
    speakers = hot.speaker.view[slots]
    present = set(speakers.tolist())
    if len(present) < 2:
        return
    asked = set(lowered.replace("'s", " ").replace("?", " ").replace(",", " ").split())
    named = [
        number
        for name, number in hot.speakers.number.items()
        if number in present and name and asked.intersection(name.split())
    ]
    if named:
        own = np.isin(speakers, named)
        put(Signal.SPEAKER, own)
        put(Signal.OTHER_SPEAKER, ~own)


def _by_rank(values: F32) -> F32:
    rank = np.empty(len(values), np.float32)
    rank[np.argsort(-values, kind="stable")] = np.arange(len(values), dtype=np.float32)
    found: F32 = np.where(values > 0, 1 / (1 + rank / 5), 0).astype(np.float32)
    return found


def _best_of_session(sessions: NDArray[np.int32], values: F32) -> F32:
    _, inverse = np.unique(sessions, return_inverse=True)
    best = _greatest(inverse, values, int(inverse.max()) + 1)
    found: F32 = best[inverse]
    return found


def _greatest(owner: NDArray[np.int64], values: F32, owners: int) -> F32:
    best = np.full(owners, -np.inf, np.float32)
    np.maximum.at(best, owner, values)
    return best
