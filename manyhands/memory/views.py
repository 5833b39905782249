"""The texts under which an item is embedded and looked up: whole, in parts, in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from manyhands.memory.records import Family, Item
from manyhands.memory.words import identifier_parts

__all__ = ["View", "ViewRole", "views_of", "words_of"]

#: Characters that one embedded text may have: about 250 tokens, the window of small models.
_PART = 1_200
_OVERLAP = 150
#: An item gives at most this many embedded parts; words still cover all of it.
_MOST_PARTS = 64
_MOST_SENTENCES = 12


class ViewRole(IntEnum):
    """What an embedded text is of its item; stored, so never renumbered."""

    WHOLE = 0  # with title, section, speaker and date
    AFTER = 1  # a turn with the two turns before it
    SENTENCE = 2  # one sentence of a turn
    PART = 3  # one part of a long text
    HEAD = 4  # what a function is called and what its docstring says first


@dataclass(frozen=True, slots=True)
class View:
    role: ViewRole
    text: str


#: The first definition of a piece of code, in the languages that have a word for it.
_DEFINED = re.compile(r"\b(?:def|class|function|func|fn)\s+(\w+)\s*(\([^)]{0,400}\))?")
_DOCSTRING = re.compile(r"(\"{3}|'{3})(.*?)(?:\n\s*\n|\1|\Z)", re.DOTALL)
_NAME = re.compile(r"\w+")
_DOC_LOOKED_AT, _DOC_KEPT = 4_000, 300
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def _day(time: float | None) -> str:
    if time is None:
        return ""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%A %d %B %Y").replace(" 0", " ")
    except (ValueError, OverflowError, OSError):
        return ""


def _caption(item: Item) -> str:
    for key in ("caption", "blip_caption", "image_caption"):
        value = item.meta.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _output(item: Item) -> str:
    """The first of a cell's output: found by words only, it does not help vectors."""
    value = item.meta.get("output")
    return value[:300] if isinstance(value, str) else ""


def words_of(item: Item) -> tuple[str, str]:
    """Body and surroundings, as they are looked up by words."""
    tags = " ".join(item.tags)
    around = [item.context, item.speaker, item.subject, tags]
    if item.family is Family.DIALOGUE:
        around += [_day(item.time), str(item.meta.get("time_text") or "")]
    return (
        "\n".join(part for part in (item.text, _caption(item), _output(item)) if part),
        " ".join(part for part in around if part),
    )


def views_of(item: Item, before: Sequence[Item]) -> list[View]:
    """What is embedded.

    Args:
        before: up to two items that come before it in its thread, oldest first.
    """
    if item.family is Family.DIALOGUE:
        return _turn_views(item, before)
    head = "\n".join(part for part in (item.context, item.subject) if part)
    whole = f"{head}\n{item.text}" if head else item.text
    # The head comes last, so that files written without it keep the order of their views.
    last = _head_of(item.text) if item.family is Family.CODE else []
    if len(whole) <= _PART:
        return [View(ViewRole.WHOLE, whole), *last]
    parts = _cut(item.text, _PART - min(len(head), _PART // 3))
    head = head[: _PART // 3]
    return [View(ViewRole.PART, f"{head}\n{part}" if head else part) for part in parts] + last


def _head_of(code: str) -> list[View]:
    """Its first definition's name in words, with the docstring's first paragraph or parameters."""
    defined = _DEFINED.search(code[:_DOC_LOOKED_AT])
    if defined is None:
        return []
    name, given = defined.groups()
    called = " ".join(identifier_parts(name)) or name
    doc = _DOCSTRING.search(code, defined.end(), defined.end() + _DOC_LOOKED_AT)
    says = " ".join(doc[2].split())[:_DOC_KEPT] if doc else ""
    more = f": {says}" if says else f"({', '.join(_NAME.findall(given or ''))})"
    return [View(ViewRole.HEAD, called + more)]


def _turn_views(item: Item, before: Sequence[Item]) -> list[View]:
    said = "\n".join(part for part in (item.text, _caption(item)) if part)[: _PART * 2]
    line = f"{item.speaker}: {said}" if item.speaker else said
    day = _day(item.time)
    views = [View(ViewRole.WHOLE, f"{day}, {line}" if day else line)]
    if before:
        earlier = [f"{turn.speaker}: {turn.text}"[: _PART // 3] for turn in before]
        views.append(View(ViewRole.AFTER, "\n".join([*earlier, line])))
    sentences = [part.strip() for part in _SENTENCE.split(said) if len(part.strip()) > 8]
    if len(sentences) > 1:
        views += [View(ViewRole.SENTENCE, text) for text in sentences[:_MOST_SENTENCES]]
    elif day or item.speaker:
        views.append(View(ViewRole.SENTENCE, said))
    return views


def _cut(text: str, size: int) -> list[str]:
    """Parts of at most `size` characters that overlap and break at line ends where they can."""
    parts: list[str] = []
    start = 0
    while start < len(text) and len(parts) < _MOST_PARTS:
        end = min(start + size, len(text))
        if end < len(text):
            broken = text.rfind("\n", start + size // 2, end)
            end = broken if broken > 0 else end
        parts.append(text[start:end])
        if end == len(text):
            break
        start = max(end - _OVERLAP, start + 1)
    return parts
