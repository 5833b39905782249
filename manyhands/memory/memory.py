"""`Memory`: one file that is added to, recalled from, and made to forget."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from anyio import to_thread
from anyio.lowlevel import checkpoint

from manyhands.errors import InputError, ManyhandsError
from manyhands.memory.asked import checked_k, filter_from, listed, pair_of
from manyhands.memory.bare import bare_of
from manyhands.memory.derived import rebuild_near, rebuild_words
from manyhands.memory.embedding import (
    Embedder,
    Progress,
    embed_pending,
    embed_query,
    embedder_for,
)
from manyhands.memory.erase import (
    Forgotten,
    erase,
    erase_in_journal,
    refuse_while_going_on,
    runs_that_saw,
    whole_id,
)
from manyhands.memory.fitting import FitReport
from manyhands.memory.records import Hit, Trust, read_item
from manyhands.memory.searching import Searcher
from manyhands.memory.signals import read_question
from manyhands.memory.standing import settle
from manyhands.memory.statistics import statistics
from manyhands.memory.store import Row, Store, Written, open_store
from manyhands.memory.transfer import exported_lines, read_lines
from manyhands.memory.vectors import ModelState, VectorShelf

__all__ = ["Explained", "Memory"]


@dataclass(frozen=True, slots=True)
class Explained:
    """How a query is looked up.

    Attributes:
        stems: its words as they are looked up.
        model: whose vectors are searched; "" for words alone.
    """

    stems: tuple[str, ...]
    model: str


class Memory:
    """The memory of one file; open it with `Memory.open`, close it with `close`.

    Several processes may have the same file open. Without an embedder words alone are searched,
    and `notices` says so.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder | None,
        previous: Embedder | None,
        scope: str,
        *,
        in_memory: bool = True,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._previous = previous
        self._scope = scope
        self._shelf = VectorShelf(store)
        self._searcher = Searcher(store, self._shelf, in_memory=in_memory)
        self._filler: asyncio.Task[None] | None = None
        #: Model -> the view up to which nothing is left to embed, so that it is not looked for.
        self._embedded: dict[int, int] = {}
        self.notices: list[str] = []

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        embedder: Embedder | None = None,
        previous: Embedder | None = None,
        scope: str = "",
        read_only: bool = False,
        in_memory: bool = True,
        key: str = "",
    ) -> Self:
        """Open or create a memory.

        Args:
            path: its file; or the URL of a PostgreSQL database, `postgresql://…`.
            embedder: has `async embed(texts)` and `model`. When its model is another than the
                file's, everything is embedded anew in the background.
            previous: the embedder before it; its vectors then serve until the new ones are all
                there. Without it, words alone serve meanwhile.
            scope: the project that what is added belongs to when it names none.
            in_memory: whether to make the index in memory; else every search is done in the file,
                which is slower and takes no memory.
            key: encrypts the file that is made, and opens one that is encrypted.

        Raises:
            StorageError: the file cannot be used; it is left as it was.
        """
        store = await to_thread.run_sync(lambda: open_store(path, read_only=read_only, key=key))
        memory = cls(store, embedder, previous, scope, in_memory=in_memory)
        try:
            await memory._begin()
        except BaseException:
            store.close()
            raise
        return memory

    async def _begin(self) -> None:
        if self._embedder is None:
            self.notices.append("No embedder: words alone are searched.")
            return
        if not isinstance(self._embedder, Embedder) or not isinstance(self._embedder.model, str):
            raise InputError(
                "The embedder has no `model` or no `embed`.",
                hint="Give any object with `async embed(texts)` and the attribute `model`.",
            )
        if self._store.read_only:
            return
        state = await to_thread.run_sync(self._shelf.begin, self._embedder.model)
        if state is ModelState.FILLING:
            _, name, _ = self._shelf.serving()
            self.notices.append(
                f"Everything is embedded anew with {self._embedder.model!r}; "
                f"until then {name!r} serves."
            )
            # A task of the caller's own loop, not of a task group: `open` and `close` may be
            # called from different tasks, which a group does not allow.
            self._filler = asyncio.get_running_loop().create_task(self._fill_quietly())

    async def close(self) -> None:
        """Stop what goes on in the background and close the file."""
        if self._filler is not None:
            self._filler.cancel()
            await asyncio.gather(self._filler, return_exceptions=True)
            self._filler = None
        await to_thread.run_sync(self._searcher.close)
        await to_thread.run_sync(self._store.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def store(self) -> Store:
        return self._store

    # --- writing -----------------------------------------------------------------------------

    async def add(
        self, items: Iterable[Mapping[str, Any]] | Mapping[str, Any], *, embed: bool = True
    ) -> Written:
        """Remember items: all of them or, when one is refused, none.

        Args:
            items: mappings with `id`, `kind`, `text`, and perhaps `scope`, `source`, `context`,
                `thread`, `position`, `time`, `speaker`, `subject`, `trust`, `tags`, `meta`; what
                else they hold is kept in `meta`. An id that is there already is changed; one that
                is a whole number becomes its digits.
            embed: whether to embed them now; else `reembed` does it later.

        Raises:
            RefusedItem: with its reason.
            StorageError: nothing was written.
        """
        given = [items] if isinstance(items, Mapping) else list(items)
        read = [settle(read_item(raw, scope=self._scope)) for raw in given]
        written = await to_thread.run_sync(self._store.put, read)
        if embed and (written.new or written.changed):
            await self.embed_new()
        return written

    async def embed_new(self) -> None:
        """Embed what has no vector yet; a failing embedder gives a notice, not an error."""
        number, name, _ = await to_thread.run_sync(self._shelf.serving)
        embedder = embedder_for(name, self._embedder, self._previous) if number else None
        if embedder is None:
            return
        try:
            top = await to_thread.run_sync(self._shelf.newest_view)
            await embed_pending(self._shelf, number, embedder, after=self._embedded.get(number, 0))
            self._embedded[number] = top
        except (ManyhandsError, OSError) as error:
            # What was added is kept and found by its words; vectors come with the next call.
            self._notice(f"Not embedded yet: {error}")

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)

    async def reembed(self, progress: Progress | None = None) -> int:
        """Embed all that has no vector yet, and let a new model take over; texts that were sent.

        Raises:
            EngineError, InputError: the embedder failed; what was done is kept.
        """
        if self._embedder is None:
            raise InputError("There is no embedder.", hint="Set memory.embedder, or give one.")
        state = await to_thread.run_sync(self._shelf.begin, self._embedder.model)
        number, _, _ = await to_thread.run_sync(
            self._shelf.filling if state is ModelState.FILLING else self._shelf.serving
        )
        sent = await embed_pending(self._shelf, number, self._embedder, progress=progress)
        if state is ModelState.FILLING:
            while not await to_thread.run_sync(self._shelf.switch, number):
                sent += await embed_pending(self._shelf, number, self._embedder)
        return sent

    async def _fill_quietly(self) -> None:
        try:
            await self.reembed()
        except (ManyhandsError, OSError) as error:
            self._notice(f"Embedding anew has stopped: {error}")

    async def settled(self) -> None:
        """Wait until what goes on in the background is done."""
        await to_thread.run_sync(self._searcher.wait)
        if self._filler is not None:
            await asyncio.gather(self._filler)

    # --- reading -----------------------------------------------------------------------------

    async def recall(
        self,
        query: str,
        *,
        k: int = 10,
        scope: str | Sequence[str] | None = None,
        kinds: Sequence[str] | str | None = None,
        since: object = None,
        until: object = None,
        budget_tokens: int | None = None,
    ) -> list[Hit]:
        """What is remembered about a query, best first.

        Args:
            k: at most so many hits, 1 to 1,000.
            scope: only these projects; None for all.
            kinds: only these kinds.
            since, until: only what was said or made between; numbers, dates or ISO text.
            budget_tokens: hits together are at most so long; none is cut.
        """
        k = checked_k(query, k)
        wanted = filter_from(scope, kinds, since, until)
        while True:
            number, vector = await self._query_vector(query)
            asked = (query, vector, number, wanted, k, budget_tokens)
            if self._searcher.quick():
                await checkpoint()
                found = self._searcher.look_up(*asked)
            else:
                found = await to_thread.run_sync(self._searcher.look_up, *asked)
            if found is not None:
                return found

    async def _query_vector(self, query: str) -> tuple[int, Any]:
        if self._embedder is None:
            return 0, None
        if not self._searcher.hot.loaded:
            await to_thread.run_sync(self._searcher.begin)
        if self._searcher.hot.loaded:
            if self._store.remote or not self._searcher.hot.fresh():
                await to_thread.run_sync(self._searcher.refresh)
            number, name, dims = self._searcher.serving()
        else:
            number, name, dims = await to_thread.run_sync(self._searcher.serving)
        embedder = embedder_for(name, self._embedder, self._previous) if number else None
        if embedder is None or not dims or not query.strip():
            return 0, None
        try:
            texts = [query, *filter(None, [bare_of(self._searcher.hot, query)])]
            return number, await embed_query(embedder, texts, dims)
        except (ManyhandsError, OSError) as error:
            self._notice(f"The query is not embedded, words alone are searched: {error}")
            return 0, None

    def explain(self, query: str) -> Explained:
        """How a query is looked up; the hits of `recall` carry their scores' parts."""
        searched = self._searcher.serving()[1] if self._embedder is not None else ""
        return Explained(read_question(query, None).stems, searched)

    async def fit(self, pairs: Iterable[tuple[str, Sequence[str]]]) -> FitReport:
        """Fit the fusion profiles to this memory; a fitted one is kept only if it is better.

        Each family of memories that enough pairs speak of is fitted on its own. Better means a
        higher recall on pairs that were not fitted on.

        Args:
            pairs: questions, each with the ids of the memories that answer it.
        """
        asked = [pair_of(pair) for pair in pairs]
        # What a question names is known once the index is made.
        await to_thread.run_sync(self._searcher.refresh)
        vectors = [await self._query_vector(query) for query, _ in asked]
        return await to_thread.run_sync(self._searcher.fit, asked, vectors)

    async def newest(
        self,
        *,
        scope: str | Sequence[str] | None = None,
        kinds: Sequence[str] | str | None = None,
        tags: Sequence[str] | str = (),
        since: object = None,
        until: object = None,
        limit: int = 20,
    ) -> list[Row]:
        """What is remembered, the newest first: by when it was said or made, else added.

        Args:
            scope, kinds, since, until: as `recall` takes them.
            tags: only what has all of these.
            limit: at most so many.
        """
        wanted = filter_from(scope, kinds, since, until)
        return await to_thread.run_sync(self._store.newest, wanted, listed(tags), limit)

    async def whole_id(self, beginning: str) -> str:
        """The id with this unique beginning, or what was given where none begins so.

        Args:
            beginning: of an id, or of a handle `memory:ID`.

        Raises:
            InputError: several do.
        """
        return await to_thread.run_sync(whole_id, self._store, beginning.removeprefix("memory:"))

    async def show(self, item_id: str) -> Row:
        """One memory with all that is known of it."""
        return await to_thread.run_sync(self._store.get, item_id)

    async def holds(self, item_id: str) -> bool:
        """Whether there is a memory of that id."""
        return await to_thread.run_sync(self._store.holds, item_id)

    async def confirm(self, item_id: str) -> None:
        """Give a memory the user's word: a proposal becomes the fact or lesson it wants to be."""
        row = await self.show(item_id)
        meta = dict(row.item.meta)
        kind = meta.pop("proposed", row.item.kind)
        item = replace(row.item, kind=kind, trust=Trust.USER, meta=meta, position=row.position)
        await to_thread.run_sync(self._store.put, [item])
        await self.embed_new()

    async def edit(self, item_id: str, **changes: Any) -> Written:
        """Change fields of one memory, as `add` takes them; it then has the user's word.

        Raises:
            InputError: there is none of that id, or the change is refused.
        """
        row = await self.show(item_id)
        item = row.item
        told = {field.name: getattr(item, field.name) for field in fields(item)}
        told |= {"position": row.position, "trust": Trust.USER, **changes}
        edited = read_item({key: value for key, value in told.items() if key != "family"})
        written = await to_thread.run_sync(self._store.put, [settle(edited)])
        await self.embed_new()
        return written

    async def forget(self, ids: Sequence[str] | str, *, journal: Path | None = None) -> Forgotten:
        """Remove memories from every table, index and log, down to the bytes of the files.

        Args:
            journal: the journal's file, whose runs that recalled them lose their payloads too.

        Raises:
            InputError: one of these runs is still going on; nothing is removed then.
        """
        named = listed(ids)
        if journal is not None:
            refuse_while_going_on(await to_thread.run_sync(runs_that_saw, journal, named))
        done = await to_thread.run_sync(erase, self._store, named)
        await self.embed_new()  # turns that were embedded together with what is gone
        if journal is None:
            return done
        # Looked for once more: a run may have recalled them since.
        seen = await to_thread.run_sync(erase_in_journal, journal, named)
        left = " ".join(dict.fromkeys(filter(None, (done.left, seen.left))))
        return replace(done, left=left, runs=seen.runs)

    async def stats(self) -> dict[str, Any]:
        """How much there is, how it is searched, and whether the file is sound."""
        return await to_thread.run_sync(statistics, self._store, self._shelf)

    async def rebuild(self) -> int:
        """Make all that is derived anew from the plain tables; how many memories there are."""
        count = await to_thread.run_sync(rebuild_words, self._store)
        await to_thread.run_sync(rebuild_near, self._store)
        return count

    async def from_source(self, source: str) -> list[str]:
        """Ids of what comes from a source, or from a part of it: `SOURCE, …`."""
        return await to_thread.run_sync(self._store.from_source, source)

    async def contradictions(self, item_id: str) -> list[Row]:
        """Other facts on the subject of a fact, superseded ones among them, newest first."""
        return await to_thread.run_sync(self._store.on_subject_of, item_id)

    async def export(self, *, scope: str | None = None) -> list[str]:
        """All memories as lines of JSON; `import_` reads them back without loss."""
        return await to_thread.run_sync(lambda: list(exported_lines(self._store, scope=scope)))

    async def import_(self, lines: Iterable[str]) -> Written:
        """Add exported memories with their times and standing; all of them or none.

        One whose id is there already becomes what its line says.

        Raises:
            InputError: a line cannot be read, or its memory is refused; names the line.
        """
        items, standings = [], []
        for number, raw, standing in read_lines(iter(lines)):
            # A line that names no project, "", means it; one that does not say comes to this one.
            scope = "" if "scope" in raw else self._scope
            try:
                items.append(settle(read_item(raw, scope=scope)))
            except InputError as error:
                raise InputError(f"Line {number}: {error.message}", hint=error.hint) from error
            if standing is not None:
                standings.append(standing)
        written = await to_thread.run_sync(self._store.put, items)
        await to_thread.run_sync(self._store.restore, standings)
        await self.embed_new()
        return written
