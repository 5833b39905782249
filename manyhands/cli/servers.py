"""Servers that commands look after: an engine for each that speaks Ollama; what goes in clear."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import click

from manyhands.configuration.in_clear import sent_in_clear
from manyhands.engines.ollama import OllamaEngine
from manyhands.settings import HostKind, Settings

__all__ = ["open_engines", "warn_of_clear_text"]


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


def warn_of_clear_text(settings: Settings) -> None:
    """Say on stderr which settings send a secret over the network without encryption."""
    for told in sent_in_clear(settings, os.environ):
        click.echo(f"Warning: {told}.", err=True)
