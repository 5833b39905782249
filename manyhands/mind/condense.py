"""Making a result small enough for the mind: status and evidence whole, the value's rare lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manyhands.hands.contracts import EvidenceKind, HandResult
from manyhands.hands.shortening import BYTES_PER_TOKEN, shorten, within
from manyhands.hands.tokens import expect_tokens

__all__ = ["Condensed", "condense", "estimate_tokens"]


def estimate_tokens(text: str) -> int:
    """Tokens by the length in bytes alone: for budgets that are cut to a length."""
    return int(len(text.encode("utf-8")) / BYTES_PER_TOKEN) + 1


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

    A model's opinion is no evidence for the mind and stays out of what it reads.

    The head is never cut: a result whose evidence alone is over the budget keeps it all, and
    only the value is reduced to nothing.

    Args:
        artifact: the id under which the whole value is kept, named where it was cut.
        measure: tokens of a text, best by the counts of the server that will read it.
    """
    head = [f"step {step} ({result.hand}): {result.status}. {result.summary}"]
    head.extend(
        f"  {_mark(check.passed)} {check.name}: {check.evidence}"
        for check in result.evidence
        if check.kind is EvidenceKind.MACHINE
    )
    head.extend(f"  open: {point}" for point in result.open_points)
    top = "\n".join(head)
    full = f"{top}\nvalue:\n{result.value}" if result.value else top
    full_tokens = measure(full)
    if full_tokens <= budget_tokens:
        return Condensed(full, full_tokens, full_tokens)
    best = within(
        lambda room: _note(top, result.value, room, artifact),
        budget_tokens,
        measure,
        spent=measure(top) + 4,
    )
    return Condensed(best, full_tokens, min(measure(best), full_tokens))


def _note(top: str, value: str, room: int, artifact: str) -> str:
    whole = f"; the whole is artifact {artifact or 'in the journal'}"
    return f"{top}\nvalue:\n{shorten(value, room, whole)}"


def _mark(passed: bool | None) -> str:
    return {True: "passed", False: "failed", None: "undecided"}[passed]
