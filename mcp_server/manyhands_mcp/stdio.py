"""Serving over standard input and output: one client, the user of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from manyhands.mind.mind import Mind
from manyhands_mcp.door import open_door
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server

__all__ = ["default_folders", "serve_stdio"]


def default_folders(working: Path) -> tuple[Path, ...]:
    """The folder that the client started us in, unless that is a whole disk or home folder."""
    here = working.resolve()
    if here == Path(here.anchor) or here == Path.home().resolve():
        return ()
    return (here,)


async def serve_stdio(
    mind: Mind, *, limits: Limits | None = None, folders: Sequence[Path] = ()
) -> None:
    """Serve until the client closes standard input.

    Standard output carries the protocol and nothing else: what a library prints goes to
    standard error. Jobs that still run at the end are recorded as cut.
    """
    async with open_door(mind, limits=limits, folders=folders) as door:
        server = build_server(door)
        print(
            f"manyhands: MCP server on standard input; data folders: "
            f"{', '.join(map(str, folders)) or 'none'}",
            file=sys.stderr,
        )
        await server.run_stdio_async()
