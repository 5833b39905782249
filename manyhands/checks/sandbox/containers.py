"""Containers made by podman: the call that starts one, and the end of those that nobody holds.

A container outlives the `podman run` that started it, because its monitor belongs to nobody. So its
first process holds one end of a socket (`inside/launch.py`), the other end is the supervisor's: the
kernel closes that whatever happens to the supervisor, and the container ends. What is left to sweep
are records of containers whose monitor was killed too, or the machine switched off.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from manyhands.checks.sandbox.contracts import Limits

__all__ = [
    "LINE_FD",
    "Bind",
    "has_cgroups",
    "make_root",
    "podman_environment",
    "remove",
    "run_argv",
    "sweep",
    "why_not",
]

#: Stands in a command for the container's end of the socket that ties it to the supervisor.
LINE_FD = "@line-fd@"

#: Where the file or folder is here, where it is inside, `ro` or `rw`.
Bind = tuple[str, str, str]

MiB = 1024 * 1024
#: Podman hands on the descriptors from 3 on, and not every shell can move one above 9 there.
_TO_THREE = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
_LABEL = "manyhands.run"
_TASK_MARGIN = 8  # our own processes inside
#: Above the program's limit, so that it meets its own limit first and can handle a MemoryError:
#: our first process inside, page tables, buffers of the kernel.
_MEMORY_MARGIN = 64 * MiB
_CALL_S = 30.0
_OWN_MOUNTS = (("/proc", "/proc"), ("/sys", "/sys"), ("/", "/run"))  # podman's own


def why_not(platform: str) -> str:
    """Why there can be no containers here; empty when a canary may try."""
    if not platform.startswith("linux"):
        return (
            "podman runs containers in a Linux virtual machine here, where the hands' Python of "
            "this machine does not run"
        )
    return "" if shutil.which("podman") else "podman is not installed"


def has_cgroups() -> bool:
    """Whether podman can hold a container's memory and processes: cgroup 1 is root's."""
    return os.geteuid() == 0 or Path("/sys/fs/cgroup/cgroup.controllers").exists()


def podman_environment() -> dict[str, str]:
    """What podman gets of our environment: where its files and its user's session are.

    Not CONTAINER_HOST, which would send the container to another machine, nor proxies, which
    podman hands on. The program inside gets nothing of it.
    """
    kept = ("PATH", "HOME", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS", "STORAGE_DRIVER", "STORAGE_OPTS")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(("CONTAINERS_", "XDG_"))
    }


def make_root(root: Path, binds: Iterable[Bind], links: Iterable[str]) -> None:
    """Make the folder that becomes a container's `/`, with `links` as they are here.

    With every place of a mount in it: one that a rootless podman made would be another user's, and
    could not be removed.
    """
    for source, target in (*((bind[0], bind[1]) for bind in binds), *_OWN_MOUNTS):
        place = root / target[1:]
        if Path(source).is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    for path in links:
        (root / path[1:]).symlink_to(Path(path).readlink())


def run_argv(
    root: Path, empty: Path, pidfile: Path, binds: Iterable[Bind], limits: Limits,
    env: Mapping[str, str], program: tuple[str, ...],
) -> tuple[str, ...]:  # fmt: skip
    """The command that runs `program` as the first process of a container without a network.

    Args:
        root: folder of the run; its name becomes the container's.
        empty: folder that becomes the container's `/`.
        pidfile: where the first process's id is written.
        env: environment of the program.

    The program's uid 1000 is the caller in a user namespace of its own, whether podman runs as root
    or not; uid 0, which the runtime wants to exist, is nobody or the first of the caller's subuids.
    """
    nobody = 65534 if os.geteuid() == 0 else 1
    tasks = limits.processes + _TASK_MARGIN
    environment = (f"--env={name}={value}" for name, value in env.items())
    volumes = (f"--volume={source}:{target}:{mode}" for source, target, mode in binds)
    return (
        sys.executable, "-I", "-S", "-c", _TO_THREE, LINE_FD,
        _podman(), "--log-level=fatal", "run", "--rm", "--name", root.name,
        "--label", f"{_LABEL}={root}", "--pidfile", str(pidfile),
        "--preserve-fds=1", "--log-driver=passthrough",  # the streams are ours, nobody copies
        "--network=none", "--no-hosts", "--hostname=hands", "--http-proxy=false",
        "--uidmap=1000:0:1", f"--uidmap=0:{nobody}:1",
        "--gidmap=1000:0:1", f"--gidmap=0:{nobody}:1", "--user=1000:1000",
        "--cap-drop=all", "--security-opt=no-new-privileges",
        "--security-opt=label=disable",  # SELinux would have the system's folders relabelled
        "--read-only", "--read-only-tmpfs=false",
        *_cgroup(limits.memory_bytes + _MEMORY_MARGIN, tasks),
        # Podman's defaults may be higher than what its caller may have. Older kernels count here
        # what the user runs outside as well: this is no limit on the program's processes.
        "--ulimit", _own_limit("nofile", limits.descriptors),
        "--ulimit", _own_limit("nproc", max(4096, tasks)),
        *environment, *volumes, "--rootfs", str(empty), *program,
    )  # fmt: skip


def _cgroup(memory_bytes: int, tasks: int) -> tuple[str, ...]:
    if not has_cgroups():
        return ()  # podman would say so on the program's standard error
    return (f"--memory={memory_bytes}", f"--memory-swap={memory_bytes}", f"--pids-limit={tasks}")


def _own_limit(name: str, wanted: int) -> str:
    import resource  # not on Windows

    top = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
    value = wanted if top == resource.RLIM_INFINITY else min(wanted, top)
    return f"{name}={value}:{value}"


def _podman() -> str:
    return shutil.which("podman") or "podman"


def remove(name: str) -> None:
    """End and remove a container whose `podman run` had to be killed."""
    _call("rm", "--force", "--ignore", "--time=0", name)


def sweep() -> None:
    """Remove the containers whose run's folder is gone: nobody holds them any more."""
    listed = _call("ps", "--all", "--filter", f"label={_LABEL}", "--format=json")
    try:
        found = json.loads(listed or "[]")
    except ValueError:
        return
    for container in found:
        if not Path(container["Labels"][_LABEL]).exists():
            remove(container["Names"][0])


def _call(*args: str) -> str:
    """What podman prints; nothing when it fails, which the next run will tell better."""
    try:
        done = subprocess.run(
            [_podman(), *args], env=podman_environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_CALL_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
