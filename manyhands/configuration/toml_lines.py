"""Reading TOML so that a complaint can name the line: the values, and where each key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyhands.errors import InputError

__all__ = ["Key", "TomlSyntaxError", "TomlText", "parse_toml", "read_toml"]

Key = tuple[str | int, ...]

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_QUOTES = ('"""', "'''", '"', "'")


class TomlSyntaxError(ValueError):
    """The text is no TOML; `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class TomlText:
    """Values and the line of each key.

    Attributes:
        lines: path of a key or table -> its first line, from 1. Array-of-tables entries have
            their index in the path.
    """

    data: dict[str, Any]
    lines: dict[Key, int]

    def line_of(self, key: Sequence[str | int]) -> int:
        """The line of a key, or of the innermost table around it that is written; else 1."""
        path = tuple(key)
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return 1


def read_toml(path: Path) -> TomlText:
    """Read and parse a file.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or is not UTF-8.
        TomlSyntaxError: it is no TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return parse_toml(text)


def parse_toml(text: str) -> TomlText:
    """Parse a text; raises `TomlSyntaxError` when it is no TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        reason = _POSITION.sub("", str(error))
        lines = text.splitlines() or [""]
        line = int(found[1]) if found and found[1] else len(lines)
        column = int(found[2]) if found and found[2] else len(lines[-1]) + 1
        raise TomlSyntaxError(reason, line, column) from None
    return TomlText(data, _key_lines(text))


def _key_lines(text: str) -> dict[Key, int]:
    """Where each statement of a valid TOML text starts."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    position, line = 0, 1
    while position < len(text):
        end = _statement_end(text, position)
        statement = text[position:end]
        body = statement.lstrip()
        at = line + statement[: len(statement) - len(body)].count("\n")
        if body.startswith("[["):
            base = _indexed(_dotted(body[2:].partition("]]")[0]), counts)
            counts[base] = counts.get(base, -1) + 1
            table = (*base, counts[base])
            found.setdefault(base, at)
            found[table] = at
        elif body.startswith("["):
            table = _indexed(_dotted(body[1:].partition("]")[0]), counts)
            found.setdefault(table, at)
        elif body and not body.startswith("#"):
            keys = _dotted(_before_equals(body))
            for depth in range(1, len(keys) + 1):
                found.setdefault((*table, *keys[:depth]), at)
        line += statement.count("\n")
        position = end
    return found


def _statement_end(text: str, start: int) -> int:
    """Index after the line break that ends the statement: not one in a string or brackets."""
    position, depth = start, 0
    header = text[start:].lstrip(" \t").startswith("[")
    while position < len(text):
        character = text[position]
        if character == "#":
            position = text.find("\n", position)
            if position < 0:
                return len(text)
            continue
        quote = next((mark for mark in _QUOTES if text.startswith(mark, position)), "")
        if quote:
            position = _string_end(text, position + len(quote), quote)
            continue
        if character in "[{" and not header:
            depth += 1
        elif character in "]}" and not header:
            depth -= 1
        elif character == "\n" and depth <= 0:
            return position + 1
        position += 1
    return len(text)


def _string_end(text: str, position: int, quote: str) -> int:
    while position < len(text):
        if text[position] == "\\" and quote[0] == '"':
            position += 2
        elif text.startswith(quote, position):
            position += len(quote)
            # Up to two quotes may stand directly before the closing three.
            while len(quote) == 3 and text.startswith(quote[0], position):
                position += 1
            return position
        else:
            position += 1
    return len(text)


def _before_equals(statement: str) -> str:
    position = 0
    while position < len(statement) and statement[position] != "=":
        if statement[position] in "\"'":
            position = _string_end(statement, position + 1, statement[position])
        else:
            position += 1
    return statement[:position]


def _dotted(text: str) -> Key:
    """The parts of a key such as `a.b."c d"`, as TOML reads it."""
    keys: list[str | int] = []
    inner: Any = tomllib.loads(f"{text.strip()} = 0")
    while isinstance(inner, dict):
        (name, inner), *_ = inner.items()
        keys.append(name)
    return tuple(keys)


def _indexed(keys: Key, counts: dict[Key, int]) -> Key:
    """A header's path, with the index of the current entry after each array of tables."""
    path: Key = ()
    for number, part in enumerate(keys):
        path = (*path, part)
        if path in counts and number < len(keys) - 1:
            path = (*path, counts[path])
    return path
