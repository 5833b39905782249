"""How the tests of the requirements call the HTTP door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["LIST", "MODERN", "TOKEN", "Ask", "listing", "modern", "status"]

TOKEN = "0123456789abcdef" * 4
MODERN = "2026-07-28"
Ask = Callable[..., Any]


def modern(method: str, **params: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def listing() -> dict[str, Any]:
    return modern("tools/list")


LIST = {"mcp_protocol_version": MODERN, "mcp_method": "tools/list"}


async def status(ask: Ask, **headers: Any) -> int:
    return int((await ask(**{**LIST, **headers})).status_code)
