"""Fitting a hand's prompt into its window: what must be there whole, and what may be shortened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manyhands.hands.shortening import shorten, within

__all__ = ["Fitted", "Piece", "fit"]

#: Tokens between two parts of a prompt.
_BETWEEN = 2
#: A piece that would get less is left out: it would be all mark and no text.
_LEAST = 40


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt that may be shortened.

    Attributes:
        name: what it is, for a person.
        head: stays whole as long as anything of the piece does: status and evidence.
        show: how its text stands in the prompt, for instance fenced.
    """

    name: str
    text: str
    head: str = ""
    show: Callable[[str], str] = str

    def shown(self) -> str:
        return self._show(self.text) if self.text or self.head else ""

    def cut_to(self, tokens: int, count: Callable[[str], int]) -> str:
        """The piece in at most so many tokens; empty where that is too few to say anything."""
        if tokens < _LEAST:
            return ""
        bare = count(self._show(""))
        found = within(lambda room: self._show(shorten(self.text, room)), tokens, count, spent=bare)
        if count(found) <= tokens:
            return found
        whole = f"{self.head}{self.text}"  # even the head is too long
        found = within(lambda room: self.show(shorten(whole, room)), tokens, count)
        return found if count(found) <= tokens else ""

    def _show(self, text: str) -> str:
        return self.show(f"{self.head}{text}")


@dataclass(frozen=True, slots=True)
class Fitted:
    """The parts as they go into the prompt, in their order.

    Attributes:
        left_out: names of the pieces that are not whole.
    """

    parts: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def fit(parts: Sequence[str | Piece], room: int, count: Callable[[str], int]) -> Fitted:
    """Fit the parts into `room` tokens.

    Texts stay whole. Short pieces do too; the long ones share what is left to equal parts.

    Args:
        count: tokens of a text, leaning high.
    """
    shown = [part if isinstance(part, str) else part.shown() for part in parts]
    costs = [count(text) + _BETWEEN if text else 0 for text in shown]
    left = room - sum(
        cost for cost, part in zip(costs, parts, strict=True) if isinstance(part, str)
    )
    pieces = [at for at, part in enumerate(parts) if not isinstance(part, str)]
    left_out = []
    for number, at in enumerate(sorted(pieces, key=lambda at: costs[at])):
        share = max(0, left) // (len(pieces) - number)
        part = parts[at]
        assert not isinstance(part, str)
        if costs[at] > share:
            shown[at] = part.cut_to(share - _BETWEEN, count)
            left_out.append((at, f"{part.name} (shortened)" if shown[at] else part.name))
            costs[at] = count(shown[at]) + _BETWEEN if shown[at] else 0
        left -= costs[at]
    return Fitted(tuple(shown), tuple(name for _, name in sorted(left_out)))
