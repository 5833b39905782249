"""The tables that a case names: known by their content, so that a rerun sees the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyhands.errors import InputError

__all__ = [
    "KEPT_BYTES",
    "TABLE_ENDINGS",
    "Table",
    "carried",
    "digest",
    "kept_tables",
    "names_a_file",
    "names_tables",
    "table_in",
    "tables_of",
    "with_kept",
]

#: Larger tables are not copied into the journal; a rerun then needs the file as it was.
KEPT_BYTES = 16 * 1024 * 1024
#: What a case that is handed over as text may hold of a table.
_CARRIED_BYTES = 256 * 1024

#: Text files of these endings are tables whatever is in them.
TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".psv")

#: The fields of a case that may name a table.
_FIELDS = ("csv", "data")


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file.

    Attributes:
        name: its file name, as programs know it.
        path: where it lies, or lay when it was first looked at.
        sha256: of its content, in hexadecimal digits.
        content: what it holds; None: what lies at `path`.
    """

    name: str
    path: Path
    sha256: str
    content: bytes | None = None

    @classmethod
    def at(cls, path: Path) -> Table:
        """The table that lies there now. Raises InputError when it cannot be read."""
        return cls(path.name, path, digest(path))

    @property
    def source(self) -> Path | bytes:
        """What a sandbox is given: the content where it is at hand, else the file."""
        return self.path if self.content is None else self.content

    def as_case(self) -> dict[str, str]:
        """How a case names it."""
        named = {"name": self.name, "path": str(self.path), "sha256": self.sha256}
        return named if self.content is None else {**named, "text": self.content.decode()}

    def change(self) -> str:
        """What has become of the content, with both hashes; empty when it is what it was."""
        content = self.content
        try:
            now = digest(self.path) if content is None else hashlib.sha256(content).hexdigest()
        except InputError as error:
            return f"{error.message} Its sha256 was {self.sha256}."
        if now == self.sha256:
            return ""
        return (
            f"The table {str(self.path)!r} has changed: its sha256 was {self.sha256}, it is {now}."
        )

    def unchanged(self) -> Table:
        """Itself. Raises InputError when its content is another than it was."""
        if why := self.change():
            raise InputError(why, hint="Put the old file back, or make the check anew.")
        return self


def digest(path: Path) -> str:
    """The sha256 of a file. Raises InputError when it cannot be read."""
    if path.exists() and not path.is_file():
        raise InputError(f"{str(path)!r} is no file.", hint="Name one file.")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"The table {str(path)!r} cannot be read: {error.strerror}.", hint="Check the path."
        ) from None


def table_in(value: object) -> Table | None:
    """The table that a case names in this way; None when it names none with a hash."""
    if isinstance(value, Table):
        return value
    if not isinstance(value, Mapping):
        return None
    name, path, sha256 = (value.get(key) for key in ("name", "path", "sha256"))
    if not (isinstance(name, str) and isinstance(path, str) and isinstance(sha256, str)):
        return None
    text = value.get("text")
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None
    return Table(Path(name).name or "data.csv", Path(path), sha256, content)


def tables_of(case: Mapping[str, Any]) -> dict[str, Table]:
    """Field -> table, of those that the case names by their hash."""
    found = {field: table_in(case.get(field)) for field in _FIELDS}
    return {field: table for field, table in found.items() if table is not None}


def names_tables(case: Mapping[str, Any]) -> list[str]:
    """The fields in which a case names a table, by its hash or by a path alone."""
    return [f for f in _FIELDS if table_in(case.get(f)) is not None or names_a_file(case.get(f))]


def kept_tables(case: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Name and content of the tables that a rerun of the case needs and does not hold itself."""
    found = []
    for table in tables_of(case).values():
        path = table.path
        if table.content is None and path.is_file() and path.stat().st_size <= KEPT_BYTES:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == table.sha256:
                found.append((table.name, content))
    return found


def with_kept(case: Mapping[str, Any], artifact: Callable[[str], bytes]) -> dict[str, Any]:
    """The case with the kept copies of its tables in their place, as far as there are any.

    Args:
        artifact: the content with that id; raises InputError when there is none.
    """
    whole = dict(case)
    for field, table in tables_of(case).items():
        if table.content is None:
            try:
                content = artifact(f"sha256:{table.sha256}")
            except InputError:
                continue
            whole[field] = replace(table, content=content)
    return whole


def carried(
    case: Mapping[str, Any], artifact: Callable[[str], bytes], file: Callable[[str], Path]
) -> dict[str, Any]:
    """The case with its tables in it, as who judges it elsewhere must read no file for it.

    Args:
        artifact: as for `with_kept`.
        file: where a path leads, for a caller who may not read everything.

    Raises InputError for a table that is gone, changed, too large or no text.
    """
    whole = with_kept(case, artifact)
    for field in _FIELDS:
        named = whole.get(field)
        table = table_in(named)
        if names_a_file(named):  # its size is looked at before its content
            path = file(str(named).strip() if table is None else str(table.path))
            _small(path.name, path.stat().st_size if path.is_file() else 0)
            table = Table.at(path) if table is None else replace(table, path=path).unchanged()
        elif table is None:
            continue
        else:
            _small(table.name, len(table.content or b""))
        content = table.path.read_bytes() if table.content is None else table.content
        try:
            whole[field] = replace(table, content=content).as_case()
        except UnicodeDecodeError:
            raise InputError(
                f"The table {table.name!r} is no UTF-8 text.", hint="Convert it first."
            ) from None
    return whole


def _small(name: str, size: int) -> None:
    if size > _CARRIED_BYTES:
        raise InputError(
            f"The table {name!r} of the case has {size:,} bytes; at most "
            f"{_CARRIED_BYTES:,} can be handed over.",
            hint="`manyhands check run` and `manyhands check rerun` take larger ones.",
        )


def names_a_file(value: object) -> bool:
    """Whether a table is named by a path, with a hash or without."""
    if isinstance(value, str):
        return bool(value.strip()) and "\n" not in value.strip()
    table = table_in(value)
    return table is not None and table.content is None
