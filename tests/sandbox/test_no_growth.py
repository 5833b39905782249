"""A thousand runs leave no descriptor, thread, process, file or memory behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "sandbox.py"
RUNS = 1000  # 10,000 nightly: `python benchmarks/sandbox.py --runs 10000`


@pytest.mark.slow
@pytest.mark.usefixtures("hands")
def test_runs_leave_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--runs", str(RUNS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    early, late, after = seen["early"], seen["late"], seen["after"]
    for what in ("descriptors", "children", "files"):
        assert late[what] <= early[what], (what, seen)
    assert late["threads"] <= early["threads"] + 2, seen  # anyio's idle threads
    assert late["memory_kib"] <= early["memory_kib"] + 8192, seen
    assert (after["children"], after["files"]) == (0, 0), seen
