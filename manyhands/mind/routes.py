"""Which tier begins a step, and what its outcome teaches: routing at the edge of the mind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from manyhands.hands.contracts import (
    Attempt,
    HandName,
    HandRequest,
    HandResult,
    MathKind,
    MathRequest,
)
from manyhands.hands.work import Begin
from manyhands.learning.outcomes import Outcome, Outcomes
from manyhands.learning.routing import choose

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Routes", "ladder_of", "outcomes_of", "task_of", "tasks"]

_LADDER = ("mind", "expert", "heavy")


def task_of(hand: HandName, request: HandRequest) -> str:
    """The kind of task that outcomes are kept by: `code`, `math:derivative`, …"""
    return f"{hand}:{request.kind}" if isinstance(request, MathRequest) else str(hand)


def tasks() -> list[str]:
    """Every kind of task that outcomes can be kept by, in the order of the hands."""
    found: list[str] = []
    for hand in HandName:
        if hand is HandName.MATH:
            found.extend(f"{hand}:{kind}" for kind in MathKind)
        elif hand is not HandName.TOOL:  # no model works on it
            found.append(str(hand))
    return found


def ladder_of(settings: Settings) -> dict[str, str]:
    """Tier -> model, from weak to strong; a tier with the model of a weaker one is left out."""
    found: dict[str, str] = {}
    for tier in _LADDER:
        spec = settings.tiers.get(tier)
        if spec is not None and spec.model not in found.values():
            found[tier] = spec.model
    return found


class Routes:
    """Chooses by the settings: the role's own tier, or what the outcomes say.

    Args:
        learns: whether outcomes are kept; those of scripted models teach nothing.
    """

    def __init__(self, settings: Settings, run_id: str, *, learns: bool = True) -> None:
        self._settings = settings
        self._run_id = run_id
        self._learns = learns

    def begin(self, hand: HandName, request: HandRequest, own: str) -> Begin:
        """The tier that begins a step.

        Args:
            own: the role's tier: a person's word, which holds unless `routing.mode` is `learned`.
        """
        if self._settings.routing.mode != "learned":
            return Begin(own)
        models = ladder_of(self._settings)
        with Outcomes.open(self._settings.routing.path) as outcomes:
            choice = choose(list(models), outcomes.records(task_of(hand, request), models))
        return Begin(choice.tier, f"learned: {choice.why}" if choice.tier != own else "")

    def learn(self, hand: HandName, request: HandRequest, step: str, result: HandResult) -> None:
        """Keep what the checks said about each attempt."""
        if not self._learns:
            return
        found = outcomes_of(
            result,
            at=time.time(),
            run_id=self._run_id,
            step=step,
            task=task_of(hand, request),
        )
        if found:
            with Outcomes.open(self._settings.routing.path) as outcomes:
                outcomes.add(found)


def outcomes_of(
    result: HandResult, *, at: float, run_id: str, step: str, task: str
) -> list[Outcome]:
    """The attempts of a result that count: those that a check passed or failed, or that brought
    nothing usable. An attempt that no check could decide says nothing about its tier."""
    found = []
    for attempt in result.attempts:
        passed = _passed(attempt)
        if passed is None:
            continue
        tokens = attempt.spend.prompt_tokens + attempt.spend.completion_tokens
        found.append(
            Outcome(
                at=at,
                run_id=run_id,
                step=step,
                number=attempt.number,
                task=task,
                role=attempt.role,
                tier=attempt.tier,
                model=attempt.model,
                passed=passed,
                seconds=attempt.seconds,
                tokens=tokens,
            )
        )
    return found


def _passed(attempt: Attempt) -> bool | None:
    if attempt.fault or attempt.abstained or attempt.failed_checks:
        return False
    if any(check.passed and check.independent for check in attempt.checks):
        return True
    return None
