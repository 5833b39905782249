"""Reaching an MCP server, and saying in one line why it could not be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from manyhands import __version__
from manyhands.errors import MissingExtra, Unreachable, fault_in

if TYPE_CHECKING:
    from mcp import Client

__all__ = ["connected_http", "need_mcp", "told"]

_CONNECT_S = 5.0
#: Between two signs of life on a stream; a server sends one at least every 15 s.
_SILENCE_S = 120.0


def need_mcp(what: str) -> None:
    """Raise `MissingExtra` where the package that speaks the protocol is not installed."""
    if find_spec("mcp") is None:
        raise MissingExtra(
            f"{what} needs the package mcp.", hint="pip install '.[mcp]' in the clone adds it."
        )


@asynccontextmanager
async def connected_http(url: str, headers: dict[str, str], what: str) -> AsyncIterator[Client]:
    """A client of the server at `url`; no proxy of the environment is used.

    Args:
        what: names the server in errors.

    Raises:
        MissingExtra: the package `mcp` is not installed.
        Unreachable: nobody answers, or the answer is no MCP.
    """
    need_mcp(what)
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.types import Implementation

    timeout = httpx2.Timeout(_SILENCE_S, connect=_CONNECT_S)
    web = httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False)
    ours = Implementation(name="manyhands", version=__version__)
    async with (
        told(f"{what} at {url}", url),
        web,
        Client(streamable_http_client(url, http_client=web), client_info=ours) as client,
    ):
        yield client


@asynccontextmanager
async def told(what: str, host: str) -> AsyncIterator[None]:
    """Faults of a connection as `Unreachable`, which names the server; our own pass as they are."""
    try:
        yield
    except Exception as fault:
        known = fault_in(fault)
        if known is not None:
            raise known from fault
        raise Unreachable(
            f"{what} did not serve the call: {_first_line(fault)}.",
            hint="Is it running, and is its token the one that is set here?",
            host=host,
        ) from fault


def _first_line(fault: BaseException) -> str:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return str(fault).split("\n", 1)[0][:200] or type(fault).__name__
