"""The beginning of a run in the journal, with the tables that lie in no file, and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from manyhands.checks.tables import KEPT_BYTES
from manyhands.errors import InputError
from manyhands.journal.events import Event, RunStarted
from manyhands.journal.store import Journal, new_id
from manyhands.mind.data import DataFile, TableText
from manyhands.mind.recorder import Ending, Recorder, accounted

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["begin", "data_of", "large_tables", "run_of_one_step"]

_KEPT = "sha256:"


async def begin(
    journal: Journal, run_id: str, started: RunStarted, files: Mapping[str, DataFile]
) -> Event:
    """Write a run's first event, and with it the tables that were handed over in memory."""
    handed = {file.file_name: file.path for file in files.values() if file.given is None}

    def write() -> Event:
        tables = {name: path.read_bytes() for name, path in handed.items()}
        return journal.begin_run(run_id, started.conversation_id, started, tables)

    return await journal.when_free(write, threaded=bool(handed))


@asynccontextmanager
async def run_of_one_step(
    settings: Settings,
    started: RunStarted,
    show: Callable[[Event], None],
    files: Mapping[str, DataFile] | None = None,
) -> AsyncIterator[tuple[Recorder, Ending]]:
    """A new run in the journal, and what it may spend; its end is written whatever happens."""
    run_id = new_id("run")
    with Journal.open(settings.journal.path) as journal:
        first = await begin(journal, run_id, started, files or {})
        show(first)
        recorder = Recorder(journal, run_id, first.seq, show)
        async with accounted(recorder, settings, steps=1) as ending:
            yield recorder, ending


def data_of(journal: Journal, started: RunStarted) -> dict[str, str | TableText]:
    """What a run was given, to be opened once more.

    Raises:
        InputError: a table that was handed over in memory is kept no more.
    """
    found: dict[str, str | TableText] = {}
    for name, origin in started.data.items():
        try:
            kept = origin.startswith(_KEPT)
            found[name] = TableText(journal.artifact(origin)[2]) if kept else origin
        except InputError as error:
            raise InputError(
                f"The table {name!r} that the run was given is kept no more.",
                hint=f"Ask anew, with the table. One over {KEPT_BYTES // 2**20} MiB that lies in "
                "no file is kept until its run is answered.",
            ) from error
    return found


def large_tables(files: Mapping[str, DataFile]) -> list[str]:
    """Artifacts that an answered run need not keep: going on with it is over."""
    return [
        file.origin
        for file in files.values()
        if file.given is None and file.path.stat().st_size > KEPT_BYTES
    ]
