"""What a sandboxed run is given, how it is limited, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["Isolation", "Limits", "RunStatus", "SandboxPolicy", "SandboxResult", "SandboxRun"]

MiB = 1024 * 1024


class Isolation(StrEnum):
    """Which layer really kept the program in; shown with every result."""

    BWRAP = "bwrap"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    PODMAN = "podman"
    MONTY = "monty"  # another interpreter, for pure Python: see `monty.py`
    NONE = "none"


class RunStatus(StrEnum):
    """How a sandboxed program ended."""

    OK = "ok"
    ERROR = "error"  # it exited with a code other than 0
    TIMEOUT = "timeout"
    MEM = "mem"
    DISK = "disk"
    OUTPUT = "output"
    SIGNAL = "signal"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run. Defaults gave no false alarm on 32 benign programs (measured)."""

    wall_s: float = 30.0
    cpu_s: float = 10.0
    memory_bytes: int = 2048 * MiB  # of the whole process tree
    processes: int = 64
    descriptors: int = 256
    file_bytes: int = 64 * MiB  # one file
    disk_bytes: int = 300 * MiB  # all files of the run
    files: int = 8000
    output_kept_bytes: int = 1 * MiB  # per stream: head and tail kept
    output_kill_bytes: int = 32 * MiB  # per stream: beyond this the program is ended


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """What programs may do here: one object for hands, checks, file tools and the user.

    Attributes:
        backend: `auto`, or the name of an `Isolation` to insist on.
        allow_none: the explicit opt-in to run with limits but without isolation.
    """

    backend: str = "auto"
    allow_none: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class SandboxRun:
    """One program to run.

    Attributes:
        code: the program's text; it runs as `main.py` in the scratch folder.
        args: command-line arguments.
        inputs: name in the scratch folder -> file on the host, copied in before the run.
        files: name in the scratch folder -> content, written before the run.
        stdin: bytes for standard input.
        collect: glob patterns of files to bring out afterwards.
        limits: the limits; the policy's when None.
    """

    code: str
    args: tuple[str, ...] = ()
    inputs: dict[str, Path] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    collect: tuple[str, ...] = ()
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """What a run left behind. Everything in it is data from an untrusted program.

    Attributes:
        stdout, stderr: cleaned of control, ANSI, bidi and tag characters, head and tail kept.
        files: name -> content of each collected file.
        refused_files: name -> why a file matching `collect` was not brought out.
        seconds: wall time.
        limit: which limit ended it, with its value; empty when none did.
    """

    status: RunStatus
    exit_code: int | None
    stdout: str
    stderr: str
    files: dict[str, bytes]
    seconds: float
    isolation: Isolation
    limit: str = ""
    refused_files: dict[str, str] = field(default_factory=dict)
