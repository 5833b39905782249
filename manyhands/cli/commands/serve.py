"""`manyhands serve`: the one process that owns the models of this machine."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import click

from manyhands.cli.given import AMOUNT

if TYPE_CHECKING:
    from manyhands.serve.service import ServeRoom, Service
    from manyhands.settings import Settings

__all__ = ["command"]

OpenRoom = Callable[["Settings"], "AbstractAsyncContextManager[ServeRoom]"]

#: What other rooms add to the service, as (module, function); left out where the module's own
#: requirements are not installed. See `manyhands/serve/service.py`.
_ROOMS: tuple[tuple[str, str], ...] = (("manyhands_mcp.room", "open_room"),)
_LOOK_S = 0.5
_TAKE_OVER_S = 10.0


@click.group("serve", invoke_without_command=True)
@click.option(
    "--idle", type=AMOUNT, default=0.0, help="End after so many seconds without a door; 0: never."
)
@click.pass_context
def command(ctx: click.Context, idle: float) -> None:
    """Own the models of this machine for every notebook, IDE and terminal, until it is stopped."""
    if ctx.invoked_subcommand is None:
        from manyhands.settings import load_settings

        anyio.run(_serve, load_settings(), idle)


async def _serve(settings: Settings, idle: float) -> None:
    from manyhands.cli.servers import warn_of_clear_text
    from manyhands.serve.owning import serving
    from manyhands.serve.place import OwnerLock

    warn_of_clear_text(settings)
    lock = OwnerLock(settings.serve.folder)
    await _take(lock, settings)
    try:
        async with AsyncExitStack() as stack:
            rooms = [await stack.enter_async_context(open_room(settings)) for open_room in _open()]
            service, owner = await stack.enter_async_context(
                serving(settings.serve, "serve", rooms)
            )
            named = "".join(f", {room.name}" for room in rooms)
            click.echo(f"Owns the models of this machine{named} at {owner.url} (pid {owner.pid}).")
            click.echo("Ctrl-C or `manyhands serve stop` ends it; doors then go on without it.")
            await _until_stopped(service, idle)
    finally:
        lock.release()


def _open() -> list[OpenRoom]:
    from importlib import import_module

    found: list[OpenRoom] = []
    for module, name in _ROOMS:
        try:
            found.append(getattr(import_module(module), name))
        except ImportError:
            continue
    return found


async def _take(lock: Any, settings: Settings) -> None:
    """Get the right to own the models: a door that has it gives it up, another service does not."""
    from manyhands.errors import InputError
    from manyhands.serve.channel import Channel, OwnerGone
    from manyhands.serve.place import read_owner

    asked = ""
    with anyio.move_on_after(_TAKE_OVER_S):
        while not lock.acquire():
            owner = read_owner(settings.serve.folder)
            if owner is not None and owner.door == "serve":
                raise InputError(
                    f"`manyhands serve` runs already (pid {owner.pid}).",
                    hint="`manyhands serve stop` ends it.",
                )
            if owner is not None and owner.token != asked:
                asked = owner.token
                async with Channel(owner) as channel:
                    try:
                        await channel.call("POST", "/v1/stop", {})
                    except OwnerGone:
                        asked = ""
            await anyio.sleep(0.02)
        return
    raise InputError(
        "A door that owns the models now did not give them up in time: it loads one for others.",
        hint="Try again in a minute.",
    )


async def _until_stopped(service: Service, idle: float) -> None:
    async with anyio.create_task_group() as tasks:

        async def on_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    service.stop.set()
                    return

        async def when_idle() -> None:
            while service.idle_s < idle:  # noqa: ASYNC110  time passes without an event
                await anyio.sleep(_LOOK_S)
            service.stop.set()

        tasks.start_soon(on_signal)
        if idle:
            tasks.start_soon(when_idle)
        await service.stop.wait()
        tasks.cancel_scope.cancel()


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Who owns the models, what is loaded, who waits."""
    from manyhands.settings import load_settings

    found = anyio.run(_ask, load_settings(), "GET", "/v1/status")
    if as_json:
        click.echo(json.dumps(found or {}, indent=2))
    elif found is None:
        click.echo("Nobody owns the models now; the next door does while it lives.")
    else:
        click.echo(_told(found))


@command.command("stop")
def stop() -> None:
    """End the owner; what is generated goes on, and another door takes over."""
    from manyhands.settings import load_settings

    found = anyio.run(_ask, load_settings(), "POST", "/v1/stop")
    click.echo("Stopped." if found is not None else "Nobody owns the models.")


async def _ask(settings: Settings, method: str, path: str) -> dict[str, Any] | None:
    from manyhands.serve.channel import Channel, OwnerGone
    from manyhands.serve.place import read_owner

    owner = read_owner(settings.serve.folder)
    if owner is None:
        return None
    async with Channel(owner) as channel:
        try:
            return await channel.call(method, path, {} if method == "POST" else None)
        except OwnerGone:
            return None


def _told(found: dict[str, Any]) -> str:
    who = "manyhands serve" if found["door"] == "serve" else f"the door {found['door']!r}"
    lines = [f"{who} owns the models (pid {found['pid']})."]
    for host in found["hosts"]:
        lines.append(host["url"])
        lines += [
            f"  loaded   {one['model']}  {one['size'] / 1e9:.1f} GB, {one['leases']} in use"
            for one in host["resident"]
        ]
        if host["loading"]:
            one = host["loading"]
            lines.append(
                f"  loading  {one['model']}  {one['elapsed_s']:.0f} s of about "
                f"{one['expected_s']:.0f}"
            )
        lines += [
            f"  waiting  {one['door']} (pid {one['pid']}) for {one['model']}, {one['priority']}, "
            f"{one['waited_s']:.0f} s"
            for one in host["waiting"]
        ]
    lines += [f"{name}: {said}" for name, said in found["rooms"].items()]
    return "\n".join(lines)
