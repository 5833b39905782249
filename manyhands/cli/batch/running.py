"""Working through tasks: those of one model together, several at once, each result kept at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio

from manyhands.cli.asking import answer_json
from manyhands.cli.batch.ledger import Ledger
from manyhands.cli.batch.tasks import Task
from manyhands.errors import (
    HandsEnvironmentError,
    InputError,
    ManyhandsError,
    NoIsolation,
    StorageError,
    Unreachable,
    fault_in,
)
from manyhands.hands.contracts import Status
from manyhands.hands.registry import HANDS
from manyhands.journal.events import Event
from manyhands.journal.records import RunState
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.mind.single import work_one

__all__ = ["Outcome", "grouped", "run_batch"]

#: After one of these every other task would fail too: the batch ends and can be gone on with.
_ENDS_ALL = (Unreachable, NoIsolation, HandsEnvironmentError, StorageError)

Tell = Callable[[Task, str], None]


@dataclass(slots=True)
class Outcome:
    """How a batch went.

    Attributes:
        statuses: status -> number of tasks with that result.
        fault: what ended the batch before its time.
        stopped: a person stopped it.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    fault: ManyhandsError | None = None
    stopped: bool = False


def grouped(tasks: Sequence[Task], mind: Mind) -> list[Task]:
    """Questions first, then hands by the model of their tier; else as in the file.

    Questions begin at the mind, so they come together; their later steps are grouped by the
    scheduler that owns the models.
    """

    def model(task: Task) -> str:
        if task.step is None:
            return ""
        hand = HANDS.get(task.step.hand)
        role = mind.roles.get(hand().role) if hand is not None else None
        tier = mind.settings.tiers.get(role.tier) if role is not None else None
        return tier.model if tier is not None else ""

    order = {name: at for at, name in enumerate(dict.fromkeys(map(model, tasks)))}
    return sorted(tasks, key=lambda task: (task.step is not None, order[model(task)], task.line))


async def run_batch(
    mind: Mind, tasks: Sequence[Task], ledger: Ledger, *, at_once: int, tell: Tell
) -> Outcome:
    """Do every task that is not done yet.

    Args:
        at_once: tasks that are worked on at a time.
        tell: called when a task ends, with its status or `error`.
    """
    outcome = Outcome()
    waiting = iter(grouped([task for task in tasks if not ledger.is_done(task)], mind))
    async with anyio.create_task_group() as group:

        async def stop_on_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    outcome.stopped = True
                    group.cancel_scope.cancel()
                    return

        async def work() -> None:
            for task in waiting:
                await _one(mind, task, ledger, outcome, tell)
                if outcome.fault is not None:
                    group.cancel_scope.cancel()
                    return

        group.start_soon(stop_on_signal)
        async with anyio.create_task_group() as workers:
            for _ in range(at_once):
                workers.start_soon(work)
        group.cancel_scope.cancel()
    return outcome


async def _one(mind: Mind, task: Task, ledger: Ledger, outcome: Outcome, tell: Tell) -> None:
    try:
        result = await (_asked(mind, task, ledger) if task.step is None else _worked(mind, task))
        ledger.finished(task, result)
    except Exception as error:
        fault = fault_in(error)
        if fault is None:
            raise
        outcome.failed += 1
        if isinstance(fault, _ENDS_ALL):
            outcome.fault = fault
        if not isinstance(fault, StorageError):
            plain = type(fault) is ManyhandsError  # the hand's own result said so
            kind = "failed" if plain else type(fault).__name__
            ledger.failed(task, kind, fault.message, fault.hint)
        tell(task, "error")
        return
    status = str(result["status"])
    outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    tell(task, status)


async def _asked(mind: Mind, task: Task, ledger: Ledger) -> dict[str, Any]:
    """Answer a question; a run that a crash cut is gone on with."""
    answer: Answer | None = None
    run_id = _cut_run(mind, ledger.run_of(task))
    if run_id:
        stream = mind.resume(run_id)
    else:
        stream = mind.stream(
            task.question,
            data=task.data,
            role=task.role,
            hands=task.hands,
            council=task.council,
        )
    async with aclosing(stream) as items:
        async for item in items:
            if isinstance(item, Answer):
                answer = item
            elif isinstance(item, Event):
                ledger.started(task, item.run_id)
    assert answer is not None
    whole = answer_json(answer)
    return {
        "status": "asked" if answer.question_back else str(answer.status),
        "text": answer.question_back or answer.text,
        "run_id": answer.run_id,
        "seconds": round(answer.seconds, 3),
        "detail": whole,
    }


def _cut_run(mind: Mind, run_id: str) -> str:
    """The run, if the journal has it and it can be gone on with."""
    if not run_id:
        return ""
    with mind.journal() as journal:
        try:
            state = journal.run(run_id).state
        except InputError:
            return ""
    return run_id if state in (RunState.CUT, RunState.STOPPED, RunState.FAILED) else ""


async def _worked(mind: Mind, task: Task) -> dict[str, Any]:
    assert task.step is not None
    run_id, result = await work_one(mind, task.step, task.data, _ignore, "batch")
    if result.status is Status.FAILED:
        raise ManyhandsError(result.summary, hint=f"manyhands runs show {run_id}")
    return {
        "status": str(result.status),
        "text": result.value or result.summary,
        "run_id": run_id,
        "seconds": round(sum(one.seconds for one in result.attempts), 3),
        "detail": result.model_dump(mode="json"),
    }


def _ignore(_: Event) -> None:
    """The journal has every event; a batch shows only its bar."""
