"""The tables of the journal's file, and how each version of them came about."""

from __future__ import annotations

from manyhands.journal.database import Database

__all__ = ["MIGRATIONS"]


def m001_runs(db: Database) -> None:
    db.execute(
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT NOT NULL, "
        "created REAL NOT NULL, forked_from TEXT NOT NULL DEFAULT '')"
    )
    db.execute(
        "CREATE TABLE runs (id TEXT PRIMARY KEY, question TEXT NOT NULL, state TEXT NOT NULL, "
        "status TEXT NOT NULL DEFAULT '', answer TEXT NOT NULL DEFAULT '', "
        "started REAL NOT NULL, finished REAL, door TEXT NOT NULL, owner TEXT NOT NULL)"
    )
    db.execute(
        "CREATE TABLE conversation_runs (conversation_id TEXT NOT NULL REFERENCES conversations, "
        "position INTEGER NOT NULL, run_id TEXT NOT NULL REFERENCES runs, "
        "PRIMARY KEY (conversation_id, position))"
    )
    db.execute("CREATE INDEX conversation_of_run ON conversation_runs (run_id)")
    db.execute(
        "CREATE TABLE events (run_id TEXT NOT NULL REFERENCES runs, seq INTEGER NOT NULL, "
        "at REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run_id, seq)) "
        "WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE artifacts (id TEXT PRIMARY KEY, media_type TEXT NOT NULL, "
        "name TEXT NOT NULL, content BLOB NOT NULL)"
    )
    db.execute(
        "CREATE TABLE run_artifacts (run_id TEXT NOT NULL REFERENCES runs, "
        "artifact_id TEXT NOT NULL REFERENCES artifacts, PRIMARY KEY (run_id, artifact_id)) "
        "WITHOUT ROWID"
    )


MIGRATIONS = (m001_runs,)
