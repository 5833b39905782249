"""What can be told of a text at a glance: it names a time, asks, gives a number, a name."""

from __future__ import annotations

import re
from enum import IntFlag

__all__ = ["Mark", "asks_when", "marks_of"]


class Mark(IntFlag):
    TIME = 1  # yesterday, last week, in May, 2021
    QUESTION = 2
    NUMBER = 4
    SHORT = 8  # a greeting or a nod
    NAMES = 16  # a capitalised word within a sentence


_WORD = re.compile(r"[a-z]+|\d+")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_WORDS = {
    "moments": """
        yesterday today tonight tomorrow ago recently lately soon since january february march
        april june july august september october november december monday tuesday wednesday
        thursday friday saturday sunday
    """,
    "which": "last next this past previous following for",
    "spans": "night day days week weeks weekend month months year years summer winter spring fall",
    "numbers": "two three four five six seven eight nine ten dozen",
}
_MOMENTS, _WHICH, _SPANS, _NUMBERS = (frozenset(words.split()) for words in _WORDS.values())
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_WHEN = re.compile(r"\bwhen\b|\bwhat (?:day|date|time|year|month)\b|\bhow long\b", re.IGNORECASE)
#: Longer texts are judged by their beginning.
_LOOKED_AT = 4_000


def marks_of(text: str) -> int:
    """The marks of a text."""
    head = text[:_LOOKED_AT]
    found = Mark(0)
    words = set(_WORD.findall(head.lower()))
    if words & _MOMENTS or (words & _SPANS and words & _WHICH) or _YEAR.search(head):
        found |= Mark.TIME
    if head.rstrip().endswith("?"):
        found |= Mark.QUESTION
    if words & _NUMBERS or any(word.isdigit() for word in words):
        found |= Mark.NUMBER
    if len(head) < 40:
        found |= Mark.SHORT
    if _NAME.search(head):
        found |= Mark.NAMES
    return int(found)


def asks_when(question: str) -> bool:
    """Whether the question asks for a time."""
    return bool(_WHEN.search(question))
