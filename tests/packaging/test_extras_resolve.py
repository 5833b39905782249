"""The extras resolve beside what their users have: Jupyter AI 3.2 with mcp 1, and mcp 2."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv") or f"{Path(sys.executable).parent}/uv"


def resolve(*lines: str) -> dict[str, str]:
    """Name -> version of everything that would be installed for these requirements."""
    done = subprocess.run(
        [UV, "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    pins = re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", done.stdout, re.MULTILINE)
    return dict(pins)


@pytest.mark.slow
def test_the_core_needs_neither_mcp_nor_jupyter() -> None:
    found = resolve(f"manyhands @ {ROOT.as_uri()}")
    assert not {"mcp", "jupyter-server", "ipykernel", "jupyterlab", "openai"} & found.keys()


@pytest.mark.slow
def test_jupyter_installs_beside_jupyter_ai_3_2_which_pins_mcp_1() -> None:
    found = resolve(f"manyhands[jupyter] @ {ROOT.as_uri()}", "jupyter-ai==3.2.*")
    assert found["jupyter-ai"].startswith("3.2")
    assert found["mcp"].startswith("1.")


@pytest.mark.slow
def test_jupyter_installs_beside_mcp_2() -> None:
    found = resolve(f"manyhands[jupyter,mcp] @ {ROOT.as_uri()}")
    assert found["mcp"].startswith("2.")
    assert "jupyter-ai-persona-manager" in found


@pytest.mark.slow
def test_all_is_the_newest_of_both_without_the_collaboration_stack() -> None:
    found = resolve(f"manyhands[all] @ {ROOT.as_uri()}")
    assert found["mcp"].startswith("2.")
    assert not {"jupyter-collaboration", "jupyter-server-ydoc", "jupyter-ai"} & found.keys()
