"""Making a text small enough for a prompt: its head, its tail, and what looks different between."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

__all__ = ["BYTES_PER_TOKEN", "shorten", "within"]

#: To begin with; what a shortened text then measures corrects it.
BYTES_PER_TOKEN = 3.2
#: How often a text is shortened again to come closer to its budget, and how close is close.
_TRIES = 6
_CLOSE = 0.9
_AIM = 0.96
_CUT = "\n[… {left} characters left out{where} …]\n"
#: Shares of the room: the head, the tail; the rest is for lines of rare form.
_HEAD, _TAIL = 0.3, 0.2
#: A line's form is rare when at most this share of all lines has it.
_RARE = 0.02
_LONGEST_LINE = 300
#: Characters on each side of a rare word, and how many such places are looked at.
_AROUND = 48
_MOST_STRETCHES = 400
_WORD = re.compile(r"[^\W\d_]{3,}")


def within(
    make: Callable[[int], str], budget_tokens: int, measure: Callable[[str], int], spent: int = 0
) -> str:
    """The longest that `make` gave in a few tries and that measures at most the budget.

    Where none does, what `make` gives for no room at all.

    Args:
        make: a text for so many bytes of room.
        spent: tokens that do not depend on the room.
    """
    room = max(0, int((budget_tokens - spent) * BYTES_PER_TOKEN))
    best, kept = "", 0
    for _ in range(_TRIES):
        text = make(room)
        tokens = measure(text)
        if kept < tokens <= budget_tokens:
            best, kept = text, tokens
        if _CLOSE * budget_tokens <= tokens <= budget_tokens or room <= 0:
            break
        room = int(room * min(2.0, _AIM * budget_tokens / tokens))
    return best or make(0)


def shorten(text: str, room_bytes: int, where: str = "") -> str:
    """Head, tail, and between them the lines whose form is rare in the text, in their order.

    Outputs repeat themselves: rows, log lines, progress. What says something new usually looks
    different. The form of a line is the line with its digits made alike.

    Args:
        where: where the whole is, for the mark at the cut.
    """
    room = room_bytes - len(_CUT) - len(where) - 8
    if room <= 0:
        return _CUT.format(left=len(text), where=where).strip()
    head = _whole_lines(text[: int(room * _HEAD)], first=True)
    tail = _whole_lines(text[len(text) - int(room * _TAIL) :], first=False)
    middle = text[len(head) : len(text) - len(tail)]
    kept = _rare_lines(text, middle, room - _size(head) - _size(tail))
    left = len(middle) - len(kept)
    return f"{head.rstrip()}{_CUT.format(left=left, where=where)}{kept}{tail}"


def _rare_lines(text: str, middle: str, room: int) -> str:
    """The lines of `middle` with a rare form, those with numbers first, as many as fit."""
    forms = Counter(_form(line) for line in text.splitlines())
    most = max(1, int(_RARE * forms.total()))
    candidates = [
        (number, line)
        for number, line in enumerate(middle.splitlines())
        if line.strip() and len(line) <= _LONGEST_LINE and forms[_form(line)] <= most
    ]
    candidates += _stretches(text, middle)
    ranked = sorted(
        candidates,
        key=lambda one: (not re.search(r"\d", one[1]), forms.get(_form(one[1]), 1), len(one[1])),
    )
    chosen = []
    for number, line in ranked:
        if _size(line) + 1 <= room:
            room -= _size(line) + 1
            chosen.append((number, line))
    return "".join(f"{line}\n" for _, line in sorted(chosen))


def _stretches(text: str, middle: str) -> list[tuple[int, str]]:
    """In lines that are too long to show: what stands around a word used nowhere else."""
    long = [
        (number, line)
        for number, line in enumerate(middle.splitlines())
        if len(line) > _LONGEST_LINE
    ]
    if not long:
        return []
    counts = Counter(word.casefold() for word in _WORD.findall(text))
    found: list[tuple[int, str]] = []
    for number, line in long:
        end = 0
        for word in _WORD.finditer(line):
            if counts[word.group().casefold()] > 1 or word.start() < end:
                continue
            start = line.rfind(" ", 0, max(end, word.start() - _AROUND)) + 1
            stop = line.find(" ", word.end() + _AROUND)
            end = len(line) if stop == -1 else stop
            found.append((number, f"… {line[start:end]} …"))
            if len(found) == _MOST_STRETCHES:
                return found
    return found


def _form(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _whole_lines(piece: str, *, first: bool) -> str:
    """The piece without the line that it cuts, unless it is one line."""
    cut = piece.rfind("\n") + 1 if first else piece.find("\n") + 1
    if cut <= 0:
        return piece
    return piece[:cut] if first else piece[cut:]
