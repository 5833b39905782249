"""Making a result small enough for the mind: status, evidence and numbers always stay."""

from __future__ import annotations

from dataclasses import dataclass

from manyhands.hands.contracts import HandResult

__all__ = ["Condensed", "condense", "estimate_tokens"]

#: Characters per token. Low on purpose: code and numbers make more tokens than prose does.
_CHARS_PER_TOKEN = 3.2
_CUT = "\n[… {left} characters left out; the whole is artifact {artifact} …]\n"


def estimate_tokens(text: str) -> int:
    """An upper-leaning estimate, used before a call; the server's own count corrects it after."""
    return int(len(text.encode("utf-8")) / _CHARS_PER_TOKEN) + 1


@dataclass(frozen=True, slots=True)
class Condensed:
    """A note on a result, with its size and the full result's in estimated tokens."""

    note: str
    full_tokens: int
    kept_tokens: int

    @property
    def cut(self) -> bool:
        return self.kept_tokens < self.full_tokens


def condense(step: str, result: HandResult, budget_tokens: int, artifact: str = "") -> Condensed:
    """A note within `budget_tokens`: status and evidence whole, the value cut in the middle.

    The head is never cut: a result whose evidence alone is over the budget keeps it all, and
    only the value is reduced to nothing.

    Args:
        artifact: the id under which the whole value is kept, named where it was cut.
    """
    head = [f"step {step} ({result.hand}): {result.status}. {result.summary}"]
    head.extend(
        f"  {_mark(check.passed)} {check.name}: {check.evidence}" for check in result.evidence
    )
    head.extend(f"  open: {point}" for point in result.open_points)
    top = "\n".join(head)
    full = f"{top}\nvalue:\n{result.value}" if result.value else top
    full_tokens = estimate_tokens(full)
    if full_tokens <= budget_tokens:
        return Condensed(full, full_tokens, full_tokens)
    artifact = artifact or "in the journal"
    room = int(max(0, budget_tokens - estimate_tokens(top)) * _CHARS_PER_TOKEN)
    marker = _CUT.format(left=len(result.value), artifact=artifact)
    room = max(0, room - len(marker))
    head_room = room * 2 // 3
    tail_room = room - head_room
    tail = result.value[-tail_room:] if tail_room else ""
    cut = _CUT.format(left=len(result.value) - head_room - tail_room, artifact=artifact)
    note = f"{top}\nvalue:\n{result.value[:head_room]}{cut}{tail}"
    return Condensed(note, full_tokens, min(estimate_tokens(note), full_tokens))


def _mark(passed: bool | None) -> str:
    return {True: "passed", False: "failed", None: "undecided"}[passed]
