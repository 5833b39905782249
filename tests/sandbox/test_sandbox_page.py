"""The page about the sandbox says what is so: its examples run and print what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from manyhands.checks.sandbox import RunStatus

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", PAGE, re.DOTALL)


@pytest.mark.usefixtures("hands")
@pytest.mark.parametrize(("code", "shown"), EXAMPLES, ids=["run", "limit", "battery"])
def test_an_example_prints_what_the_page_shows(code: str, shown: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [line[4:] for line in shown.splitlines()]


def test_every_status_and_every_example_is_on_the_page() -> None:
    assert PAGE.count("```python") == len(EXAMPLES)
    assert [s for s in RunStatus if f"| `{s}` |" not in PAGE] == []
