"""`manyhands config`: what is set, where it comes from, and a first file."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["command"]


@click.group("config", help="See and start the settings.")
def command() -> None:
    """Holds the subcommands."""


@command.command("path", help="Print where the settings file is, or would be.")
def _path() -> None:
    from manyhands.settings import config_path

    click.echo(str(config_path()))


@command.command("show", help="Print every value, and where each one comes from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def _show(as_json: bool) -> None:
    from manyhands.settings import load_with_origins

    loaded = load_with_origins()
    dumped = _without_secrets(loaded.settings.model_dump(mode="json"))
    if as_json:
        shown = {
            "path": str(loaded.path),
            "exists": loaded.exists,
            "settings": dumped,
            "origins": loaded.origins,
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    state = "" if loaded.exists else " (not written yet: manyhands config init)"
    click.echo(f"{loaded.path}{state}")
    rows = [(key, _value(dumped, key), origin) for key, origin in loaded.origins.items()]
    widest = max(len(key) for key, _, _ in rows)
    longest = min(44, max(len(value) for _, value, _ in rows))
    section = ""
    for key, value, origin in rows:
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            click.echo()
        click.echo(f"{key:<{widest}}  {value:<{longest}}  {origin}")


def _without_secrets(dumped: dict[str, Any]) -> dict[str, Any]:
    """What may be shown to others: `env` and `headers` keep only what names a variable."""
    from manyhands.redaction import MARK, redact_value

    for server in dumped["mcpServers"].values():
        for table in ("env", "headers"):
            server[table] = {
                name: value if "${" in value else MARK for name, value in server[table].items()
            }
    shown: dict[str, Any] = redact_value(dumped)
    return shown


def _value(dumped: object, key: str) -> str:
    for part in key.split("."):
        assert isinstance(dumped, dict)
        dumped = dumped[part]
    return "(not set)" if dumped in (None, "") else json.dumps(dumped, ensure_ascii=False)


@command.command("init", help="Write a commented settings file; an existing one is kept.")
@click.option(
    "--profile",
    type=click.Choice(["full", "workstation", "laptop", "tiny"]),
    default="full",
    show_default=True,
    help="The size of this machine.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it.")
def _init(profile: str, force: bool, only_print: bool) -> None:
    from manyhands.configuration.template import config_text, write_new
    from manyhands.settings import Profile, config_path

    text = config_text(Profile(profile))
    if only_print:
        click.echo(text, nl=False)
        return
    path = config_path()
    write_new(path, text, force=force)
    click.echo(f"Written: {path}")
    click.echo("Next: manyhands doctor")
