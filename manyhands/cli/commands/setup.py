"""`manyhands setup`: settings file, base models, the hands' Python, roles; safe to repeat."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.settings import Settings

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

    settings, wanted = _settle(profile)
    try:
        anyio.run(_setup, yes, settings, wanted)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was downloaded is kept. To go on: manyhands setup", err=True)
        raise SystemExit(_STOPPED) from None


def _settle(profile: str | None) -> tuple[Settings, Path | None]:
    """The settings that agree with a profile; where they are still to be written, or None.

    Nothing is written before the yes, so that no end of this command leaves a size behind that
    nobody agreed to.
    """
    from manyhands.configuration.template import config_text, is_untouched
    from manyhands.errors import SettingsError
    from manyhands.settings import Profile, config_path, load_settings, load_with_origins

    if profile is None:
        return load_settings(), None
    path = config_path()
    wanted = not path.exists() or is_untouched(path)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_text(config_text(Profile(profile)), encoding="utf-8")
        loaded = load_with_origins(draft if wanted else path)
    if loaded.settings.profile != profile:
        raise SettingsError(
            f"{loaded.origins['profile']} says profile {loaded.settings.profile.value!r}, "
            f"not {profile!r}.",
            hint=f"Change it in {path}, or run setup without --profile.",
        )
    return loaded.settings, path if wanted else None


async def _setup(yes: bool, settings: Settings, wanted: Path | None) -> None:
    from rich.console import Console

    from manyhands.checks.sandbox.environment import ensure_environment, environment_ready
    from manyhands.checks.sandbox.runner import uses_environment
    from manyhands.cli.making import build_all, download, missing_models
    from manyhands.cli.servers import open_engines
    from manyhands.configuration.template import config_text, is_untouched, write_new
    from manyhands.errors import InputError
    from manyhands.roles.loader import find_roles

    found = find_roles()
    async with open_engines(settings) as engines:
        missing = await missing_models(settings, engines)
        if missing:
            click.echo(f"Profile {settings.profile.value} needs these base models:")
            for host, model in missing:
                click.echo(f"  {model}  (on {host})")
            if not yes and not click.confirm("Download them now?"):
                raise InputError(
                    "Nothing was downloaded, and no settings were changed.",
                    hint="Choose a smaller profile with --profile, or say --yes.",
                )
        if wanted is not None:
            write_new(wanted, config_text(settings.profile), force=is_untouched(wanted))
            click.echo(f"Written: {wanted}")
        for host, model in missing:
            await download(engines[host], model, Console(stderr=True))
    if await uses_environment(settings.sandbox.policy()):
        if not environment_ready():
            click.echo("Building the hands' Python (once):")
        await ensure_environment(lambda line: click.echo(f"  {line}"))
    await build_all(settings, found)
    click.echo("Next: manyhands doctor")
