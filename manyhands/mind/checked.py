"""A check that a person made, in the journal as a run like any other.

No model has a part in the verdict. Where a vision model is set up it is shown the figure that was
checked, and its opinion stands beside what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyhands import __version__
from manyhands.checks.outcome import Verdict
from manyhands.checks.subject import Criterion, overall
from manyhands.checks.tables import Table
from manyhands.clean import storable
from manyhands.errors import ManyhandsError, StorageError
from manyhands.hands.bench import evidence_from
from manyhands.hands.cases import keep_case
from manyhands.hands.contracts import Attempt, Evidence, HandName, HandResult, Status
from manyhands.hands.models import TierModels
from manyhands.hands.reviewing import NO_OPINION, REVIEWER, Review
from manyhands.hands.voice import Voice
from manyhands.journal.events import (
    Answered,
    AttemptDone,
    CheckDone,
    Event,
    Note,
    NoteReason,
    RunOutcome,
    RunStarted,
    StepDone,
    StepStarted,
)
from manyhands.journal.store import new_id
from manyhands.mind.beginning import run_of_one_step
from manyhands.mind.budget import Purse
from manyhands.mind.pictures import drawn_for, opinion_told, with_opinion
from manyhands.mind.playing import only_play
from manyhands.mind.recorder import Recorder
from manyhands.mind.tools import reviewer_of, sees
from manyhands.redaction import redact
from manyhands.roles.loader import load_roles
from manyhands.roles.model import Role

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Kept", "journal_check"]

_STATUS = {
    Verdict.SUPPORTED: Status.VERIFIED,
    Verdict.REFUTED: Status.REFUTED,
    Verdict.UNDETERMINED: Status.UNVERIFIED,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the journal has of a check: the id that reruns each criterion, and an opinion.

    Attributes:
        opinion: a vision model's, of the figure; None where there is none.
        simulated: whose opinion it is only plays.
    """

    reruns: tuple[str, ...]
    opinion: Evidence | None = None
    simulated: bool = False


async def journal_check(
    settings: Settings,
    about: str,
    data: Table | None,
    found: Sequence[Criterion],
    door: str,
    show: Callable[[Event], None] = lambda _: None,
) -> Kept:
    """Write what was found as a run of one step.

    Args:
        about: what was checked, in words.
        data: the table that was read.
        show: gets each event as it happens; it must not wait.

    Raises StorageError when the journal cannot be written.
    """
    step = str(HandName.VERIFY)
    figure = next(
        ((png, drawn_for(one.case)) for one in found if (png := one.outcome.picture)), None
    )
    roles = load_roles() if figure is not None else {}
    looks = sees(settings, roles)
    started = RunStarted(
        question=redact(storable(about)),
        conversation_id=new_id("conv"),
        door=door,
        data={} if data is None else {"data": storable(str(data.path))},
        sha256={} if data is None else {"data": data.sha256},
        version=__version__,
        simulated=looks and await only_play(settings, roles[REVIEWER].tier),
    )
    run = run_of_one_step(settings, started, show)
    async with run as (recorder, ending):
        await recorder.emit(StepStarted(step=step, hand=step, task=started.question))
        checks = []
        for at, one in enumerate(found, start=1):
            isolation = str(one.outcome.evidence.get("isolation", ""))
            check = evidence_from(
                one.name, one.outcome, independent=one.decides, isolation=isolation
            )
            kept = await keep_case(one.case, f"{step}.{at}.json", recorder.keep)
            checks.append(check.model_copy(update={"detail": {**check.detail, **kept}}))
            await recorder.emit(
                CheckDone(
                    step=step,
                    attempt=1,
                    name=check.name,
                    passed=check.passed,
                    evidence=check.evidence,
                    seconds=check.seconds,
                )
            )
        drawn = []
        if figure is not None:
            drawn.append(await recorder.keep(f"{step}.png", "image/png", figure[0]))
        attempt = Attempt(
            number=1, role="", tier="", model="", checks=tuple(checks), artifacts=tuple(drawn)
        )
        review = None
        if figure is not None and looks:
            review = await _look(settings, roles, recorder, ending.purse, *figure, door)
        if review is not None:
            await recorder.emit(opinion_told(step, attempt.number, review.evidence))
            attempt = with_opinion(attempt, review)
        status = _STATUS[overall(list(found))]
        summary = "; ".join(f"{one.outcome.verdict}: {one.name}" for one in found)
        result = HandResult(
            hand=HandName.VERIFY, status=status, summary=summary,
            attempts=(attempt,), accepted=1,
        )  # fmt: skip
        await recorder.emit(AttemptDone(step=step, attempt=attempt.model_dump(mode="json")))
        await recorder.emit(
            StepDone(
                step=step, hand=step, status=status, summary=summary,
                result=result.model_dump(mode="json"),
            )
        )  # fmt: skip
        await recorder.emit(Answered(text=summary, status=status))
        ending.outcome = RunOutcome.ANSWERED
    return Kept(
        reruns=tuple(str(check.detail["rerun"]) for check in checks),
        opinion=review.evidence if review is not None else None,
        simulated=started.simulated,
    )


async def _look(
    settings: Settings,
    roles: Mapping[str, Role],
    recorder: Recorder,
    purse: Purse,
    png: bytes,
    request: str,
    door: str,
) -> Review | None:
    """The vision model's opinion; None where there is none, and why is told as an event."""
    step = str(HandName.VERIFY)
    try:
        async with TierModels(settings, door=door) as models:
            voice = Voice(models, roles, recorder.emit, purse.charge)
            reviewer = reviewer_of(settings, roles, voice, purse)
            assert reviewer is not None
            return await reviewer.look(png, request, step)
    except StorageError:
        raise
    except ManyhandsError as error:  # a host that cannot even be spoken to
        text = f"{NO_OPINION}: {error.message}"
        await recorder.emit(Note(reason=NoteReason.REVIEW, text=text, step=step))
        return None
