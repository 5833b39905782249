"""Doors as processes, on a rehearsed card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyhands.rehearsal.profile import CARD_48
from manyhands.rehearsal.script import ScriptedModel

GB = 1000**3
#: A simulated second takes this long: a 43 GB load of 16.8 s is over in about 0.1 s.
SCALE = 0.006
CARD = replace(CARD_48, clock_scale=SCALE, prefill_tok_s=0.0)
MODELS = [
    ScriptedModel("mind", size=19 * GB),
    ScriptedModel("expert", size=43 * GB),
    ScriptedModel("other", size=43 * GB),
    ScriptedModel("heavy", size=142 * GB),
]
_DOOR = Path(__file__).with_name("working_door.py")


class Door:
    """A door that works in a process of its own, once it is told to."""

    def __init__(self, folder: Path, url: str, *models: str, mode: str = "share") -> None:
        own = {  # for the owner that it may start: never the user's
            f"MANYHANDS_{store}__PATH": str(folder / f"{store.lower()}.db")
            for store in ("JOURNAL", "MEMORY", "ROUTING")
        }
        self.process = subprocess.Popen(
            [sys.executable, str(_DOOR), str(folder), url, mode, *models],
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.models = list(models)
        self.calls: list[dict[str, Any]] = []
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def call(self) -> dict[str, Any]:
        """Wait for the next call to be done."""
        assert self.process.stdout is not None
        self.calls.append(json.loads(self.process.stdout.readline()))
        return self.calls[-1]

    def end(self) -> None:
        """Wait until all its work is done; every answer must be the right one."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Not `communicate`: it loses lines that came along with one that was read before.
        self.calls += [json.loads(line) for line in self.process.stdout]
        err = self.process.stderr.read()
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        assert [one["model"] for one in self.calls] == self.models
        assert all(one["said"] == f"You said: for {one['model']}" for one in self.calls)
        assert all(one["load_s"] < 0.01 for one in self.calls)  # no call had to load its model

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)
