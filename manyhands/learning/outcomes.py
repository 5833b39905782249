"""What the checks said about every attempt: the ground that routing stands on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from manyhands.journal.database import Database, open_database
from manyhands.learning.routing import Record

__all__ = ["Outcome", "Outcomes"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt that a machine check decided.

    Attributes:
        task: the kind of task: the hand, for `math` with its kind, as in `math:derivative`.
        seconds: of the attempt, loading and checks included.
    """

    at: float
    run_id: str
    step: str
    number: int
    task: str
    role: str
    tier: str
    model: str
    passed: bool
    seconds: float
    tokens: int


def m001_outcomes(db: Database) -> None:
    db.execute(
        "CREATE TABLE outcomes (run_id TEXT NOT NULL, step TEXT NOT NULL, number INTEGER NOT NULL, "
        "at REAL NOT NULL, task TEXT NOT NULL, role TEXT NOT NULL, tier TEXT NOT NULL, "
        "model TEXT NOT NULL, passed INTEGER NOT NULL, seconds REAL NOT NULL, "
        "tokens INTEGER NOT NULL, PRIMARY KEY (run_id, step, number)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX outcomes_by_task ON outcomes (task, tier, model)")


def m002_measures(db: Database) -> None:
    db.execute(
        "CREATE TABLE measures (model TEXT PRIMARY KEY, at REAL NOT NULL, state TEXT NOT NULL) "
        "WITHOUT ROWID"
    )


MIGRATIONS = (m001_outcomes, m002_measures)


class Outcomes:
    """The recorded outcomes, in one SQLite file that several processes may use."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(cls, path: Path) -> Outcomes:
        """Open or create the file; raises `StorageError` and its kinds."""
        return cls(open_database(path, MIGRATIONS))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def at_once(self) -> AbstractContextManager[None]:
        """See `Database.at_once`."""
        return self._db.at_once()

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes; one that is known already (a resumed run) is written once."""
        with self._db.transaction():
            for one in outcomes:
                self._db.execute(
                    "INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        one.run_id, one.step, one.number, one.at, one.task, one.role, one.tier,
                        one.model, int(one.passed), one.seconds, one.tokens,
                    ),
                )  # fmt: skip

    def records(self, task: str, models: dict[str, str]) -> dict[str, Record]:
        """Tier -> what its present model did on this kind of task.

        Args:
            models: tier -> model; outcomes of a model that no longer serves do not count.
        """
        found = {}
        for tier, model in models.items():
            rows = self._db.execute(
                "SELECT COUNT(*), COALESCE(SUM(passed), 0), COALESCE(SUM(seconds), 0), "
                "COALESCE(SUM(tokens), 0) FROM outcomes WHERE task = ? AND tier = ? AND model = ?",
                (task, tier, model),
            )
            found[tier] = Record(*rows[0])
        return found

    def table(self) -> list[tuple[str, str, str, Record]]:
        """All records as `(task, tier, model, record)`."""
        rows = self._db.execute(
            "SELECT task, tier, model, COUNT(*), SUM(passed), SUM(seconds), SUM(tokens) "
            "FROM outcomes GROUP BY task, tier, model ORDER BY task, tier, model"
        )
        return [(task, tier, model, Record(*rest)) for task, tier, model, *rest in rows]

    def measures(self) -> list[tuple[str, str]]:
        """Model -> what is known of its tokenizer, as `hands.tokens.Meter` writes it."""
        return [(str(m), str(s)) for m, s in self._db.execute("SELECT model, state FROM measures")]

    def keep_measure(self, model: str, state: str, at: float) -> None:
        """Keep what is known of a model's tokenizer, in place of what was."""
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO measures VALUES (?, ?, ?)", (model, at, state))

    def forget(self, task: str = "") -> int:
        """Forget outcomes of one kind of task, or all and the measures too; how many there were."""
        where, args = ("WHERE task = ?", (task,)) if task else ("", ())
        with self._db.transaction():
            count = self._db.execute(f"SELECT COUNT(*) FROM outcomes {where}", args)[0][0]  # noqa: S608
            self._db.execute(f"DELETE FROM outcomes {where}", args)  # noqa: S608
            if not task:
                self._db.execute("DELETE FROM measures")
        return int(count)

    def forget_run(self, run_id: str) -> None:
        """Forget what one run taught."""
        with self._db.transaction():
            self._db.execute("DELETE FROM outcomes WHERE run_id = ?", (run_id,))
