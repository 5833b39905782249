# ruff: noqa: PTH116, PTH208
"""Runs every program of a corpus behind one tier and prints, per program, what went wrong outside.

Run as a program by `test_corpus.py`, as an unprivileged user when the tests run as root:
`arena.py TIER KIND CORPUS [ID,...]`, KIND being `hostile`, `benign`, or `pool`: hostile programs in
one fork server, each followed by an honest program there. Prints one JSON object per program:
`{"id", "status", "expect", "violations": [...], "stdout", "stderr"}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.environment import hands_python
from manyhands.checks.sandbox.forks import ForkServer
from manyhands.checks.sandbox.inside.watch import descendants
from manyhands.checks.sandbox.runner import run_in

WALL_S = 3.0
LIMITS = Limits(wall_s=WALL_S, cpu_s=WALL_S)
SUPERVISOR_GROWTH = 250 << 20
HONEST = """
import json, math, os, sys
import numpy
print(numpy.arange(5).sum(), math.gcd(12, 18), json.dumps({"a": 1}), os.listdir("."))
"""
HONEST_SAYS = "10 6 {\"a\": 1} ['main.py']\n"


class Arena:
    """Canaries, a decoy process and listeners outside the sandbox."""

    def __init__(self, root: Path) -> None:
        self.secret = secrets.token_hex(16)
        self.hits: list[str] = []
        self.home = root / "home"
        (self.home / ".ssh").mkdir(parents=True)
        self.secret_file = self.home / ".ssh" / "id_rsa"
        self.bashrc = self.home / ".bashrc"
        self.project = root / "project"
        self.markers = root / "markers"
        for folder in (self.project, self.markers):
            folder.mkdir()
        self.canaries = {
            self.secret_file: f"KEY {self.secret}",
            self.bashrc: "alias a=b\n",
            self.project / "a.txt": "project",
        }
        for path, text in self.canaries.items():
            path.write_text(text)
        self.decoy = subprocess.Popen(["/bin/sleep", "100000"])
        abstract = f"manyhands-{secrets.token_hex(8)}"
        self.ports = [
            self._listen(socket.AF_INET, ("127.0.0.1", 0)),
            self._listen(socket.AF_INET6, ("::1", 0)),
        ]
        self._listen(socket.AF_UNIX, "\0" + abstract)
        unix = str(root / "listener.sock")
        self._listen(socket.AF_UNIX, unix)
        os.environ["ARENA_SECRET"] = self.secret
        self.attack = json.dumps(
            {
                "secret_file": str(self.secret_file),
                "fake_home": str(self.home),
                "project_dir": str(self.project),
                "marker_dir": str(self.markers),
                "decoy_pid": self.decoy.pid,
                "supervisor_pid": os.getpid(),
                "tcp_port": self.ports[0],
                "tcp6_port": self.ports[1],
                "abstract": abstract,
                "unix_path": unix,
            }
        ).encode()

    def _listen(self, family: int, address: object) -> int:
        server = socket.socket(family)
        try:
            server.bind(address)  # type: ignore[arg-type]
        except OSError:  # a machine without IPv6
            return 1
        server.listen()
        name = server.getsockname()

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                self.hits.append(str(name))
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        return name[1] if isinstance(name, tuple) else 0

    def violations(self, stdout: str, stderr: str, files: dict[str, bytes]) -> list[str]:
        """What the universal invariants say, seen from outside; the arena is mended afterwards."""
        found = []
        if "ESCAPED:" in stdout + stderr:
            found.append(stdout[stdout.find("ESCAPED:") :][:200])
        said = [stdout, stderr, *(content.decode("latin-1") for content in files.values())]
        if any(self.secret in text for text in said):
            found.append("the secret came out")
        if any(self.markers.iterdir()):
            found.append("a marker was written outside")
        found += [f"{path} changed" for path, text in self.canaries.items()
                  if path.read_text() != text]  # fmt: skip
        known = {str(path) for path in self.canaries}
        found += [f"{path} appeared" for path in self.project.rglob("*")
                  if path.is_file() and str(path) not in known]  # fmt: skip
        if self.decoy.poll() is not None:
            found.append("the decoy died")
        if self.hits:
            found.append(f"listener reached: {self.hits}")
            self.hits.clear()
        return found

    def survivors(self) -> list[str]:
        """Processes of this user, or below this one, that are neither this one nor the decoy."""
        mine = {os.getpid(), self.decoy.pid}
        pids = set(descendants(os.getpid()))
        if os.environ.get("ARENA_OWN_USER"):
            pids |= set(map(int, filter(_owned, filter(str.isdigit, os.listdir("/proc")))))
        found = []
        for pid in pids - mine:
            try:
                state = Path(f"/proc/{pid}/stat").read_text()
                if state.rpartition(")")[2].split()[0] not in "ZX":
                    found.append(f"process survived: {state[:60]}")
            except OSError:
                continue
        return found


def _owned(pid: str) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.getuid()
    except OSError:
        return False


async def main(tier: str, kind: str, corpus: Path, only: str = "") -> None:
    isolation = Isolation(tier)
    manifest = json.loads((corpus / "manifest.json").read_text())
    programs = [{"id": i} for i in manifest] if kind == "benign" else manifest["programs"]
    if only:
        programs = [program for program in programs if program["id"] in only.split(",")]
    with tempfile.TemporaryDirectory(prefix="arena-", dir="/var/tmp") as folder:
        arena = Arena(Path(folder))
        scratches = Path(folder) / "scratch"
        scratches.mkdir()
        tempfile.tempdir = str(scratches)
        try:
            async with contextlib.AsyncExitStack() as stack:
                run = await runner(isolation, kind, stack)
                for program in programs:
                    code = (corpus / f"{program['id']}.py").read_text()
                    record = await play(arena, run, program, code, kind)
                    print(json.dumps(record), flush=True)
        finally:
            arena.decoy.kill()
            arena.decoy.wait()


Run = Callable[[SandboxRun], Awaitable[SandboxResult]]


async def runner(isolation: Isolation, kind: str, stack: contextlib.AsyncExitStack) -> Run:
    """How a program is run: by itself, or in one fork server that stays."""
    if kind != "pool":
        python = hands_python()

        async def alone(job: SandboxRun) -> SandboxResult:
            return await run_in(isolation, python, job, job.limits or LIMITS)

        return alone
    policy = SandboxPolicy(backend=isolation.value, limits=LIMITS)
    pool = await stack.enter_async_context(ForkServer(("numpy",), policy))

    async def pooled(job: SandboxRun) -> SandboxResult:
        result = await pool.run(job)
        honest = await pool.run(SandboxRun(code=HONEST))
        if (honest.status, honest.stdout) != ("ok", HONEST_SAYS):
            result.refused_files["next"] = f"{honest.status} {honest.stdout} {honest.stderr}"
        return result

    return pooled


async def play(arena: Arena, run: Run, program: dict, code: str, kind: str) -> dict:
    limits = LIMITS
    if kind == "benign":
        limits = Limits(wall_s=60, cpu_s=40)
    elif program["cat"] == "memory":  # a slow machine touches less than 2 GiB in that time
        limits = Limits(wall_s=20, cpu_s=10, memory_bytes=768 << 20)
    elif program["cat"] == "disk" and "timeout" not in program["expect"]:
        # ext4 passes over every inode that was deleted in the last minutes: after other runs a
        # thousand new files may cost a second.
        limits = Limits(wall_s=120, cpu_s=60)
    elif "timeout" not in program["expect"]:  # ends by itself or by a limit, on a busy machine too
        limits = Limits(wall_s=20, cpu_s=WALL_S)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started = time.monotonic()
    result = await run(
        SandboxRun(
            code=code,
            files={"_attack.json": arena.attack},
            collect=("*.png", "*.svg", "*.pkl", "charts/*", "*.txt", "core*"),
            limits=limits,
        )
    )
    took = time.monotonic() - started
    violations = arena.violations(result.stdout, result.stderr, result.files)
    if kind != "pool":  # the server and what waits in it stay
        violations += arena.survivors()
    if took > limits.wall_s + 2:
        violations.append(f"took {took:.1f} s")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    if grown > SUPERVISOR_GROWTH:
        violations.append(f"the supervisor grew by {grown >> 20} MiB")
    if "next" in result.refused_files:
        violations.append(f"the next program was wrong: {result.refused_files['next'][:500]}")
    for _ in range(1200):  # what takes long to delete is deleted after the answer
        left = os.listdir(tempfile.gettempdir())
        if not left or kind == "pool":
            break
        await anyio.sleep(0.05)
    if left and kind != "pool":
        violations.append(f"left behind: {left}")
    if "artifact_rejected" in program.get("inv", ()) and result.files:
        violations.append("the image bomb came out")
    return {
        "id": program["id"],
        "status": result.status,
        "expect": program.get("expect", ["ok"]),
        "violations": violations,
        "stdout": result.stdout[-2000:],
        "stderr": result.stderr[-2000:],
        "seconds": round(took, 3),
        "limit": result.limit,
        "refused": result.refused_files,
    }


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], Path(sys.argv[3]), "".join(sys.argv[4:]))
