"""How long a load will take: learned for each file of weights and host, declared before that. Pure.

Where this file was loaded before, the median of its last loads counts. Where only other files were,
their speed on this host does. Before any load a declared speed does: it is meant to be replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["FIXED_S", "PRIOR_BYTES_S", "LoadSample", "expected_load_s", "learned_load_s"]

#: Declared: seconds of every load (a process starts, memory is given back), and bytes in a second
#: from a disk of today. Ollama asks only every 250 ms whether a model is ready.
FIXED_S = 2.0
PRIOR_BYTES_S = 2e9
_LAST = 5


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One measured load, newest first where several stand in a row."""

    weights: str
    size: int
    seconds: float


def expected_load_s(weights: str, size: int, samples: Sequence[LoadSample]) -> float:
    """Seconds that a load is expected to take.

    Args:
        size: bytes of the weights; 0 when it is not known.
        samples: loads on this host, the newest first.
    """
    learned = learned_load_s(weights, size, samples)
    return FIXED_S + size / PRIOR_BYTES_S if learned is None else learned[0]


def learned_load_s(
    weights: str, size: int, samples: Sequence[LoadSample]
) -> tuple[float, bool] | None:
    """Seconds by what was measured on this host, and whether with this very file; else None."""
    own = [one.seconds for one in samples if one.weights == weights][:_LAST]
    if own:
        return median(own), True
    rates = [
        one.size / (one.seconds - FIXED_S)
        for one in samples
        if one.size > 0 and one.seconds > FIXED_S
    ]
    return (FIXED_S + size / median(rates[: 4 * _LAST]), False) if rates else None
