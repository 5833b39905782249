"""`manyhands eval`: measure your own models on tasks that a machine can grade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.cli.evaluation.report import Report

__all__ = ["command"]


@click.command("eval")
@click.option("--tasks", type=click.Path(exists=True, dir_okay=False), help="Another task set.")
@click.option("--only", multiple=True, help="Only tasks whose id or kind is this; repeatable.")
@click.option("--out", type=click.Path(dir_okay=False), default="manyhands-eval.json")
@click.option(
    "--compare",
    "compare_with",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False),
    help="Show two saved reports side by side and run nothing.",
)
def command(
    tasks: str | None, only: tuple[str, ...], out: str, compare_with: tuple[str, str] | None
) -> None:
    """Run the task set on the configured models and save a report.

    Each task is graded by a machine check of its own, so that a wrong answer that was sold as
    verified shows.
    """
    from rich.console import Console

    from manyhands.cli.evaluation.report import compare, table_of

    console = Console()
    if compare_with:
        before, after = (_read(path) for path in compare_with)
        console.print(compare(before, after))
        return
    from manyhands.cli.evaluation.running import run_tasks
    from manyhands.mind.mind import Mind
    from manyhands.settings import load_settings

    settings = load_settings()
    # Answers of earlier runs would be measured too, and those of these tasks remembered.
    memory = settings.memory.model_copy(update={"enabled": False})
    settings = settings.model_copy(update={"memory": memory})
    path = Path(out)
    mind = Mind(settings, door="eval")
    temporary = _begun(path)
    kept = 0

    def keep(report: Report) -> None:
        nonlocal kept
        whole = temporary.with_name(f"{temporary.name}.new")
        whole.write_text(report.model_dump_json(indent=2), encoding="utf-8")
        whole.replace(temporary)
        kept = len(report.rows)

    try:
        report = run_tasks(mind, Path(tasks) if tasks else None, only, console, keep)
    except BaseException:
        if kept:
            console.print(f"Stopped. What was graded, {kept} of the tasks: {temporary.resolve()}")
        else:
            temporary.unlink()
        raise
    temporary.replace(path)
    console.print(table_of(report))
    console.print(f"Saved to {path.resolve()}")


def _begun(path: Path) -> Path:
    """The file in which this evaluation's report grows; one that is there belongs to another.

    Raises:
        InputError: there is one; what it holds is neither lost nor mixed with this one's.
    """
    from manyhands.errors import InputError

    part = path.with_name(f"{path.name}.part")
    try:
        # Made now: a report that cannot be written is told before hours of work.
        part.open("x").close()
    except FileExistsError:
        raise InputError(
            f"{str(part)!r} is there: an evaluation that was stopped, or one that still runs.",
            hint="Move it away when it has ended, or give another --out.",
        ) from None
    return part


def _read(path: str) -> Report:
    from pydantic import ValidationError

    from manyhands.cli.evaluation.report import Report
    from manyhands.errors import InputError

    try:
        return Report.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path!r} is no report: {str(error).splitlines()[0]}",
            hint="`manyhands eval` writes one.",
        ) from error
