"""Forgetting: a memory is gone from every table, index and log, and from the bytes of the files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyhands.errors import InputError
from manyhands.jobs.store import JOBS_FILE, JobStore
from manyhands.journal.events import EffectFinished, Event, Recalled
from manyhands.journal.records import RunRecord, RunState
from manyhands.journal.store import Journal
from manyhands.memory.store import Store

__all__ = [
    "Forgotten",
    "erase",
    "erase_in_journal",
    "erase_runs",
    "is_forgotten",
    "refuse_while_going_on",
    "runs_that_saw",
    "traces_of",
    "whole_id",
]


_ALL_RUNS = 2**31


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did.

    Attributes:
        ids: memories that were removed.
        unknown: ids that were neither there nor forgotten before.
        left: what may still hold bytes of them, and what to do; "" when nothing does.
        runs: runs of the journal that had recalled them and whose payloads were erased.
    """

    ids: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    left: str = ""
    runs: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        return len(self.ids)

    @property
    def clean(self) -> bool:
        """Whether no byte of them is left in the file and its log."""
        return not self.left


def erase(store: Store, ids: Sequence[str]) -> Forgotten:
    """Remove memories, write tombstones, and overwrite what the files still held of them."""
    before = {item_id for item_id in ids if is_forgotten(store, item_id)}
    removed = tuple(store.delete(ids))
    known = before.union(removed)
    unknown = tuple(one for one in dict.fromkeys(ids) if one not in known)
    db = store.writer
    with db.transaction():
        for item_id in known:
            db.execute(
                "INSERT INTO tombstone VALUES (?, ?) "
                "ON CONFLICT (hash) DO UPDATE SET at = excluded.at",
                (_hash(store, item_id), time.time()),
            )
    return Forgotten(removed, unknown, left=store.lookup.scrub(db))


def erase_in_journal(journal_file: Path, ids: Sequence[str]) -> Forgotten:
    """Replace the payloads of the runs that recalled or wrote these memories by tombstones.

    Returns:
        The runs, and what may still hold bytes of them.
    """
    if not journal_file.exists():
        return Forgotten()
    runs = [run.id for run in runs_that_saw(journal_file, ids)]
    return erase_runs(journal_file, runs, told=[f"memory:{item_id}" for item_id in ids])


def runs_that_saw(journal_file: Path, ids: Sequence[str]) -> list[RunRecord]:
    """The runs that recalled or wrote one of these memories."""
    wanted = set(ids)
    if not wanted or not journal_file.exists():
        return []
    with Journal.open(journal_file) as journal:
        return [
            run
            for run in journal.runs(limit=_ALL_RUNS)
            if any(_tells(event, wanted) for event in journal.events(run.id))
        ]


def refuse_while_going_on(runs: Sequence[RunRecord]) -> None:
    """Raises InputError for a run that is still going on: it could write again what is erased."""
    for run in runs:
        if run.state is RunState.RUNNING:
            raise InputError(
                f"The run {run.id!r} has recalled what shall be forgotten, and is still going on.",
                hint="Stop it first.",
            )


def erase_runs(
    journal_file: Path, runs: Sequence[str], *, conversation: str = "", told: Sequence[str] = ()
) -> Forgotten:
    """Replace the payloads of runs by tombstones, in the journal and in the jobs beside it.

    The texts that a run saw lie in its events and artifacts, and in the job that the MCP door
    kept of it; both files are then written anew, so that freed pages hold none of them either.

    Args:
        conversation: is taken from the list.
        told: jobs in whose result one of these texts stands go as well.
    """
    with Journal.open(journal_file) as journal:
        for run_id in runs:
            journal.erase_run(run_id)
        if conversation:
            journal.drop_conversation(conversation)
        left = journal.scrub(whole=bool(runs or conversation))
    jobs_file = journal_file.with_name(JOBS_FILE)
    if jobs_file.exists():
        jobs = JobStore.open(jobs_file)
        try:
            jobs.erase(runs, told)
        finally:
            jobs.close()
    return Forgotten(left=left, runs=tuple(runs))


def _tells(event: Event, wanted: set[str]) -> bool:
    """Whether an event's run has seen one of the memories, or made it."""
    body = event.body
    if isinstance(body, Recalled):
        return bool(wanted.intersection(body.sources))
    return isinstance(body, EffectFinished) and body.tool == "remember" and body.result in wanted


def is_forgotten(store: Store, item_id: str) -> bool:
    """Whether a memory of that id was forgotten; indexing a file then leaves it out."""
    return bool(
        store.reader.execute("SELECT 1 FROM tombstone WHERE hash = ?", (_hash(store, item_id),))
    )


def whole_id(store: Store, beginning: str) -> str:
    """The id with this unique beginning, or what was given where none begins so.

    An id that was forgotten stands for itself: forgetting it once more must not take another.

    Raises:
        InputError: several do.
    """
    found = store.beginning_with(beginning, most=2)
    if not found or beginning in found or is_forgotten(store, beginning):
        return beginning
    if len(found) > 1:
        raise InputError(
            f"Several memories have ids that begin with {beginning!r}.", hint="Give more of it."
        )
    return found[0]


def _hash(store: Store, item_id: str) -> bytes:
    # Salted, so that the tombstone does not tell what was forgotten.
    salt = store.setting("salt").encode()
    return hashlib.blake2b(item_id.encode(), key=salt, digest_size=16).digest()


def traces_of(path: Path, needles: Sequence[str]) -> list[tuple[str, str]]:
    """Where texts still lie in the bytes of a memory file and the files beside it.

    Returns:
        Pairs of file name and text; empty when nothing is left.
    """
    found = []
    for file in sorted(path.parent.glob(path.name + "*")):
        content = file.read_bytes()
        found += [(file.name, needle) for needle in needles if needle.encode() in content]
    return found
