"""The memory file: plain tables that are the truth, and the words index derived from them."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from manyhands.errors import StorageError
from manyhands.journal.database import open_database
from manyhands.memory.derived import rebuild_near
from manyhands.memory.lookup import Connection, Lookup
from manyhands.memory.neardisk import load_extension
from manyhands.memory.place import is_url, look_at_the_place
from manyhands.memory.records import Family, Item, Trust
from manyhands.memory.rows import COLUMNS, Row, row_of, values_of
from manyhands.memory.schema import MIGRATIONS
from manyhands.memory.sqlite_lookup import SqliteLookup
from manyhands.memory.stored import CHUNK, StoredItems
from manyhands.memory.views import views_of, words_of
from manyhands.memory.words import stems

__all__ = ["Row", "Store", "Written", "open_store"]

#: Rows of the change log that are kept; a process further behind reads everything again.
_CHANGES_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: ids that are new, changed, and the same as before."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    superseded: tuple[str, ...] = ()


class Store(StoredItems):
    """One memory file, open for reading and, unless read-only, for writing.

    Two connections: readers see a steady state while a write is going on, and `data_version`
    of the reader tells of every write, this process's own too.
    """

    def __init__(
        self,
        place: str,
        writer: Connection | None,
        reader: Connection,
        lookup: Lookup,
        *,
        remote: bool = False,
    ) -> None:
        #: Its path, or its URL without a password.
        self.place = place
        #: Whether each statement is a round trip, too slow for an event loop's own thread.
        self.remote = remote
        self.lookup = lookup
        self._writer = writer
        super().__init__(reader)

    @property
    def read_only(self) -> bool:
        return self._writer is None

    @property
    def writer(self) -> Connection:
        if self._writer is None:
            raise StorageError(
                f"{self.place!r} is open for reading only.",
                hint="Open it without read_only, and check its permissions.",
            )
        return self._writer

    def size(self) -> int:
        """Bytes."""
        return Path(self.place).stat().st_size

    def close(self) -> None:
        # The reader goes first: the last writer then folds the log into the file.
        self.reader.close()
        if self._writer is not None:
            self._writer.close()

    # --- writing -----------------------------------------------------------------------------

    def put(self, items: Sequence[Item], *, now: float | None = None) -> Written:
        """Write items in one transaction: all or none. Same id, same content: nothing is done."""
        moment = time.time() if now is None else now
        new: list[str] = []
        changed: list[str] = []
        same: list[str] = []
        superseded: list[str] = []
        ends: dict[tuple[str, str], float] = {}
        with self.writer.transaction():
            held = self._held([item.id for item in items])
            for item in items:
                pk, print_, place = held.get(item.id, (0, b"", math.nan))
                if pk and print_ in _prints(item, place):
                    same.append(item.id)
                    continue
                if pk:
                    self._change(pk, item)
                    changed.append(item.id)
                else:
                    pk = self._insert(item, moment, ends)
                    new.append(item.id)
                held[item.id] = (
                    pk, item.fingerprint(), place if item.position is None else item.position
                )  # fmt: skip
                if item.kind == "fact" and item.subject:
                    superseded += self._supersede(item, moment)
            self._trim_changes()
        return Written(tuple(new), tuple(changed), tuple(same), tuple(superseded))

    def _held(self, ids: Sequence[str]) -> dict[str, tuple[int, bytes, float]]:
        """Row, fingerprint and position of those that are there already."""
        found = {}
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            for item_id, pk, print_, place in self.writer.execute(
                f"SELECT id, pk, fingerprint, position FROM item WHERE id IN ({marks})",  # noqa: S608
                chunk,
            ):
                found[str(item_id)] = (int(pk), bytes(print_), float(place))
        return found

    def _insert(self, item: Item, moment: float, ends: dict[tuple[str, str], float]) -> int:
        """Write a new item; its row.

        Args:
            ends: the last position in each thread, as far as this batch has looked at it.
        """
        db = self.writer
        thread = (item.scope, item.thread)
        position = item.position
        if position is None:
            if thread not in ends:
                (last,) = db.execute(
                    "SELECT max(position) FROM item WHERE scope = ? AND thread = ?", thread
                )[0]
                ends[thread] = -1.0 if last is None else float(last)
            position = ends[thread] + 1.0
        if thread in ends:
            ends[thread] = max(ends[thread], position)
        ((pk,),) = db.execute(
            "INSERT INTO item (id, kind, family, scope, text, source, context, thread, position, "
            "time, speaker, subject, trust, tags, meta, marks, fingerprint, added, valid_from) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING pk",
            (
                item.id,
                *values_of(item, position),
                moment,
                moment if item.time is None else item.time,
            ),
        )
        self._index(int(pk), item, position, new=True)
        return int(pk)

    def _change(self, pk: int, item: Item) -> None:
        db = self.writer
        position = item.position
        if position is None:
            position = float(db.execute("SELECT position FROM item WHERE pk = ?", (pk,))[0][0])
        self.lookup.drop_words(db, pk)
        db.execute(
            "UPDATE item SET kind = ?, family = ?, scope = ?, text = ?, source = ?, context = ?, "
            "thread = ?, position = ?, time = ?, speaker = ?, subject = ?, trust = ?, tags = ?, "
            "meta = ?, marks = ?, fingerprint = ? WHERE pk = ?",
            (*values_of(item, position), pk),
        )
        self._index(pk, item, position)
        self.renew_views(self._after(item, position))

    def _index(self, pk: int, item: Item, position: float, *, new: bool = False) -> None:
        db = self.writer
        body, around = (" ".join(stems(text)) for text in words_of(item))
        self.lookup.add_words(db, pk, body, around)
        self._write_views(pk, item, position, new=new)
        db.execute("INSERT INTO change (item) VALUES (?)", (pk,))

    def _write_views(self, pk: int, item: Item, position: float, *, new: bool = False) -> None:
        """Renew the item's views; a view whose text is the same keeps its row and its vectors."""
        db = self.writer
        wanted = [
            (view.role, hashlib.blake2b(view.text.encode(), digest_size=16).digest())
            for view in views_of(item, self.before(item, position))
        ]
        have = (
            {}
            if new
            else {
                ord_: (view, role, digest)
                for view, ord_, role, digest in db.execute(
                    "SELECT id, ord, role, digest FROM view WHERE item = ?", (pk,)
                )
            }
        )
        for ord_, (role, digest) in enumerate(wanted):
            known = have.pop(ord_, None)
            if known is not None and known[1:] == (role, digest):
                continue
            if known is not None:
                self._drop_view(int(known[0]))
            db.execute(
                "INSERT INTO view (item, ord, role, digest) VALUES (?, ?, ?, ?)",
                (pk, ord_, role, digest),
            )
        for view, _, _ in have.values():
            self._drop_view(int(view))

    def renew_views(self, rows: Iterable[Row]) -> None:
        """Write the views of items anew, within the caller's transaction."""
        for row in rows:
            self._write_views(row.pk, row.item, row.position)
            self.writer.execute("INSERT INTO change (item) VALUES (?)", (row.pk,))

    def _drop_view(self, view: int) -> None:
        db = self.writer
        for model, dims in db.execute("SELECT id, dims FROM model"):
            db.execute("DELETE FROM vector WHERE key = ?", (model << 40 | view,))
            self.lookup.drop_near(db, model, dims, view)
        db.execute("DELETE FROM view WHERE id = ?", (view,))

    def _supersede(self, item: Item, moment: float) -> list[str]:
        """Close older facts of the same standing on the same subject; they stay visible.

        A weaker word never closes a stronger one: what a file says does not end what the user
        said or a check showed. Both then hold, and the contradiction is shown.
        """
        weight = _STANDING[item.trust]
        when = moment if item.time is None else item.time
        closed = []
        for pk, other, trust, since in self.writer.execute(
            "SELECT pk, id, trust, valid_from FROM item WHERE scope = ? AND subject = ? AND "
            "kind = 'fact' AND id <> ? AND superseded_by = ''",
            (item.scope, item.subject, item.id),
        ):
            if _STANDING[Trust(trust)] > weight:
                continue
            if since > when:  # the news is the older one: it is closed by the one we have
                if _STANDING[Trust(trust)] == weight:
                    self.writer.execute(
                        "UPDATE item SET valid_to = ?, superseded_by = ? WHERE id = ?",
                        (since, other, item.id),
                    )
                continue
            self.writer.execute(
                "UPDATE item SET valid_to = ?, superseded_by = ? WHERE pk = ?", (when, item.id, pk)
            )
            self.writer.execute("INSERT INTO change (item) VALUES (?)", (pk,))
            closed.append(str(other))
        return closed

    def restore(self, rows: Iterable[tuple[str, float, float, float | None, str]]) -> None:
        """Give items the times and standing that an export holds: id, added, valid from and to."""
        db = self.writer
        with db.transaction():
            for item_id, *standing in rows:
                for pk, *held in db.execute(
                    "SELECT pk, added, valid_from, valid_to, superseded_by FROM item WHERE id = ?",
                    (item_id,),
                ):
                    if held == standing:
                        continue
                    db.execute(
                        "UPDATE item SET added = ?, valid_from = ?, valid_to = ?, "
                        "superseded_by = ? WHERE pk = ?",
                        (*standing, pk),
                    )
                    db.execute("INSERT INTO change (item) VALUES (?)", (pk,))

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Remove items and all that was derived from them; the ids that there were."""
        gone = []
        db = self.writer
        later: dict[int, Row] = {}
        with db.transaction():
            for item_id in ids:
                for row in map(
                    row_of,
                    db.execute(f"SELECT {COLUMNS} FROM item WHERE id = ?", (item_id,)),  # noqa: S608
                ):
                    pk = row.pk
                    later |= {other.pk: other for other in self._after(row.item, row.position)}
                    later.pop(pk, None)
                    self.lookup.drop_words(db, pk)
                    for (view,) in db.execute("SELECT id FROM view WHERE item = ?", (pk,)):
                        self._drop_view(int(view))
                    db.execute("DELETE FROM item WHERE pk = ?", (pk,))
                    db.execute("INSERT INTO change (item) VALUES (?)", (pk,))
                    gone.append(item_id)
                # A fact that only the forgotten one had closed holds again.
                for (pk,) in db.execute("SELECT pk FROM item WHERE superseded_by = ?", (item_id,)):
                    db.execute(
                        "UPDATE item SET superseded_by = '', valid_to = NULL WHERE pk = ?", (pk,)
                    )
                    db.execute("INSERT INTO change (item) VALUES (?)", (pk,))
            # A turn is embedded with the two before it: no vector keeps what is gone.
            self.renew_views(later.values())
        return gone

    def _trim_changes(self) -> None:
        self.writer.execute(
            "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?", (_CHANGES_KEPT,)
        )

    # --- reading -----------------------------------------------------------------------------

    def before(self, item: Item, position: float) -> list[Item]:
        """Up to two items before a place in a thread, oldest first."""
        if item.family is not Family.DIALOGUE:
            return []
        rows = self.writer.execute(
            f"SELECT {COLUMNS} FROM item WHERE scope = ? AND thread = ? AND position < ? "  # noqa: S608
            "ORDER BY position DESC LIMIT 2",
            (item.scope, item.thread, position),
        )
        return [row_of(found).item for found in reversed(rows)]

    def _after(self, item: Item, position: float) -> list[Row]:
        if item.family is not Family.DIALOGUE:
            return []
        rows = self.writer.execute(
            f"SELECT {COLUMNS} FROM item WHERE scope = ? AND thread = ? AND position > ? "  # noqa: S608
            "ORDER BY position LIMIT 2",
            (item.scope, item.thread, position),
        )
        return [row_of(found) for found in rows]


def _prints(item: Item, place: float) -> set[bytes]:
    """Fingerprints of the same item: one that names no position keeps the place that it has."""
    if item.position not in (None, place):
        return {item.fingerprint()}
    return {replace(item, position=position).fingerprint() for position in (None, place)}


#: How strong a word is when two facts on one subject disagree.
_STANDING = {Trust.CHECKED: 3, Trust.USER: 3, Trust.FILE: 2, Trust.MODEL: 1}


def open_store(place: str | Path, *, read_only: bool = False, key: str = "") -> Store:
    """Open or create a memory: a file, or the tables on a server.

    Args:
        place: a path, or a URL that begins with `postgresql://`.
        key: of a file that is, or is to be, encrypted.

    Raises:
        NewerFormat, StorageFull, StorageError: said in words; the file is as it was.
    """
    if is_url(place):
        from manyhands.memory.postgres import open_on_server  # needs another library

        return open_on_server(str(place), read_only=read_only)
    path = Path(place)
    look_at_the_place(path, must_exist=read_only, key=key)
    writer = None if read_only else open_database(path, MIGRATIONS, key=key)
    try:
        if writer is not None:
            _tune(writer)
        reader = open_database(path, MIGRATIONS, read_only=True, key=key)
    except BaseException:
        if writer is not None:
            with suppress(StorageError):
                writer.close()
        raise
    near = load_extension(reader) and (writer is None or load_extension(writer))
    store = Store(str(path), writer, reader, SqliteLookup(near=near))
    if writer is not None and near and store.setting("near_stale"):
        rebuild_near(store)
    return store


def _tune(writer: Connection) -> None:
    # What is deleted is overwritten with zeros, in the file and in what is written of it.
    writer.execute("PRAGMA secure_delete = ON")
    writer.execute("PRAGMA cache_size = -65536")
