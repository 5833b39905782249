"""What is remembered, as plain data: kinds, trust, items, hits, and why an item is refused."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from numbers import Integral
from pathlib import PurePath
from typing import Any

from manyhands.clean import storable
from manyhands.errors import InputError

__all__ = [
    "LONGEST_TEXT",
    "Family",
    "Hit",
    "Item",
    "Refusal",
    "RefusedItem",
    "Trust",
    "family_of",
    "id_of",
    "kind_of",
    "read_item",
    "seconds_of",
    "thread_of",
]

#: Characters; a text beyond this is refused: it is a file, not a memory.
LONGEST_TEXT = 4_000_000
_LONGEST_NAME = 1_000
_LONGEST_THREAD = 500

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class Trust(StrEnum):
    """Who vouches for a memory, strongest first."""

    CHECKED = "checked"  # a machine check passed; `meta.evidence` says which
    USER = "user"  # the user said so
    FILE = "file"  # read from a document
    MODEL = "model"  # a model said so: never a fact or a lesson until checked or confirmed


class Family(StrEnum):
    """How a text is best looked for; each has its own fusion profile."""

    TEXT = "text"
    DIALOGUE = "dialogue"
    CODE = "code"
    CELL = "cell"


class Refusal(StrEnum):
    """Why an item cannot be remembered."""

    NO_ITEM = "it is no mapping with `id`, `kind` and `text`"
    NO_ID = "the id is empty, longer than 1,000 characters, or neither text nor a whole number"
    BAD_KIND = "the kind is not a word of letters, digits, - and _"
    NO_TEXT = "the text is no str"
    EMPTY = "the text is empty"
    TOO_LONG = "the text is longer than 4,000,000 characters"
    BAD_TIME = "the time is no number of seconds, no date and no text"
    BAD_TRUST = "trust is not one of checked, user, file, model"
    BAD_META = "meta is not a JSON object"
    BAD_FIELD = "a field is neither text nor a number, or too long"


class RefusedItem(InputError):
    """An item that was refused; nothing of its batch was written."""

    def __init__(self, reason: Refusal, item_id: str, detail: str = "") -> None:
        shown = item_id if len(item_id) <= 80 else item_id[:77] + "..."
        extra = f" ({detail})" if detail else ""
        super().__init__(f"The memory {shown!r} is refused: {reason.value}{extra}.")
        self.reason = reason


_FAMILIES = {
    Family.DIALOGUE: (
        "chat conversation dialog dialogue message messages session-turn turn utterance"
    ),
    Family.CODE: "class code function functions method python script snippet",
    Family.CELL: "cell cells notebook notebook-cell notebook_cell code-cell code_cell",
}
_FAMILY_OF_KIND = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds.split()}
#: Kinds whose text may be anything: the content decides.
_PYTHON = re.compile(r"^\s*(?:async\s+def|def|class)\s+\w+.*:\s*(?:#.*)?$", re.MULTILINE)


def family_of(kind: str, text: str, speaker: str, source: str, meta: Mapping[str, Any]) -> Family:
    """The family by its kind's name, or by what the item carries when the name is general."""
    known = _FAMILY_OF_KIND.get(kind)
    if known is not None:
        return known
    if speaker and kind not in ("fact", "lesson"):
        return Family.DIALOGUE
    if kind in ("fact", "lesson", "episode", "proposal"):
        return Family.TEXT
    if ".ipynb" in source or "cell_type" in meta or "notebook" in meta:
        return Family.CELL
    if source.partition("#")[0].endswith(".py") or _PYTHON.search(text[:4_000]):
        return Family.CODE
    return Family.TEXT


@dataclass(frozen=True, slots=True)
class Item:
    """One memory.

    Attributes:
        id: unique in the store.
        kind: fact, lesson, episode, document, artifact, or any other word.
        scope: the project it belongs to; "" when it belongs to none.
        source: where it comes from: a file, a cell, a conversation, a run.
        context: the title and headings it stands under.
        thread: items of one thread follow each other; neighbours help to find each other.
        position: the place in the thread; None puts it at the end.
        time: seconds since 1970 UTC at which it was said or made; None when unknown.
        subject: what a fact is about; a newer fact on the same subject supersedes the older.
    """

    id: str
    kind: str
    text: str
    scope: str = ""
    source: str = ""
    context: str = ""
    thread: str = ""
    position: float | None = None
    time: float | None = None
    speaker: str = ""
    subject: str = ""
    trust: Trust = Trust.USER
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    family: Family = Family.TEXT

    def fingerprint(self) -> bytes:
        """A hash of everything that a change would have to be re-indexed for."""
        told = json.dumps(
            {
                field.name: getattr(self, field.name)
                for field in fields(self)
                if field.name not in ("id", "family")
            },
            sort_keys=True,
        )
        return hashlib.blake2b(told.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Hit:
    """One memory that was found.

    Attributes:
        parts: the signals its score was made of, by name.
        handle: `memory:ID`, by which it can be shown, edited and forgotten.
        superseded_by: the id of the newer fact; "" while it holds.
        copies: ids of the same text that were folded into this hit.
        profile: the fusion profile that weighed it: family and version.
    """

    id: str
    score: float
    text: str
    kind: str
    scope: str
    source: str
    context: str
    time: float | None
    speaker: str
    trust: Trust
    parts: Mapping[str, float]
    handle: str
    superseded_by: str = ""
    copies: tuple[str, ...] = ()
    profile: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


def seconds_of(value: object) -> float | None:
    """Seconds since 1970 UTC from a number, a date, or text in ISO form; None for nothing.

    Raises:
        ValueError: it is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise ValueError("a truth value is no time")
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError("not finite")
        return float(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, str):
        return _read_time(value.strip())
    raise ValueError(f"{type(value).__name__} is no time")


#: Ways in which dialogues write their dates, after ISO; "1:56 pm on 8 May, 2023" among them.
_FORMATS = (
    "%I:%M %p on %d %B, %Y",
    "%d %B, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%Y/%m/%d (%a) %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
)


def _read_time(text: str) -> float:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return _utc(datetime.strptime(text, form))
        except ValueError:
            continue
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{text[:60]!r} is no number of seconds and no date such as 2026-01-31"
        ) from None


def _utc(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


#: What an item may hold; anything else that is given is kept in `meta`.
_FIELDS = frozenset(field.name for field in fields(Item)) - {"family"}


def id_of(value: object) -> str:
    """An id as it is kept: a whole number becomes its digits; "" for what is no id."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    return storable(value) if isinstance(value, str) else ""


def kind_of(value: object) -> str:
    """A kind as it is kept: `Code snippet` is `code-snippet`; "" for what is none."""
    told = "-".join(value.split()).lower() if isinstance(value, str) else ""
    return told if _KIND.fullmatch(told) else ""


def _said(value: object) -> str | None:
    """A field as text; None for what is neither text nor a number nor a path."""
    if value is None:
        return ""
    if isinstance(value, str | int | float | PurePath) and not isinstance(value, bool):
        return storable(str(value))
    return None


def thread_of(name: str) -> str:
    """A thread's name, short enough for an index; what is longer ends in its hash."""
    if len(name) <= _LONGEST_THREAD:
        return name
    return name[:400] + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def read_item(raw: Mapping[str, Any], *, scope: str = "") -> Item:
    """An item from what a caller gave.

    Raises:
        RefusedItem: with the reason.
    """
    if not isinstance(raw, Mapping):
        raise RefusedItem(Refusal.NO_ITEM, repr(raw)[:80])
    item_id = id_of(raw.get("id"))
    if not item_id or len(item_id) > _LONGEST_NAME or "\0" in item_id:
        raise RefusedItem(Refusal.NO_ID, item_id or repr(raw.get("id"))[:80])
    kind, text = kind_of(raw.get("kind")), raw.get("text")
    if not kind:
        raise RefusedItem(Refusal.BAD_KIND, item_id, repr(raw.get("kind"))[:60])
    if not isinstance(text, str):
        raise RefusedItem(Refusal.NO_TEXT, item_id, type(text).__name__)
    if not text.strip():
        raise RefusedItem(Refusal.EMPTY, item_id)
    if len(text) > LONGEST_TEXT:
        raise RefusedItem(Refusal.TOO_LONG, item_id, f"{len(text):,}")
    texts: dict[str, str] = {}
    for name in ("scope", "source", "context", "thread", "speaker", "subject"):
        value = _said(raw.get(name))
        if value is None or len(value) > 100_000:
            raise RefusedItem(Refusal.BAD_FIELD, item_id, name)
        texts[name] = value
    more = {str(key): value for key, value in raw.items() if key not in _FIELDS}
    meta = _meta(raw.get("meta"), more, item_id)
    try:
        time = seconds_of(raw.get("time"))
    except (ValueError, OverflowError) as error:
        told = raw.get("time")
        if not isinstance(told, str) or len(told) > _LONGEST_NAME:
            raise RefusedItem(Refusal.BAD_TIME, item_id, repr(told)[:60]) from error
        # A date that cannot be read is still found by its words.
        time, meta = None, {**meta, "time_text": storable(told)}
    tags = raw.get("tags") or ()
    if isinstance(tags, str):
        tags = (tags,)
    position = raw.get("position")
    if not isinstance(position, int | float | None) or not isinstance(tags, Iterable):
        raise RefusedItem(Refusal.BAD_FIELD, item_id, "position or tags")
    try:
        trust = Trust(raw.get("trust") or Trust.USER)
    except ValueError as error:
        raise RefusedItem(Refusal.BAD_TRUST, item_id, repr(raw.get("trust"))[:60]) from error
    source = texts["source"]
    # Where the caller names no thread, what has one source in one scope is one thread.
    thread = texts["thread"] or str(meta.get("thread") or meta.get("session") or "") or source
    cleaned = storable(text)
    return Item(
        id=item_id,
        kind=kind,
        text=cleaned,
        scope=texts["scope"] or scope,
        source=source,
        context=texts["context"] or _context_from(meta),
        thread=thread_of(thread),
        position=None if position is None else float(position),
        time=time,
        speaker=texts["speaker"],
        subject=texts["subject"] or str(meta.get("subject") or ""),
        trust=trust,
        tags=tuple(storable(str(tag)) for tag in tags),
        meta=meta,
        family=family_of(kind, cleaned, texts["speaker"], source, meta),
    )


def _meta(value: object, more: Mapping[str, Any], item_id: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise RefusedItem(Refusal.BAD_META, item_id)
    try:
        told = json.dumps({**more, **dict(value or {})}, allow_nan=False, default=_plain)
        read: dict[str, Any] = json.loads(storable(told))
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedItem(Refusal.BAD_META, item_id, str(error)[:80]) from error
    return read


def _plain(value: object) -> Any:
    """What JSON lacks, as the nearest that it has: dates as ISO text, paths, sets, numpy's."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    listed = getattr(value, "tolist", None)  # numpy's numbers and arrays
    if callable(listed):
        return listed()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _context_from(meta: Mapping[str, Any]) -> str:
    """Title and headings that the caller put into `meta`."""
    named = [meta.get(key) for key in ("title", "notebook", "section", "heading", "name")]
    return " › ".join(value for value in named if isinstance(value, str) and value)
