"""The few array helpers that the index in memory is made with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["F32", "I32", "Growing", "best_of", "count_bits"]

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


class Growing:
    """An array that rows are appended to; `view` is what is filled so far."""

    def __init__(self, dtype: Any, width: int = 0) -> None:
        self._shape = (width,) if width else ()
        self._data: NDArray[Any] = np.zeros((16, *self._shape), dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> NDArray[Any]:
        return self._data[: self._size]

    def extend(self, rows: Any) -> None:
        added = np.asarray(rows, dtype=self._data.dtype)
        need = self._size + len(added)
        if need > len(self._data):
            # Doubling while small, then by a quarter: memory counts more than copies.
            room = need + (need if need < 1 << 16 else need // 4)
            grown = np.zeros((room, *self._shape), dtype=self._data.dtype)
            grown[: self._size] = self.view
            self._data = grown
        self._data[self._size : need] = added
        self._size = need


def best_of(scores: F32, most: int) -> NDArray[np.int64]:
    """Positions of the `most` greatest scores above zero, in no order."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= most:
        return positive
    return positive[np.argpartition(scores[positive], len(positive) - most)[-most:]]


def count_bits(words: NDArray[np.uint64], out: NDArray[np.uint8]) -> None:
    """How many bits are set in each word; `numpy` counts them itself from 2.0 on."""
    if hasattr(np, "bitwise_count"):
        np.bitwise_count(words, out=out)
    else:
        halves = np.ascontiguousarray(words).view(np.uint16).reshape(-1, 4)
        _ONES[halves].sum(axis=1, dtype=np.uint8, out=out)


#: Set bits of every 16-bit number, by doubling: f(2n) = f(n), f(2n+1) = f(n) + 1.
_ONES = np.array([0], dtype=np.uint8)
for _ in range(16):
    _ONES = np.concatenate([_ONES, _ONES + 1])
