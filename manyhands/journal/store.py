"""The journal: runs, their events, conversations and artifacts, in one SQLite file."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from manyhands.errors import InputError
from manyhands.journal.database import Database, open_database
from manyhands.journal.events import BODY, Answered, Event, RunFinished, RunStarted
from manyhands.journal.owner import alive, this_process
from manyhands.journal.records import Conversation, RunRecord, RunState
from manyhands.journal.tables import MIGRATIONS

__all__ = ["Journal", "new_id", "no_conversation"]

T = TypeVar("T")

_TOMBSTONE = '{"kind":"note","reason":"context","text":"erased at the user\'s wish"}'


def new_id(prefix: str) -> str:
    """A fresh id that sorts by time: seconds in base 36, then 40 random bits."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    number, stamp = int(time.time()), ""
    while number:
        number, rest = divmod(number, 36)
        stamp = digits[rest] + stamp
    return f"{prefix}_{stamp}{secrets.token_hex(5)}"


class Journal:
    """Reads and writes the journal. Calls are short and synchronous; several processes may write.

    A run belongs to the process that began it (`owner`: process id and its start time), so that a
    run whose process died reads as cut without anybody having to say so.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Journal:
        """Open or create the journal; raises `StorageError` and its kinds."""
        return cls(open_database(path, MIGRATIONS, read_only=read_only))

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- writing -----------------------------------------------------------------------------

    async def when_free(self, work: Callable[[], T], *, threaded: bool = False) -> T:
        """Do some of what follows on an event loop; see `Database.when_free`."""
        return await self._db.when_free(work, threaded=threaded)

    def begin_run(
        self,
        run_id: str,
        conversation_id: str,
        started: RunStarted,
        tables: Mapping[str, bytes] | None = None,
    ) -> Event:
        """Write a run's first event; the conversation is made if it is new.

        Args:
            tables: name -> CSV, of what the run was given that lies in no file; see `artifact`.
        """
        now = time.time()
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO conversations (id, title, created) VALUES (?, ?, ?)",
                (conversation_id, started.question[:120], now),
            )
            self._db.execute(
                "INSERT INTO runs (id, question, state, started, door, owner) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, started.question, RunState.RUNNING, now, started.door, this_process()),
            )
            self._db.execute(
                "INSERT INTO conversation_runs SELECT ?1, COALESCE(MAX(position), 0) + 1, ?2 "
                "FROM conversation_runs WHERE conversation_id = ?1",
                (conversation_id, run_id),
            )
            for name, content in (tables or {}).items():
                self.keep(run_id, name, "text/csv", content)
            return self._add(Event(run_id=run_id, seq=1, at=now, body=started))

    def append(self, event: Event) -> Event:
        """Write one event behind the run's last; an answer or an end also shows in the run's row.

        Returns:
            The event with its number. The journal gives it: beside a run that goes on, a person may
            rate it, or have a cell of it run.
        """
        if not isinstance(event.body, Answered | RunFinished):
            return self._add(event)  # one statement is a transaction of its own
        with self._db.transaction():
            event = self._add(event)
            if isinstance(event.body, Answered):
                self._db.execute(
                    "UPDATE runs SET answer = ?, status = ? WHERE id = ?",
                    (event.body.text, event.body.status, event.run_id),
                )
            elif isinstance(event.body, RunFinished):
                self._db.execute(
                    "UPDATE runs SET state = ?, finished = ? WHERE id = ?",
                    (event.body.outcome, event.at, event.run_id),
                )
        return event

    def _add(self, event: Event) -> Event:
        ((seq,),) = self._db.execute(
            "INSERT INTO events SELECT ?1, COALESCE(MAX(seq), 0) + 1, ?2, ?3, ?4 "
            "FROM events WHERE run_id = ?1 RETURNING seq",
            (event.run_id, event.at, event.body.kind, event.body.model_dump_json()),
        )
        return event.model_copy(update={"seq": seq})

    def take_over(self, run_id: str) -> None:
        """Make a cut or stopped run this process's own again, to go on with it."""
        self._db.execute(
            "UPDATE runs SET state = ?, finished = NULL, owner = ? WHERE id = ?",
            (RunState.RUNNING, this_process(), run_id),
        )

    def keep(self, run_id: str, name: str, media_type: str, content: bytes) -> str:
        """Store an artifact once, by content; returns its id."""
        artifact_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO artifacts VALUES (?, ?, ?, ?)",
                (artifact_id, media_type, name, content),
            )
            self._db.execute(
                "INSERT OR IGNORE INTO run_artifacts VALUES (?, ?)", (run_id, artifact_id)
            )
        return artifact_id

    def let_go(self, run_id: str, artifact_ids: Sequence[str]) -> None:
        """Take artifacts from a run; one that no other run has is gone."""
        with self._db.transaction():
            for artifact_id in artifact_ids:
                self._db.execute(
                    "DELETE FROM run_artifacts WHERE run_id = ? AND artifact_id = ?",
                    (run_id, artifact_id),
                )
            self._drop_unowned()

    def _drop_unowned(self) -> None:
        self._db.execute(
            "DELETE FROM artifacts WHERE id NOT IN (SELECT artifact_id FROM run_artifacts)"
        )

    def fork(self, conversation_id: str, upto: int | None = None) -> str:
        """A new conversation with the same runs, or only the first `upto` of them."""
        source = self.conversation(conversation_id)
        forked = new_id("conv")
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?)",
                (forked, source.title, time.time(), source.id),
            )
            for position, run in enumerate(source.runs[:upto], start=1):
                self._db.execute(
                    "INSERT INTO conversation_runs VALUES (?, ?, ?)", (forked, position, run.id)
                )
        return forked

    def erase_run(self, run_id: str) -> None:
        """Replace a run's texts, events and artifacts by tombstones; the row itself stays.

        So does a conversation that begins with it and is titled by its question.
        """
        record = self.run(run_id)
        with self._db.transaction():
            self._db.execute(
                "UPDATE runs SET question = '(erased)', answer = '' WHERE id = ?", (record.id,)
            )
            self._db.execute("UPDATE events SET body = ? WHERE run_id = ?", (_TOMBSTONE, record.id))
            self._db.execute("UPDATE events SET kind = 'note' WHERE run_id = ?", (record.id,))
            self._db.execute(
                "UPDATE conversations SET title = '(erased)' WHERE id IN (SELECT conversation_id "
                "FROM conversation_runs WHERE run_id = ? AND position = 1)",
                (record.id,),
            )
            self._db.execute("DELETE FROM run_artifacts WHERE run_id = ?", (record.id,))
            self._drop_unowned()

    def shown_elsewhere(self, conversation_id: str) -> dict[str, list[str]]:
        """The runs of a conversation that others show too, with the ids of those."""
        found: dict[str, list[str]] = {}
        for run_id, other in self._db.execute(
            "SELECT run_id, other.conversation_id FROM conversation_runs AS mine "
            "JOIN conversation_runs AS other USING (run_id) WHERE mine.conversation_id = ?1 "
            "AND other.conversation_id != ?1 ORDER BY mine.position, other.conversation_id",
            (conversation_id,),
        ):
            found.setdefault(run_id, []).append(other)
        return found

    def drop_conversation(self, conversation_id: str) -> None:
        """Take a conversation from the list; its runs stay, and forks of it keep theirs."""
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM conversation_runs WHERE conversation_id = ?", (conversation_id,)
            )
            self._db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

    def scrub(self, *, whole: bool) -> str:
        """Leave no byte of what was erased in the log, nor, of the `whole`, in the file.

        Returns:
            What may still hold some and what to do; "" when nothing does.
        """
        if whole:
            self._db.execute("VACUUM")
        ((busy, _, _),) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (
            "Another process is reading the journal; run this again so that no byte stays."
            if busy
            else ""
        )

    # --- reading -----------------------------------------------------------------------------

    def run(self, run_id: str) -> RunRecord:
        """The run with this id or unique beginning of an id; raises `InputError`."""
        rows = self._runs("WHERE substr(runs.id, 1, length(?1)) = ?1", (run_id,))
        exact = [row for row in rows if row.id == run_id]
        found = exact or rows
        if len(found) != 1:
            what = "No run" if not found else f"{len(found)} runs"
            raise InputError(
                f"{what} with id {run_id!r}.", hint="`manyhands runs list` shows them."
            )
        return found[0]

    def runs(self, limit: int = 20, *, without_door: str = "") -> list[RunRecord]:
        """The newest runs first; those of one door may be left out."""
        return self._runs("WHERE door != ?", (without_door,), limit)

    def _runs(self, where: str, parameters: Sequence[str], limit: int = -1) -> list[RunRecord]:
        rows = self._db.execute(  # the clauses are this module's own
            "SELECT runs.id, (SELECT MIN(conversation_id) FROM conversation_runs WHERE run_id = "  # noqa: S608
            "runs.id), question, state, status, answer, started, finished, door, owner FROM runs "
            f"{where} ORDER BY started DESC, runs.id DESC LIMIT ?",
            (*parameters, limit),
        )
        return [
            RunRecord(
                id=row[0],
                conversation_id=row[1] or "",
                question=row[2],
                state=_state(row[3], row[9]),
                status=row[4],
                answer=row[5],
                started=row[6],
                finished=row[7],
                door=row[8],
            )
            for row in rows
        ]

    def whole_id(self, table: Literal["conversations", "artifacts"], beginning: str) -> str:
        """The id with this unique beginning, or what was given where none begins so.

        Raises:
            InputError: several do.
        """
        found = [
            str(row[0])
            for row in self._db.execute(  # the two tables are this module's own
                f"SELECT id FROM {table} WHERE substr(id, 1, length(?1)) = ?1 "  # noqa: S608
                "ORDER BY length(id) LIMIT 2",
                (beginning,),
            )
        ]
        if not found or beginning in found:
            return beginning
        if len(found) > 1:
            raise InputError(
                f"Several ids of {table} begin with {beginning!r}.", hint="Give more of it."
            )
        return found[0]

    def events(self, run_id: str) -> list[Event]:
        """A run's written events in order."""
        rows = self._db.execute(
            "SELECT seq, at, body FROM events WHERE run_id = ? ORDER BY seq", (run_id,)
        )
        return [
            Event(run_id=run_id, seq=seq, at=at, body=BODY.validate_json(body))
            for seq, at, body in rows
        ]

    def conversation(self, conversation_id: str) -> Conversation:
        """One conversation with its runs in order; raises `InputError` for an unknown id."""
        rows = list(
            self._db.execute(
                "SELECT id, title, created, forked_from FROM conversations WHERE id = ?",
                (conversation_id,),
            )
        )
        if not rows:
            raise no_conversation(conversation_id)
        runs = self._runs(
            "JOIN conversation_runs ON run_id = runs.id AND conversation_runs.conversation_id = ?",
            (conversation_id,),
        )
        ordered = [
            row[0]
            for row in self._db.execute(
                "SELECT run_id FROM conversation_runs WHERE conversation_id = ? ORDER BY position",
                (conversation_id,),
            )
        ]
        by_id = {run.id: run for run in runs}
        return replace(Conversation(*rows[0]), runs=tuple(by_id[run_id] for run_id in ordered))

    def conversations(self, limit: int = 20) -> list[Conversation]:
        """The conversations whose last run is newest, without their runs."""
        rows = self._db.execute(
            "SELECT id, title, created, forked_from FROM conversations ORDER BY (SELECT "
            "MAX(started) FROM runs JOIN conversation_runs ON run_id = runs.id WHERE "
            "conversation_id = conversations.id) DESC LIMIT ?",
            (limit,),
        )
        return [Conversation(*row) for row in rows]

    def artifact(self, artifact_id: str) -> tuple[str, str, bytes]:
        """Name, media type and content of an artifact; raises `InputError`."""
        rows = list(
            self._db.execute(
                "SELECT name, media_type, content FROM artifacts WHERE id = ?", (artifact_id,)
            )
        )
        if not rows:
            raise InputError(f"No artifact {artifact_id!r}.", hint="It may have been erased.")
        name, media_type, content = rows[0]
        return name, media_type, bytes(content)

    def artifacts_of(self, run_id: str) -> list[tuple[str, bytes]]:
        """Name and content of every artifact that a run made."""
        rows = self._db.execute(
            "SELECT name, content FROM artifacts JOIN run_artifacts ON artifact_id = id "
            "WHERE run_id = ? ORDER BY name",
            (run_id,),
        )
        return [(name, bytes(content)) for name, content in rows]


def no_conversation(conversation_id: str) -> InputError:
    """The fault of an id that names no conversation, or none of who asks."""
    return InputError(
        f"No conversation with id {conversation_id!r}.", hint="`manyhands chat --list` shows them."
    )


def _state(state: str, owner: str) -> RunState:
    running = RunState(state) is RunState.RUNNING
    return RunState.CUT if running and not alive(owner) else RunState(state)
