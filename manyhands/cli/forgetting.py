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
        conversation: is taken from the list of conversations.

    Raises:
        InputError: one of them is still going on.
    """
    import anyio

    from manyhands.journal.records import RunState
    from manyhands.memory.erase import erase_runs
    from manyhands.trace.lines import counted

    for run in runs:
        if run.state is RunState.RUNNING:
            raise InputError(f"The run {run.id!r} is still going on.", hint="Stop it first.")
    if not yes:
        for run in runs:
            click.echo(clean(f"{run.id}  {run.question[:80]}"))
        click.confirm(f"Forget {counted(len(runs), 'run')} for good?", abort=True)
    names = [run.id for run in runs]
    memories = anyio.run(_forget_what_they_left, settings, names)
    done = erase_runs(settings.journal.path, names, conversation=conversation)
    theirs = counted(memories.items, "memory")
    click.echo(f"{counted(len(names), 'run')} forgotten, and {theirs} of what they left.")
    for other in memories.runs:
        if other not in names:
            click.echo(f"  the run {other} had recalled one; its texts are erased")
    for left in dict.fromkeys(filter(None, (memories.left, done.left))):
        click.echo(left, err=True)


async def _forget_what_they_left(settings: Settings, runs: Sequence[str]) -> Forgotten:
    from manyhands.memory.erase import Forgotten
    from manyhands.memory.opening import open_memory
    from manyhands.mind.remembering import source_of

    if not settings.memory.begun():
        return Forgotten(0)
    async with open_memory(settings, words_only=True) as memory:
        ids = [name for run in runs for name in await memory.from_source(source_of(run))]
        if not ids:
            return Forgotten(0)
        return await memory.forget(ids, journal=settings.journal.path)
