"""Making runs forgotten: in the journal, in the jobs, and what they left in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from manyhands.clean import clean
from manyhands.errors import InputError

if TYPE_CHECKING:
    from manyhands.journal.records import RunRecord
    from manyhands.memory.erase import Forgotten
    from manyhands.settings import Settings

__all__ = ["forget_runs"]


def forget_runs(
    settings: Settings, runs: Sequence[RunRecord], *, yes: bool, conversation: str = ""
) -> None:
    """Erase runs down to the bytes of the files; they keep their place in the list of runs.

    Args:
        yes: do not ask.
        conversation: is taken from the list of conversations; its runs that another one shows too
            stay.

    Raises:
        InputError: one of them, or one that recalled what they left, is still going on.
    """
    import anyio

    from manyhands.journal.records import RunState
    from manyhands.journal.store import Journal
    from manyhands.memory.erase import erase_runs, refuse_while_going_on, runs_that_saw
    from manyhands.trace.lines import counted

    with Journal.open(settings.journal.path) as journal:
        shared = journal.shown_elsewhere(conversation)
    going = [run for run in runs if run.id not in shared]
    for run in going:
        if run.state is RunState.RUNNING:
            raise InputError(f"The run {run.id!r} is still going on.", hint="Stop it first.")
    names = [run.id for run in going]
    theirs = anyio.run(_what_they_left, settings, names)
    saw = runs_that_saw(settings.journal.path, theirs)
    others = [run for run in saw if run.id not in names]
    refuse_while_going_on(others)
    told = [
        *(f"  the run {run.id} had recalled what they left; its texts go too" for run in others),
        *(f"  the run {run} stays: {', '.join(ids)} shows it too" for run, ids in shared.items()),
    ]
    what = f"{counted(len(names), 'run')}, and {counted(len(theirs), 'memory')} of what they left"
    if not yes:
        for run in going:
            click.echo(clean(f"{run.id}  {run.question[:80]}"))
        for line in told:
            click.echo(line)
        click.confirm(f"Forget {what}, for good?", abort=True)
    memories = anyio.run(_forget_memories, settings, theirs)
    done = erase_runs(settings.journal.path, names, conversation=conversation)
    click.echo(f"Forgotten: {what}.")
    for line in told if yes else ():
        click.echo(line)
    for left in dict.fromkeys(filter(None, (memories.left, done.left))):
        click.echo(left, err=True)


async def _what_they_left(settings: Settings, runs: Sequence[str]) -> list[str]:
    """Ids of memories."""
    from manyhands.memory.opening import open_memory
    from manyhands.mind.remembering import source_of

    if not settings.memory.begun():
        return []
    async with open_memory(settings, words_only=True) as memory:
        return [name for run in runs for name in await memory.from_source(source_of(run))]


async def _forget_memories(settings: Settings, ids: Sequence[str]) -> Forgotten:
    from manyhands.memory.erase import Forgotten
    from manyhands.memory.opening import open_memory

    if not ids:
        return Forgotten()
    async with open_memory(settings, words_only=True) as memory:
        return await memory.forget(ids, journal=settings.journal.path)
