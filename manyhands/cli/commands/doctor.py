"""`manyhands doctor`: is everything there that a question needs, and what to run if not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.cli.health import Finding

__all__ = ["command"]


@click.command("doctor", help="Check servers, models, roles, sandbox and stores.")
@click.option("--probe", is_flag=True, help="Also ask the mind for one token, which loads it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def command(probe: bool, as_json: bool) -> None:
    """Exit code 0 when there is no problem (warnings do not count), else 1."""
    import anyio

    from manyhands.cli.health import Mark

    findings = anyio.run(_examine, probe, as_json)
    problems = [one for one in findings if one.mark is Mark.PROBLEM]
    if as_json:
        shown = {
            "ok": not problems,
            "findings": [
                {"topic": one.topic, "mark": one.mark, "text": one.text, "next": one.next}
                for one in findings
            ],
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif problems:
        click.echo(f"\n{len(problems)} {'problem' if len(problems) == 1 else 'problems'}.")
    else:
        click.echo('\nReady. Ask something: manyhands ask "…"')
    raise SystemExit(1 if problems else 0)


async def _examine(probe: bool, quiet: bool) -> list[Finding]:
    from manyhands.cli.health import Finding, Mark, examine
    from manyhands.cli.servers import open_engines
    from manyhands.errors import RoleError, SettingsError
    from manyhands.roles.loader import find_roles
    from manyhands.settings import load_with_origins

    findings: list[Finding] = []

    def tell(one: Finding) -> None:
        findings.append(one)
        if not quiet:
            click.echo(f"{one.mark:<8} {one.topic:<12} {one.text}")
            if one.next:
                click.echo(f"{'':<8} {'':<12} → {one.next}")

    try:
        loaded = load_with_origins()
    except SettingsError as error:
        tell(Finding("settings", Mark.PROBLEM, error.message, error.hint))
        return findings
    place = loaded.path if loaded.exists else f"{loaded.path} is not written, so defaults hold"
    tell(Finding("settings", Mark.OK, f"profile {loaded.settings.profile}; {place}"))
    try:
        roles = find_roles()
    except RoleError as error:
        tell(Finding("roles", Mark.PROBLEM, error.message, error.hint))
        roles = {}
    async with open_engines(loaded.settings) as engines:
        async for one in examine(loaded.settings, roles, engines, probe=probe):
            tell(one)
    return findings
