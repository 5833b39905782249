"""A deterministic embedder: texts that share words have similar vectors."""

from __future__ import annotations

import hashlib
import math
import re

__all__ = ["embed_text"]


def embed_text(text: str, dimensions: int, cut: int | None = None) -> list[float]:
    """A unit vector of hashed words; `cut` keeps the first components and normalises again."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
        for at in range(0, 16, 2):
            place = int.from_bytes(digest[at : at + 2], "big")
            vector[place % dimensions] += 1.0 if digest[at + 16] & 1 else -1.0
    if cut:
        vector = vector[:cut]
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0], length = 1.0, 1.0
    return [value / length for value in vector]
