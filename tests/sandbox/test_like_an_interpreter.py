"""A program in the sandbox meets what `python main.py` gives, though its process served before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from helpers_sandbox import both_tiers

from manyhands.checks.sandbox import (
    ForkServer,
    Limits,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
    WarmPool,
    hands_python,
    run,
)

pytestmark = pytest.mark.anyio

# What of ours or of the standard library stands in the way of one of these shows in what it prints.
PROGRAMS = {
    "who it is": """
import __main__, os, sys
print(__name__, sys.argv, os.path.basename(__file__), sys.path[0] == os.getcwd())
print(sys.modules["__main__"] is __main__, __spec__, __package__)
print(sys.flags.isolated, sys.flags.no_site)
print(hash("seed"), sys.flags.utf8_mode, sys.dont_write_bytecode, sys.stdin.read())
""",
    "an error nobody catches": "def f(x):\n    return 1 / x\n\nprint('before')\nf(0)\n",
    "an error in its grammar": "x = 1\nif x\n    print(x)\n",
    "its own hook for errors": """
import sys
sys.excepthook = lambda *error: print('hook', error[0])
1 / 0
""",
    "words as exit code": "import sys\nsys.exit('a reason')\n",
    "a number as exit code": "raise SystemExit(300)\n",
    "what runs at its end": """
import atexit, sys, threading, time
atexit.register(print, 'last')
threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()
print('first')
""",
    "modules called as ours": """
import importlib
for name in ("confine", "keeper", "play", "syscalls", "watch", "launch"):
    try:
        print(importlib.import_module(name).__name__)
    except ModuleNotFoundError as error:
        print(error)
""",
    "classes of its own, pickled": """
import pickle
class P: pass
print(type(pickle.loads(pickle.dumps(P()))) is P)
""",
    "its own source": """
import inspect
def f(): return 42
print(inspect.getsource(f))
""",
}


async def as_python_does(folder: Path, code: str) -> tuple[int, str, str]:
    (folder / "main.py").write_text(code)
    env = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: ASYNC221 nothing else waits here
        [hands_python(), "main.py", "an argument"], cwd=folder, env=env, text=True,
        input="input", capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.replace(str(folder), "HERE")


def told(result: SandboxResult) -> tuple[int | None, str, str]:
    words = result.stderr.splitlines(keepends=True)
    places = [line.partition('"')[2].rpartition("/main.py")[0] for line in words]
    for place in {place for place in places if place}:
        words = [line.replace(place, "HERE") for line in words]
    return result.exit_code, result.stdout, "".join(words)


def job(code: str) -> SandboxRun:
    return SandboxRun(code=code, args=("an argument",), stdin=b"input")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@both_tiers
async def test_every_way_of_running_gives_what_the_interpreter_gives(
    tier: str, folder: Path
) -> None:
    policy = SandboxPolicy(backend=tier)
    async with WarmPool((), policy=policy) as pool, ForkServer((), policy=policy) as server:
        for name, code in PROGRAMS.items():
            wanted = await as_python_does(folder, code)
            for way in (run(job(code), policy), pool.run(job(code)), server.run(job(code))):
                assert told(await way) == wanted, name


@both_tiers
async def test_a_process_that_it_starts_finds_its_libraries_and_its_main_program(tier: str) -> None:
    code = """
import multiprocessing, subprocess, sys
def double(x):
    import numpy
    return int(numpy.int64(2) * x)
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(double, [1, 2]))
"""
    if tier == "landlock":  # which has no semaphores
        code = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "import numpy; print([2, 4])"], capture_output=True, text=True).stdout.strip())
"""  # noqa: E501
    result = await run(SandboxRun(code=code), SandboxPolicy(backend=tier, limits=Limits(wall_s=60)))
    assert (result.stdout, result.stderr) == ("[2, 4]\n", "")
