"""Packing a prompt into the window: what must stay, what may be shortened, and what was left out.

The order keeps a server's prompt cache useful: the stable system prompt and the rules first, data
and earlier turns after them, memory late, the question last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from manyhands.errors import ContextOverflow
from manyhands.hands.tokens import expect_tokens

__all__ = ["Packed", "Part", "Turn", "pack"]

#: Characters of each side of a turn that stay when it is shortened.
_SHORT = 240


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of a conversation."""

    user: str
    mind: str

    def whole(self) -> str:
        return f"user: {self.user}\nmind: {self.mind}"

    def short(self) -> str:
        return f"user: {_cut(self.user)}\nmind: {_cut(self.mind)}"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the prompt. Its `least` text stands in when the whole does not fit; a part
    without one is left out then."""

    name: str
    text: str
    least: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """What fits: the parts in their order, the turns as one text, and the names of what does not.

    Attributes:
        left_out: in words for a person, for example `3 earlier turns`.
    """

    parts: tuple[str, ...]
    turns: str
    tokens: int
    left_out: tuple[str, ...]


def pack(
    must: Sequence[str],
    parts: Sequence[Part],
    turns: Sequence[Turn],
    room_tokens: int,
    count: Callable[[str], int] = expect_tokens,
) -> Packed:
    """Fit everything into `room_tokens`.

    What must stay is counted first. Then the newest turn, the parts in the order of their
    importance, and older turns from new to old: each whole, else shortened, else left out.

    Args:
        must: the system prompt, the rules, the question: never shortened.
        parts: the most important first.
        turns: oldest first.
        count: tokens of a text, leaning high; best by the counts of the server that reads it.

    Raises:
        ContextOverflow: even what must stay does not fit.
    """
    needed = sum(count(text) for text in must)
    left = room_tokens - needed
    if left < 0:
        raise ContextOverflow(
            f"The question alone needs about {needed} tokens, but the window has room for "
            f"{room_tokens}.",
            hint="Put long text into a file and give it with --data, or raise the tier's num_ctx.",
            prompt_tokens=needed,
            num_ctx=room_tokens,
        )
    packer = _Packer(left, count)
    newest = packer.take("the last turn", [turns[-1].whole(), turns[-1].short()]) if turns else ""
    kept = [packer.take(part.name, [part.text, part.least]) for part in parts]
    older: list[str] = []
    dropped = shortened = 0
    for turn in reversed(turns[:-1]):
        text = packer.fit([turn.whole(), turn.short()]) if not dropped else ""
        if text:
            older.append(text)
            shortened += text != turn.whole()
        else:
            dropped += 1
    if shortened:
        packer.left_out.append(f"parts of {shortened} earlier turn{'s' if shortened > 1 else ''}")
    if dropped:
        packer.left_out.append(f"{dropped} earlier turn{'s' if dropped > 1 else ''}")
    told = [f"[{dropped} earlier turns left out]"] if dropped else []
    lines = [*told, *reversed(older), *([newest] if newest else [])]
    return Packed(
        parts=tuple(kept),
        turns="\n".join(lines),
        tokens=room_tokens - packer.left,
        left_out=tuple(packer.left_out),
    )


class _Packer:
    def __init__(self, left: int, count: Callable[[str], int]) -> None:
        self.left = left
        self._count = count
        self.left_out: list[str] = []

    def fit(self, versions: Sequence[str]) -> str:
        """The first version that fits, counted; empty when none does."""
        for text in filter(None, versions):
            tokens = self._count(text)
            if tokens <= self.left:
                self.left -= tokens
                return text
        return ""

    def take(self, name: str, versions: Sequence[str]) -> str:
        """Like `fit`, and what was shortened or left out is noted by its name."""
        text = self.fit(versions)
        if versions[0] and text != versions[0]:
            self.left_out.append(f"{name} (shortened)" if text else name)
        return text


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHORT else f"{flat[:_SHORT]} […]"
