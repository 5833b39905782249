"""What is written into a run after its end: a person's rating, a proposed cell that was run."""

from __future__ import annotations

from pathlib import Path

from manyhands.journal.events import Body, Rated
from manyhands.journal.store import Journal
from manyhands.mind.recorder import Recorder

__all__ = ["note", "rate"]


async def note(journal_path: Path, run_id: str, body: Body) -> None:
    """Add to a run, once the journal is free; raises `InputError` when there is no such run."""
    with Journal.open(journal_path) as journal:
        events = journal.events(journal.run(run_id).id)
        await Recorder(journal, run_id, events[-1].seq, lambda _: None).emit(body)


async def rate(journal_path: Path, run_id: str, good: bool, reason: str, door: str) -> None:
    """Write a rating; raises `InputError` when there is no such run."""
    await note(journal_path, run_id, Rated(good=good, reason=reason, door=door))
