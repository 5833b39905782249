"""Serving over streamable HTTP: loopback by default, a token always."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from manyhands.configuration.hosts import is_loopback
from manyhands.errors import InputError
from manyhands.mind.mind import Mind
from manyhands_mcp.door import Door, open_door
from manyhands_mcp.guard import Guard, GuardRules
from manyhands_mcp.limits import Limits
from manyhands_mcp.server import build_server

__all__ = ["http_app", "running_http", "serve_http"]

Build = Callable[[Door], MCPServer]


def http_app(door: Door, rules: GuardRules, build: Build = build_server) -> ASGIApp:
    """The whole application: the guard, and behind it the protocol.

    The SDK's own checks are off: they disarm themselves for a host that is not loopback, and the
    guard's stay on for any.
    """
    door.local_only = False
    app = build(door).streamable_http_app(
        streamable_http_path=rules.path,
        max_request_body_size=rules.most_body,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return Guard(app, rules)


@asynccontextmanager
async def running_http(
    door: Door,
    rules: GuardRules,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    build: Build = build_server,
) -> AsyncIterator[int]:
    """Serve in the background; gives the port that was bound."""
    config = uvicorn.Config(
        http_app(door, rules, build),
        log_level="warning",
        access_log=False,  # a URL may hold ids; the journal knows what was asked
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = uvicorn.Server(config)
    listening = _bound(host, port)
    async with anyio.create_task_group() as tasks:

        async def serving() -> None:
            try:
                await server.serve(sockets=[listening])
            finally:
                listening.close()
            tasks.cancel_scope.cancel()  # it was stopped by a signal

        tasks.start_soon(serving)
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns the delay of small packets off (40 ms otherwise).
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise InputError(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            hint="Give another --port, or stop what listens there.",
        ) from error
    return made


async def serve_http(
    mind: Mind,
    rules: GuardRules,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    limits: Limits | None = None,
    folders: Sequence[Path] = (),
    token_file: Path,
) -> None:
    """Serve until stopped. The token is never printed; its file is named."""
    async with (
        open_door(mind, limits=limits, folders=folders) as door,
        running_http(door, rules, host=host, port=port) as bound,
    ):
        where = f"[{host}]" if ":" in host else host
        print(
            f"manyhands: MCP server at http://{where}:{bound}{rules.path}\n"
            f"  token file: {token_file}\n"
            f"  data folders: {', '.join(map(str, folders)) or 'none'}",
            file=sys.stderr,
        )
        if not is_loopback(host):
            names = ", ".join(rules.hosts) or "none but this machine's own"
            print(
                "  there is no TLS here: token and tables go in clear, put a proxy before it\n"
                f"  names that clients may call it by: {names} (--allow-host NAME adds one)",
                file=sys.stderr,
            )
        await anyio.sleep_forever()
