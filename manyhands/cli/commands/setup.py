"""`manyhands setup`: settings file, base models, the hands' Python, roles; safe to repeat."""

from __future__ import annotations

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

    _settle(profile)
    try:
        anyio.run(_setup, yes)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was downloaded is kept. To go on: manyhands setup", err=True)
        raise SystemExit(_STOPPED) from None


def _settle(profile: str | None) -> None:
    """Write the settings file for a profile, or make sure that the one there agrees with it."""
    from manyhands.configuration.template import config_text, write_new
    from manyhands.errors import SettingsError
    from manyhands.settings import Profile, config_path, load_with_origins

    path = config_path()
    if profile is None:
        return
    if not path.exists():
        write_new(path, config_text(Profile(profile)), force=False)
        click.echo(f"Written: {path}")
    loaded = load_with_origins()
    if loaded.settings.profile != profile:
        raise SettingsError(
            f"{loaded.origins['profile']} says profile {loaded.settings.profile.value!r}, "
            f"not {profile!r}.",
            hint=f"Change it in {path}, or run setup without --profile.",
        )


async def _setup(yes: bool) -> None:
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
            if not yes and not click.confirm("Download them now?"):
                raise InputError(
                    "Nothing was downloaded.",
                    hint="Choose a smaller profile with --profile, or say --yes.",
                )
        for host, model in missing:
            await download(engines[host], model, Console(stderr=True))
    if not environment_ready():
        click.echo("Building the hands' Python (once):")
    await ensure_environment(lambda line: click.echo(f"  {line}"))
    await build_all(settings, found)
    click.echo("Next: manyhands doctor")
