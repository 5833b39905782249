"""The data a question comes with: found, looked at with care, and described for a prompt."""

from __future__ import annotations

import csv
import io
import json
import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from manyhands.checks.sandbox.scratch import lent_folder
from manyhands.checks.tables import TABLE_ENDINGS, digest
from manyhands.errors import InputError
from manyhands.hands.work import Source
from manyhands.mind.json_tables import rows_in

__all__ = [
    "MAX_DATA_BYTES",
    "DataFile",
    "TableText",
    "in_use",
    "named_data",
    "open_data",
    "path_of",
    "sources_of",
    "unchanged",
]

#: Larger files are refused before they are read: they would be copied into each sandbox run.
MAX_DATA_BYTES = 200 * 1024 * 1024
_LOOKED_AT_ROWS = 2000
_SHOWN_ROWS = 3
#: Files of these endings are no tables whatever is in them.
_NO_TABLES = {".py": "a program", ".ipynb": "a notebook"}
_SAVE = (
    "Save it as CSV first: python -c \"import pandas; {how}.to_csv('{{stem}}.csv', index=False)\""
)
_PICTURE = "Give the table that it was drawn from, as CSV."
_WORKBOOK = _SAVE.format(how="pandas.read_excel('{path}')")
#: How files begin that are taken for tables, what they are, and the way out.
_OTHER_FORMATS = (
    (b"\x89PNG", "a picture", _PICTURE),
    (b"\xff\xd8\xff", "a picture", _PICTURE),
    (b"GIF8", "a picture", _PICTURE),
    (b"%PDF", "a PDF document", "Give its table as CSV; `manyhands memory index` reads documents."),
    (b"PK\x03\x04", "a workbook or another archive", _WORKBOOK),
    (b"\xd0\xcf\x11\xe0", "an old workbook", _WORKBOOK),
    (b"\x1f\x8b", "compressed", "Unpack it first: gunzip -k {path}"),
    (b"SQLite format 3", "a database", "Export the table: sqlite3 -csv -header {path} ... > t.csv"),
    (b"\x89HDF", "an HDF5 file", _SAVE.format(how="pandas.read_hdf('{path}')")),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as far as the rows that were looked at tell: `number`, `text`, `empty`."""

    name: str
    kind: str
    empty: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class DataFile:
    """A table that hands may read.

    Attributes:
        name: how plans and programs call it; also its file name in the sandbox, with `.csv`.
        path: where it lies on this machine.
        columns: in the file's order.
        rows: number of data rows, the header not counted.
        sample: the first rows as text.
        sha256: of the file's content.
        given: the file that was named; None for a table that was handed over in memory.
        remove: removes a table that was made of what was given.
    """

    name: str
    path: Path
    columns: tuple[Column, ...]
    rows: int
    sample: tuple[tuple[str, ...], ...]
    sha256: str
    given: Path | None
    remove: Callable[[], None] | None = None

    @property
    def origin(self) -> str:
        """Where it is found again: a path, or the journal's id of the table's text."""
        return f"sha256:{self.sha256}" if self.given is None else str(self.given)

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def describe(self) -> str:
        """Name, size, columns and first rows, in a few lines."""
        lines = [f"data {self.name!r}: {self.rows} rows"]
        for column in self.columns:
            gap = f", {column.empty} empty" if column.empty else ""
            lines.append(f"  column {column.name!r}: {column.kind}{gap}")
        lines.extend("  row: " + ", ".join(row) for row in self.sample)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class TableText:
    """A table as CSV.

    Attributes:
        given: the file that it was read from, if any.
    """

    content: bytes
    given: Path | None = None


def named_data(
    given: Mapping[str, Any] | Sequence[str | Path] | str | Path,
) -> dict[str, Any]:
    """Name -> what was given by it; a file is called after its own name. Raises `InputError`."""
    if isinstance(given, Mapping):
        return {_plain_name(name): value for name, value in given.items()}
    named: dict[str, Any] = {}
    for path in [given] if isinstance(given, str | Path) else given:
        if not isinstance(path, str | Path):
            raise InputError(
                f"Data {path!r} is a {type(path).__name__}, which is no path.",
                hint="Name a table: data={'name': table}.",
            )
        named[_free_name(_plain_name(Path(path).stem), named)] = path
    return named


def open_data(given: Mapping[str, Any] | Sequence[str | Path] | str | Path) -> dict[str, DataFile]:
    """Look at each data file; raises `InputError` naming the file and the fault.

    Args:
        given: a path, paths, or name -> path, data frame, list of rows (dictionaries) or
            `TableText`.
    """
    return {name: _open_one(name, value) for name, value in named_data(given).items()}


def sources_of(files: Mapping[str, DataFile]) -> dict[str, Source]:
    """The files as hands see them."""
    return {
        name: Source(
            name=name,
            path=str(file.path),
            file_name=file.file_name,
            columns=file.column_names,
            description=file.describe(),
            sha256=file.sha256,
        )
        for name, file in files.items()
    }


def unchanged(files: dict[str, DataFile], sha256: Mapping[str, str]) -> dict[str, DataFile]:
    """The files. Raises InputError when one holds something else than it did.

    Args:
        sha256: name -> hash of its content then; a name that is missing is not compared.
    """
    for name, file in files.items():
        then = sha256.get(name, file.sha256)
        if file.sha256 != then:
            raise InputError(
                f"The data {name!r} ({file.origin!r}) have changed since: their sha256 was "
                f"{then}, it is {file.sha256}.",
                hint="Put the old file back, or ask anew: the finished steps read the old data.",
            )
    return files


def _plain_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "data"
    return name if not name[0].isdigit() else f"data_{name}"


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def path_of(given: str | Path) -> Path:
    """The path that is meant, `~` and `~user` included; raises `InputError` for an unknown user."""
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"Data file {str(given)!r} cannot be found: there is no such user.",
            hint="Name its folder in full.",
        ) from error


def _open_one(name: str, value: Any) -> DataFile:
    if isinstance(value, str | Path):
        return _look_at(name, path_of(value))
    if isinstance(value, TableText):
        return _made(name, lambda path: path.write_bytes(value.content), value.given)
    return _made(name, partial(_write, name, value), None)


def _made(name: str, write: Callable[[Path], object], given: Path | None) -> DataFile:
    """A table in a folder of its own, which does not outlive the process."""
    folder, remove = lent_folder()
    try:
        path = folder / f"{name}.csv"
        write(path)
        looked_at = _look_at(name, path)
    except BaseException:
        remove()
        raise
    made = replace(looked_at, given=None if given is None else given.resolve(), remove=remove)
    weakref.finalize(made, remove)
    return made


def _write(name: str, value: Any, path: Path) -> None:
    """Write a table that lives in memory."""
    if hasattr(value, "to_csv"):
        value.to_csv(path, index=False)
    elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        with path.open("w", newline="", encoding="utf-8") as out:
            names = dict.fromkeys(key for row in value for key in row)
            writer = csv.DictWriter(out, fieldnames=list(names))
            writer.writeheader()
            writer.writerows(value)
    else:
        raise InputError(
            f"Data {name!r} is a {type(value).__name__}, which is no table.",
            hint="Give a path, a data frame, or a list of dictionaries.",
        )


@contextmanager
def in_use(files: Mapping[str, DataFile]) -> Iterator[None]:
    """Tables that were made are removed at the end; they can be made again."""
    try:
        yield
    finally:
        for file in files.values():
            if file.remove is not None:
                file.remove()


def _look_at(name: str, path: Path) -> DataFile:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(
            f"Data file {str(path)!r} cannot be read: {error.strerror}.",
            hint="Check the path and its permissions.",
        ) from error
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder.", hint="Name one file in it.")
    if size > MAX_DATA_BYTES:
        raise InputError(
            f"Data file {str(path)!r} has {size / 1e6:,.0f} MB; "
            f"at most {MAX_DATA_BYTES / 1e6:,.0f} MB can be used.",
            hint="Give a sample, or aggregate it first.",
        )
    if size == 0:
        raise InputError(f"Data file {str(path)!r} is empty.", hint="Give a file with a header.")
    if what := _NO_TABLES.get(path.suffix.lower()):
        raise InputError(
            f"Data file {str(path)!r} is {what}, no table.",
            hint="Give the table that it reads; `manyhands check file` takes programs and cells.",
        )
    if path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
        return _made(name, partial(_write, name, _json_rows(path)), path)
    return _look_at_csv(name, path)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"Data file {str(path)!r} cannot be read: {error.strerror}.",
            hint="Check its permissions.",
        ) from error
    for beginning, what, way_out in _OTHER_FORMATS:
        if raw.startswith(beginning):
            hint = way_out.format(path=path.name, stem=path.stem)
            raise InputError(f"Data file {str(path)!r} is {what}, no table.", hint=hint)
    if b"\x00" in raw[:65536]:
        raise InputError(
            f"Data file {str(path)!r} is binary, not text.",
            hint="Give CSV, TSV, JSON, JSON lines, Parquet or Feather; save others as CSV first.",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"Data file {str(path)!r} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line}.",
            hint=f"Convert it, for example: iconv -f latin1 -t utf-8 {path.name} > new.csv",
        ) from error


def _json_rows(path: Path) -> list[dict[str, Any]]:
    text = _text_of(path)
    try:
        value = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if path.suffix.lower() != ".json"
            else json.loads(text)
        )
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"Data file {str(path)!r} is not valid JSON: {error}.", hint="Mend it, or give CSV."
        ) from error
    try:
        rows = rows_in(value)
    except InputError as error:
        raise InputError(
            f"Data file {str(path)!r} cannot be used: {error.message}", hint=error.hint
        ) from error
    if not rows:
        raise InputError(
            f"Data file {str(path)!r} holds no list of objects and no table of pandas.",
            hint="A table in JSON is a list of objects, or what `DataFrame.to_json` writes.",
        )
    return rows


def _look_at_csv(name: str, path: Path) -> DataFile:
    text = _text_of(path)
    rows = _csv_rows(text)
    try:
        header = next(rows)
    except StopIteration:
        raise InputError(f"Data file {str(path)!r} has no header line.", hint="Add one.") from None
    except csv.Error as error:
        raise InputError(
            f"Data file {str(path)!r} is no table: {error}.", hint="Save it as CSV."
        ) from error
    counts = [0] * len(header)
    numbers = [True] * len(header)
    sample: list[tuple[str, ...]] = []
    total = 0
    widths: set[int] = set()
    try:
        for row in rows:
            if not row:
                continue
            total += 1
            if total > _LOOKED_AT_ROWS:
                continue
            widths.add(len(row))
            if len(sample) < _SHOWN_ROWS:
                sample.append(tuple(cell[:80] for cell in row))
            for at, cell in enumerate(row[: len(header)]):
                if not cell.strip():
                    counts[at] += 1
                elif numbers[at] and not _is_number(cell):
                    numbers[at] = False
    except csv.Error as error:
        raise InputError(
            f"Data file {str(path)!r}: row {total + 1} is broken: {error}.", hint="Mend that row."
        ) from error
    seen = min(total, _LOOKED_AT_ROWS)
    columns = tuple(
        Column(
            title.strip(),
            "empty" if counts[at] == seen else "number" if numbers[at] else "text",
            counts[at],
        )
        for at, title in enumerate(header)
    )
    if path.suffix.lower() not in TABLE_ENDINGS:
        prose = len(columns) == 1 and columns[0].kind != "number"
        if prose or widths != {len(columns)}:
            raise InputError(
                f"Data file {str(path)!r} looks like text, not like a table.",
                hint="If it is a table, call it .csv; else put the text into the question.",
            )
    whole = path.resolve()
    return DataFile(name, whole, columns, total, tuple(sample), digest(path), whole)


def _csv_rows(text: str) -> Iterator[list[str]]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
