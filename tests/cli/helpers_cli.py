"""The command line pointed at a server whose models say what a test wants."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers_commands import own_environment

from manyhands.rehearsal.script import Reply, ScriptedRequest

__all__ = ["Stage", "direct"]


def direct(text: str) -> str:
    return json.dumps({"goal": "g", "route": "direct", "answer": text})


@dataclass
class Stage:
    """A server whose models say what `say` says, and the command line pointed at it."""

    folder: Path
    url: str
    say: Callable[[ScriptedRequest], str | Reply] = lambda request: direct("Yes.")
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {**own_environment(self.folder), "OLLAMA_HOST": self.url, **self.env}

    def run(self, *args: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "manyhands", *args],
            input=said,
            capture_output=True,
            text=True,
            env=self.environment(),
            cwd=self.folder,
            timeout=120,
        )

    def at_terminal(self, args: Sequence[str], answers: Sequence[tuple[str, str]]) -> str:
        """Run a command at a terminal of its own; all that it showed.

        Args:
            answers: what is typed (second) once the screen shows a text (first), in order.
        """
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [sys.executable, "-m", "manyhands", *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**self.environment(), "TERM": "xterm", "COLUMNS": "200"},
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C arrives
        )
        os.close(theirs)
        shown, seen, left = b"", 0, list(answers)
        try:
            while True:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the terminal's last user has gone
                    break
                if not piece:
                    break
                shown += piece
                if left and left[0][0].encode() in shown[seen:]:
                    seen = len(shown)
                    os.write(ours, left.pop(0)[1].encode())
        finally:
            child.kill() if left else child.wait(60)
            os.close(ours)
            child.wait(60)
        assert not left, f"{left[0][0]!r} was never shown: {shown.decode(errors='replace')}"
        return shown.decode(errors="replace")
