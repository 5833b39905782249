"""`manyhands batch`: many tasks from a file, resumable, one result line for each."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["command"]


@click.command("batch")
@click.argument("tasks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="[default: TASKS.results.jsonl]"
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Tasks that are worked on at a time.",
)
def command(tasks: Path, out: Path | None, at_once: int) -> None:
    """Do every task of TASKS, a file with one JSON object a line (docs/batch.md).

    Run it again to go on after a stop or a crash, and to try failed tasks again. Exit code 0 when
    every task has a result, 1 when some failed or a line is bad, 130 when it was stopped, else that
    of the fault which ended it.
    """
    import anyio
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from manyhands.cli.asking import EXIT_STOPPED
    from manyhands.cli.batch.ledger import Ledger
    from manyhands.cli.batch.running import Outcome, run_batch
    from manyhands.cli.batch.tasks import Task, read_tasks
    from manyhands.mind.mind import Mind

    console = Console(stderr=True)
    listed, bad = read_tasks(tasks)
    for one in bad:
        console.print(f"{tasks}:{one.line}: {one.complaint}", markup=False, highlight=False)
    results = out or tasks.with_name(f"{tasks.stem}.results.jsonl")
    mind = Mind(door="batch", background=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Ledger(results) as ledger:
        for line in bad:
            ledger.refused(line)
        done = sum(ledger.is_done(task) for task in listed)
        if done:
            console.print(f"{done} of {len(listed)} tasks have their result already.")
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
            bar = progress.add_task("tasks", total=len(listed), completed=done)

            def tell(task: Task, status: str) -> None:
                progress.update(bar, description=f"{task.id}: {status}"[:40], advance=1)

            async def work() -> Outcome:
                return await run_batch(mind, listed, ledger, at_once=at_once, tell=tell)

            outcome = anyio.run(work)
    told = [f"{count} {status}" for status, count in sorted(outcome.statuses.items())]
    if outcome.failed:
        told.append(f"{outcome.failed} failed")
    if bad:
        told.append(f"{len(bad)} bad {'line' if len(bad) == 1 else 'lines'}")
    click.echo(f"{', '.join(told) or 'nothing was left to do'}. Results: {results}")
    if outcome.failed or bad:
        click.echo(f"What failed, and why: {ledger.failures}")
    if outcome.stopped:
        console.print("Stopped. Run it again to go on.")
        sys.exit(EXIT_STOPPED)
    if outcome.fault is not None:
        console.print(f"It ended early: {outcome.fault} Run it again to go on.", markup=False)
        sys.exit(outcome.fault.exit_code)
    sys.exit(1 if outcome.failed or bad else 0)
