"""A vision model's look at what a step drew, once the machine has judged it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from manyhands.hands.contracts import (
    Attempt,
    Evidence,
    EvidenceKind,
    HandResult,
    Status,
    VisualizeRequest,
)
from manyhands.hands.reviewing import Review
from manyhands.journal.events import CheckDone
from manyhands.mind.frame import PlanStep, request_of
from manyhands.mind.tools import Toolbox

__all__ = ["drawn_for", "opinion_told", "reviewed", "with_opinion"]

#: Results that no machine check said anything about.
_UNJUDGED = (Status.CANNOT, Status.FAILED)


async def reviewed(toolbox: Toolbox, step: PlanStep, result: HandResult) -> HandResult:
    """The result with an opinion of its picture beside the evidence, if there is one to be had.

    Status, value, summary and open points are those of the result that was given.
    """
    pictures = [item for item in result.artifacts if item.media_type == "image/png"]
    told = any(check.kind is EvidenceKind.OPINION for check in result.evidence)
    if toolbox.reviewer is None or not pictures or told or result.status in _UNJUDGED:
        return result
    png = await toolbox.open(pictures[0].id)
    review = await toolbox.reviewer.look(png, _request(step), step.id)
    if review is None:
        return result
    await toolbox.emit(opinion_told(step.id, result.accepted, review.evidence))
    attempts = tuple(
        with_opinion(one, review) if one.number == result.accepted else one
        for one in result.attempts
    )
    return result.model_copy(update={"attempts": attempts})


def opinion_told(step: str, attempt: int, opinion: Evidence) -> CheckDone:
    """The event by which doors show it."""
    return CheckDone(
        step=step,
        attempt=attempt,
        name=opinion.name,
        passed=None,
        evidence=opinion.evidence,
        seconds=opinion.seconds,
        opinion=True,
    )


def with_opinion(attempt: Attempt, review: Review) -> Attempt:
    """The attempt with the opinion among its evidence, and what it cost."""
    update = {"checks": (*attempt.checks, review.evidence), "spend": attempt.spend + review.spend}
    return attempt.model_copy(update=update)


def _request(step: PlanStep) -> str:
    """What the picture was drawn for: the task, and what the chart has to show."""
    request = request_of(step)
    lines = [step.task]
    if isinstance(request, VisualizeRequest):
        wanted = {"chart": request.chart, "x": request.x, "y": request.y, "agg": request.agg}
        lines += [f"{key}: {value}" for key, value in wanted.items() if value]
    else:
        with suppress(ValueError, RecursionError, AttributeError):  # what is no case says nothing
            lines.append(drawn_for(json.loads(step.subject)))
    return "\n".join(lines)


def drawn_for(case: Mapping[str, Any]) -> str:
    """What a case of a figure expects of it."""
    return json.dumps(case.get("expect"), ensure_ascii=False, default=str)
