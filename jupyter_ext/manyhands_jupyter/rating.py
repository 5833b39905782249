"""A person's rating of an answer, written into the run that it is about."""

from __future__ import annotations

from pathlib import Path

from manyhands.journal.events import Rated
from manyhands.journal.store import Journal
from manyhands.mind.recorder import Recorder

__all__ = ["rate"]


def rate(journal_path: Path, run_id: str, good: bool, reason: str, door: str) -> None:
    """Write it; raises `InputError` when there is no such run."""
    with Journal.open(journal_path) as journal:
        events = journal.events(journal.run(run_id).id)
        writer = Recorder(journal, run_id, events[-1].seq, lambda _: None)
        writer.record(Rated(good=good, reason=reason, door=door))
