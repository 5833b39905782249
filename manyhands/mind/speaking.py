"""Reading a direct answer out of its frame while the frame is still being written. Pure."""

from __future__ import annotations

__all__ = ["AnswerReader"]

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = frozenset("0123456789abcdefABCDEF")
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
_HALVES = frozenset(map(chr, (*_HIGH, *_LOW)))


class AnswerReader:
    """Takes a frame piece by piece and gives what is new of its answer; each character once.

    Only a frame that has said `"route": "direct"` is read, and only the answer that follows: of
    every other frame nothing may be shown before it was looked at.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything: the frame is written again from its start."""
        self._said: list[str] = []
        self._over = False
        self._depth = 0
        self._key = ""  # whose value is read; empty where a key is to come
        self._last = ""  # the last whole string of the outermost object
        self._direct = False
        self._string: list[str] | None = None
        self._escape = ""
        self._high = 0  # the first half of a character that two escapes write

    @property
    def said(self) -> str:
        """All that was given so far."""
        return "".join(self._said)

    def feed(self, piece: str) -> str:
        """What is new of the answer; empty while there is none."""
        before = len(self._said)
        for char in piece:
            if self._over:
                break
            if self._string is not None:
                self._within(char)
            else:
                self._between(char)
        return "".join(self._said[before:])

    def _between(self, char: str) -> None:
        """Outside of strings."""
        if char.isspace():
            return
        if self._depth == 0 and char != "{":
            self._over = True  # no bare document: it is read when it is whole
        elif char == '"':
            self._string = []
        elif char in "{[":
            self._depth += 1
        elif char in "}]":
            self._depth -= 1
            self._over = self._depth == 0
        elif self._depth == 1 and char == ":":
            self._key = self._last
        elif self._depth == 1 and char == ",":
            self._key = ""

    def _within(self, char: str) -> None:
        """Inside a string."""
        if self._escape:
            self._escaped(char)
        elif char == "\\":
            self._escape = char
        elif char == '"':
            self._ended()
        else:
            self._put(char)

    def _escaped(self, char: str) -> None:
        self._escape += char
        if len(self._escape) == 2 and char != "u":
            self._escape = ""
            if char in _ESCAPES:
                self._put(_ESCAPES[char])
            else:
                self._over = True
        elif len(self._escape) > 2 and char not in _HEX:
            self._over = True
        elif len(self._escape) == 6:
            code, self._escape = int(self._escape[2:], 16), ""
            if code in _HIGH:
                self._high = code
            elif code in _LOW and self._high:
                whole = 0x10000 + ((self._high - _HIGH.start) << 10) + (code - _LOW.start)
                self._high = 0
                self._put(chr(whole))
            else:
                self._put(chr(code))

    def _put(self, char: str) -> None:
        assert self._string is not None
        if self._high or char in _HALVES:
            self._over = True  # half a character: no text can hold it
        elif self._speaks:
            self._said.append(char)
        elif self._depth == 1:
            self._string.append(char)

    @property
    def _speaks(self) -> bool:
        return self._depth == 1 and self._direct and self._key == "answer"

    def _ended(self) -> None:
        assert self._string is not None
        if self._speaks or self._high:
            self._over = True
        elif self._depth == 1:
            self._last = "".join(self._string)
            self._direct = self._direct or (self._key == "route" and self._last == "direct")
        self._string = None
