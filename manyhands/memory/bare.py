"""A question without the names that would draw it to everything: of speakers, of a language.

The name of a speaker is near to all that the speaker said, and "python" to all of a Python
library; what is left of the question tells those apart.
"""

from __future__ import annotations

import re

from manyhands.memory.hot import HotIndex
from manyhands.memory.records import Family
from manyhands.memory.words import STOP_WORDS

__all__ = ["bare_of"]

_WORD = re.compile(r"[^\W_]+(?:'s\b)?")
_TOLD = """
go golang java javascript julia kotlin perl php python python2 python3 r ruby rust scala swift
typescript
"""
_LANGUAGES = frozenset(_TOLD.split())


def bare_of(hot: HotIndex, query: str) -> str:
    """What is left of a query; "" when it names none, or nothing else."""
    names = hot.first_names()
    code = Family.CODE in hot.families

    def kept(match: re.Match[str]) -> str:
        word = match[0].removesuffix("'s")
        plain = word.casefold()
        named = word != plain and plain in names
        return "" if named or (code and plain in _LANGUAGES) else match[0]

    left = " ".join(_WORD.sub(kept, query).split())
    if left == " ".join(query.split()):
        return ""
    says = any(word.casefold() not in STOP_WORDS for word in _WORD.findall(left))
    return left if says else ""
