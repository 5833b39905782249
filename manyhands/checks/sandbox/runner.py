"""Running one program in the best isolation that really works on this machine."""

from __future__ import annotations

import compileall
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from manyhands.checks.sandbox import containers, monty
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
from manyhands.checks.sandbox.scratch import Scratch, collect, sweep
from manyhands.checks.sandbox.supervise import Outcome, Tree
from manyhands.clean import clean_bytes
from manyhands.errors import NeedsPython, NoIsolation, SandboxError

__all__ = ["Layer", "best", "best_python", "probe", "run", "run_in", "told", "uses_environment"]

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

#: The same for an interpreter that has no arguments, no sockets and no signals.
_MONTY_CANARY = """
failed = []
try:
    open({secret!r}).read(); failed.append("read a file outside")
except Exception: pass
try:
    open({outside!r} + "/written", "w").write("x"); failed.append("wrote a file outside")
except Exception: pass
try:
    import os
    failed.append("read its environment as " + str(os.environ["PATH"]))
except Exception: pass
try:
    import socket
    socket.create_connection(("127.0.0.1", {port}), 0.5); failed.append("reached loopback")
except Exception: pass
print(";".join(failed) or "contained")
"""

_SHM_HINT = (
    "\n[sandbox] Shared memory and semaphores of multiprocessing need a private /dev/shm, which "
    "the landlock tier has not. Install bubblewrap, or use threads or pipes."
)

_probed: dict[Isolation, Layer] = {}
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

    Last those that `auto` never takes, as far as they are installed. Each is tried once per
    process. Needs the hands' environment only when it is there already: the canary uses nothing but
    the standard library, so the running interpreter serves otherwise.
    """
    asked_for = [isolation for isolation in _ASKED_FOR if not _missing(isolation)]
    return [await _layer(isolation) for isolation in (*_candidates(), *asked_for)]


async def _layer(isolation: Isolation) -> Layer:
    async with _lock:
        if not _probed:
            await anyio.to_thread.run_sync(_compile_launcher)
        if isolation not in _probed:
            _probed[isolation] = await _try(isolation)
        return _probed[isolation]


async def best(policy: SandboxPolicy | None = None) -> Isolation:
    """The isolation that `policy` gets here. Raises NoIsolation with the reason and the fix."""
    policy = policy or SandboxPolicy()
    layers = []
    if policy.backend != Isolation.NONE:
        allowed = _candidates() if policy.backend == "auto" else (*_candidates(), *_ASKED_FOR)
        wanted = [one for one in allowed if policy.backend in ("auto", one)]
        for isolation in wanted:
            layers.append(await _layer(isolation))
            if layers[-1].works:
                return isolation
        if policy.backend != "auto":
            raise NoIsolation(
                f"The sandbox {policy.backend!r} does not work here: "
                f"{layers[0].reason if layers else 'it is not for this platform'}.",
                hint=_FIXES.get(policy.backend, "Choose another backend, or 'auto'."),
            )
    if policy.allow_none:
        return Isolation.NONE
    why = "; ".join(f"{layer.isolation}: {layer.reason}" for layer in layers if layer.reason)
    raise NoIsolation(
        f"No sandbox works on this machine ({why or 'none exists for it'}).",
        hint=_fix(),
    )


async def best_python(policy: SandboxPolicy, what: str) -> Isolation:
    """The same for `what` only a real Python can do. Raises NeedsPython when just Monty works."""
    isolation = await best(policy)
    if isolation is Isolation.MONTY:
        raise NeedsPython(f"{what} needs a real interpreter, not monty.", hint=monty.REAL_PYTHON)
    return isolation


async def uses_environment(policy: SandboxPolicy) -> bool:
    """Whether programs run in the hands' own Python here, or would if a sandbox worked."""
    try:
        return await best(policy) is not Isolation.MONTY
    except NoIsolation:
        return True


async def run(job: SandboxRun, policy: SandboxPolicy | None = None) -> SandboxResult:
    """Run `python main.py` of the hands' environment in a fresh scratch folder.

    Cancelling ends every process of the run at once. Raises NoIsolation, HandsEnvironmentError,
    InputError for a bad file name; how the program itself ends is in the result's status.
    """
    policy = policy or SandboxPolicy()
    isolation = await best(policy)
    if isolation is Isolation.MONTY:  # an interpreter of its own
        return await monty.run(job, job.limits or policy.limits)
    python = await ensure_environment()
    return await run_in(isolation, python, job, job.limits or policy.limits)


async def run_in(
    isolation: Isolation, python: Path, job: SandboxRun, limits: Limits
) -> SandboxResult:
    """`run` with everything chosen."""
    scratch = Scratch.make(font_cache(python))
    begun, patience_s = time.monotonic(), 1.0
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
        result = await anyio.to_thread.run_sync(told, outcome, job, scratch, isolation)
        # The folder is gone when the result is there, as long as the wall time is not overdrawn.
        patience_s = max(patience_s, begun + limits.wall_s + 1.0 - time.monotonic())
        return result
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(scratch.remove, patience_s)


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
        return (Isolation.BWRAP, Isolation.LANDLOCK, Isolation.MONTY)
    if sys.platform == "darwin":
        return (Isolation.SEATBELT, Isolation.MONTY)
    return (Isolation.MONTY,)


#: What `auto` never takes.
_ASKED_FOR = (Isolation.PODMAN,)
_FIXES: dict[str, str] = {
    Isolation.PODMAN: (
        "Make `podman run` work for you (docs/sandbox.md, Containers), or choose another backend, "
        "or 'auto'."
    ),
}


def _fix() -> str:
    if sys.platform.startswith("linux"):
        return (
            "Install bubblewrap (`apt install bubblewrap` or `dnf install bubblewrap`) or use a "
            "kernel with Landlock (5.13 or later); or accept the risk with `allow_none`."
        )
    return (
        "Run manyhands under Linux, WSL 2 or macOS, or install the extra `monty` for pure Python; "
        "or accept the risk with `allow_none`."
    )


def _compile_launcher() -> None:
    """Compile what every run imports: the sandbox sees it read-only and could not keep it."""
    compileall.compile_dir(INSIDE, maxlevels=0, quiet=2)  # where we may not write, runs do without


async def _try(isolation: Isolation) -> Layer:
    missing = _missing(isolation)
    if missing:
        return Layer(isolation, False, missing)
    if isolation is Isolation.PODMAN:
        await anyio.to_thread.run_sync(_sweep_containers)
    python = Path(sys.executable)
    limits = Limits(wall_s=10, cpu_s=5, memory_bytes=512 * MiB)
    with socket.socket() as server, tempfile.TemporaryDirectory() as outside:
        server.bind(("127.0.0.1", 0))
        server.listen()
        secret = Path(outside) / "canary"
        secret.write_text(secrets.token_hex())
        port = server.getsockname()[1]
        job = SandboxRun(
            code=_CANARY,
            args=(str(secret), outside, str(port), str(os.getpid())),
        )
        try:
            if isolation is Isolation.MONTY:
                code = _MONTY_CANARY.format(secret=str(secret), outside=outside, port=port)
                result = await monty.run(SandboxRun(code=code), limits)
            else:
                result = await run_in(isolation, python, job, limits)
        except OSError as error:
            return Layer(isolation, False, f"cannot be started: {error.strerror}")
        except SandboxError as error:
            return Layer(isolation, False, error.message)
    said = result.stdout.strip()
    if result.status is RunStatus.OK and said == "contained":
        return Layer(isolation, True, "")
    if result.status is RunStatus.OK:
        return Layer(isolation, False, f"a canary program {said[:200]}")
    words = result.stderr.strip().splitlines()
    return Layer(isolation, False, words[-1][:200] if words else f"canary: {result.status}")


def _sweep_containers() -> None:
    sweep()  # a container is left over when its run's folder is gone
    containers.sweep()


def _missing(isolation: Isolation) -> str:
    if isolation is Isolation.PODMAN:
        return containers.why_not(sys.platform)
    if isolation is Isolation.BWRAP and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if isolation is Isolation.SEATBELT and not Path("/usr/bin/sandbox-exec").exists():
        return "/usr/bin/sandbox-exec is not there"
    if isolation is Isolation.MONTY and not monty.installed():
        return "pydantic-monty is not installed (extra `monty`)"
    return ""
