"""Downloading models and building roles, with progress; stopped at any moment it can go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import anyio
import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from manyhands.cli.health import pull_command
from manyhands.cli.servers import open_engines
from manyhands.configuration.model import bare_name
from manyhands.engines.contracts import Progress
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import ModelMissing
from manyhands.roles.build import build_roles
from manyhands.roles.files import refuse_changed_by_hand, user_modelfiles
from manyhands.roles.loader import FoundRole
from manyhands.settings import Settings

__all__ = ["build_all", "download", "missing_models"]


async def missing_models(
    settings: Settings, engines: Mapping[str, OllamaEngine]
) -> list[tuple[str, str]]:
    """Each (host, base model) that a tier names and the host lacks; raises `EngineError`."""
    missing: dict[tuple[str, str], None] = {}
    for host, engine in engines.items():
        wanted = [spec.model for spec in settings.tiers.values() if host in spec.hosts]
        if wanted:
            present = {bare_name(name) for name in await engine.tags()}
            for model in wanted:
                if bare_name(model) not in present:
                    missing[host, model] = None
    return list(missing)


async def download(engine: OllamaEngine, model: str, console: Console) -> None:
    """Pull one model with a bar; the server keeps what came, so a stopped pull resumes."""
    sizes = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bars(console, *sizes) as bars:
        async with aclosing(engine.pull(model)) as lines:
            await _follow(lines, bars, bars.add_task(model, total=None))
    click.echo(f"Downloaded: {model}")


async def build_all(settings: Settings, found: Mapping[str, FoundRole]) -> None:
    """Build roles on every host that serves their tier, and say what was done.

    Raises:
        ModelMissing: a base is not there; the roles of the others are built before.
        RoleError: a Modelfile was changed by hand, or an adapter cannot be read.
        EngineError: the server failed.
    """
    refuse_changed_by_hand(found, settings, user_modelfiles())
    lacking: dict[tuple[str, str], list[str]] = {}
    async with open_engines(settings) as engines:
        for host, engine in engines.items():
            with _bars(Console(stderr=True)) as bars:
                task = bars.add_task("roles", total=None)

                async def tell(
                    role: str, line: Progress, bars: Bars = bars, task: TaskID = task
                ) -> None:
                    bars.update(task, description=f"{role}: {line.status}")

                built = await build_roles(found, settings, engine, host, tell)
            if built.made:
                click.echo(f"Built on {host}: {', '.join(built.made)}")
            if built.current:
                click.echo(f"Up to date on {host}: {', '.join(built.current)}")
            for one in built.lacking:
                lacking.setdefault((host, one.base), []).append(one.role)
    if lacking:
        told = [
            f"{', '.join(names)} (on {host}: {base})" for (host, base), names in lacking.items()
        ]
        (host, base), *_ = lacking
        raise ModelMissing(
            f"Not built, for their base models are missing: {'; '.join(told)}.",
            hint=" && ".join(
                pull_command(base, settings.hosts[host].url) for host, base in lacking
            ),
            host=settings.hosts[host].url,
            model=base,
        )


def _bars(console: Console, *extra: ProgressColumn) -> Bars:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), *extra)
    return Bars(*columns, console=console, transient=True)


async def _follow(lines: AsyncGenerator[Progress], bars: Bars, task: TaskID) -> None:
    """Add up the parts of a download: the server reports each part by its own line."""
    parts: dict[str, tuple[int, int]] = {}
    async for line in lines:
        if line.total:
            parts[line.status] = (line.completed, line.total)
        bars.update(
            task,
            completed=sum(done for done, _ in parts.values()),
            total=sum(total for _, total in parts.values()) or None,
        )
        await anyio.lowlevel.checkpoint()
