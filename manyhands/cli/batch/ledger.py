"""What of a batch is done: a line for each result, on the disk before the next task is counted.

Three files lie beside each other. The results are only ever appended to; a line that a crash cut is
dropped when the file is opened again. The failures are those of the latest run. The starts say
which run in the journal belongs to a task, so that a run which was cut is gone on with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from manyhands.cli.batch.tasks import BadLine, Task
from manyhands.errors import InputError, StorageError, StorageFull
from manyhands.serve.place import take_lock

__all__ = ["Ledger"]

_NO_SPACE = 28


class Ledger:
    """The files of one batch; a context manager.

    Args:
        results: where a line for each finished task is written.

    Raises:
        InputError: another file than a batch's results lies there, or another process works on it.
        StorageError: a file cannot be read or written.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.failures = results.with_name(f"{results.stem}.failures.jsonl")
        self.starts = results.with_name(f"{results.stem}.starts.jsonl")
        self._files: dict[Path, IO[bytes]] = {}
        self._stack = ExitStack()
        self._done: dict[str, str] = {}
        self._runs: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        self._open(self.results, "ab")
        if not take_lock(self._files[self.results]):
            self._stack.close()
            raise InputError(
                f"Another process works on {str(self.results)!r}.",
                hint="Wait for its end, or name another file with --out.",
            )
        self._open(self.starts, "ab")
        for path in (self.results, self.starts):
            _drop_cut_line(path)
        for line in _lines(self.results):
            if not {"id", "digest", "status"} <= line.keys():
                self._stack.close()
                raise InputError(
                    f"{str(self.results)!r} holds other lines than results of a batch.",
                    hint="Name another file with --out.",
                )
            self._done[str(line["id"])] = str(line["digest"])
        for line in _lines(self.starts):
            self._runs[str(line.get("id"))] = (str(line.get("digest")), str(line.get("run_id")))
        self._open(self.failures, "wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        if self.failures.exists() and not self.failures.stat().st_size:
            self.failures.unlink()
        if all(self._done.get(name) == digest for name, (digest, _) in self._runs.items()):
            self.starts.unlink(missing_ok=True)

    def is_done(self, task: Task) -> bool:
        """Whether exactly this task has its result."""
        return self._done.get(task.id) == task.digest

    def run_of(self, task: Task) -> str:
        """The run in the journal that was begun for exactly this task; empty when none was."""
        digest, run_id = self._runs.get(task.id, ("", ""))
        return run_id if digest == task.digest else ""

    def started(self, task: Task, run_id: str) -> None:
        if self.run_of(task) != run_id:
            self._runs[task.id] = (task.digest, run_id)
            self._write(self.starts, {"id": task.id, "digest": task.digest, "run_id": run_id})

    def finished(self, task: Task, result: Mapping[str, Any]) -> None:
        """Write a result; it is on the disk when this returns."""
        head = {"id": task.id, "line": task.line, "digest": task.digest}
        self._write(self.results, {**head, **result})
        self._done[task.id] = task.digest

    def failed(self, task: Task, kind: str, error: str, hint: str) -> None:
        head = {"id": task.id, "line": task.line, "digest": task.digest}
        self._write(self.failures, {**head, "kind": kind, "error": error, "hint": hint})

    def refused(self, bad: BadLine) -> None:
        """Keep a line that is no task, with its text."""
        told = {"line": bad.line, "kind": "bad line", "error": bad.complaint, "text": bad.text}
        self._write(self.failures, told)

    def _open(self, path: Path, mode: str) -> None:
        try:
            self._files[path] = self._stack.enter_context(path.open(mode))
        except OSError as error:
            self._stack.close()
            raise StorageError(
                f"{str(path)!r} cannot be written: {error.strerror}.",
                hint="Name another file with --out.",
            ) from None

    def _write(self, path: Path, value: Mapping[str, Any]) -> None:
        file = self._files[path]
        try:
            file.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            kind = StorageFull if error.errno == _NO_SPACE else StorageError
            raise kind(
                f"{str(path)!r} cannot be written: {error.strerror}.",
                hint="Make room and run the batch again; what is done is kept.",
            ) from None


def _drop_cut_line(path: Path) -> None:
    """Cut a file back to its last whole line."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_bytes().splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            value = {}
        found.append(value if isinstance(value, dict) else {})
    return found
