"""Bringing the memory up to date with files: only what has changed is read, written, embedded."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from manyhands.memory.erase import is_forgotten
from manyhands.memory.ingest.files import files_under
from manyhands.memory.ingest.pieces import Piece, Unreadable, pieces_of
from manyhands.memory.memory import Memory
from manyhands.memory.records import Item, RefusedItem, Trust, read_item
from manyhands.memory.store import Store

__all__ = ["IndexReport", "index_paths", "watch_paths"]

#: Bytes; a larger file is refused: it is data, not a document.
_LARGEST = 50_000_000
#: A file written so shortly before it was looked at may have been written again since.
_RACY_NS = 2_000_000_000
#: Files after which what is new is embedded, so that stopping loses little.
_EMBED_EVERY = 50
_KEEP_FILE = (
    "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path, scope) DO UPDATE SET "
    "size = excluded.size, mtime_ns = excluded.mtime_ns, hash = excluded.hash, "
    "seen = excluded.seen"
)


@dataclass
class IndexReport:
    """What indexing did.

    Attributes:
        files: how many were looked at; `unchanged` of them cost a look at their date only.
        refused: file and reason, for each that could not be read.
        gitignore: whether `.gitignore` could be honoured (git is needed for it).
    """

    files: int = 0
    unchanged: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    gitignore: bool = True


async def index_paths(
    memory: Memory,
    paths: Sequence[Path],
    *,
    scope: str = "",
    progress: Callable[[int, int, str], None] | None = None,
) -> IndexReport:
    """Remember the pieces of files and folders, and drop those that are gone.

    Each file is written in one transaction, so that it can be stopped at any time and goes on
    where it was.

    Args:
        progress: told of the files that are done, of how many there are, and of the next one.
    """
    report = IndexReport()
    files, report.gitignore = await to_thread.run_sync(files_under, paths)
    known = await to_thread.run_sync(_known, memory.store, scope)
    report.files = len(files)
    since = 0
    for number, path in enumerate(files):
        if progress:
            progress(number, len(files), path.name)
        if await to_thread.run_sync(_unchanged, path, known.get(str(path))):
            report.unchanged += 1
            continue
        seen = known.get(str(path))
        wrote = await to_thread.run_sync(_take_in, memory.store, path, scope, seen, report)
        since += wrote
        if since >= _EMBED_EVERY:
            await memory.embed_new()
            since = 0
    await to_thread.run_sync(_drop_vanished, memory.store, paths, files, known, scope, report)
    await memory.embed_new()
    if progress:
        progress(len(files), len(files), "")
    return report


async def watch_paths(
    memory: Memory,
    paths: Sequence[Path],
    *,
    scope: str = "",
    every_s: float = 2.0,
    told: Callable[[IndexReport], None] | None = None,
) -> None:
    """Index again and again until cancelled; `told` of each round that changed something."""
    while True:
        report = await index_paths(memory, paths, scope=scope)
        if told and (report.added or report.changed or report.removed):
            told(report)
        await anyio.sleep(every_s)


_Seen = tuple[int, int, bytes, float]


def _known(store: Store, scope: str) -> dict[str, _Seen]:
    rows = store.reader.execute(
        "SELECT path, size, mtime_ns, hash, seen FROM file WHERE scope = ?", (scope,)
    )
    return {str(path): (size, mtime, bytes(hash_), seen) for path, size, mtime, hash_, seen in rows}


def _unchanged(path: Path, seen: _Seen | None) -> bool:
    if seen is None:
        return False
    try:
        stat = path.stat()
    except OSError:
        return False
    size, mtime, _, at = seen
    settled = mtime < at * 1e9 - _RACY_NS
    return settled and (stat.st_size, stat.st_mtime_ns) == (size, mtime)


def _take_in(store: Store, path: Path, scope: str, seen: _Seen | None, report: IndexReport) -> int:
    """Write one file's pieces; how many are new or changed."""
    at = time.time()
    try:
        stat = path.stat()
        if stat.st_size > _LARGEST:
            raise Unreadable(f"it has {stat.st_size:,} bytes; at most {_LARGEST:,} are read")
        content = path.read_bytes()
        print_ = hashlib.blake2b(content, digest_size=16).digest()
        same = seen is not None and seen[2] == print_
        pieces = [] if same else pieces_of(path, content)
    except (Unreadable, OSError) as error:
        report.refused.append((str(path), str(error)))
        return 0
    row = (str(path), scope, stat.st_size, stat.st_mtime_ns, print_, at)
    if same:
        store.writer.execute(_KEEP_FILE, row)
        report.unchanged += 1
        return 0
    items = []
    for number, piece in enumerate(pieces):
        item = _item(path, piece, number, scope, report)
        if item is not None and not is_forgotten(store, item.id):
            items.append(item)
    db = store.writer
    with db.transaction():
        gone = set(store.ids_from(str(path), scope)) - {item.id for item in items}
        report.removed += len(store.delete(sorted(gone)))
        written = store.put(items)
        db.execute(_KEEP_FILE, row)
    report.added += len(written.new)
    report.changed += len(written.changed)
    return len(written.new) + len(written.changed)


def _item(path: Path, piece: Piece, number: int, scope: str, report: IndexReport) -> Item | None:
    raw: dict[str, Any] = {
        "id": f"{scope}:{path}#{piece.name}" if scope else f"{path}#{piece.name}",
        "kind": piece.kind,
        "text": piece.text,
        "scope": scope,
        "source": f"{path}#{piece.name}",
        "context": piece.context,
        "thread": str(path),
        "position": number,
        "trust": Trust.FILE,
        "meta": piece.meta,
    }
    try:
        return read_item(raw)
    except RefusedItem as error:
        report.refused.append((f"{path}#{piece.name}", str(error)))
        return None


def _drop_vanished(
    store: Store,
    paths: Sequence[Path],
    files: Sequence[Path],
    known: dict[str, _Seen],
    scope: str,
    report: IndexReport,
) -> None:
    """Drop the pieces of files that were indexed under these paths and are there no more."""
    roots = [path.expanduser().resolve() for path in paths]
    present = {str(path) for path in files}
    for name in known:
        path = Path(name)
        if name in present or not any(path == root or root in path.parents for root in roots):
            continue
        with store.writer.transaction():
            report.removed += len(store.delete(sorted(store.ids_from(name, scope))))
            store.writer.execute("DELETE FROM file WHERE path = ? AND scope = ?", (name, scope))
