"""What is installed from the wheel, outside any checkout, has its roles and the demo's data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv") or f"{Path(sys.executable).parent}/uv"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and its dependencies; the path of its `manyhands`."""
    folder = tmp_path_factory.mktemp("wheel")

    def run(*args: str) -> None:
        done = subprocess.run([UV, *args], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run("build", "--wheel", "--out-dir", str(folder / "dist"), str(ROOT))
    run("venv", "--python", sys.executable, str(folder / "env"))
    (wheel,) = (folder / "dist").glob("*.whl")
    run("pip", "install", "--python", str(folder / "env"), str(wheel))
    return folder / "env" / "bin" / "manyhands"


def manyhands(program: Path, home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it for a user who has nothing yet; only uv's downloads are shared with this machine."""
    ours = ("MANYHANDS_", "XDG_", "OLLAMA_", "OTEL_", "PYTHON", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    cache = subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=True)
    env |= {"HOME": str(home), "UV_CACHE_DIR": cache.stdout.strip()}
    return subprocess.run(
        [program, *args], cwd=home, env=env, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_the_installed_roles_are_found(installed: Path, tmp_path: Path) -> None:
    done = manyhands(installed, tmp_path, "roles", "list")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("framer", "coder", "tester", "mathematician"))


@pytest.mark.slow
def test_the_installed_demo_ends_verified(installed: Path, tmp_path: Path) -> None:
    done = manyhands(installed, tmp_path, "demo", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["answer"]["status"] == "verified"
    assert Path(report["figure"]).read_bytes().startswith(b"\x89PNG")
    assert Path(report["figure"]).is_relative_to(tmp_path)
