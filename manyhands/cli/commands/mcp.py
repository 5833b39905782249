"""`manyhands mcp`: the hands and the mind for every IDE."""

from __future__ import annotations

from pathlib import Path

import click

from manyhands.cli.given import PORT

__all__ = ["command"]

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_NAMES = (
    "claude-code",
    "claude-desktop",
    "continue",
    "cursor",
    "lmstudio",
    "vscode",
    "windsurf",
    "zed",
)
_folders = click.option(
    "--data-folder",
    "folders",
    type=_FOLDER,
    multiple=True,
    help="Data files are read only below it; repeatable. Default: the folder it is started in.",
)


def _need_mcp() -> None:
    from importlib.util import find_spec

    from manyhands.errors import MissingExtra

    if find_spec("mcp") is None:
        raise MissingExtra(
            "The MCP door is not installed.", hint="pip install '.[mcp]' in the clone adds it."
        )


@click.group("mcp", invoke_without_command=True)
@_folders
@click.option("--http", "over_http", is_flag=True, help="Streamable HTTP instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=8765, show_default=True)
@click.option("--allow-host", "hosts", multiple=True, help="A further name in `Host`; repeatable.")
@click.option("--allow-origin", "origins", multiple=True, help="A web page's origin; repeatable.")
@click.option("--public-url", default="", help="Where clients reach it from outside.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Default: the user's own.")
@click.pass_context
def command(
    ctx: click.Context, folders: tuple[Path, ...], over_http: bool, host: str, port: int,
    hosts: tuple[str, ...], origins: tuple[str, ...], public_url: str, token_file: Path | None,
) -> None:  # fmt: skip
    """Serve the hands and the mind over MCP, on standard input and output or over HTTP."""
    if ctx.invoked_subcommand is not None:
        return
    _need_mcp()
    import anyio
    from manyhands_mcp.stdio import default_folders, serve_stdio

    from manyhands.cli.servers import warn_of_clear_text
    from manyhands.mind.mind import Mind

    async def serve() -> None:
        mind = Mind(door="mcp")
        warn_of_clear_text(mind.settings)
        found = folders or default_folders(Path.cwd())
        if not over_http:
            await serve_stdio(mind, folders=found)
            return
        from manyhands_mcp.guard import GuardRules
        from manyhands_mcp.http import serve_http
        from manyhands_mcp.token import read_token, token_path

        path = token_file or token_path()
        named = (*hosts, host) if host not in ("0.0.0.0", "::") else hosts  # noqa: S104
        rules = GuardRules(read_token(path), named, origins, public_url)
        # A client elsewhere has no business with the folder that the server was started in.
        await serve_http(mind, rules, host=host, port=port, folders=folders, token_file=path)

    anyio.run(serve)


@command.command("install")
@click.option("--client", "name", type=click.Choice(_NAMES), required=True)
@click.option("--scope", default="", help="project or user; the client's usual one by default.")
@click.option("--print", "only_print", is_flag=True, help="Show what would be written.")
@click.option("--uninstall", is_flag=True, help="Take it out again.")
@_folders
def install(
    name: str, scope: str, only_print: bool, uninstall: bool, folders: tuple[Path, ...]
) -> None:
    """Put the server into an IDE's settings, or take it out; the rest of the file stays."""
    from manyhands_mcp.install import CLIENTS, Change, Done, change, own_command, snippet

    client = CLIENTS[name]
    start = own_command(folders)
    chosen = scope or next(iter(client.files))
    if only_print:
        if chosen in client.files:
            click.echo(f"# {client.files[chosen].path(Path.home(), Path.cwd())}", err=True)
        click.echo(snippet(name, start))
        return
    what = Change.UNINSTALL if uninstall else Change.INSTALL
    path, done, backup = change(name, chosen, what, start, home=Path.home(), here=Path.cwd())
    click.echo(f"{client.title}: {done}: {path}")
    if backup is not None:
        click.echo(f"  as it was: {backup}")
    if done is Done.WRITTEN:
        click.echo(f"  it starts: {' '.join(start)}")
        if client.note:
            click.echo(f"  {client.note}")


@command.command("status")
def status() -> None:
    """Which IDEs are configured, and where."""
    from manyhands_mcp.install import CLIENTS, state_of

    from manyhands.clean import clean
    from manyhands.cli.columns import aligned

    told = [("client", "scope", "state", "file")]
    for name, client in CLIENTS.items():
        for scope in client.files:
            path, state = state_of(name, scope, Path.home(), Path.cwd())
            told.append((client.title, scope, state, clean(str(path))))
    for line in aligned(told):
        click.echo(line)
