"""Looking at where the memory file lies before it is opened, so that nothing there is harmed."""

from __future__ import annotations

import struct
from pathlib import Path

from manyhands.errors import InputError, StorageError

__all__ = ["filesystem_of", "is_url", "look_at_the_place"]

#: File systems on which SQLite's shared memory between processes does not work.
#: Source: https://www.sqlite.org/wal.html, "all processes must be on the same host".
_REMOTE = ("nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "davfs")
_MAGIC = b"SQLite format 3\0"


def is_url(place: str | Path) -> bool:
    """Whether a memory's place is a server rather than a file."""
    return isinstance(place, str) and place.startswith(("postgresql://", "postgres://"))


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the file system under `path`, from the text of `/proc/mounts`; "" if unknown."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = path == Path(point) or Path(point) in path.parents
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def look_at_the_place(
    path: Path, mounts: str | None = None, *, must_exist: bool = False, key: str = ""
) -> None:
    """Refuse a network folder and a file that is no whole SQLite file; nothing is changed.

    Args:
        key: of the file; when there is one the file must be encrypted.

    Raises:
        StorageError: says which, and what to do.
    """
    if str(path) == ":memory:":
        raise InputError(
            "A memory is a file, since several connections share it; ':memory:' is none.",
            hint="Give a path in a temporary folder.",
        )
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            mounts = ""  # not Linux: SQLite's own errors remain
    kind = filesystem_of(path.resolve(), mounts)
    if kind in _REMOTE:
        raise StorageError(
            f"{str(path)!r} lies on a network folder ({kind}), where several processes cannot "
            "share an SQLite file safely.",
            hint="Set memory.path to a folder on this machine's own disk.",
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        if must_exist:
            raise InputError(
                f"Nothing is remembered yet: there is no file {str(path)!r}.",
                hint='The first memory makes it: manyhands memory add "…"',
            ) from None
        return
    except OSError as error:
        raise StorageError(
            f"{str(path)!r} cannot be read: {error.strerror}.",
            hint="Check its permissions, or set another path.",
        ) from error
    if size == 0:
        return
    keep = "It was not touched; restore it from a backup or move it away, a new one is made."
    plain = head.startswith(_MAGIC)
    if key:
        if plain:
            raise StorageError(
                f"There is a key, but {str(path)!r} is not encrypted.",
                hint="Encrypt it: manyhands memory encrypt",
            )
        return
    if not plain or len(head) < 100:
        raise StorageError(
            f"{str(path)!r} is no memory file, or is encrypted.",
            hint=f"{keep} If it is encrypted, name its key in memory.key_env.",
        )
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        return  # the rest of the file may still lie in the log
    (page_size,) = struct.unpack(">H", head[16:18])
    (pages,) = struct.unpack(">I", head[28:32])
    expected = pages * (65536 if page_size == 1 else page_size)
    if size < expected:
        raise StorageError(
            f"{str(path)!r} is cut short: {size:,} of {expected:,} bytes are there.", hint=keep
        )
