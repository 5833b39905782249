"""JSON as models write it: strict first, then ever more lenient, lossy repair last and said so."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["How", "Parsed", "balanced_end", "parse_at", "parse_json"]

REPAIR_LIMIT = 65_536
"""Characters beyond which lossy repair is not tried: its cost grows faster than the text."""

_DECODER = json.JSONDecoder()
_LENIENT = json.JSONDecoder(strict=False)
_SMART = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " "})
_WORDS = {"true": "True", "false": "False", "null": "None", "undefined": "None"}
_TOKEN = re.compile(
    r"""(?P<s>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<w>[A-Za-z_]\w*)""", re.DOTALL
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BAD_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: A JavaScript template string where a value stands.
_BACKTICKED = re.compile(r"([:\[,]\s*)`([^`]*)`(?=\s*[,}\]])")
_CLOSED_STRING = re.compile(r'(?<!\\)"\s*[}\]]+\Z')
_SINGLE = re.compile(r"\{\s*'")
_LEAD = re.compile(r"\A(?:```+\w*|json\b)?\s*", re.IGNORECASE)
_CLOSERS = re.compile(r"[\s\]}`,;)]*\Z")


class How(StrEnum):
    """The rung that read the text. Only REPAIRED and CLOSED change it with possible loss."""

    STRICT = "strict"
    LENIENT = "lenient"
    PYTHON = "python_literal"
    FIRST = "first_document"
    GLUED = "glued_documents"
    CLOSED = "closed_brackets"
    REPAIRED = "repaired"
    CUT = "cut"
    FAILED = "failed"

    @property
    def lossy(self) -> bool:
        return self in (How.CLOSED, How.REPAIRED)


@dataclass(frozen=True)
class Parsed:
    """A value, the offset after it, and the rung that read it."""

    value: Any
    end: int
    how: How


def parse_json(text: str) -> tuple[Any, How]:
    """Reads one document (or glued ones, as a list) from a whole text; FAILED gives None.

    CUT means that the text ends inside a string, a number or before a value: nothing is guessed.
    """
    body = text.strip().lstrip("\ufeff\u200b").strip("\x00").strip()
    body = body[_lead(body) :]
    if not body:
        return None, How.FAILED
    if body[0] not in "{[“":
        return _scalar(body)
    first = parse_at(body, 0)
    if first.how in (How.CUT, How.FAILED) or first.how.lossy:
        return first.value, first.how
    rest = body[first.end :]
    if not rest.strip():
        return first.value, first.how
    glued = [first.value]
    end = first.end
    while True:
        following = re.compile(r"[\s,;]*(?=[{\[])").match(body, end)
        if following is None or following.end() >= len(body):
            break
        item = parse_at(body, following.end(), repair=False)
        if item.how in (How.CUT, How.FAILED):
            break
        glued.append(item.value)
        end = item.end
    if len(glued) > 1 and _CLOSERS.match(body, end):
        return glued, How.GLUED
    return first.value, How.FIRST


def _lead(text: str) -> int:
    found = _LEAD.match(text)
    end = found.end() if found else 0
    return end if end < len(text) and text[end] in '{[“"' else 0


def _scalar(body: str) -> tuple[Any, How]:
    try:
        return json.loads(body), How.STRICT
    except (ValueError, RecursionError):
        return None, How.FAILED


def parse_at(text: str, start: int, *, repair: bool = True, stop: int | None = None) -> Parsed:
    """Reads the object or array that begins at `start`; never looks for one further on.

    `stop` bounds lossy repair (the envelope's closing mark), nothing else.
    """
    for decoder, how in ((_DECODER, How.STRICT), (_LENIENT, How.LENIENT)):
        try:
            value, after = decoder.raw_decode(text, start)
            return Parsed(value, after, how)
        except RecursionError:
            return Parsed(None, start, How.FAILED)
        except ValueError:
            continue
    end = balanced_end(text, start)
    if end is not None:
        value = _python(text[start:end])
        if value is not None:
            return Parsed(value, end, How.PYTHON)
    limit = len(text) if stop is None else stop
    if not repair:
        return Parsed(None, start, How.CUT if end is None else How.FAILED)
    return _repair(text, start, end, limit)


def balanced_end(text: str, start: int, quotes: str = "\"'") -> int | None:
    """The offset after the bracket that closes the one at `start`; None when it never closes.

    An apostrophe opens a string only where a value can begin, so "don't" inside bare text
    does not swallow the rest.
    """
    stack: list[str] = []
    pairs = {"{": "}", "[": "]", "(": ")"}
    quote = ""
    i = start
    pattern = re.compile(r"[\"'{}\[\]()\\]")
    while True:
        found = pattern.search(text, i)
        if found is None:
            return None
        i = found.end()
        char = found.group()
        if char == "\\":
            i += 1
        elif quote:
            if char == quote:
                quote = ""
        elif char in quotes:
            if char == '"' or _value_may_begin(text, found.start()):
                quote = char
        elif char in pairs:
            stack.append(pairs[char])
        elif char in "}])":
            if not stack or stack.pop() != char:
                return None
            if not stack:
                return i


def _value_may_begin(text: str, at: int) -> bool:
    return text[max(0, at - 64) : at].rstrip()[-1:] in ("{", "[", "(", ",", ":", "=")


def _python(text: str) -> Any:
    """A Python literal, with JSON's words allowed among Python's; None when it is neither."""
    if len(text) > 4 * REPAIR_LIMIT:
        return None

    def word(found: re.Match[str]) -> str:
        if found["s"] is not None:
            return found["s"].replace("\r", "\\r").replace("\n", "\\n")
        return _WORDS.get(found["w"], found["w"])

    try:
        value = ast.literal_eval(_TOKEN.sub(word, text))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return value if isinstance(value, (dict, list)) and _plain(value) else None


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(_plain(v) for v in value)
    return value is None or isinstance(value, (str, int, float, bool))


def _repair(text: str, start: int, end: int | None, limit: int) -> Parsed:
    body = text[start:limit].rstrip()
    body = re.sub(r"\s*```+\s*\Z", "", body) if body.endswith("```") else body
    if not body or len(body) > REPAIR_LIMIT:
        return Parsed(None, start, How.FAILED)
    if "`" in body:
        body = _BACKTICKED.sub(lambda found: f"{found[1]}{json.dumps(found[2])}", body)
    closing = _missing_closers(body)
    if closing is not None:
        try:
            value = _LENIENT.decode(body + closing)
        except (ValueError, RecursionError):
            value = None
        if value is not None:
            return Parsed(value, limit, How.CLOSED)
        if end is None and not _ends_after_value(body):
            return Parsed(None, limit, How.CUT)
    elif not _CLOSED_STRING.search(body):
        return Parsed(None, limit, How.CUT)
    if end is None and _SINGLE.match(body):
        return Parsed(None, limit, How.CUT)
    for changed in (_STRING.sub(_escape, body), body.translate(_SMART)):
        try:
            value, used = _LENIENT.raw_decode(changed)
            return Parsed(value, limit if used >= len(changed) else start + used, How.REPAIRED)
        except (ValueError, RecursionError):
            continue
    if body[-1] not in "}]":
        return Parsed(None, limit, How.CUT)
    from json_repair import repair_json  # here, so that importing the room stays cheap

    try:
        value = repair_json(body.translate(_SMART) if "“" in body else body, return_objects=True)
    except (ValueError, RecursionError, TypeError, IndexError):
        return Parsed(None, start, How.FAILED)
    if isinstance(value, (dict, list)) and value:
        return Parsed(value, limit, How.REPAIRED)
    return Parsed(None, start, How.FAILED)


def _escape(found: re.Match[str]) -> str:
    return _BAD_ESCAPE.sub(
        lambda m: m.group() if m[1] in '"\\/bfnrtu' else "\\\\" + m[1], found.group()
    )


def _missing_closers(body: str) -> str | None:
    """The brackets that are open at the end; None when the end lies inside a string."""
    stack: list[str] = []
    bare = _STRING.sub("", body)
    if '"' in bare:
        return None
    for char in re.findall(r"[{}\[\]]", bare):
        if char in "{[":
            stack.append("}" if char == "{" else "]")
        elif stack and stack[-1] == char:
            stack.pop()
        else:
            return ""
    return "".join(reversed(stack)) if _ends_after_value(body) else ""


def _ends_after_value(body: str) -> bool:
    return body[-1] in '}]"' or body.endswith(("true", "false", "null"))
