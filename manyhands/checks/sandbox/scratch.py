"""The folder of one run: made, filled, brought out with care, removed whatever is in it.

Who makes a folder holds a lock on it, which ends with the process, however that ends: `sweep`
removes the folders that nobody holds any more.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manyhands.checks.sandbox.contracts import SandboxRun
from manyhands.checks.sandbox.png import PngRefused, rewrite_png
from manyhands.errors import InputError, SandboxError

__all__ = ["Collected", "Scratch", "collect", "lent_folder", "remove_tree", "sweep"]

MiB = 1024 * 1024
_COLLECT_BYTES = 64 * MiB  # all collected files of one run
_COLLECT_FILES = 256
_NAME = 200  # bytes
_DEPTH = 8
_REMOVE_PATIENCE_S = 1.0
_PREFIX = "manyhands-run-"
_FOLDERS = ("work", "tmp", "shm", "config")
#: Of a file system without such locks; NFS wants a file open for writing, which no folder can be.
_NO_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EBADF)


class _Claim:
    """That the maker of a folder lives."""

    def __init__(self, folder: int) -> None:
        self._folder: int | None = folder

    def release(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)


def _claimed(root: Path, *, wait: bool) -> _Claim | None:
    """Take the lock of a folder; None when another has it, or the folder is gone by then.

    Who waits for it gets the OSError of anything else that stands in the way.
    """
    import fcntl  # not on Windows, where no sandbox is

    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if wait and not isinstance(error, FileNotFoundError):
            raise
        return None
    claim = _Claim(folder)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if os.path.samestat(os.fstat(folder), root.lstat()):
            return claim
    except OSError as error:
        if wait and error.errno in _NO_LOCKS:
            return claim  # nothing is swept there either
        if wait and not isinstance(error, FileNotFoundError):
            claim.release()
            raise
    claim.release()
    return None


@dataclass(frozen=True, slots=True)
class Scratch:
    """Folders of one run under `root`, which only the owner can enter."""

    root: Path
    work: Path
    tmp: Path
    shm: Path
    config: Path
    _claim: _Claim | None

    @classmethod
    def make(cls, font_cache: Path | None = None, *, parent: Path | None = None) -> Scratch:
        """Make the folders.

        Args:
            font_cache: a ready matplotlib cache to copy in.
            parent: another run's `root`, whose claim holds for this one too.

        Raises SandboxError when the folder cannot be locked (too many open files).
        """
        claim = None
        while True:
            root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
            if parent is not None:
                break
            try:
                claim = _claimed(root, wait=True)
            except OSError as error:
                with contextlib.suppress(OSError):
                    root.rmdir()
                raise SandboxError(
                    f"The folder of a run, {str(root)!r}, cannot be locked: {error.strerror}.",
                    hint="Close some programs or files, or set TMPDIR to another folder.",
                ) from error
            if claim is not None:
                break  # else it was swept between being made and being claimed
        work, tmp, shm, config = (root / name for name in _FOLDERS)
        scratch = cls(root, work, tmp, shm, config, claim)
        for name in _FOLDERS:
            (root / name).mkdir(mode=0o700)
        if font_cache is not None and font_cache.is_dir():
            for file in font_cache.glob("*.json"):
                shutil.copyfile(file, scratch.config / file.name)
        return scratch

    def fill(self, job: SandboxRun) -> None:
        """Write the program and its inputs. Raises InputError for a name that leaves the folder."""
        if "main.py" in job.inputs or "main.py" in job.files:
            raise InputError(
                "An input is called 'main.py', which is the program's own name.",
                hint="Rename the input.",
            )
        for name, source in job.inputs.items():
            if not source.is_file():
                raise InputError(
                    f"The input file {str(source)!r} does not exist or is no regular file.",
                    hint="Give the path of a readable file.",
                )
            target = self._place(name)
            try:
                shutil.copyfile(source, target)
            except OSError as error:
                raise InputError(
                    f"The input file {str(source)!r} cannot be copied: {error.strerror}.",
                    hint="Give the path of a readable file.",
                ) from error
            target.chmod(0o600)
        for name, content in job.files.items():
            self._place(name).write_bytes(content)
        (self.work / "main.py").write_bytes(job.code.encode("utf-8", errors="surrogatepass"))

    def _place(self, name: str) -> Path:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in name:
            raise InputError(
                f"The name {name!r} would leave the scratch folder.",
                hint="Use a plain relative name such as 'data.csv'.",
            )
        target = self.work / pure
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def remove(self, patience_s: float = _REMOVE_PATIENCE_S) -> None:
        """Remove the folders; returns after `patience_s` seconds, however long that takes.

        Deleting what a program has strewn may take a minute, which nobody shall wait for. The rest
        goes on in a thread, or is left to `sweep` where the process ends before.
        """
        removing = threading.Thread(target=self._remove, name="sandbox-remove", daemon=True)
        removing.start()
        removing.join(patience_s)

    def _remove(self) -> None:
        try:
            remove_tree(self.root)
        finally:
            if self._claim is not None:
                self._claim.release()


def lent_folder() -> tuple[Path, Callable[[], None]]:
    """A folder that only the owner can enter, and what removes it, once or more often.

    That of a process which is killed is swept with the others.
    """
    if sys.platform == "win32":  # no run has a folder there, so nothing sweeps
        lent = tempfile.TemporaryDirectory()
        return Path(lent.name), lent.cleanup
    scratch = Scratch.make()
    return scratch.work, scratch.remove


@dataclass(frozen=True, slots=True)
class Collected:
    """Files brought out, and why others were not."""

    files: dict[str, bytes]
    refused: dict[str, str]


def collect(folder: Path, patterns: tuple[str, ...], given: Mapping[str, object]) -> Collected:
    """Read the files below `folder` that match `patterns`; call it when every process is dead.

    Never follows a link, opens a FIFO or a device, or reads a file with a second name.
    A pattern without `/` matches top-level names only. Files in `given` (the inputs) stay.
    A PNG comes out rewritten (`png.rewrite_png`).
    """
    files: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    if not patterns:
        return Collected(files, refused)
    total = 0
    for name, info in _walk(folder):
        if name in given or not any(_matches(name, pattern) for pattern in patterns):
            continue
        reason = _objection(name, info)
        if not reason and len(files) >= _COLLECT_FILES:
            reason = f"more than {_COLLECT_FILES} files"
        if not reason and total + info.st_size > _COLLECT_BYTES:
            reason = f"more than {_COLLECT_BYTES // MiB} MiB in all"
        content = b""
        if not reason:
            try:
                content = _read(folder, name)
            except OSError as error:
                reason = error.strerror or "cannot be read"
        if not reason:
            try:
                content = rewrite_png(content) if name.lower().endswith(".png") else content
            except PngRefused as error:
                reason = error.fault.value
        if reason:
            if len(refused) < _COLLECT_FILES:
                refused[_shown(name)] = reason
        else:
            files[name] = content
            total += len(content)
    return Collected(files, refused)


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


def _walk(folder: Path) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    waiting = [""]
    while waiting and len(found) < 20_000:
        prefix = waiting.pop()
        try:
            names = sorted(entry.name for entry in (folder / prefix).iterdir())
        except OSError:
            continue
        for name in names:
            path = f"{prefix}{name}"
            try:
                info = (folder / path).lstat()
            except OSError:
                continue
            if stat.S_ISDIR(info.st_mode) and path.count("/") < _DEPTH:
                waiting.append(f"{path}/")
            found.append((path, info))
    return found


def _objection(name: str, info: os.stat_result) -> str:
    if len(os.fsencode(name)) > _NAME:
        return f"name longer than {_NAME} bytes"
    if not name.isprintable() or any(c in name for c in '\\:*?"<>|') or name != name.strip():
        return "name with characters that are not allowed"
    if any(part.startswith((".", "-")) for part in name.split("/")):
        return "name starts with a dot or a dash"
    if stat.S_ISLNK(info.st_mode):
        return "symbolic link"
    if not stat.S_ISREG(info.st_mode):
        return "not a regular file"
    if info.st_nlink != 1:
        return "hard link"
    return ""


def _shown(name: str) -> str:
    return (
        name[:100].encode("ascii", "backslashreplace").decode()
        if name.isprintable()
        else (ascii(name[:100]))
    )


def _read(folder: Path, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(folder / name, flags)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            raise OSError(errno.EINVAL, "not a plain file")
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(_COLLECT_BYTES + 1)[: _COLLECT_BYTES + 1]
    finally:
        os.close(fd)


def sweep() -> int:
    """Remove what runs of this user left whose process was killed; returns how many folders.

    Several processes may sweep at once, and others may make folders meanwhile.
    """
    if sys.platform == "win32":  # no run has a folder there
        return 0
    swept = 0
    for root in Path(tempfile.gettempdir()).glob(f"{_PREFIX}????????"):
        claim = _claimed(root, wait=False)
        if claim is None:
            continue
        try:
            if _ours(root):
                remove_tree(root)
                swept += 1
        finally:
            claim.release()
    return swept


def _ours(root: Path) -> bool:
    """Whether a folder is this user's, and looks like one that `Scratch.make` made."""
    try:
        names = {entry.name for entry in root.iterdir()}
        return root.lstat().st_uid == os.geteuid() and (not names or names.issuperset(_FOLDERS))
    except OSError:
        return False


def remove_tree(root: Path) -> None:
    """Remove a folder however deep, odd-named or closed its content is; links are not followed.

    Call it when every process that could write there is dead. It climbs by `..`, and stops where
    that leads elsewhere than it came from.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        here = os.open(root, flags)
    except OSError:
        return
    stack: list[tuple[str, list[str], os.stat_result]] = [("", _empty(here), os.fstat(here))]
    try:
        while True:
            name, pending, _ = stack[-1]
            if pending:
                below = pending.pop()
                try:
                    with contextlib.suppress(OSError):
                        os.chmod(below, 0o700, dir_fd=here)
                    deeper = os.open(below, flags, dir_fd=here)
                except OSError:
                    continue
                os.close(here)
                here = deeper
                stack.append((below, _empty(here), os.fstat(here)))
                continue
            stack.pop()
            if not stack:
                break
            parent = os.open("..", flags, dir_fd=here)
            os.close(here)
            here = parent
            if not os.path.samestat(os.fstat(here), stack[-1][2]):
                return
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=here)
    finally:
        os.close(here)
    with contextlib.suppress(OSError):
        root.rmdir()


def _empty(folder: int) -> list[str]:
    """Unlink what is no folder, remove the empty folders, return the names of the others."""
    with contextlib.suppress(OSError):
        os.fchmod(folder, 0o700)
    full = []
    with os.scandir(folder) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, is_folder in entries:
        try:
            if is_folder:
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except OSError:
            if is_folder:
                full.append(name)
    return full
