"""What a killed process left behind is swept by the next, and nothing that lives is touched."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest

from manyhands.checks.sandbox.scratch import Scratch, remove_tree, sweep
from manyhands.errors import SandboxError

# A pool with a program in it, which goes on until somebody ends it.
HOLDS = """
import anyio
from manyhands.checks.sandbox import ForkServer, SandboxRun

async def hold():
    async with ForkServer(()) as server:
        await server.run(SandboxRun(code="pass"))
        print("ready", flush=True)
        await server.run(SandboxRun(code="open('x', 'w').write('x'); import time; time.sleep(999)"))

anyio.run(hold)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.usefixtures("hands")
def test_the_folders_of_a_killed_process_are_swept_and_those_of_others_stay(
    temporary: Path,
) -> None:
    first = holder(temporary)
    dead = set(temporary.iterdir())
    assert dead
    second = holder(temporary)
    try:
        alive = set(temporary.iterdir()) - dead
        assert alive
        assert sweep() == 0, "both live"
        kill(first)
        kept = temporary / "manyhands-run-projects"  # somebody's own, by chance so called
        kept.mkdir()
        (kept / "thesis.tex").touch()
        assert sweep() == len(dead)
        assert set(temporary.iterdir()) == alive | {kept}
    finally:
        kill(second)
    assert sweep() == len(alive)


@pytest.mark.anyio
async def test_folders_that_are_being_made_are_not_swept(temporary: Path) -> None:
    made: list[Scratch] = []
    makers = [2]

    def make() -> None:
        try:
            made.extend(Scratch.make() for _ in range(30))
        finally:
            makers[0] -= 1

    def sweeps() -> None:
        while makers[0]:
            sweep()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, sweeps)
        for _ in range(2):
            tasks.start_soon(anyio.to_thread.run_sync, make)
    for scratch in made:
        assert scratch.work.is_dir()
        assert scratch.config.is_dir()
        scratch.remove()
    assert os.listdir(temporary) == []  # noqa: PTH208


def test_a_folder_that_cannot_be_locked_is_told_and_removed(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as here:
        here.setattr(os, "open", none_left)
        with pytest.raises(SandboxError, match="cannot be locked: Too many open files"):
            Scratch.make()
    assert os.listdir(temporary) == []  # noqa: PTH208


def test_a_folder_where_the_file_system_has_no_such_locks_is_used_without(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needs_writing(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("fcntl.flock", needs_writing)
    scratch = Scratch.make()
    assert sweep() == 0
    assert scratch.work.is_dir()
    scratch.remove()
    assert os.listdir(temporary) == []  # noqa: PTH208


def test_a_folder_that_moves_while_it_is_removed_leads_nowhere_else(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("one", "other")
    for name in names:
        for folder in (temporary / name, temporary / "run" / "deep" / name):
            folder.mkdir(parents=True)
            (folder / "kept.txt").touch()
            (folder / "below").mkdir()
            (folder / "below" / "kept.txt").touch()
    real_open = os.open
    away: list[str] = []

    def moved(path: object, *args: int, **options: int) -> int:
        opened = real_open(path, *args, **options)  # type: ignore[call-overload, arg-type]
        if path in names and not away:
            away.append(str(path))
            (temporary / "run" / "deep" / str(path)).rename(temporary / "away")
        return opened

    monkeypatch.setattr(os, "open", moved)
    remove_tree(temporary / "run")
    assert away
    for name in names:
        assert (temporary / name / "kept.txt").exists()
        assert (temporary / name / "below" / "kept.txt").exists()


def test_nobody_waits_long_for_what_a_program_has_strewn(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, gone = threading.Event(), threading.Event()

    def slow(root: Path) -> None:
        go.wait()
        remove_tree(root)
        gone.set()

    monkeypatch.setattr("manyhands.checks.sandbox.scratch.remove_tree", slow)
    scratch = Scratch.make()
    scratch.remove()
    assert scratch.root.is_dir()
    monkeypatch.undo()
    assert sweep() == 0, "it is still being removed"
    go.set()
    assert gone.wait(60)
    assert not scratch.root.exists()
