"""Making a result small enough for the mind: status and evidence whole, the value's rare lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from manyhands.hands.contracts import HandResult
from manyhands.hands.tokens import expect_tokens

__all__ = ["Condensed", "condense", "estimate_tokens", "shorten"]

#: Bytes per token to begin with; what the note then measures corrects it.
_BYTES_PER_TOKEN = 3.2
#: How often a note is made again to come closer to its budget, and how close is close.
_TRIES = 6
_CLOSE = 0.9
_AIM = 0.96
_CUT = "\n[… {left} characters left out; the whole is artifact {artifact} …]\n"
#: Shares of the room for a value: its head, its tail; the rest is for lines of rare form.
_HEAD, _TAIL = 0.3, 0.2
#: A line's form is rare when at most this share of all lines has it.
_RARE = 0.02
_LONGEST_LINE = 300
#: Characters on each side of a rare word, and how many such places are looked at.
_AROUND = 48
_MOST_STRETCHES = 400
_WORD = re.compile(r"[^\W\d_]{3,}")


def estimate_tokens(text: str) -> int:
    """Tokens by the length in bytes alone: for budgets that are cut to a length."""
    return int(len(text.encode("utf-8")) / _BYTES_PER_TOKEN) + 1


@dataclass(frozen=True, slots=True)
class Condensed:
    """A note on a result, with its size and the full result's in estimated tokens."""

    note: str
    full_tokens: int
    kept_tokens: int

    @property
    def cut(self) -> bool:
        return self.kept_tokens < self.full_tokens


def condense(
    step: str,
    result: HandResult,
    budget_tokens: int,
    artifact: str = "",
    *,
    measure: Callable[[str], int] = expect_tokens,
) -> Condensed:
    """A note within `budget_tokens`: status and evidence whole, the value shortened.

    The head is never cut: a result whose evidence alone is over the budget keeps it all, and
    only the value is reduced to nothing.

    Args:
        artifact: the id under which the whole value is kept, named where it was cut.
        measure: tokens of a text, best by the counts of the server that will read it.
    """
    head = [f"step {step} ({result.hand}): {result.status}. {result.summary}"]
    head.extend(
        f"  {_mark(check.passed)} {check.name}: {check.evidence}" for check in result.evidence
    )
    head.extend(f"  open: {point}" for point in result.open_points)
    top = "\n".join(head)
    full = f"{top}\nvalue:\n{result.value}" if result.value else top
    full_tokens = measure(full)
    if full_tokens <= budget_tokens:
        return Condensed(full, full_tokens, full_tokens)
    room = max(0, int((budget_tokens - measure(top) - 4) * _BYTES_PER_TOKEN))
    best, kept = "", 0
    for _ in range(_TRIES):
        note = _note(top, result.value, room, artifact)
        tokens = measure(note)
        if kept < tokens <= budget_tokens:
            best, kept = note, tokens
        if _CLOSE * budget_tokens <= tokens <= budget_tokens or room <= 0:
            break
        room = int(room * min(2.0, _AIM * budget_tokens / tokens))
    best = best or _note(top, result.value, 0, artifact)
    return Condensed(best, full_tokens, min(kept or measure(best), full_tokens))


def _note(top: str, value: str, room: int, artifact: str) -> str:
    return f"{top}\nvalue:\n{shorten(value, room, artifact or 'in the journal')}"


def shorten(text: str, room_bytes: int, artifact: str) -> str:
    """Head, tail, and between them the lines whose form is rare in the text, in their order.

    Outputs repeat themselves: rows, log lines, progress. What says something new usually looks
    different. The form of a line is the line with its digits made alike.
    """
    room = room_bytes - len(_CUT) - len(artifact) - 8
    if room <= 0:
        return _CUT.format(left=len(text), artifact=artifact).strip()
    head = _whole_lines(text[: int(room * _HEAD)], first=True)
    tail = _whole_lines(text[len(text) - int(room * _TAIL) :], first=False)
    middle = text[len(head) : len(text) - len(tail)]
    kept = _rare_lines(text, middle, room - _size(head) - _size(tail))
    left = len(middle) - len(kept)
    return f"{head.rstrip()}{_CUT.format(left=left, artifact=artifact)}{kept}{tail}"


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


def _mark(passed: bool | None) -> str:
    return {True: "passed", False: "failed", None: "undecided"}[passed]
