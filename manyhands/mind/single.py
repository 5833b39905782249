"""One hand called by itself: a run of one step, journalled like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manyhands import __version__
from manyhands.broker.broker import Broker
from manyhands.errors import InputError
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import HandName, HandResult
from manyhands.hands.models import TierModels
from manyhands.hands.voice import Voice
from manyhands.journal.events import Answered, Event, RunOutcome, RunStarted
from manyhands.journal.store import new_id
from manyhands.mind.beginning import large_tables, run_of_one_step
from manyhands.mind.budget import SPARE, Purse
from manyhands.mind.controller import Controller
from manyhands.mind.converting import open_given
from manyhands.mind.data import DataFile, in_use, sources_of
from manyhands.mind.frame import PlanStep, request_of
from manyhands.mind.measures import kept_meter
from manyhands.mind.mind import Mind
from manyhands.mind.recorder import Recorder
from manyhands.mind.routes import Routes
from manyhands.mind.tools import Toolbox, remote_hands, reviewer_of
from manyhands.redaction import redact

__all__ = ["plan_step", "work_one"]

Show = Callable[[Event], None]


def plan_step(hand: HandName, fields: Mapping[str, Any]) -> PlanStep:
    """The plan of one step for a call; raises `InputError` naming the field that is wrong.

    The same step type as in a plan of the mind: one registry serves both.
    """
    try:
        step = PlanStep.model_validate({"id": str(hand), "hand": hand, **fields})
        request_of(step)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise InputError(f"`{where}`: {first['msg']}.", hint="Change it and call again.") from error
    return step


async def work_one(
    mind: Mind,
    step: PlanStep,
    data: Mapping[str, str | Path],
    show: Show,
    door: str,
    *,
    notes: str | None = None,
) -> tuple[str, HandResult]:
    """Work on one step with a mind's settings and roles; gives the run's id and the result.

    Args:
        data: name -> file.
        show: gets each event as it happens; it must not wait.
        door: written to the journal.
        notes: results of earlier steps, from another machine's mind. Its steps are worked on
            here, and not passed on to a hands server of these settings.

    Raises:
        InputError: the data cannot be used.
        ManyhandsError: the models, the sandbox or the journal cannot be used.
    """
    files = await open_given(data, mind.settings.sandbox.policy())
    await mind.look()
    started = RunStarted(
        question=redact(f"{step.hand}: {step.task}"),
        conversation_id=new_id("conv"),
        door=door,
        data={name: file.origin for name, file in files.items()},
        sha256={name: file.sha256 for name, file in files.items()},
        version=__version__,
        simulated=mind.simulated,
    )
    with in_use(files):
        async with run_of_one_step(mind.settings, started, show, files) as (recorder, ending):
            async with _toolbox(mind, recorder, ending.purse, files, door) as toolbox:
                if notes is not None:
                    toolbox = replace(toolbox, remote=None)
                controller = Controller(toolbox, given=notes or "", answers=False)
                (report,) = await controller.run([step], [step.id])
            result = report.result
            await recorder.emit(
                Answered(text=result.summary, status=result.status, open_points=result.open_points)
            )
            await recorder.let_go(large_tables(files))
            ending.outcome = RunOutcome.ANSWERED
    return recorder.run_id, result


@asynccontextmanager
async def _toolbox(
    mind: Mind, recorder: Recorder, purse: Purse, files: Mapping[str, DataFile], door: str
) -> AsyncIterator[Toolbox]:
    async with (
        AsyncExitStack() as stack,
        TierModels(mind.settings, door=door, background=mind.background) as models,
        Bench(mind.settings.sandbox.policy()) as bench,
    ):
        meter = stack.enter_context(kept_meter(mind.settings, learns=not mind.simulated))
        voice = Voice(models, mind.roles, recorder.emit, purse.charge, meter)
        yield Toolbox(
            voice=voice,
            bench=bench,
            emit=recorder.emit,
            keep=recorder.keep,
            open=recorder.open,
            broker=Broker(recorder.emit),  # a single hand has no effects, so none is approved
            sources=sources_of(files),
            note_tokens=mind.settings.budgets.note_tokens,
            # What scripted models do teaches nothing about real ones.
            routes=None if mind.simulated else Routes(mind.settings, recorder.run_id),
            escalate=mind.settings.routing.escalate,
            remote=remote_hands(mind.settings),
            reviewer=reviewer_of(mind.settings, mind.roles, voice, purse),
            charge=purse.charge,
            spare=lambda: mind.settings.hands.second_program and purse.left >= SPARE,
        )
