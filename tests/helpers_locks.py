"""Another process that writes to a database, for as long as a test wants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITER = """
import sys
import apsw
file = apsw.Connection(sys.argv[1])
file.set_busy_timeout(60_000)
for line in sys.stdin:
    file.execute("BEGIN IMMEDIATE" if line == "take\\n" else "ROLLBACK")
    print("done", flush=True)
"""


class Writer:
    """Takes a file's write lock and lets it go; each call returns when it is so."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def take(self) -> None:
        self._do("take")

    def let_go(self) -> None:
        self._do("let go")

    def _do(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def another_writer(path: Path) -> Iterator[Writer]:
    """A process that has opened the file and waits to be told."""
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Writer(process)
