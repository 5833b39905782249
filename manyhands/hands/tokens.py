"""How many tokens a text will be: estimated by its characters, corrected by the server's counts."""

from __future__ import annotations

import re
from collections import deque

__all__ = ["PER_MESSAGE", "Meter", "expect_tokens"]

#: What a chat template adds around a message, roughly.
PER_MESSAGE = 8
_PARTS = re.compile(r"(?P<word>[A-Za-z]+)|(?P<digit>\d+)|(?P<space>\s+)|(?P<mark>[!-/:-@\[-`{-~]+)")
#: Corrections that are remembered, and their bounds: outside, the server counts something else.
_REMEMBERED = 8
_LEAST, _MOST = 0.4, 4.0


def expect_tokens(text: str) -> int:
    """An upper-leaning estimate for the tokenizers of open models.

    They give a word one token for about five letters, most digits a token of their own, a run of
    punctuation a token for two marks, a line break one, and other scripts about one a character.
    """
    tokens = 0.0
    covered = 0
    for part in _PARTS.finditer(text):
        size = part.end() - part.start()
        covered += size
        match part.lastgroup:
            case "word":
                tokens += max(1.0, size / 5)
            case "digit":
                tokens += size
            case "mark":
                tokens += max(1.0, size / 2)
            case _:
                tokens += (part.group().count("\n") > 0) + size / 16
    return int(tokens + 1.1 * (len(text) - covered)) + 1


class Meter:
    """Estimates in the server's own measure: what it counted for earlier prompts corrects them.

    The server's count of a prompt includes what it had in its cache, so each call teaches.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """Take in what the server counted for a prompt; tiny prompts are all template."""
        if counted > 0 and estimated > 64:
            ratio = min(max(counted / estimated, _LEAST), _MOST)
            self._seen.setdefault(model, deque(maxlen=_REMEMBERED)).append(ratio)

    def knows(self, model: str) -> bool:
        """Whether a server has counted anything for this model yet."""
        return bool(self._seen.get(model))

    def factor(self, model: str) -> float:
        """The largest correction of late: leaning high, as the estimate does."""
        return max(self._seen.get(model, ()), default=1.0)

    def tokens(self, text: str, model: str) -> int:
        return int(expect_tokens(text) * self.factor(model)) + 1
