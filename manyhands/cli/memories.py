"""What the commands on memory share: opening it, and where to look in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from manyhands.memory import Memory

__all__ = ["scopes", "with_memory"]

_T = TypeVar("_T")


def with_memory(
    work: Callable[[Memory], Awaitable[_T]],
    *,
    words_only: bool = False,
    read_only: bool = False,
    everywhere: bool = False,
    notices: bool = False,
) -> _T:
    """Open the user's memory, do something with it, and tell its notices."""
    import anyio

    from manyhands.memory.opening import open_memory, project_of
    from manyhands.settings import load_settings

    async def play() -> _T:
        settings = load_settings()
        scope = "" if everywhere else project_of(Path.cwd())
        async with open_memory(
            settings, scope=scope, words_only=words_only, read_only=read_only
        ) as memory:
            try:
                return await work(memory)
            finally:
                for notice in memory.notices if notices else ():
                    click.echo(notice, err=True)

    return anyio.run(play)


def scopes(everywhere: bool) -> list[str] | None:
    """Where to look: this project and what belongs to none, or everywhere."""
    from manyhands.memory.opening import project_of

    return None if everywhere else [project_of(Path.cwd()), ""]
