"""Fusion profiles: how much each signal counts, for each family of memories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from manyhands.memory.arrays import F32
from manyhands.memory.records import Family
from manyhands.memory.signal_names import SIGNALS, Signal

__all__ = ["BUILT_IN", "BUILT_IN_VERSION", "Profile", "read_profile"]

#: Raised whenever a weight below changes, so that a ranking can be told by its version.
BUILT_IN_VERSION = 2


@dataclass(frozen=True, slots=True)
class Profile:
    """Weights by signal.

    Attributes:
        version: `built-in-N`, or `fitted-N` for one that was fitted on this memory.
        weights: for a query with a vector.
        words_only: for one without.
    """

    family: Family
    version: str
    weights: Mapping[Signal, float]
    words_only: Mapping[Signal, float]

    def array(self, *, vectors: bool) -> F32:
        """The weights in the order of `SIGNALS`."""
        return _array(tuple((self.weights if vectors else self.words_only).items()))

    def needed(self, *, vectors: bool) -> frozenset[Signal]:
        """Signals that it weighs."""
        chosen = self.weights if vectors else self.words_only
        return frozenset(signal for signal, weight in chosen.items() if weight)

    def told(self) -> str:
        """As JSON."""
        return json.dumps({"weights": dict(self.weights), "words_only": dict(self.words_only)})


@lru_cache(maxsize=64)
def _array(weights: tuple[tuple[Signal, float], ...]) -> F32:
    given = dict(weights)
    return np.array([given.get(signal, 0.0) for signal in SIGNALS], np.float32)


def read_profile(family: Family, version: str, told: str) -> Profile:
    """A profile from its JSON; a signal that this version does not know is left out."""
    raw = json.loads(told)
    known = set(SIGNALS)
    return Profile(
        family,
        version,
        *(
            {Signal(name): float(value) for name, value in raw[part].items() if name in known}
            for part in ("weights", "words_only")
        ),
    )


_S = Signal
#: What holds for every family: a superseded fact comes after the one that holds.
_ALWAYS = {_S.CLOSED: -0.3}
_WORDS_ONLY = {_S.WORDS: 1.0, _S.COVER: 0.1, **_ALWAYS}

#: The best score of each is about 1, so that memories of several families can be ranked together.
#: Set from what was measured on each kind of content: conversation wants words and vectors alike
#: and its neighbours, code wants vectors first, notebooks lie between.
BUILT_IN: Mapping[Family, Profile] = {
    family: Profile(family, f"built-in-{BUILT_IN_VERSION}", {**weights, **_ALWAYS}, words_only)
    for family, weights, words_only in (
        (
            Family.TEXT,
            {_S.WORDS: 0.4, _S.VECTOR_SCALED: 0.5, _S.COVER: 0.1, _S.RECENT: 0.01},
            _WORDS_ONLY,
        ),
        (
            Family.DIALOGUE,
            {
                _S.WORDS: 0.193,
                _S.WINDOW: 0.11,
                # With and without the speakers' names, by halves.
                _S.VECTOR: 0.055,
                _S.BARE: 0.055,
                _S.AFTER: 0.097,
                _S.BARE_AFTER: 0.097,
                _S.PART: 0.138,
                _S.BARE_PART: 0.138,
                _S.COVER: 0.055,
                _S.NEAR_WORDS: 0.039,
                _S.NEAR_VECTOR: 0.055,
                _S.LENGTH: 0.138,
                _S.SPEAKER: 0.055,
                _S.WHEN: 0.028,
                _S.ASKS: -0.028,
                _S.THREAD_WORDS: 0.055,
            },
            {
                _S.WORDS: 0.65,
                _S.COVER: 0.06,
                **_ALWAYS,
                _S.WINDOW: 0.24,
                _S.NEAR_WORDS: 0.06,
                _S.LENGTH: 0.06,
                _S.SPEAKER: 0.06,
                _S.WHEN: 0.03,
            },
        ),
        (
            Family.CODE,
            {_S.WORDS: 0.2, _S.VECTOR_SCALED: 0.8, _S.COVER: 0.05},
            _WORDS_ONLY,
        ),
        (
            Family.CELL,
            {_S.WORDS: 0.45, _S.VECTOR_SCALED: 0.5, _S.COVER: 0.1, _S.NEAR_WORDS: 0.05},
            {**_WORDS_ONLY, _S.NEAR_WORDS: 0.05},
        ),
    )
}
