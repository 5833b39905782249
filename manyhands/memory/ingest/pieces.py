"""Cutting a file into the pieces that are remembered: cells, functions, sections, schemas."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePath
from typing import Any

__all__ = ["KNOWN_SUFFIXES", "Piece", "Unreadable", "pieces_of"]

#: Lines of a data file that its schema is read from.
_SAMPLE_LINES = 200
_MOST_OUTPUT = 2_000
#: Characters of one piece; what is longer is cut at line ends.
_LONGEST = 20_000


class Unreadable(ValueError):
    """A file that is not what its name says."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a file.

    Attributes:
        name: stays the same while the piece does, whatever stands before or after it.
        kind: `cell`, `code`, `document`, `schema`.
        context: file name, title and headings above it.
    """

    name: str
    kind: str
    text: str
    context: str
    meta: dict[str, Any] = field(default_factory=dict)


def pieces_of(path: PurePath, content: bytes) -> list[Piece]:
    """The pieces of a file, in order.

    Raises:
        Unreadable: says why.
    """
    suffix = path.suffix.lower()
    if suffix in _BINARY:
        drawn = _BINARY[suffix](path, content)
    elif suffix in _READERS:
        drawn = _READERS[suffix](path, content.decode("utf-8-sig", "replace"))
    else:
        raise Unreadable(f"files named *{path.suffix} are not read")
    found = [piece for piece in drawn if piece.text.strip()]
    return list(_named_once(_cut(found)))


def _cut(pieces: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if len(piece.text) <= _LONGEST:
            yield piece
            continue
        for number, start in enumerate(range(0, len(piece.text), _LONGEST)):
            part = piece.text[start : start + _LONGEST]
            yield Piece(f"{piece.name}/{number}", piece.kind, part, piece.context, piece.meta)


def _named_once(pieces: Iterator[Piece]) -> Iterator[Piece]:
    seen: dict[str, int] = {}
    for piece in pieces:
        times = seen[piece.name] = seen.get(piece.name, 0) + 1
        name = piece.name if times == 1 else f"{piece.name}~{times}"
        yield Piece(name, piece.kind, piece.text, piece.context, piece.meta)


# --- notebooks -------------------------------------------------------------------------------


def _notebook(path: PurePath, text: str) -> Iterator[Piece]:
    try:
        told = json.loads(text)
        cells = told["cells"] if "cells" in told else told["worksheets"][0]["cells"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise Unreadable(f"it is no notebook: {error!r}") from error
    headings = _Headings(path.name)
    said = ""
    for number, cell in enumerate(cells):
        if not isinstance(cell, dict):
            continue
        source = _joined(cell.get("source", cell.get("input", "")))
        kind = str(cell.get("cell_type", ""))
        # Cells have ids since format 4.5; before, the place is all there is.
        name = str(cell.get("id") or f"cell-{number}")
        if kind == "markdown":
            headings.read(source)
            said = source
            yield Piece(name, "cell", source, headings.told, {"cell_type": kind, "cell": number})
        elif kind == "code":
            meta: dict[str, Any] = {"cell_type": kind, "cell": number}
            output = _output_of(cell)
            if output:
                meta["output"] = output
            told_before = " ".join(_plain(said).split())[:300]
            context = " › ".join(part for part in (headings.told, told_before) if part)
            yield Piece(name, "cell", source, context, meta)
            said = ""


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _output_of(cell: dict[str, Any]) -> str:
    found = []
    for output in cell.get("outputs") or ():
        if not isinstance(output, dict):
            continue
        data = output.get("data") or {}
        plain = data.get("text/plain") if isinstance(data, dict) else None
        found.append(_joined(output.get("text") or plain or ""))
        if output.get("ename"):
            found.append(f"{output['ename']}: {output.get('evalue', '')}")
    return "\n".join(part for part in found if part)[:_MOST_OUTPUT]


# --- markdown --------------------------------------------------------------------------------

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)


def _plain(text: str) -> str:
    return _HEADING.sub(r"\2", text)


class _Headings:
    """The headings that what follows stands under."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._levels: dict[int, str] = {}

    def read(self, text: str) -> None:
        for marks, title in _HEADING.findall(text):
            level = len(marks)
            self._levels = {at: name for at, name in self._levels.items() if at < level}
            self._levels[level] = title

    @property
    def told(self) -> str:
        return " › ".join([self._file, *(self._levels[at] for at in sorted(self._levels))])


def _markdown(path: PurePath, text: str) -> Iterator[Piece]:
    headings = _Headings(path.name)
    section: list[str] = []
    title, fenced = "", False
    for line in [*text.splitlines(keepends=True), "# "]:
        if _FENCE.match(line):
            fenced = not fenced
        last = line == "# "
        if last or (not fenced and _HEADING.match(line)):
            if section:
                yield Piece(f"section {title}", "document", "".join(section), headings.told)
            section = []
            if last:
                return
            headings.read(line)
            title = line.strip("# \n")
        section.append(line)


# --- code ------------------------------------------------------------------------------------


def _python(path: PurePath, text: str) -> Iterator[Piece]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"it is no Python: {error}") from error
    lines = text.splitlines(keepends=True)
    doc = ast.get_docstring(tree) or ""
    title = doc.split("\n", 1)[0]
    head = " › ".join(part for part in (path.name, title) if part)
    taken = [False] * len(lines)
    yield from _functions(tree, lines, head, "", taken)
    rest = "".join(line for line, used in zip(lines, taken, strict=True) if not used)
    if rest.strip():
        yield Piece("module", "code", rest, path.name)


def _functions(
    tree: ast.AST, lines: list[str], head: str, owner: str, taken: list[bool]
) -> Iterator[Piece]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        name = f"{owner}{node.name}"
        first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)]) - 1
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            inner = list(_functions(node, lines, f"{head} › class {node.name}", f"{name}.", taken))
            text = "".join(lines[at] for at in range(first, last) if not taken[at])
            yield Piece(name, "code", text, head, {"line": first + 1})
            yield from inner
        else:
            text = "".join(lines[first:last])
            yield Piece(name, "code", text, head, {"line": first + 1})
        taken[first:last] = [True] * (last - first)


# --- data and text ---------------------------------------------------------------------------


def _table(path: PurePath, text: str) -> Iterator[Piece]:
    lines = text.splitlines()[:_SAMPLE_LINES]
    sample = "\n".join(lines)
    try:
        dialect: Any = csv.Sniffer().sniff(sample[:8_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    try:
        rows = list(csv.reader(io.StringIO(sample), dialect))
    except csv.Error as error:
        raise Unreadable(f"it is no table: {error}") from error
    if not rows:
        return
    names, body = rows[0], rows[1:]
    told = []
    for at, name in enumerate(names[:200]):
        values = [row[at] for row in body if at < len(row) and row[at]]
        examples = ", ".join(dict.fromkeys(value[:40] for value in values[:20]))[:120]
        told.append(f"- {name} ({_type_of(values)}): {examples}")
    listed = "\n".join(told)
    yield Piece(
        "schema",
        "schema",
        f"Table {path.name}, {len(names)} columns:\n{listed}",
        path.name,
        {"columns": names[:200]},
    )


def _type_of(values: list[str]) -> str:
    for name, read in (("integer", int), ("number", float)):
        try:
            for value in values:
                read(value)
        except ValueError:
            continue
        return name if values else "empty"
    return "text"


def _text(path: PurePath, text: str) -> Iterator[Piece]:
    block: list[str] = []
    number = size = 0
    for paragraph in re.split(r"\n\s*\n", text):
        if block and size + len(paragraph) > 1_500:
            yield Piece(f"part {number}", "document", "\n\n".join(block), path.name)
            block, size, number = [], 0, number + 1
        block.append(paragraph)
        size += len(paragraph)
    yield Piece(f"part {number}", "document", "\n\n".join(block), path.name)


# --- formats that another library reads, when the user has it ------------------------------------


def _library(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Unreadable(f"{what} is read with {name!r}, which is not installed") from error


def _pdf(path: PurePath, content: bytes) -> Iterator[Piece]:
    pypdf = _library("pypdf", "PDF")
    try:
        pages = [page.extract_text() or "" for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    except Exception as error:  # whatever a damaged file makes the library raise
        raise Unreadable(f"the PDF cannot be read: {error}") from error
    for number, text in enumerate(pages, start=1):
        yield Piece(f"page {number}", "document", text, path.name, {"page": number})


def _parquet(path: PurePath, content: bytes) -> Iterator[Piece]:
    parquet = _library("pyarrow.parquet", "Parquet")
    try:
        schema = parquet.read_schema(io.BytesIO(content))
    except Exception as error:  # whatever a damaged file makes the library raise
        raise Unreadable(f"the Parquet file cannot be read: {error}") from error
    names = list(schema.names)[:200]
    listed = "\n".join(f"- {name} ({schema.field(name).type})" for name in names)
    yield Piece(
        "schema",
        "schema",
        f"Table {path.name}, {len(schema.names)} columns:\n{listed}",
        path.name,
        {"columns": names},
    )


_BINARY = {".pdf": _pdf, ".parquet": _parquet}
_READERS = {
    ".ipynb": _notebook,
    ".md": _markdown,
    ".markdown": _markdown,
    ".py": _python,
    ".csv": _table,
    ".tsv": _table,
    ".txt": _text,
    ".rst": _text,
}
KNOWN_SUFFIXES = frozenset(_READERS) | frozenset(_BINARY)
