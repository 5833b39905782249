"""Running one program in the best isolation that really works on this machine."""

from __future__ import annotations

import compileall
import os
import secrets
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.environment import ensure_environment, font_cache
from manyhands.checks.sandbox.layers import INSIDE, command
from manyhands.checks.sandbox.scratch import Scratch, collect
from manyhands.checks.sandbox.supervise import Outcome, Tree
from manyhands.clean import clean_bytes
from manyhands.errors import NoIsolation

__all__ = ["Layer", "best", "probe", "run", "run_in", "told"]

MiB = 1024 * 1024

_CANARY = """
import os, socket, sys
secret, outside, port, uid = sys.argv[1:]
failed = []
try:
    open(secret).read(); failed.append("read a file outside")
except OSError: pass
try:
    open(os.path.join(outside, "written"), "w").close(); failed.append("wrote a file outside")
except OSError: pass
try:
    socket.create_connection(("127.0.0.1", int(port)), 0.5).close(); failed.append("reached loopback")
except OSError: pass
try:
    os.kill(int(uid), 0); failed.append("could signal its supervisor")
except OSError: pass
open("own", "w").write("x")
print(";".join(failed) or "contained")
"""  # noqa: E501

_SHM_HINT = (
    "\n[sandbox] Shared memory and semaphores of multiprocessing need a private /dev/shm, which "
    "the landlock tier has not. Install bubblewrap, or use threads or pipes."
)

_probed: list[Layer] | None = None
_lock = anyio.Lock()


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of isolation and whether a canary program stayed inside it here.

    Attributes:
        reason: why it does not work; empty when it does.
    """

    isolation: Isolation
    works: bool
    reason: str


async def probe() -> list[Layer]:
    """Try each kind of isolation, best first, with a program that tries to get out.

    Asked once per process. Needs the hands' environment only when it is there already: the canary
    uses nothing but the standard library, so the running interpreter serves otherwise.
    """
    global _probed
    async with _lock:
        if _probed is None:
            await anyio.to_thread.run_sync(_compile_launcher)
            _probed = [await _try(isolation) for isolation in _candidates()]
        return list(_probed)


async def best(policy: SandboxPolicy | None = None) -> Isolation:
    """The isolation that `policy` gets here. Raises NoIsolation with the reason and the fix."""
    policy = policy or SandboxPolicy()
    layers = await probe()
    if policy.backend not in ("auto", Isolation.NONE):
        for layer in layers:
            if layer.isolation == policy.backend and layer.works:
                return layer.isolation
        reasons = [layer.reason for layer in layers if layer.isolation == policy.backend]
        raise NoIsolation(
            f"The sandbox {policy.backend!r} does not work here: "
            f"{reasons[0] if reasons else 'it is not for this platform'}.",
            hint="Choose another backend, or 'auto'.",
        )
    if policy.backend != Isolation.NONE:
        for layer in layers:
            if layer.works:
                return layer.isolation
    if policy.allow_none:
        return Isolation.NONE
    why = "; ".join(f"{layer.isolation}: {layer.reason}" for layer in layers if layer.reason)
    raise NoIsolation(
        f"No sandbox works on this machine ({why or 'none exists for it'}).",
        hint=_fix(),
    )


async def run(job: SandboxRun, policy: SandboxPolicy | None = None) -> SandboxResult:
    """Run `python main.py` of the hands' environment in a fresh scratch folder.

    Cancelling ends every process of the run at once. Raises NoIsolation, HandsEnvironmentError,
    InputError for a bad file name; how the program itself ends is in the result's status.
    """
    policy = policy or SandboxPolicy()
    isolation = await best(policy)
    python = await ensure_environment()
    return await run_in(isolation, python, job, job.limits or policy.limits)


async def run_in(
    isolation: Isolation, python: Path, job: SandboxRun, limits: Limits
) -> SandboxResult:
    """`run` with everything chosen."""
    scratch = Scratch.make(font_cache(python))
    try:
        scratch.fill(job)
        started = command(isolation, python, scratch, limits, ("main.py", *job.args))
        async with Tree(started, isolation, limits, scratch) as tree:
            outcome = await tree.watch(job.stdin)
            late = outcome.status is RunStatus.OK and tree.over_disk()
        if late:
            outcome = replace(
                outcome, status=RunStatus.DISK, limit=f"disk_bytes={limits.disk_bytes}"
            )
        return await anyio.to_thread.run_sync(told, outcome, job, scratch, isolation)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(scratch.remove)


def told(
    outcome: Outcome, job: SandboxRun, scratch: Scratch, isolation: Isolation
) -> SandboxResult:
    """The result of a run whose processes are dead: cleaned text and the files asked for."""
    brought = collect(scratch.work, job.collect, {**job.files, **job.inputs, "main.py": b""})
    return SandboxResult(
        status=outcome.status,
        exit_code=outcome.exit_code,
        stdout=clean_bytes(outcome.stdout),
        stderr=clean_bytes(outcome.stderr) + _hint(isolation, outcome.stderr),
        files=brought.files,
        seconds=outcome.seconds,
        isolation=isolation,
        limit=outcome.limit,
        refused_files=brought.refused,
    )


def _hint(isolation: Isolation, stderr: bytes) -> str:
    shared = b"SemLock" in stderr or b"shared_memory" in stderr or b"_posixshmem" in stderr
    if isolation is Isolation.LANDLOCK and shared and b"Permission denied" in stderr:
        return _SHM_HINT
    return ""


def _candidates() -> tuple[Isolation, ...]:
    if sys.platform.startswith("linux"):
        return (Isolation.BWRAP, Isolation.LANDLOCK)
    if sys.platform == "darwin":
        return (Isolation.SEATBELT,)
    return ()


def _fix() -> str:
    if sys.platform.startswith("linux"):
        return (
            "Install bubblewrap (`apt install bubblewrap` or `dnf install bubblewrap`) or use a "
            "kernel with Landlock (5.13 or later); or accept the risk with `allow_none`."
        )
    return "Run manyhands under Linux, WSL 2 or macOS; or accept the risk with `allow_none`."


def _compile_launcher() -> None:
    """Compile what every run imports: the sandbox sees it read-only and could not keep it."""
    compileall.compile_dir(INSIDE, maxlevels=0, quiet=2)  # where we may not write, runs do without


async def _try(isolation: Isolation) -> Layer:
    missing = _missing(isolation)
    if missing:
        return Layer(isolation, False, missing)
    python = Path(sys.executable)
    limits = Limits(wall_s=10, cpu_s=5, memory_bytes=512 * MiB)
    with socket.socket() as server, tempfile.TemporaryDirectory() as outside:
        server.bind(("127.0.0.1", 0))
        server.listen()
        secret = Path(outside) / "canary"
        secret.write_text(secrets.token_hex())
        job = SandboxRun(
            code=_CANARY,
            args=(str(secret), outside, str(server.getsockname()[1]), str(os.getpid())),
        )
        try:
            result = await run_in(isolation, python, job, limits)
        except OSError as error:
            return Layer(isolation, False, f"cannot be started: {error.strerror}")
    said = result.stdout.strip()
    if result.status is RunStatus.OK and said == "contained":
        return Layer(isolation, True, "")
    if result.status is RunStatus.OK:
        return Layer(isolation, False, f"a canary program {said[:200]}")
    words = result.stderr.strip().splitlines()
    return Layer(isolation, False, words[-1][:200] if words else f"canary: {result.status}")


def _missing(isolation: Isolation) -> str:
    if isolation is Isolation.BWRAP and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if isolation is Isolation.SEATBELT and not Path("/usr/bin/sandbox-exec").exists():
        return "/usr/bin/sandbox-exec is not there"
    return ""
