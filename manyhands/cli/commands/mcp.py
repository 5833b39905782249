"""`manyhands mcp`: the hands and the mind for every IDE."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def _need_mcp() -> None:
    from importlib.util import find_spec

    from manyhands.errors import MissingExtra

    if find_spec("mcp") is None:
        raise MissingExtra(
            "The MCP door is not installed.", hint="pip install 'manyhands[mcp]' adds it."
        )


@click.group("mcp", invoke_without_command=True)
@click.option(
    "--data-folder", "folders", type=_FOLDER, multiple=True,
    help="Data files are read only below it; repeatable. Default: the folder it is started in.",
)  # fmt: skip
@click.pass_context
def command(ctx: click.Context, folders: tuple[Path, ...]) -> None:
    """Serve the hands and the mind over MCP (standard input and output)."""
    if ctx.invoked_subcommand is not None:
        return
    _need_mcp()
    import anyio
    from manyhands_mcp.stdio import default_folders, serve_stdio

    from manyhands.mind.mind import Mind

    async def serve() -> None:
        mind = Mind(door="mcp")
        await serve_stdio(mind, folders=folders or default_folders(Path.cwd()))

    anyio.run(serve)
