"""`manyhands learning`: what the checks taught about the tiers, and the choice that follows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.learning.outcomes import Outcomes
    from manyhands.settings import Settings

__all__ = ["command"]


@click.group("learning")
def command() -> None:
    """Show, explain and reset what was learned from checked outcomes."""


def _open() -> tuple[Outcomes, Settings]:
    from manyhands.learning.outcomes import Outcomes
    from manyhands.settings import load_settings

    settings = load_settings()
    return Outcomes.open(settings.routing.path), settings


@command.command("show")
@click.option("--json", "as_json", is_flag=True)
def show(as_json: bool) -> None:
    """How often each tier passed its checks, by kind of task."""
    from rich.console import Console
    from rich.table import Table

    outcomes, _ = _open()
    with outcomes:
        rows = outcomes.table()
    if as_json:
        listed = [
            {"task": task, "tier": tier, "model": model, "tried": record.tried,
             "succeeded": record.succeeded, "seconds": record.seconds, "tokens": record.tokens}
            for task, tier, model, record in rows
        ]  # fmt: skip
        click.echo(json.dumps(listed, indent=2))
        return
    if not rows:
        click.echo("Nothing yet: outcomes come from steps that a check decided.")
        return
    table = Table("task", "tier", "model", "passed", "seconds each")
    for task, tier, model, record in rows:
        passed = f"{record.succeeded} of {record.tried}"
        table.add_row(task, tier, model, passed, f"{record.seconds / record.tried:.1f}")
    Console().print(table)


@command.command("explain")
@click.argument("task")
def explain(task: str) -> None:
    """Which tier would begin a TASK (such as `code` or `math:derivative`), and why."""
    from manyhands.learning.routing import choose
    from manyhands.mind.routes import ladder_of

    outcomes, settings = _open()
    with outcomes:
        models = ladder_of(settings)
        choice = choose(list(models), outcomes.records(task, models))
    for tier, cost in choice.costs.items():
        mark = "→" if tier == choice.tier else " "
        click.echo(f"{mark} {tier} ({models[tier]}): {cost:.0f} s expected")
    click.echo(f"{choice.tier}: {choice.why}.")
    if settings.routing.mode == "roles":
        click.echo('Not used now: routing.mode is "roles", so each role\'s own tier begins.')


@command.command("reset")
@click.argument("task", default="")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(task: str, yes: bool) -> None:
    """Forget the outcomes of a TASK, or all of them."""
    if not yes:
        click.confirm(f"Forget the outcomes of {task or 'all tasks'}?", abort=True)
    outcomes, _ = _open()
    with outcomes:
        count = outcomes.forget(task)
    click.echo(f"{count} outcomes forgotten.")
