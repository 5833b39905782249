"""What Windows has not is not needed to import manyhands, nor to run a program in monty.

This stands in for a test on Windows, which nobody ran: modules and names that only Unix has are
taken away before manyhands is imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT_MODULES = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import anyio._backends._asyncio, httpx, platformdirs, shutil, socket, tempfile  # they choose by platform
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
"""  # noqa: E501
_WITHOUT_NAMES = """
import os, signal, importlib, pkgutil
for module, names in (
    (os, "fork setsid killpg pipe2 getuid geteuid getpgid fchmod mkfifo sysconf O_NOFOLLOW O_DIRECTORY "
         "O_CLOEXEC O_NONBLOCK"),
    (signal, "SIGKILL SIGHUP SIGALRM SIGXCPU SIGXFSZ SIGQUIT setitimer pidfd_send_signal"),
    (socket, "AF_UNIX"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
import manyhands
count = 0
for found in pkgutil.walk_packages(manyhands.__path__, "manyhands."):
    if ".inside" not in found.name and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
        count += 1
print(count)
"""  # noqa: E501
_RUN = "from manyhands.cli.main import main; main()"


def python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )


def test_every_module_of_the_house_is_imported_without_what_only_unix_has() -> None:
    done = python(_WITHOUT_MODULES + _WITHOUT_NAMES)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 300


def test_a_program_runs_in_monty_without_the_modules_that_only_unix_has(tmp_path: Path) -> None:
    pytest.importorskip("pydantic_monty", reason="the extra `monty` is not installed")
    program = tmp_path / "program.py"
    program.write_text("print(6 * 7)")
    args = ("sandbox", "run", str(program), "--backend", "monty")
    done = python(_WITHOUT_MODULES + _RUN, *args)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
