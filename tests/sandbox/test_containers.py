"""Programs in containers of podman: limits are named, and nothing of a container is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

PLAYED = Path(__file__).with_name("contained.py")
#: What podman needs where neither overlay mounts nor its own choices work.
STORAGE = '[storage]\ndriver = "vfs"\nrunroot = "{0}/run"\ngraphroot = "{0}/graph"\n'
ENGINE = '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'

Env = dict[str, str]


@pytest.fixture(scope="module")
def podman() -> Iterator[Env]:
    """An environment in which podman works, with a store of its own."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mh-") as folder:  # podman wants it short
        storage, engine = Path(folder) / "storage.conf", Path(folder) / "containers.conf"
        storage.write_text(STORAGE.format(folder))
        engine.write_text(ENGINE)
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(storage), "TMPDIR": str(temporary)}
        for more in ({}, {"CONTAINERS_CONF": str(engine)}):
            said = start({**env, **more}, "probe").communicate()[0]
            if said.startswith("works"):
                yield {**env, **more}
                return
        pytest.skip(f"podman does not work here: {said}")


def start(env: Env, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PLAYED), what], env=env, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def seen(podman: Env) -> dict[str, Any]:
    """How each of the runs in `contained.py` ended."""
    process = start(podman, "all")
    told: dict[str, Any] = json.loads(process.communicate()[0])
    assert process.returncode == 0
    return told


def containers(env: Env) -> str:
    done = subprocess.run(
        ["podman", "ps", "--all", "--quiet"], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


async def until_none(env: Env) -> None:
    with anyio.fail_after(60):
        while containers(env):  # noqa: ASYNC110 another process
            await anyio.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "status", "code", "limit"),
    [
        ("honest", "ok", 0, ""),
        ("125", "error", 125, ""),  # podman's own code when it fails
        ("crash", "signal", -11, ""),
        ("wall", "timeout", -9, "wall_s=1"),
        ("memory", "mem", 1, "memory_bytes=268435456"),
        ("kernel", "mem", 1, "memory_bytes=268435456"),
        ("warm", "ok", 0, ""),
        ("cannot", "refused", None, ""),
    ],
)
def test_how_a_contained_program_ended_is_told_as_elsewhere(
    seen: dict[str, Any], name: str, status: str, code: int | None, limit: str
) -> None:
    assert seen[name][:3] == [status, code, limit], seen[name]


def test_a_contained_program_has_its_files_and_nothing_else(seen: dict[str, Any]) -> None:
    assert seen["honest"][3].split() == ["given", "1000", "0000000000000000", "lo", "made"]
    assert seen["warm"][3].split() == ["given", "cmath"]
    assert seen["session"] == 42


@pytest.mark.anyio
async def test_no_run_leaves_a_container_or_a_folder(podman: Env, seen: dict[str, Any]) -> None:
    assert seen["cancelled"]
    await until_none(podman)
    assert os.listdir(podman["TMPDIR"]) == []  # noqa: PTH208


@pytest.mark.anyio
async def test_a_container_ends_with_its_killed_supervisor(podman: Env) -> None:
    process = start(podman, "hold")
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    assert containers(podman)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    await until_none(podman)


def test_a_container_is_swept_when_its_folder_is_gone(podman: Env, tmp_path: Path) -> None:
    for name, folder in (("kept", tmp_path), ("left", tmp_path / "gone")):
        subprocess.run(
            ["podman", "create", f"--name={name}", f"--label=manyhands.run={folder}",
             "--network=none", "--rootfs", str(tmp_path), "/program"],
            env=podman, check=True, capture_output=True,
        )  # fmt: skip
    kept = subprocess.run(
        ["podman", "ps", "--all", "--quiet", "--filter=name=kept"],
        env=podman, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert start(podman, "probe").communicate()[0].startswith("works")
    assert containers(podman) == kept
    subprocess.run(["podman", "rm", "kept"], env=podman, check=True, capture_output=True)


def test_where_podman_cannot_make_containers_its_reason_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "podman"
    broken.write_text("#!/bin/sh\necho 'Error: no runtime here' >&2\nexit 125\n")
    broken.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = start(env, "probe").communicate()[0]
    assert said.startswith("The sandbox 'podman' does not work here: Error: no runtime here."), said
    env["PATH"] = str(tmp_path / "none")
    said = start(env, "probe").communicate()[0]
    assert said.startswith("The sandbox 'podman' does not work here: podman is not installed"), said
