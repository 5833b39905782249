"""What `manyhands doctor` looks at on this machine: sandbox, the hands' Python, stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from manyhands.cli.findings import Finding, Mark
from manyhands.errors import InputError, ManyhandsError, NoIsolation, SettingsError, StorageError
from manyhands.settings import Settings

if TYPE_CHECKING:
    from manyhands.configuration.sections import MemorySettings

__all__ = ["database", "environment", "memory", "sandbox"]


async def sandbox(settings: Settings) -> Finding:
    from manyhands.checks.sandbox import monty
    from manyhands.checks.sandbox.contracts import Isolation
    from manyhands.checks.sandbox.runner import best

    try:
        isolation = await best(settings.sandbox.policy())
    except NoIsolation as error:
        return Finding("sandbox", Mark.PROBLEM, error.message, error.hint)
    if isolation is Isolation.NONE:
        return Finding(
            "sandbox",
            Mark.WARNING,
            "programs run without isolation, as you chose; nothing is verified",
            "set sandbox.allow_none = false once a sandbox works",
        )
    if isolation is Isolation.MONTY:
        return Finding(
            "sandbox",
            Mark.WARNING,
            "pure Python runs in monty; what needs libraries or files, mathematics, figures and "
            "tables stay unchecked",
            monty.REAL_PYTHON,
        )
    return Finding("sandbox", Mark.OK, f"programs of models are kept in by {isolation}")


async def environment(settings: Settings) -> Finding:
    from manyhands.checks.sandbox.environment import environment_path, environment_ready
    from manyhands.checks.sandbox.runner import uses_environment

    if not await uses_environment(settings.sandbox.policy()):
        return Finding("environment", Mark.OK, "the hands need no Python of their own in monty")
    if environment_ready():
        return Finding("environment", Mark.OK, f"the hands' Python is in {environment_path()}")
    return Finding(
        "environment", Mark.PROBLEM, "the hands' Python is not built yet", "manyhands setup"
    )


def memory(settings: MemorySettings) -> Finding:
    if settings.url:
        return _on_server(settings.url)
    try:
        return database("memory", settings.path, settings.key())
    except SettingsError as error:
        return Finding("memory", Mark.PROBLEM, error.message, error.hint)


def _on_server(url: str) -> Finding:
    from manyhands.memory.postgres import open_on_server

    try:
        store = open_on_server(url, read_only=True)
    except InputError as error:
        return Finding("memory", Mark.OK, error.message)
    except ManyhandsError as error:
        return Finding("memory", Mark.PROBLEM, error.message, error.hint)
    try:
        return Finding("memory", Mark.OK, f"{store.place}: answers, {store.lookup.told}")
    finally:
        store.close()


def database(topic: str, path: Path, key: str = "") -> Finding:
    """Whether an SQLite file is whole; nothing is written, one that is not there yet is fine."""
    if not path.exists():
        place = next(folder for folder in path.absolute().parents if folder.exists())
        if os.access(place, os.W_OK):
            return Finding(topic, Mark.OK, f"{path}: not written yet")
        return Finding(
            topic,
            Mark.PROBLEM,
            f"{path}: the folder {place} cannot be written",
            f"set {topic}.path to a place that you may write",
        )
    import apsw

    from manyhands.journal.database import unlock
    from manyhands.journal.private import open_to_others

    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            if key:
                unlock(connection, key, path)
            rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
        finally:
            connection.close()
    except StorageError as error:
        return Finding(topic, Mark.PROBLEM, error.message, error.hint)
    except apsw.NotADBError as error:
        rows = [f"{error}, or it is encrypted and {topic}.key_env names no key"]
    except apsw.Error as error:
        rows = [str(error)]
    others = open_to_others(path)
    if rows == ["ok"] and others:
        return Finding(
            topic,
            Mark.WARNING,
            f"{path}: whole, but other users of this machine may {others} it",
            f"chmod 600 '{path}'   (the next run of manyhands does it as well)",
        )
    if rows == ["ok"]:
        return Finding(topic, Mark.OK, f"{path}: whole, for this user alone")
    return Finding(
        topic,
        Mark.PROBLEM,
        f"{path}: damaged ({'; '.join(rows)})",
        f"keep a copy and begin a new one: mv '{path}' '{path}.damaged'",
    )
