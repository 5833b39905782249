"""How many tokens a text will be: estimated by its characters, corrected by the server's counts.

A tokenizer's count is close to a weighted sum over kinds of characters and words. The weights are
learned for each model by recursive least squares from what its server counts for whole prompts,
beginning from a guess that leans high; so texts of the kinds that were sent are soon known well.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["PER_MESSAGE", "Meter", "expect_tokens"]

#: What a chat template adds around a message, roughly.
PER_MESSAGE = 8
_PARTS = re.compile(r"(?P<word>[A-Za-z]+)|(?P<digit>\d+)|(?P<space>\s+)|(?P<mark>[!-/:-@\[-`{-~]+)")
#: Feature, its weight before anything was counted, and how far from that it may be (one sigma).
_FEATURES = (
    ("message", float(PER_MESSAGE), 4.0),
    ("word", 1.0, 0.4),
    ("letter", 0.0, 0.12),
    ("letter over five", 0.2, 0.08),
    ("digit", 1.0, 0.4),
    ("run of marks", 1.0, 0.4),
    ("mark", 0.0, 0.2),
    ("mark over two", 0.5, 0.2),
    ("line break", 1.0, 0.4),
    ("white space", 1 / 16, 0.12),
    ("other character", 1.1, 0.4),
    ("byte of others", 0.0, 0.15),
)
_FIRST = tuple(weight for _, weight, _ in _FEATURES)
_SIGMA = tuple(sigma for _, _, sigma in _FEATURES)
#: How far a count may be from any weighted sum, as a share (one sigma).
_NOISE = 0.003
#: Errors that are remembered, and the most that the estimate leans high for them.
_REMEMBERED = 6
_MOST_LEAN = 0.5
#: Corrections beyond these are not followed: the server counts something else then.
_LEAST, _MOST = 0.2, 4.0
#: The first counts say more of the guess than of what was learned; their errors are not remembered.
_GUESSED = 2
#: Shorter prompts are all template.
_SHORTEST = 64


def _features(text: str) -> list[float]:
    """What a text has of each feature, but for the message around it."""
    words = letters = long_letters = digits = runs = marks = long_marks = breaks = spaces = 0
    for part in _PARTS.finditer(text):
        size = part.end() - part.start()
        match part.lastgroup:
            case "word":
                words += 1
                letters += size
                long_letters += max(0, size - 5)
            case "digit":
                digits += size
            case "mark":
                runs += 1
                marks += size
                long_marks += max(0, size - 2)
            case _:
                breaks += "\n" in part.group()
                spaces += size
    known = letters + digits + marks + spaces
    others = len(text) - known
    other_bytes = len(text.encode("utf-8", "surrogatepass")) - known if others else 0
    found = (words, letters, long_letters, digits, runs, marks, long_marks, breaks, spaces)
    return [0.0, *map(float, found), float(others), float(other_bytes)]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def expect_tokens(text: str) -> int:
    """An upper-leaning estimate for the tokenizers of open models.

    They give a word one token for about five letters, most digits a token of their own, a run of
    punctuation a token for two marks, a line break one, and other scripts about one a character.
    """
    return int(_dot(_FIRST, _features(text))) + 1


@dataclass(slots=True)
class _Known:
    """What was learned of one model: weights, how sure they are, and the latest errors."""

    weights: list[float] = field(default_factory=lambda: list(_FIRST))
    sure: list[list[float]] = field(
        default_factory=lambda: [
            [sigma**2 if row == column else 0.0 for column in range(len(_SIGMA))]
            for row, sigma in enumerate(_SIGMA)
        ]
    )
    errors: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    counts: int = 0

    def estimate(self, features: Sequence[float]) -> float:
        first = _dot(_FIRST, features)
        return min(max(_dot(self.weights, features), _LEAST * first), _MOST * first)

    def unsure(self, features: Sequence[float]) -> float:
        """Tokens that the estimate may be off by (one sigma): much for text of a new kind."""
        spread = _dot(features, [_dot(row, features) for row in self.sure])
        return math.sqrt(max(0.0, spread))

    def lean(self) -> float:
        """How much too low the latest estimates were at most, as a share."""
        return min(max(0.0, max(self.errors, default=0.0)), _MOST_LEAN)

    def learn(self, features: Sequence[float], counted: int) -> None:
        """One step of recursive least squares, on shares, so that long prompts weigh no more."""
        expected = self.estimate(features)
        if self.counts >= _GUESSED:
            self.errors.append(counted / expected - 1)
        self.counts += 1
        share = [value / expected for value in features]
        spread = [_dot(row, share) for row in self.sure]
        gain = [value / (_dot(share, spread) + _NOISE**2) for value in spread]
        miss = counted / expected - _dot(self.weights, share)
        self.weights = [w + g * miss for w, g in zip(self.weights, gain, strict=True)]
        self.sure = [
            [value - g * s for value, s in zip(row, spread, strict=True)]
            for row, g in zip(self.sure, gain, strict=True)
        ]


class Meter:
    """Estimates in the server's own measure, learned for each model from its counts.

    The server's count of a prompt includes what it had in its cache, so each call teaches.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        #: Models that were learned of since the meter was made.
        self.changed: set[str] = set()

    def learn(self, model: str, texts: Sequence[str], counted: int) -> None:
        """Take in what the server counted for a prompt of these messages."""
        features = self._prompt(texts)
        if counted > 0 and _dot(_FIRST, features) > _SHORTEST:
            self._known.setdefault(model, _Known()).learn(features, counted)
            self.changed.add(model)

    def knows(self, model: str) -> bool:
        """Whether a server has counted anything for this model yet."""
        return model in self._known

    def prompt_tokens(self, texts: Sequence[str], model: str) -> int:
        """How many tokens a prompt of these messages will be."""
        return self._leaning(self._prompt(texts), model)

    def tokens(self, text: str, model: str) -> int:
        """How many tokens a text will be within a prompt."""
        return self._leaning(_features(text), model) + 1

    def _leaning(self, features: Sequence[float], model: str) -> int:
        known = self._known.get(model)
        if known is None:
            return int(_dot(_FIRST, features))
        return int(known.estimate(features) * (1 + known.lean()) + known.unsure(features))

    @staticmethod
    def _prompt(texts: Sequence[str]) -> list[float]:
        total = [float(len(texts)), *[0.0] * (len(_FEATURES) - 1)]
        for text in texts:
            total = [a + b for a, b in zip(total, _features(text), strict=True)]
        return total

    def state(self, model: str) -> str:
        """What was learned of a model, as text that `restore` reads."""
        known = self._known[model]
        return json.dumps([known.weights, known.sure, list(known.errors), known.counts])

    def restore(self, model: str, state: str) -> None:
        """Go on from an earlier state; one that was written for other features is left alone."""
        try:
            weights, sure, errors, counts = json.loads(state)
            size = len(_FEATURES)
            if [len(weights), len(sure), *map(len, sure)] != [size] * (size + 2):
                return
            known = _Known([*map(float, weights)], [[*map(float, row)] for row in sure])
            known.errors.extend(map(float, errors))
            known.counts = int(counts)
        except (ValueError, TypeError):
            return
        self._known[model] = known
