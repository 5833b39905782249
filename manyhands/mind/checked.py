"""A check that a person made without a model, in the journal as a run like any other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from manyhands import __version__
from manyhands.checks.outcome import Verdict
from manyhands.checks.subject import Criterion, overall
from manyhands.checks.tables import Table
from manyhands.clean import storable
from manyhands.hands.bench import evidence_from
from manyhands.hands.cases import keep_case
from manyhands.hands.contracts import Attempt, HandName, HandResult, Status
from manyhands.journal.events import (
    Answered,
    AttemptDone,
    CheckDone,
    RunOutcome,
    RunStarted,
    StepDone,
    StepStarted,
)
from manyhands.journal.store import Journal, new_id
from manyhands.mind.recorder import Recorder, accounted
from manyhands.redaction import redact

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["journal_check"]

_STATUS = {
    Verdict.SUPPORTED: Status.VERIFIED,
    Verdict.REFUTED: Status.REFUTED,
    Verdict.UNDETERMINED: Status.UNVERIFIED,
}


async def journal_check(
    settings: Settings, about: str, data: Table | None, found: Sequence[Criterion], door: str
) -> list[str]:
    """Write what was found as a run of one step; gives the id that reruns each criterion.

    Args:
        about: what was checked, in words.
        data: the table that was read.

    Raises StorageError when the journal cannot be written.
    """
    run_id, step = new_id("run"), str(HandName.VERIFY)
    started = RunStarted(
        question=redact(storable(about)),
        conversation_id=new_id("conv"),
        door=door,
        data={} if data is None else {"data": storable(str(data.path))},
        sha256={} if data is None else {"data": data.sha256},
        version=__version__,
    )
    with Journal.open(settings.journal.path) as journal:
        begin = partial(journal.begin_run, run_id, started.conversation_id, started)
        first = await journal.when_free(begin)
        recorder = Recorder(journal, run_id, first.seq, lambda _: None)
        async with accounted(recorder, settings, steps=1) as ending:
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
            attempt = Attempt(number=1, role="", tier="", model="", checks=tuple(checks))
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
    return [str(check.detail["rerun"]) for check in checks]
