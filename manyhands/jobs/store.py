"""The table of jobs: who asked for what, and what came of it."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from manyhands.jobs.records import JobRecord, JobState
from manyhands.journal.database import Database, open_database
from manyhands.journal.owner import alive, this_process
from manyhands.redaction import redact, redact_value

__all__ = ["JOBS_FILE", "KEPT_S", "JobStore"]

T = TypeVar("T")

#: It lies beside the journal.
JOBS_FILE = "jobs.db"

#: A longer text of a call (a table as CSV) is not kept: nothing reads it back.
_MOST_TEXT = 20_000

#: How long a finished job can be fetched.
KEPT_S = 24 * 3600.0


def m001_jobs(db: Database) -> None:
    db.execute(
        "CREATE TABLE jobs (id TEXT PRIMARY KEY, principal TEXT NOT NULL, kind TEXT NOT NULL, "
        "digest TEXT NOT NULL, arguments TEXT NOT NULL, state TEXT NOT NULL, owner TEXT NOT NULL, "
        "created REAL NOT NULL, finished REAL, run_id TEXT NOT NULL DEFAULT '', "
        "result TEXT NOT NULL DEFAULT '{}', error TEXT NOT NULL DEFAULT '', "
        "delivered INTEGER NOT NULL DEFAULT 0)"
    )
    db.execute("CREATE INDEX jobs_of ON jobs (principal, created)")
    db.execute("CREATE INDEX jobs_like ON jobs (digest, state)")
    db.execute(
        "CREATE TABLE job_artifacts (job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, "
        "artifact_id TEXT NOT NULL, PRIMARY KEY (job_id, artifact_id)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX job_of_artifact ON job_artifacts (artifact_id)")


def m002_job_runs(db: Database) -> None:
    # A job that asks back works in several runs; `jobs.run_id` is the newest.
    db.execute(
        "CREATE TABLE job_runs (job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, "
        "run_id TEXT NOT NULL, PRIMARY KEY (job_id, run_id)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX job_of_run ON job_runs (run_id)")
    db.execute("INSERT INTO job_runs SELECT id, run_id FROM jobs WHERE run_id != ''")


MIGRATIONS = (m001_jobs, m002_job_runs)


class JobStore:
    """Reads and writes jobs. Calls are short and synchronous; several processes may write.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = database
        self.clock = clock

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float] = time.time) -> JobStore:
        """Open or create the file; raises `StorageError` and its kinds."""
        database = open_database(path, MIGRATIONS)
        database.execute("PRAGMA secure_delete = ON")  # what is swept is also overwritten
        return cls(database, clock)

    def close(self) -> None:
        self._db.close()

    # --- writing -----------------------------------------------------------------------------

    async def when_free(self, work: Callable[[], T], *, threaded: bool = False) -> T:
        """Do some of what follows on an event loop; see `Database.when_free`."""
        return await self._db.when_free(work, threaded=threaded)

    def at_once(self) -> AbstractContextManager[None]:
        """See `Database.at_once`."""
        return self._db.at_once()

    def add(
        self, principal: str, kind: str, arguments: dict[str, Any], about: str = ""
    ) -> JobRecord:
        """Write a new job of this process. Its id holds 128 random bits.

        Secrets and long texts among the arguments are not kept; `like` still tells calls apart
        by them.
        """
        record = JobRecord(
            id=f"job_{secrets.token_hex(16)}",
            principal=principal,
            kind=kind,
            state=JobState.RUNNING,
            arguments=redact_value(_shortened(arguments)),
            created=self.clock(),
        )
        self._db.execute(
            "INSERT INTO jobs (id, principal, kind, digest, arguments, state, owner, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.id,
                principal,
                kind,
                digest_of(principal, kind, arguments, about),
                json.dumps(record.arguments, ensure_ascii=False),
                JobState.RUNNING,
                this_process(),
                record.created,
            ),
        )
        return record

    def began(self, job_id: str, run_id: str) -> None:
        """Note a run that works for a job."""
        with self._db.transaction():
            self._db.execute("UPDATE jobs SET run_id = ? WHERE id = ?", (run_id, job_id))
            self._db.execute("INSERT OR IGNORE INTO job_runs VALUES (?, ?)", (job_id, run_id))

    def finish(
        self,
        job_id: str,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        error: str = "",
        runs: Sequence[str] = (),
        artifacts: Sequence[str] = (),
    ) -> None:
        """Write how a job ended, without secrets; one that has ended before stays as it is.

        Args:
            runs: that worked for it, in order; those that `began` has said may be missing.
        """
        with self._db.transaction():
            self._db.execute(
                "UPDATE jobs SET state = ?, finished = ?, result = ?, error = ? "
                "WHERE id = ? AND state IN ('running', 'needs_input')",
                (
                    state,
                    self.clock(),
                    json.dumps(redact_value(result or {}), ensure_ascii=False),
                    redact(error),
                    job_id,
                ),
            )
            for run_id in runs:
                self.began(job_id, run_id)
            for artifact in artifacts:
                self._db.execute(
                    "INSERT OR IGNORE INTO job_artifacts VALUES (?, ?)", (job_id, artifact)
                )

    def deliver(self, job_id: str) -> None:
        """Note that a call has returned the result."""
        self._db.execute("UPDATE jobs SET delivered = 1 WHERE id = ?", (job_id,))

    def sweep(self) -> None:
        """Forget what ended longer than `KEPT_S` ago."""
        self._db.execute(
            "DELETE FROM jobs WHERE COALESCE(finished, created) < ?1 AND "
            "(finished IS NOT NULL OR created < ?2)",
            (self.clock() - KEPT_S, self.clock() - 7 * KEPT_S),
        )

    def erase(self, runs: Sequence[str] = (), texts: Sequence[str] = ()) -> int:
        """Remove the jobs of these runs, and those in whose result one of these texts stands.

        The file is then written anew, so that no page of it holds them either.
        """
        gone = 0
        with self._db.transaction():
            of_run = "id IN (SELECT job_id FROM job_runs WHERE run_id = ?)"
            for clause, values in ((of_run, runs), ("instr(result, ?) > 0", texts)):
                for value in values:
                    self._db.execute(f"DELETE FROM jobs WHERE {clause}", (value,))  # noqa: S608
                    gone += int(self._db.execute("SELECT changes()")[0][0])
        if gone:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    # --- reading -----------------------------------------------------------------------------

    def get(self, job_id: str, principal: str) -> JobRecord | None:
        """A job of this principal; None for an unknown, expired or foreign id alike."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE id = ? AND principal = ?",  # noqa: S608
            (job_id, principal),
        )
        if not rows:
            return None
        record = _record(rows[0])
        if record.finished is not None and record.finished < self.clock() - KEPT_S:
            return None
        return record

    def like(
        self, principal: str, kind: str, arguments: dict[str, Any], about: str = ""
    ) -> JobRecord | None:
        """The newest job of the same call that nobody has got the result of yet."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE digest = ? AND delivered = 0 "  # noqa: S608
            "AND state IN ('running', 'done') AND created > ? ORDER BY created DESC LIMIT 1",
            (digest_of(principal, kind, arguments, about), self.clock() - KEPT_S),
        )
        return _record(rows[0]) if rows else None

    def recent(self, principal: str, limit: int = 50) -> list[JobRecord]:
        """This principal's jobs, the newest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE principal = ? "  # noqa: S608
            "ORDER BY created DESC, id LIMIT ?",
            (principal, limit),
        )
        return [_record(row) for row in rows]

    def artifacts_of(self, principal: str, prefix: str = "", limit: int = 50) -> list[str]:
        """Ids of what this principal's jobs made, the newest first."""
        rows = self._db.execute(
            "SELECT artifact_id FROM job_artifacts JOIN jobs ON jobs.id = job_id "
            "WHERE principal = ?1 AND substr(artifact_id, 1, length(?2)) = ?2 "
            "GROUP BY artifact_id ORDER BY MAX(created) DESC LIMIT ?3",
            (principal, prefix, limit),
        )
        return [row[0] for row in rows]

    def owns_artifact(self, principal: str, artifact_id: str) -> bool:
        return bool(
            self._db.execute(
                "SELECT 1 FROM job_artifacts JOIN jobs ON jobs.id = job_id "
                "WHERE principal = ? AND artifact_id = ? LIMIT 1",
                (principal, artifact_id),
            )
        )

    def owns_run(self, principal: str, run_id: str) -> bool:
        return bool(
            self._db.execute(
                "SELECT 1 FROM job_runs JOIN jobs ON jobs.id = job_id "
                "WHERE principal = ? AND job_runs.run_id = ? LIMIT 1",
                (principal, run_id),
            )
        )

    def usual_s(self, kind: str) -> float | None:
        """The median time of the last finished jobs of a kind; None when there is none."""
        rows = self._db.execute(
            "SELECT finished - created FROM jobs WHERE kind = ? AND state = 'done' "
            "ORDER BY created DESC LIMIT 21",
            (kind,),
        )
        times = sorted(float(row[0]) for row in rows)
        return times[len(times) // 2] if times else None


_COLUMNS = (
    "id, principal, kind, state, arguments, created, run_id, finished, result, error, "
    "delivered, owner"
)


def digest_of(principal: str, kind: str, arguments: dict[str, Any], about: str) -> str:
    """What makes two calls the same call."""
    canonical = json.dumps([principal, kind, arguments, about], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return f"[{len(value):,} characters, not kept]"
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return value


def _record(row: Sequence[Any]) -> JobRecord:
    state = JobState(row[3])
    if state.open and not alive(row[11]):
        state = JobState.CUT
    return JobRecord(
        id=row[0],
        principal=row[1],
        kind=row[2],
        state=state,
        arguments=json.loads(row[4]),
        created=row[5],
        run_id=row[6],
        finished=row[7],
        result=json.loads(row[8]),
        error=row[9],
        delivered=bool(row[10]),
        updated=row[7] if row[7] is not None else row[5],
    )
