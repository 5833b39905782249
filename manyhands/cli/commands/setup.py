"""`manyhands setup`: settings file, base models, the hands' Python, roles; safe to repeat."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]

#: The shell's own code for a program that Ctrl-C ended.
_STOPPED = 130


@click.command("setup", help="Download the base models, build the hands' Python and the roles.")
@click.option(
    "--profile",
    type=click.Choice(["full", "workstation", "laptop", "tiny"]),
    help="The size of this machine; written to the settings file if there is none.",
)
@click.option("--yes", is_flag=True, help="Download without asking.")
def command(profile: str | None, yes: bool) -> None:
    """Each part is skipped when it is there already, so a stopped setup goes on where it was."""
    import anyio

    made = _settle(profile)
    try:
        anyio.run(_setup, yes, made)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was downloaded is kept. To go on: manyhands setup", err=True)
        raise SystemExit(_STOPPED) from None


def _settle(profile: str | None) -> Path | None:
    """Make sure that the settings file agrees with a profile; its path where there was none."""
    from manyhands.configuration.template import config_text, write_new
    from manyhands.errors import SettingsError
    from manyhands.settings import Profile, config_path, load_with_origins

    path = config_path()
    if profile is None:
        return None
    made = not path.exists()
    if made:
        write_new(path, config_text(Profile(profile)), force=False)
    loaded = load_with_origins()
    if loaded.settings.profile != profile:
        raise SettingsError(
            f"{loaded.origins['profile']} says profile {loaded.settings.profile.value!r}, "
            f"not {profile!r}.",
            hint=f"Change it in {path}, or run setup without --profile.",
        )
    return path if made else None


def _agreed(made: Path | None) -> bool:
    """Ask before anything is downloaded; after a no, settings that were made for it are gone."""
    agreed = False
    try:
        agreed = click.confirm("Download them now?")
    finally:
        if made is not None and not agreed:
            made.unlink()
    return agreed


async def _setup(yes: bool, made: Path | None) -> None:
    from rich.console import Console

    from manyhands.checks.sandbox.environment import ensure_environment, environment_ready
    from manyhands.cli.making import build_all, download, missing_models
    from manyhands.cli.servers import open_engines
    from manyhands.errors import InputError
    from manyhands.roles.loader import find_roles
    from manyhands.settings import load_settings

    settings = load_settings()
    found = find_roles()
    async with open_engines(settings) as engines:
        missing = await missing_models(settings, engines)
        if missing:
            click.echo(f"Profile {settings.profile.value} needs these base models:")
            for host, model in missing:
                click.echo(f"  {model}  (on {host})")
            if not yes and not _agreed(made):
                raise InputError(
                    "Nothing was downloaded, and no settings were changed.",
                    hint="Choose a smaller profile with --profile, or say --yes.",
                )
        if made is not None:
            click.echo(f"Written: {made}")
        for host, model in missing:
            await download(engines[host], model, Console(stderr=True))
    if not environment_ready():
        click.echo("Building the hands' Python (once):")
    await ensure_environment(lambda line: click.echo(f"  {line}"))
    await build_all(settings, found)
    click.echo("Next: manyhands doctor")
