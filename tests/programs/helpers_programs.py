"""What tests of the checks on programs share."""

from __future__ import annotations

from typing import Any

from manyhands.checks.outcome import CheckOutcome
from manyhands.checks.programs.kinds import HANDLERS


async def check(kind: str, **case: Any) -> CheckOutcome:
    """The outcome of one case."""
    return await HANDLERS[kind](case)
