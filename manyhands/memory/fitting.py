"""Fitting a fusion profile to pairs of questions and what answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32
from manyhands.memory.profile import Profile
from manyhands.memory.records import Family
from manyhands.memory.signal_names import SIGNALS, Signal

__all__ = ["FamilyFit", "FitReport", "Lesson", "fit_family", "recalls"]

#: Fewer pairs than this say nothing that holds for others.
FEWEST_PAIRS = 12
_FOLDS = 4
#: Recall is averaged over the best 1, 2, … of these.
_DEPTH = 20
#: Candidates of one question that are learned from, the best by today's profile first.
_HARDEST = 100
_STEPS = 20
#: A step or a gain below which there is nothing to be won.
_ENOUGH = 1e-6
#: Pulls towards today's weights that are tried; the one that serves unseen pairs best is taken.
_PULLS = (0.03, 0.1, 0.3)


@dataclass(frozen=True, slots=True)
class Lesson:
    """The candidates of one question: their signals, and which of them are relevant.

    Attributes:
        missed: relevant memories that are no candidates.
    """

    signals: F32
    relevant: NDArray[np.bool_]
    missed: int = 0


@dataclass(frozen=True, slots=True)
class FamilyFit:
    """What fitting one family gave.

    Attributes:
        before, after: recall on pairs that were not fitted on, averaged over the best 1 to 20.
        kept: whether the fitted profile is used from now on.
    """

    family: Family
    pairs: int
    before: float
    after: float
    kept: bool


@dataclass(frozen=True, slots=True)
class FitReport:
    """What `Memory.fit` did, by family; `unused` pairs named nothing that is remembered."""

    families: tuple[FamilyFit, ...]
    unused: int


def recalls(lessons: Sequence[Lesson], weights: F32) -> NDArray[np.float64]:
    """The share of the relevant among the best 1, 2, … `_DEPTH`: array (lessons, depths)."""
    found = np.zeros((len(lessons), _DEPTH))
    for row, lesson in zip(found, lessons, strict=True):
        order = np.argsort(-(lesson.signals @ weights), kind="stable")[:_DEPTH]
        total = int(lesson.relevant.sum()) + lesson.missed
        if total:
            row[: len(order)] = lesson.relevant[order]
            row[:] = np.cumsum(row) / total
    return found


def fit_family(
    lessons: Sequence[Lesson], today: Profile, *, vectors: bool
) -> tuple[float, float, bool, dict[Signal, float]]:
    """Recall of today's profile and of fitted ones on held-out folds, and weights from all.

    Recall is averaged over the best 1 to 20: at one depth a question says only whether its answer
    crossed that rank, over all of them how far it moved, so that fewer pairs tell a gain from
    chance. The third value says whether the gain is more than that: greater than its standard
    error.

    The folds are stripes: every fourth pair. What is fitted is a softmax over each question's
    candidates, by Newton's method, with a pull towards today's weights.
    """
    now = today.array(vectors=vectors)
    was = np.concatenate([recalls(lessons[fold::_FOLDS], now) for fold in range(_FOLDS)])
    tried = {pull: _unseen(lessons, now, pull) for pull in _PULLS}
    pull = max(_PULLS, key=lambda one: (float(tried[one].mean()), one))
    gain = (tried[pull] - was).mean(axis=1)
    better = float(gain.mean()) > float(gain.std()) / len(gain) ** 0.5
    weights = _scaled(_learn(lessons, now, pull), now, lessons)
    told = {signal: round(float(w), 5) for signal, w in zip(SIGNALS, weights, strict=True) if w}
    return float(was.mean()), float(tried[pull].mean()), better, told


def _unseen(lessons: Sequence[Lesson], now: F32, pull: float) -> NDArray[np.float64]:
    """The recalls of each lesson, fold by fold, by weights from the other folds."""
    found = []
    for fold in range(_FOLDS):
        rest = [one for number, one in enumerate(lessons) if number % _FOLDS != fold]
        found.append(recalls(lessons[fold::_FOLDS], _learn(rest, now, pull)))
    return np.concatenate(found)


def _learn(lessons: Sequence[Lesson], now: F32, pull: float) -> F32:
    kept = [_hardest(lesson, now) for lesson in lessons if lesson.relevant.any()]
    if not kept:
        return now
    signals = np.concatenate([lesson.signals for lesson in kept])
    wanted = np.concatenate([lesson.relevant / lesson.relevant.sum() for lesson in kept])
    wanted = wanted.astype(np.float32)
    starts = np.cumsum([0, *(len(lesson.signals) for lesson in kept)])[:-1]
    sizes = np.diff(np.append(starts, len(signals)))
    # Signals that never differ within a question cannot rank and are left at zero.
    spread = signals.std(axis=0)
    useful = spread > 1e-6
    scaled = np.where(useful, signals / np.where(useful, spread, 1), 0)
    start = _sharpened(now * spread, scaled, starts, sizes, wanted)
    lesson_of = np.repeat(np.arange(len(kept)), sizes)

    def shares(weights: F32) -> tuple[F32, float]:
        """Each candidate's softmax within its question, and the loss that is to be least."""
        scores = scaled @ weights
        scores -= np.maximum.reduceat(scores, starts)[lesson_of]
        found = np.exp(scores)
        sums = np.add.reduceat(found, starts)
        apart = float(((weights - start) ** 2).sum())
        loss = float(np.log(sums).sum() - (wanted * scores).sum()) / len(kept)
        return (found / sums[lesson_of]).astype(np.float32), loss + pull / 2 * apart

    # The loss is convex and has few weights: Newton's method needs about six steps.
    weights = start
    held, loss = shares(weights)
    for _ in range(_STEPS):
        slope = scaled.T @ (held - wanted) / len(kept) + pull * (weights - start)
        weighed = scaled * held[:, None]
        means = np.add.reduceat(weighed, starts, axis=0)
        bend = (scaled.T @ weighed - means.T @ means) / len(kept) + pull * np.eye(len(weights))
        step = np.linalg.solve(bend, slope).astype(np.float32)
        while True:
            held, new = shares(weights - step)
            if new <= loss or float(np.abs(step).max()) < _ENOUGH:
                break
            step /= 2
        weights = weights - step
        if loss - new < _ENOUGH:
            break
        loss = new
    found: F32 = np.where(useful, weights / np.where(useful, spread, 1), 0).astype(np.float32)
    return found


def _sharpened(
    weights: F32,
    signals: F32,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    wanted: F32,
) -> F32:
    """Today's weights times the factor that makes the softmax fit best: ranks stay as they are."""
    best, least = 1.0, np.inf
    scores = signals @ weights
    scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
    for factor in (1, 2, 4, 8, 16, 32):
        held = np.log(np.add.reduceat(np.exp(scores * factor), starts))
        loss = float(held.sum() - (wanted * scores).sum() * factor)
        if loss < least:
            best, least = factor, loss
    found: F32 = weights * np.float32(best)
    return found


def _hardest(lesson: Lesson, now: F32) -> Lesson:
    order = np.argsort(-(lesson.signals @ now), kind="stable")[:_HARDEST]
    chosen = np.union1d(order, np.flatnonzero(lesson.relevant))
    return Lesson(lesson.signals[chosen], lesson.relevant[chosen], lesson.missed)


def _scaled(weights: F32, now: F32, lessons: Sequence[Lesson]) -> F32:
    """The weights with scores spread as today's, so that families stay comparable."""
    signals = np.concatenate([lesson.signals for lesson in lessons])
    ours, theirs = float((signals @ weights).std()), float((signals @ now).std())
    found: F32 = weights * np.float32(theirs / ours) if ours > 0 else weights
    return found
