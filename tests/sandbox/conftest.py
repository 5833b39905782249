"""An unprivileged user for the tests that need one, and the hands' environment for it."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manyhands.checks.sandbox.environment import hands_python

ROOT = Path(__file__).resolve().parents[2]
_SHARED = Path("/var/tmp/manyhands-tests")  # kept between test runs: building takes half a minute
_BUILD = """
import anyio
from manyhands.checks.sandbox.environment import ensure_environment
print(anyio.run(ensure_environment))
"""


@dataclass(frozen=True)
class Stage:
    """How to start a helper program of the tests so that it is not root.

    Attributes:
        users: uids to choose from; empty when the tests run as an ordinary user already.
    """

    python: str
    hands: Path
    users: tuple[int, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def start(self, script: Path, *args: str, user: int = 0) -> subprocess.Popen[str]:
        env = {"PATH": "/usr/bin:/bin", "MANYHANDS_HANDS_PYTHON": str(self.hands), **self.env}
        identity = {}
        if self.users:
            uid = self.users[user]
            identity = {"user": uid, "group": uid, "extra_groups": []}
            env["ARENA_OWN_USER"] = "1"
        return subprocess.Popen(
            [self.python, str(script), *args], env=env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, cwd="/", **identity,
        )  # fmt: skip


@pytest.fixture(scope="session")
def hands() -> Path:
    """The hands' interpreter, which was built before the first test."""
    return hands_python()


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    if os.geteuid() != 0:
        yield Stage(sys.executable, _built({}, sys.executable))
        return
    version = sysconfig.get_python_version()
    site = sysconfig.get_path("purelib")
    python = next(filter(_open_to_all, (sys.executable, f"/usr/bin/python{version}")), "")
    if not python or not _open_to_all(site):
        yield Stage(sys.executable, _built({}, sys.executable))
        return
    paths = {"PYTHONPATH": f"{ROOT}:{site}", "XDG_DATA_HOME": str(_SHARED)}
    _SHARED.mkdir(mode=0o755, exist_ok=True)
    hands = _built(paths, python)
    for folder in (hands.parent.parent, *hands.parent.parent.parents):
        if folder.is_relative_to(_SHARED):
            folder.chmod(0o755)
    with _free_users() as users:
        yield Stage(python, hands, users=users, env=paths)


@contextmanager
def _free_users() -> Iterator[tuple[int, int]]:
    """Two uids that no other run of these tests on this machine uses meanwhile."""
    for first in range(64001, 64100, 2):
        with (_SHARED / f"users-{first}").open("wb") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield first, first + 1  # the lock is the claim
            return
    raise RuntimeError("every test user is taken")


def _built(env: dict[str, str], python: str) -> Path:
    done = subprocess.run(
        [python, "-c", _BUILD], env={**os.environ, **env}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def _open_to_all(path: str) -> bool:
    real = Path(path).resolve()
    if not real.exists():
        return False
    return all(p.stat().st_mode & stat.S_IXOTH for p in (real, *real.parents))


Finish = Callable[[subprocess.Popen[str]], str]
