"""Which files are read: those of a kind that is known, and that `.gitignore` does not name."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from manyhands.errors import InputError
from manyhands.memory.ingest.pieces import KNOWN_SUFFIXES

__all__ = ["files_under"]

#: Folders that hold no one's own work.
_SKIPPED = {"__pycache__", "node_modules", "site-packages"}


def files_under(paths: Iterable[Path]) -> tuple[list[Path], bool]:
    """Files to read, each once, sorted; and whether `.gitignore` could be honoured.

    A file that is named itself is read whatever `.gitignore` says of it.

    Raises:
        InputError: a path is not there.
    """
    found: dict[Path, None] = {}
    honoured = True
    for path in paths:
        whole = path.expanduser().resolve()
        if whole.is_dir():
            listed, knows = _listed(whole)
            honoured &= knows
            found.update(dict.fromkeys(listed))
        elif whole.exists():
            found[whole] = None
        else:
            raise InputError(
                f"There is no file or folder {str(path)!r}.",
                hint="Check the path, or leave it out: nothing was read yet.",
            )
    return sorted(found), honoured


def _listed(folder: Path) -> tuple[list[Path], bool]:
    names = _by_git(folder)
    everything = _walked(folder) if names is None else (folder / name for name in names)
    kept = [path for path in everything if _wanted(path, folder) and path.is_file()]
    return kept, names is not None


def _wanted(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts
    hidden = any(part.startswith(".") or part in _SKIPPED for part in inside)
    return not hidden and path.suffix.lower() in KNOWN_SUFFIXES


def _by_git(folder: Path) -> list[str] | None:
    """What git lists as neither ignored nor unknown; None when git cannot be asked.

    Outside a repository an empty one is lent, so that `.gitignore` means the same there.
    """
    wanted = ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "."]
    told = _git(folder, wanted)
    if told is None:
        with tempfile.TemporaryDirectory(prefix="manyhands-") as lent:
            if _git(folder, ["init", "--quiet", "--bare", lent]) is None:
                return None
            told = _git(folder, [f"--git-dir={lent}", f"--work-tree={folder}", *wanted])
    return None if told is None else [name for name in told.split("\0") if name]


def _git(folder: Path, arguments: list[str]) -> str | None:
    # What the environment says of another repository is not meant for this folder.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=60, env=clean
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def _walked(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for name in names:
            yield Path(root) / name
