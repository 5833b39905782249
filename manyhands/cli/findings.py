"""What a look at an installation found: each finding with how bad it is and its next command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Mark"]


class Mark(StrEnum):
    """How bad a finding is; only a problem makes `doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: settings, server, model, roles, sandbox, environment, journal, memory.
        next: the command or action that mends it; empty when nothing is wrong.
    """

    topic: str
    mark: Mark
    text: str
    next: str = ""
