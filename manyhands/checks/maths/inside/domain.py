"""What a case assumes about its variables: `{"x": "positive"}` or `["0 < x < pi"]`."""

from __future__ import annotations

from typing import Any

import sympy as sp
from balls import Undefined, holds, precision
from flint import acb, fmpq
from notation import NotReadable, read_condition

_WORDS = {
    "real": (0, False), "positive": (1, False), "negative": (-1, False),
    "nonnegative": (1, False), "nonpositive": (-1, False), "nonzero": (0, False),
    "integer": (0, True), "positive integer": (1, True), "negative integer": (-1, True),
    "natural": (1, True),
}  # fmt: skip


class Assumed:
    """Signs, whole numbers and relations; points are made to fit them."""

    def __init__(self, given: Any = None) -> None:
        self._words: dict[str, tuple[int, bool]] = {}
        self._relations: list[Any] = []
        if isinstance(given, dict):
            for name, said in given.items():
                word = str(said).strip().lower()
                if word in _WORDS:
                    self._words[str(name).strip().lstrip("\\")] = _WORDS[word]
                else:
                    self._relations.append(read_condition(str(said)))
        elif given:
            listed = given if isinstance(given, list) else [given]
            self._relations = [read_condition(str(text)) for text in listed]
        if len(self._relations) > 20:
            raise NotReadable("more than 20 assumptions")

    @property
    def whole(self) -> set[str]:
        """Names of variables that stand for whole numbers."""
        return {name for name, (_, whole) in self._words.items() if whole}

    @property
    def relations(self) -> list[Any]:
        return list(self._relations)

    def sign(self, symbol: Any) -> int:
        """1 or -1 for a variable of a given sign, else 0."""
        return self._words.get(str(symbol), (0, False))[0]

    def shape(self, symbol: Any, number: fmpq) -> fmpq:
        """A number like the given one that fits what is said about a variable."""
        sign, whole = self._words.get(str(symbol), (0, False))
        if whole:
            if int(number.q) == 1 and (number != 0 or not sign):
                return sign * abs(number) if sign else number
            size = abs(number) * 4
            number = fmpq(int(size.p) // int(size.q) + bool(sign)) * (1 if number > 0 else -1)
        return sign * abs(number) if sign else number

    def allows(self, at: dict[Any, fmpq]) -> bool:
        """Whether all that is said is certain to hold at a point."""
        if any(self.shape(symbol, number) != number for symbol, number in at.items()):
            return False
        if not self._relations:
            return True
        balls = {symbol: acb(number) for symbol, number in at.items()}
        try:
            with precision(128):
                return all(holds(relation, balls) for relation in self._relations)
        except Undefined:
            return False


def symbol_named(name: str) -> Any:
    """The variable of that name, as the reader makes it."""
    return sp.Symbol(name, real=True)
