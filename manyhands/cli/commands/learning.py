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
    from manyhands.clean import clean
    from manyhands.cli.columns import aligned

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
    told = [("task", "tier", "model", "passed", "seconds each")]
    for task, tier, model, record in rows:
        passed = f"{record.succeeded} of {record.tried}"
        told.append((task, tier, clean(model), passed, f"{record.seconds / record.tried:.1f}"))
    for line in aligned(told, right=(4,)):
        click.echo(line)


@command.command("explain")
@click.argument("task")
def explain(task: str) -> None:
    """Which tier would begin a TASK (such as `code` or `math:derivative`), and why.

    `math` stands for all kinds of it: those with outcomes one by one, the others together.
    """
    from manyhands.errors import InputError
    from manyhands.mind.routes import tasks

    known = tasks()
    meant = [one for one in known if one == task or one.startswith(f"{task}:")]
    if not meant:
        raise InputError(f"There is no task {task!r}.", hint=f"Tasks: math, {', '.join(known)}.")
    outcomes, settings = _open()
    with outcomes:
        learned = {name for name, *_ in outcomes.table()}
        for one in (name for name in meant if name in learned or name == task):
            _explain(one, one, outcomes, settings)
        untried = [name for name in meant if name not in learned and name != task]
        if untried:
            _explain(untried[0], ", ".join(untried), outcomes, settings)
    if settings.routing.mode == "roles":
        click.echo('Not used now: routing.mode is "roles", so each role\'s own tier begins.')


def _explain(task: str, title: str, outcomes: Outcomes, settings: Settings) -> None:
    from manyhands.learning.routing import choose
    from manyhands.mind.routes import ladder_of

    models = ladder_of(settings)
    records = outcomes.records(task, models)
    choice = choose(list(models), records)
    click.echo(f"{title}:")
    for tier, cost in choice.costs.items():
        mark = "→" if tier == choice.tier else " "
        record = records[tier]
        seen = f"{record.succeeded} of {record.tried} passed" if record.tried else "no outcomes"
        click.echo(f"{mark} {tier} ({models[tier]}): {cost:.0f} s expected, {seen}")
    click.echo(f"  {choice.tier}: {choice.why}.")


@command.command("reset")
@click.argument("task", default="")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(task: str, yes: bool) -> None:
    """Forget the outcomes of a TASK (`math` is all kinds of it), or all of them."""
    from manyhands.errors import InputError

    outcomes, _ = _open()
    with outcomes:
        learned = dict.fromkeys(name for name, *_ in outcomes.table())
        meant = [one for one in learned if one == task or one.startswith(f"{task}:")]
        if task and not meant:
            there = f"There are some of: {', '.join(learned)}." if learned else "There are none."
            raise InputError(f"There are no outcomes of {task!r}.", hint=there)
        if not learned:
            click.echo("Nothing has been learned yet.")
            return
        if not yes:
            click.confirm(f"Forget the outcomes of {task or 'all tasks'}?", abort=True)
        count = sum(map(outcomes.forget, meant)) if task else outcomes.forget()
    click.echo(f"{count} outcomes forgotten.")
