"""Reading a stored result that was too long for the prompt: by offset, or by searching it."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Passage", "read_at", "search"]

#: Characters around a hit that are shown with it.
_AROUND = 200


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text; `start` and `end` are character offsets into the whole."""

    text: str
    start: int
    end: int
    total: int

    def __str__(self) -> str:
        return f"[characters {self.start}-{self.end} of {self.total}]\n{self.text}"


def read_at(text: str, offset: int, limit: int) -> Passage:
    """`limit` characters from `offset`; a negative offset counts from the end."""
    start = max(0, len(text) + offset) if offset < 0 else min(offset, len(text))
    end = min(len(text), start + max(limit, 0))
    return Passage(text[start:end], start, end, len(text))


def search(text: str, query: str, limit: int = 5) -> list[Passage]:
    """The places where the words of `query` stand closest together, best first, not overlapping.

    A place is worth the number of different words of the query within it; case is ignored.
    """
    words = {word.casefold() for word in re.findall(r"\w+", query)}
    if not words:
        return []
    hits = [
        (match.start(), match.group().casefold())
        for match in re.finditer(r"\w+", text)
        if match.group().casefold() in words
    ]
    scored: list[tuple[int, int]] = []
    for index, (at, _) in enumerate(hits):
        near = {word for place, word in hits[index : index + 50] if place - at <= 2 * _AROUND}
        scored.append((len(near), at))
    chosen: list[Passage] = []
    for _, at in sorted(scored, key=lambda item: (-item[0], item[1])):
        start, end = max(0, at - _AROUND // 2), min(len(text), at + 2 * _AROUND)
        if all(end <= other.start or start >= other.end for other in chosen):
            chosen.append(Passage(text[start:end], start, end, len(text)))
        if len(chosen) == limit:
            break
    return chosen
