"""A deterministic embedder: words that are alike give vectors that are alike."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from manyhands.memory.words import stems

DIMS = 64


class HashEmbedder:
    """Each stem is a fixed random direction; a text is the sum of its stems."""

    def __init__(self, model: str = "hash-1", dims: int = DIMS) -> None:
        self.model = model
        self.dims = dims
        self.texts: list[str] = []

    async def embed(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return [self._vector(text).tolist() for text in texts]

    def _vector(self, text: str) -> np.ndarray:
        total = np.full(self.dims, 1e-3)
        for stem in stems(text):
            total += _direction(self.model, stem, self.dims)
        return total


@lru_cache(maxsize=50_000)
def _direction(model: str, stem: str, dims: int) -> np.ndarray:
    seed = hashlib.blake2b(f"{model}:{stem}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(dims)
