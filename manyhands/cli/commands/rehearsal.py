"""`manyhands rehearsal`: a server that speaks Ollama with models that you script."""

from __future__ import annotations

from pathlib import Path

import click

from manyhands.cli.given import PORT

__all__ = ["command"]


@click.group("rehearsal")
def command() -> None:
    """Play scripted models, for dry runs without weights."""


@command.command("serve")
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=11500, show_default=True, help="0 takes a free one.")
def serve(script: str, host: str, port: int) -> None:
    """Serve the models of a SCRIPT in TOML until Ctrl-C (see docs/rehearsal.md)."""
    import threading

    from manyhands.errors import InputError
    from manyhands.rehearsal.server import running_server
    from manyhands.rehearsal.written import read_script

    play = read_script(Path(script))
    try:
        with running_server(
            play.models, play.machine, host=host, port=port, announced=True
        ) as server:
            try:
                click.echo(f"Scripted models at {server.url}; Ctrl-C ends it.")
                threading.Event().wait()
            except KeyboardInterrupt:
                click.echo("Ended.")
    except OSError as error:
        raise InputError(
            f"Port {port} of {host} cannot be used: {error.strerror or error}.",
            hint="Choose another one; --port 0 takes a free one.",
        ) from error
