"""The product's server for the official conformance suite: `python conformance_server.py [bare]`.

Guard, transport, tools and store are the product's own. The suite sends no token, so a front adds
it to each request. Without `bare`, the fixtures that the suite calls by name are registered on the
same instance (`conformance_fixtures.py`).
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from pathlib import Path

import uvicorn
from manyhands_mcp.door import Door, open_door
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import http_app
from manyhands_mcp.server import build_server
from mcp.server import MCPServer
from starlette.types import ASGIApp, Receive, Scope, Send

from manyhands.cli.demo_models import say
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import load_settings

TOKEN = "0123456789abcdef" * 4


class WithToken:
    """Adds the token that the suite cannot be told to send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = (b"authorization", f"Bearer {TOKEN}".encode())
            scope = {**scope, "headers": [*scope["headers"], token]}
        await self._app(scope, receive, send)


async def main(*, bare: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="manyhands-conformance-"))
    (folder / "settings.toml").touch()
    settings = load_settings(
        path=folder / "settings.toml",
        env={
            "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
            "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        },
    )
    roles = load_roles()
    prompts = {name: role.prompt for name, role in roles.items()}

    def build(door: Door) -> MCPServer:
        server = build_server(door)
        if not bare:
            from conformance_fixtures import add_fixtures

            add_fixtures(server, door)
        return server

    with scripted_tiers(settings, lambda request: say(request, prompts)) as rehearsed:
        mind = Mind(rehearsed, roles=roles, door="mcp", simulated=True)
        async with open_door(mind) as door:
            app = WithToken(http_app(door, GuardRules(TOKEN), build))
            listening = socket.create_server(("127.0.0.1", 0))
            print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
            config = uvicorn.Config(app, log_level="warning")
            await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(bare="bare" in sys.argv))
