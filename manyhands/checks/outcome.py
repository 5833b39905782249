"""What a check found: a verdict, with the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["CheckOutcome", "Verdict"]


class Verdict(StrEnum):
    """`undetermined` also covers a check that crashed: it says nothing about the answer."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check's outcome.

    Attributes:
        evidence: JSON values: inputs, seed, method, counterexample.
        seconds: wall time.
        summary: one readable line.
        picture: a figure that was drawn for the check, as a re-encoded PNG.
    """

    verdict: Verdict
    summary: str
    seconds: float = 0.0
    evidence: dict[str, Any] = field(default_factory=dict)
    picture: bytes | None = field(default=None, repr=False, compare=False)
