"""Engines for commands that look after servers: one for each host that speaks Ollama."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from manyhands.engines.ollama import OllamaEngine
from manyhands.settings import HostKind, Settings

__all__ = ["open_engines"]


@asynccontextmanager
async def open_engines(settings: Settings) -> AsyncIterator[dict[str, OllamaEngine]]:
    """Host name -> engine for each Ollama host; closed at the end."""
    async with AsyncExitStack() as stack:
        engines: dict[str, OllamaEngine] = {}
        for name, host in settings.hosts.items():
            if host.kind is HostKind.OLLAMA:
                engine = OllamaEngine(host.url, deadlines=settings.deadlines.for_engine())
                stack.push_async_callback(engine.aclose)
                engines[name] = engine
        yield engines
