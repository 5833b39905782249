"""What an embedder is, and the work of embedding all that has no vector yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Protocol, runtime_checkable

import numpy as np
from anyio import to_thread

from manyhands.errors import InputError, ManyhandsError
from manyhands.memory.arrays import F32
from manyhands.memory.vectors import Pending, VectorShelf, unit_vectors

__all__ = ["Embedder", "Progress", "embed_pending", "embed_query", "embedder_for"]

#: Texts sent in one call.
_BATCH = 64

#: Told of how many texts are done, and how many there are in all.
Progress = Callable[[int, int], None]


@runtime_checkable
class Embedder(Protocol):
    """Anything that turns texts into vectors.

    Attributes:
        model: its name; vectors of two names are never compared.
    """

    @property
    def model(self) -> str: ...

    def embed(self, texts: list[str], /) -> Awaitable[Sequence[Sequence[float]]]:
        """One vector for each text, all of one length."""
        ...


@runtime_checkable
class _HasSiblings(Protocol):
    def with_model(self, model: str, /) -> Embedder: ...


def embedder_for(model: str, embedder: object, previous: object) -> Embedder | None:
    """Who can embed a query for `model`: the embedder, the one before it, or its sibling."""
    for known in (embedder, previous):
        if isinstance(known, Embedder) and known.model == model:
            return known
    if isinstance(embedder, _HasSiblings) and model:
        return embedder.with_model(model)
    return None


async def embed_query(embedder: Embedder, texts: Sequence[str], dims: int) -> F32:
    """Unit vectors of a query's texts, one a row, by one call."""
    return unit_vectors(await _asked(embedder, list(texts)), len(texts), dims)


async def _asked(embedder: Embedder, texts: list[str]) -> Sequence[Sequence[float]]:
    try:
        found = embedder.embed(texts)
        # An object whose `embed` is a plain function serves as well.
        return await found if isawaitable(found) else found
    except (ManyhandsError, OSError):
        raise
    except Exception as error:
        # An object of the user's own may raise anything; the words still work without it.
        raise InputError(f"The embedder {embedder.model!r} failed: {error!r}.") from error


async def embed_pending(
    shelf: VectorShelf,
    model: int,
    embedder: Embedder,
    *,
    after: int = 0,
    progress: Progress | None = None,
) -> int:
    """Embed what has no vector of a model yet, a batch at a time; how many texts were sent.

    Each batch is kept when it is done, so that it can be stopped at any time and goes on where
    it was. The same text is never sent twice.
    """
    sent = done = 0
    total = await to_thread.run_sync(shelf.count_pending, model) if progress else 0
    while True:
        batch = await to_thread.run_sync(_next, shelf, model, after)
        if not batch:
            return sent
        after = batch[-1][0].view
        ready = {pending.text: vector for pending, vector in batch if vector is not None}
        texts = list(dict.fromkeys(p.text for p, _ in batch if p.text not in ready))
        if texts:
            _, _, dims = await to_thread.run_sync(_dims, shelf, model)
            block = unit_vectors(await _asked(embedder, texts), len(texts), dims)
            ready.update(zip(texts, block, strict=True))
            sent += len(texts)
        pendings = [pending for pending, _ in batch]
        vectors = np.stack([ready[pending.text] for pending in pendings])
        await to_thread.run_sync(shelf.keep, model, pendings, vectors)
        done += len(batch)
        if progress:
            progress(done, max(total, done))


def _next(shelf: VectorShelf, model: int, after: int) -> list[tuple[Pending, F32 | None]]:
    found = shelf.pending(model, after=after, limit=_BATCH)
    known = shelf.known(model, [pending.view for pending in found])
    return [(pending, known.get(pending.view)) for pending in found]


def _dims(shelf: VectorShelf, model: int) -> tuple[int, str, int]:
    serving = shelf.serving()
    return serving if serving[0] == model else shelf.filling()
