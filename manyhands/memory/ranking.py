"""From candidates to hits: fuse the signals, fold copies together, keep to the token budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32
from manyhands.memory.hot import FAMILIES, HotIndex
from manyhands.memory.profile import Profile
from manyhands.memory.records import Family, Hit
from manyhands.memory.signal_names import SIGNALS
from manyhands.memory.signals import Candidates
from manyhands.memory.store import Row

__all__ = ["best_first", "estimate_tokens", "fold_and_pack", "fuse", "parts_of"]

#: Characters that one token holds, on the safe side for English and code.
_CHARACTERS_A_TOKEN = 3.5


def estimate_tokens(text: str) -> int:
    """About how many tokens a model will read; a script without spaces counts one a character."""
    wide = sum(1 for letter in text if ord(letter) > 0x2E80)
    return wide + int((len(text) - wide) / _CHARACTERS_A_TOKEN) + 1


def fuse(
    hot: HotIndex,
    found: Candidates,
    profiles: Mapping[Family, Profile],
    *,
    vectors: bool,
) -> F32:
    """One score for each candidate, by the profile of its family."""
    families = hot.family.view[found.slots]
    scores = np.zeros(len(found.slots), np.float32)
    for number in np.unique(families):
        own = families == number
        weights = profiles[FAMILIES[number]].array(vectors=vectors)
        scores[own] = found.signals[own] @ weights
    return scores


def best_first(scores: F32, most: int) -> NDArray[np.int64]:
    """Places of the `most` best scores, best first; equal scores keep their order."""
    return np.argsort(-scores, kind="stable")[:most]


def fold_and_pack(
    ranked: Iterable[tuple[Row, float, int]],
    explained: Callable[[int], tuple[Profile, Mapping[str, float]]],
    *,
    k: int,
    budget_tokens: int | None,
) -> list[Hit]:
    """Hits, best first: copies are one hit, and no hit exceeds what is left.

    The same text under the same headings is a copy; within a budget, where nothing should be said
    twice, the same text anywhere is.

    A hit that does not fit is left out whole, never cut, and smaller ones after it may still fit.

    Args:
        ranked: rows, best first, each with its score and its place among the candidates.
        explained: the profile and the score's parts of the candidate at a place.
    """
    hits: list[Hit] = []
    place: dict[bytes, int] = {}
    left = budget_tokens
    for row, score, candidate in ranked:
        item = row.item
        where = "" if left is not None else item.context
        said = " ".join(item.text.split()).casefold()
        same = hashlib.blake2b(f"{item.speaker}\n{where}\n{said}".encode(), digest_size=16).digest()
        if same in place:
            at = place[same]
            hits[at] = replace(hits[at], copies=(*hits[at].copies, item.id))
            continue
        if len(hits) >= k:
            break
        if left is not None:
            cost = estimate_tokens(item.text)
            if cost > left:
                continue
            left -= cost
        place[same] = len(hits)
        profile, parts = explained(candidate)
        hits.append(
            Hit(
                id=item.id,
                score=score,
                text=item.text,
                kind=item.kind,
                scope=item.scope,
                source=item.source,
                context=item.context,
                time=item.time,
                speaker=item.speaker,
                trust=item.trust,
                parts=parts,
                profile=f"{profile.family} {profile.version}",
                handle=f"memory:{item.id}",
                superseded_by=row.superseded_by,
                meta=item.meta,
            )
        )
    return hits


def parts_of(signals: F32, profile: Profile, *, vectors: bool) -> dict[str, float]:
    """What each signal gave to one candidate's score."""
    given = signals * profile.array(vectors=vectors)
    return {str(SIGNALS[at]): round(float(given[at]), 4) for at in np.flatnonzero(given)}
