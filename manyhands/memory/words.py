"""Turning text into the stems that words are looked up by, the same for texts and for queries."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import apsw

__all__ = ["STOP_WORDS", "identifier_parts", "stem", "stems"]

#: A run of letters and digits of any script; an identifier keeps its underscores.
_WORD = re.compile(r"[^\W_]+(?:_+[^\W_]+)*", re.UNICODE)
#: camelCase, PascalCase, HTTPServer, snake_case, x2y.
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
#: Scripts that write no spaces between words are looked up by pairs of characters.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
#: A stem longer than this is no word (base64, a hash): it is cut, so that it is still found.
_LONGEST = 64

_STOP = """
a about am an and any are as at be been but by can could did do does doing for from had has have
having he her hers him his how i if in into is it its just me my of on or our ours she should so
some than that the their theirs them then there these they this those to too us was we were what
when where which who whom whose why will with would you your yours
"""
#: English words that say nothing about what is asked; they never choose a hit.
STOP_WORDS = frozenset(_STOP.split())


@lru_cache(maxsize=1)
def _porter() -> Any:
    # The stemmer that FTS5 brings, so that no other library is needed.
    return apsw.Connection(":memory:").fts5_tokenizer("porter", ["unicode61"])


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The stem of one lower-case word, without accents."""
    found = _porter()(
        word.encode(),
        apsw.FTS5_TOKENIZE_DOCUMENT,
        None,
        include_offsets=False,
        include_colocated=False,
    )
    return str(found[0])[:_LONGEST] if len(found) == 1 else word[:_LONGEST]


def identifier_parts(word: str) -> list[str]:
    """`readCSVFile` -> read, csv, file; a plain word has no parts."""
    parts = _PART.findall(word)
    return [part.lower() for part in parts] if len(parts) > 1 else []


@lru_cache(maxsize=200_000)
def _stems_of(word: str) -> tuple[str, ...]:
    if _UNSPACED.search(word):
        found: list[str] = []
        for run in _UNSPACED.findall(word):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        rest = _UNSPACED.sub(" ", word).split()
        return tuple(found) + tuple(stem(piece.lower()) for piece in rest)
    whole = stem(word.lower().replace("_", ""))
    return (whole, *(stem(part) for part in identifier_parts(word) if len(part) > 1))


def stems(text: str) -> list[str]:
    """The stems of a text in order; an identifier gives itself and its parts."""
    found: list[str] = []
    for word in _WORD.findall(text):
        found.extend(_stems_of(word[:256]))
    return found
