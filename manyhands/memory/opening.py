"""Opening the memory that the settings name, with the embedder that they name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from manyhands.configuration.model import Settings
from manyhands.memory.embedders import embedder_from
from manyhands.memory.memory import Memory

__all__ = ["open_memory", "project_of"]


@asynccontextmanager
async def open_memory(
    settings: Settings, *, scope: str = "", words_only: bool = False, read_only: bool = False
) -> AsyncIterator[Memory]:
    """The user's memory, closed again with its embedder at the end.

    Args:
        words_only: ask no model server.
    """
    embedder = None if words_only else embedder_from(settings)
    try:
        memory = await Memory.open(
            settings.memory.place,
            embedder=embedder,
            scope=scope,
            read_only=read_only,
            key=settings.memory.key(),
        )
        try:
            yield memory
        finally:
            await memory.close()
    finally:
        close = getattr(embedder, "aclose", None)
        if close is not None:
            await close()


def project_of(folder: Path) -> str:
    """The scope of work in a folder: the repository it lies in, or the folder itself."""
    whole = folder.resolve()
    for parent in (whole, *whole.parents):
        if (parent / ".git").exists():
            return str(parent)
    return str(whole)
