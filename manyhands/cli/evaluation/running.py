"""Running a task set, one task after the other, each graded as soon as it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import Progress

from manyhands import __version__
from manyhands.cli.evaluation.grading import Task, grade, load_tasks
from manyhands.cli.evaluation.report import Report, Row
from manyhands.data_files import data_path
from manyhands.errors import InputError, ManyhandsError
from manyhands.hands.bench import Bench
from manyhands.mind.mind import Mind

__all__ = ["run_tasks"]


def run_tasks(
    mind: Mind,
    path: Path | None,
    only: tuple[str, ...],
    console: Console,
    keep: Callable[[Report], None],
) -> Report:
    """Ask every task of the set; a task that fails is a row, not the end.

    Args:
        keep: given the report so far after each task.

    Raises:
        InputError: no task is left after `only`.
    """
    tasks = [task for task in load_tasks(path) if not only or {task.id, task.kind} & set(only)]
    if not tasks:
        raise InputError("No task has that id or kind.", hint="Leave --only away to run them all.")

    made = datetime.now(UTC).isoformat(timespec="seconds")

    def report(rows: Sequence[Row]) -> Report:
        return Report(
            made=made,
            version=__version__,
            models={str(name): tier.model for name, tier in mind.settings.tiers.items()},
            simulated=mind.simulated,
            rows=tuple(rows),
        )

    async def work() -> Report:
        rows: list[Row] = []
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("evaluating", total=len(tasks))
            async with Bench(mind.settings.sandbox.policy()) as bench:
                for task in tasks:
                    progress.update(bar, description=task.id)
                    rows.append(await _one(mind, task, bench))
                    keep(report(rows))
                    progress.advance(bar)
        return report(rows)

    return anyio.run(work)


async def _one(mind: Mind, task: Task, bench: Bench) -> Row:
    data = [data_path("examples") / task.data] if task.data else []
    try:
        answer = await mind.ask(task.question, data=data)
    except ManyhandsError as error:
        return Row(
            id=task.id,
            kind=task.kind,
            right=None,
            sold=False,
            status="failed",
            why=str(error),
            seconds=0.0,
            tokens=0,
            loads=0,
        )
    with mind.journal() as journal:
        graded = await grade(task, answer, bench, journal.artifact)
    return Row(
        id=task.id,
        kind=task.kind,
        right=graded.right,
        sold=graded.sold,
        status=answer.status,
        why=graded.why,
        seconds=answer.seconds,
        tokens=answer.usage.prompt_tokens + answer.usage.completion_tokens,
        loads=answer.usage.loads,
    )
