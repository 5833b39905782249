"""The tables that a call brings: files under the allowed folders, or CSV text in the call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyhands.errors import InputError

__all__ = ["Tables"]

_MOST_TEXT = 2_000_000
_ASK_FOLDER = "Start the server with `--data-folder FOLDER`, or send the table as CSV text."


@dataclass(frozen=True, slots=True)
class Tables:
    """Finds what `data` of a call names.

    Attributes:
        folders: files are read only below these; with none, a call must bring CSV text.
    """

    folders: tuple[Path, ...] = ()

    def find(
        self, given: Sequence[str], scratch: Path, names: Sequence[str] = ()
    ) -> dict[str, Path]:
        """Name -> file for each item; a text of several lines is CSV, anything else a path.

        Args:
            scratch: folder that CSV texts are written to.
            names: of the items in order; without, a table is called after its file, or `table`.

        Raises:
            InputError: a path is outside, hidden or no file, or a text is too long.
        """
        found: dict[str, Path] = {}
        for at, item in enumerate(given):
            called = names[at] if at < len(names) else ""
            if "\n" in item.strip():
                name = _free(called or "table", found)
                found[name] = _write(item, scratch / f"{name}.csv")
            else:
                path = self.path(item.strip())
                found[_free(called or _plain(path.stem), found)] = path
        return found

    def marks(self, given: Sequence[str]) -> list[str]:
        """What tells each file from another and from itself after a change; "" for a CSV text.

        Raises:
            InputError: as `find`.
        """
        found = []
        for item in given:
            mark = ""
            if "\n" not in item.strip():
                path = self.path(item.strip())
                stat = path.stat()
                # A change of the content that keeps size and modification time shows in ctime.
                mark = f"{path} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
            found.append(mark)
        return found

    def path(self, text: str) -> Path:
        """The file that a path names; raises InputError when it is outside, hidden or no file."""
        if not text or "\0" in text or len(text) > 4096:
            raise InputError("A path is empty or no path.", hint="Give a file's path.")
        asked = Path(text).expanduser()
        for folder in self.folders:
            root = folder.resolve()
            try:
                path = (asked if asked.is_absolute() else root / asked).resolve(strict=True)
            except (OSError, RuntimeError, ValueError):
                continue
            if not path.is_relative_to(root):
                continue
            if any(part.startswith(".") for part in path.relative_to(root).parts):
                raise InputError(f"{text!r} is hidden.", hint="Hidden files are never read.")
            if not path.is_file():
                raise InputError(f"{text!r} is no file.", hint="Name one file.")
            return path
        where = ", ".join(str(folder) for folder in self.folders) or "no folder"
        raise InputError(f"There is no file {text!r} in {where}.", hint=_ASK_FOLDER)


def _plain(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "data"
    return name if not name[0].isdigit() else f"data_{name}"


def _free(name: str, taken: dict[str, Path]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _write(text: str, path: Path) -> Path:
    raw = text.encode("utf-8", errors="surrogatepass")
    if len(raw) > _MOST_TEXT:
        raise InputError(
            f"The CSV text has {len(raw):,} bytes; at most {_MOST_TEXT:,} can be sent.",
            hint="Save it to a file below a data folder of the server and give its path.",
        )
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("The CSV text is not valid Unicode.", hint="Send UTF-8.") from error
    path.write_bytes(raw)
    return path
