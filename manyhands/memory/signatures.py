"""Vectors in memory: sign bits that are scanned, bytes that rank what the scan found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from manyhands.memory.arrays import F32, Growing, count_bits

__all__ = ["Signatures"]

#: Rows whose words are scanned together: few enough for its cache, many enough for few calls.
_BLOCK = 65_536
#: Below this many rows the bytes are ranked at once, without a scan of bits.
_FEW = 1_500


class Signatures:
    """Unit vectors, three times: sign bits around the mean, one byte a number, and on disk.

    The bits (1/32 of float32) choose a few hundred, the bytes (1/4) rank them, and the floats of
    the best are read from the file. Measured with a real embedder: the 400 nearest by centred
    bits hold .999 of the exact ten nearest.
    """

    def __init__(self, dims: int, centre: F32) -> None:
        self.dims = dims
        self.centre = centre
        self._bits: NDArray[np.uint64] = np.zeros((-(-dims // 64), 64), np.uint64)
        self._bytes = Growing(np.int8, dims)
        self._scale = Growing(np.float32)
        self._slot = Growing(np.int32)
        self._role = Growing(np.int8)
        self._view = Growing(np.int64)

    def __len__(self) -> int:
        return len(self._slot)

    @property
    def slot(self) -> NDArray[np.int32]:
        """The slot each row belongs to."""
        return self._slot.view

    @property
    def role(self) -> NDArray[np.int8]:
        return self._role.view

    @property
    def view(self) -> NDArray[np.int64]:
        return self._view.view

    def extend(
        self,
        vectors: F32,
        slots: NDArray[np.int32],
        roles: NDArray[np.int8],
        views: NDArray[np.int64],
    ) -> None:
        """Append unit vectors, shape (rows, dims)."""
        start, end = len(self), len(self) + len(vectors)
        if end > self._bits.shape[1]:
            room = end + (end if end < 1 << 16 else end // 4)
            grown = np.zeros((self._bits.shape[0], room), np.uint64)
            grown[:, :start] = self._bits[:, :start]
            self._bits = grown
        for at in range(0, len(vectors), _BLOCK):
            block = vectors[at : at + _BLOCK]
            self._bits[:, start + at : start + at + len(block)] = self._signs(block).T
            top = np.maximum(np.abs(block).max(axis=1), np.float32(1e-12))
            self._bytes.extend(np.rint(block * (np.float32(127) / top)[:, None]))
            self._scale.extend(top / np.float32(127))
        self._slot.extend(slots)
        self._role.extend(roles)
        self._view.extend(views)

    def _signs(self, block: F32) -> NDArray[np.uint64]:
        packed = np.packbits(block > self.centre, axis=1)
        wide = np.zeros((len(block), self._bits.shape[0] * 8), np.uint8)
        wide[:, : packed.shape[1]] = packed
        return wide.view(np.uint64)

    def similar(self, query: F32, rows: NDArray[np.int64]) -> F32:
        """Cosine of the query with some rows, to about three digits."""
        found: F32 = (self._bytes.view[rows].astype(np.float32) @ query) * self._scale.view[rows]
        return found

    def signs_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The sign bits of some rows, side by side, to be scanned again and again."""
        return np.ascontiguousarray(self._bits[:, rows])

    def nearest(
        self,
        query: F32,
        rows: NDArray[np.int64] | None,
        most: int,
        bits: NDArray[np.uint64] | None = None,
    ) -> NDArray[np.int64]:
        """Rows that are nearest by sign bits, at least `most` of them where there are.

        Args:
            rows: the rows that may be found; None for all.
            bits: what `signs_of` gave for these rows; without it they are gathered again.
        """
        held = len(self) if rows is None else len(rows)
        if held <= max(_FEW, most):
            return np.arange(len(self)) if rows is None else rows
        apart = np.zeros(held, np.uint16)
        if rows is None:
            bits = self._bits
        elif bits is None:
            bits = self.signs_of(rows)
        signs = self._signs(query[None, :])[0]
        size = min(held, _BLOCK)
        differ, few, more = (
            np.empty(size, np.uint64),
            np.empty(size, np.uint8),
            np.empty(size, np.uint8),
        )
        for start in range(0, held, _BLOCK):
            end = min(start + _BLOCK, held)
            n = end - start
            for at, (word, sign) in enumerate(zip(bits, signs, strict=True)):
                np.bitwise_xor(word[start:end], sign, out=differ[:n])
                # Three words differ in at most 192 places, which a byte holds; adding bytes to
                # bytes is several times quicker than adding them to wider numbers.
                if at % 3 == 0:
                    count_bits(differ[:n], few[:n])
                else:
                    count_bits(differ[:n], more[:n])
                    np.add(few[:n], more[:n], out=few[:n])
                if at % 3 == 2 or at == len(signs) - 1:
                    apart[start:end] += few[:n]
        # The distance within which `most` rows lie; a count is quicker than a sort.
        within = np.cumsum(np.bincount(apart, minlength=1))
        limit = int(np.searchsorted(within, most))
        close = np.flatnonzero(apart <= limit)
        return close if rows is None else rows[close]

    def refine(self, query: F32, rows: NDArray[np.int64], read: Callable[[list[int]], F32]) -> F32:
        """Cosine of the query with a few rows, from their floats on disk."""
        found: F32 = read([int(view) for view in self.view[rows]]) @ query
        return found
