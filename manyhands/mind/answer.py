"""The answer: what a person or a program gets back for one question."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from manyhands.hands.contracts import Artifact, Evidence, HandName, HandResult, Spend, Status

__all__ = ["Answer", "Claim", "EffectTold", "StepReport", "current", "judge_answer", "unwritten"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepReport(_Frozen):
    """A step of the plan with its full result."""

    id: str
    hand: HandName
    task: str
    result: HandResult
    replaces: str = ""


class EffectTold(_Frozen):
    """One effect that was wanted and how it ended: `done`, `denied`, `failed`, `uncertain`, or
    `refused` when it could not even be proposed."""

    tool: str
    summary: str
    state: str
    detail: str


class Claim(_Frozen):
    """A claim that was judged apart, with its verdict."""

    text: str
    status: Status
    evidence: str = ""


class Answer(_Frozen):
    """The outcome of a run.

    Attributes:
        status: how far the text may be trusted; see `judge_answer`.
        question_back: what the mind needs to know first; the text is then empty.
        open_points: what stayed unproved, in words.
        exhausted: the limit that ran out (`tokens`, `seconds`, …); empty while none has.
        simulated: the models were scripted.
    """

    text: str
    status: Status
    run_id: str
    conversation_id: str
    question_back: str = ""
    steps: tuple[StepReport, ...] = ()
    claims: tuple[Claim, ...] = ()
    open_points: tuple[str, ...] = ()
    effects: tuple[EffectTold, ...] = ()
    usage: Spend = Spend()
    seconds: float = 0.0
    exhausted: str = ""
    simulated: bool = False

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The checks behind the accepted work of every step."""
        return tuple(check for step in self.steps for check in step.result.evidence)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        return tuple(artifact for step in self.steps for artifact in step.result.artifacts)

    @property
    def figure(self) -> Artifact | None:
        """The first picture, if one was drawn."""
        pictures = (item for item in self.artifacts if item.media_type == "image/png")
        return next(pictures, None)


def current(steps: Iterable[StepReport]) -> list[StepReport]:
    """The steps that count: without those that a verified step of a revised plan replaces."""
    reports = list(steps)
    replaced = {
        (report.hand, report.replaces)
        for report in reports
        if report.replaces and report.result.status is Status.VERIFIED
    }
    return [report for report in reports if (report.hand, report.id) not in replaced]


def judge_answer(
    steps: Iterable[StepReport],
    loose: Iterable[str],
    wrong: Collection[str] = (),
    contradictions: Sequence[str] = (),
) -> tuple[Status, tuple[str, ...]]:
    """Status and open points of an answer that was written from `steps`.

    Verified: there is at least one step, each step other than a `verify` is verified, each
    `verify` is decided, and nothing in the text is loose. A refuted claim does not count
    against the answer: finding it out was the work. Otherwise unverified, or the steps' own
    status when none of them brought anything.

    Args:
        loose: what the text says beyond the results (`wording.loose_ends`).
        wrong: steps that another check decided against; they do not count either way.
        contradictions: between results, that no check could decide.
    """
    reports = [report for report in current(steps) if report.id not in wrong]
    loose = list(loose)
    decided = (Status.VERIFIED, Status.REFUTED)
    open_points = [
        f"step {report.id} is {report.result.status}: "
        + "; ".join((report.result.summary, *report.result.open_points))
        for report in reports
        if report.result.status
        not in (decided if report.hand is HandName.VERIFY else (Status.VERIFIED,))
    ]
    statuses = {report.result.status for report in reports}
    if reports and not (open_points or loose or contradictions):
        return Status.VERIFIED, ()
    points = (*contradictions, *open_points, *loose)
    if statuses and statuses <= {Status.FAILED}:
        return Status.FAILED, points
    if statuses and statuses <= {Status.FAILED, Status.CANNOT}:
        return Status.CANNOT, points
    return Status.UNVERIFIED, points


def unwritten(
    steps: Iterable[StepReport], why: str, undone: Sequence[str] = ()
) -> tuple[Status, str, tuple[str, ...]]:
    """Status, text and open points where the mind could write no answer: what was reached.

    Args:
        undone: steps that a budget left undone.
    """
    reached = [report for report in current(steps) if report.id not in undone]
    holds = any(report.result.status in (Status.VERIFIED, Status.REFUTED) for report in reached)
    told = [f"- {one.id}: {one.result.status}. {one.result.summary}" for one in reached]
    text = "\n".join([why, "", "What was reached:", *told]) if told else why
    open_points = f"not done: {', '.join(undone)}" if undone else "the results stand as they are"
    return (Status.UNVERIFIED if holds else Status.FAILED), text, (open_points,)
