"""When a plan must be written anew: steps that brought nothing, and premises that proved false."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from manyhands.hands.contracts import HandName, Status
from manyhands.mind.answer import StepReport, current
from manyhands.mind.frame import PlanStep

__all__ = ["false_premises", "why_revise"]


def false_premises(step: PlanStep, refuted: Iterable[str]) -> list[str]:
    """The claims that a step rests on and that a check showed to be wrong."""
    wrong = set(refuted)
    return [need for need in step.needs if need in wrong]


def why_revise(steps: Sequence[PlanStep], reports: Sequence[StepReport]) -> str:
    """Why the mind should plan again, in words; empty when the plan brought what it could.

    A refuted claim is an answer. It contradicts the plan where other steps rest on it.
    """
    now = current(reports)
    refuted = {r.id: r.task for r in now if r.result.status is Status.REFUTED}
    names = {report.id for report in now}
    premises = {
        need for step in steps if step.id in names for need in false_premises(step, refuted)
    }
    reasons = [f"the plan rests on what proved false ({refuted[name]})" for name in premises]
    resting = {step.id for step in steps if false_premises(step, refuted)}
    stuck = [report.id for report in now if _is_stuck(report) and report.id not in resting]
    if stuck:
        reasons.append(f"{', '.join(stuck)} brought nothing that holds")
    return "; ".join(sorted(reasons))


def _is_stuck(report: StepReport) -> bool:
    """A step that another plan could do better; a decided claim is an answer either way."""
    if report.hand is HandName.TOOL:  # nothing checks it, and a refusal is a person's word
        return report.result.status is Status.FAILED
    if report.hand is HandName.VERIFY:
        return report.result.status not in (Status.VERIFIED, Status.REFUTED)
    return report.result.status is not Status.VERIFIED
