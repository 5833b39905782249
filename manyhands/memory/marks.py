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


_TIME = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|ago|recently|lately|just now|soon|"
    r"(?:last|next|this|past|previous|following)\s+"
    r"(?:night|week|weekend|month|year|summer|winter|spring|fall|autumn|"
    r"mon|tues|wednes|thurs|fri|satur|sun)\w*|"
    r"(?:jan|febr)uary|march|april|may|june|july|august|(?:sept|nov|dec)ember|october|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"since|for\s+\w+\s+(?:days|weeks|months|years)|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\b\d+\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozen)\b", re.I)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_WHEN = re.compile(r"\bwhen\b|\bwhat (?:day|date|time|year|month)\b|\bhow long\b", re.IGNORECASE)
#: Longer texts are judged by their beginning.
_LOOKED_AT = 4_000


def marks_of(text: str) -> int:
    """The marks of a text."""
    head = text[:_LOOKED_AT]
    found = Mark(0)
    if _TIME.search(head):
        found |= Mark.TIME
    if head.rstrip().endswith("?"):
        found |= Mark.QUESTION
    if _NUMBER.search(head):
        found |= Mark.NUMBER
    if len(head) < 40:
        found |= Mark.SHORT
    if _NAME.search(head):
        found |= Mark.NAMES
    return int(found)


def asks_when(question: str) -> bool:
    """Whether the question asks for a time."""
    return bool(_WHEN.search(question))
