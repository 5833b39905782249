"""`manyhands roles`: see, write, render, build and compare roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.roles.build import RoleStatus
    from manyhands.roles.loader import FoundRole
    from manyhands.settings import Settings

__all__ = ["command"]


@click.group("roles", help="See, write, render, build and compare roles.")
def command() -> None:
    """Holds the subcommands."""


@command.command("list", help="List all roles with their tier and where they come from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def _list(as_json: bool) -> None:
    from manyhands.roles.loader import broken_roles, find_roles

    found, broken = find_roles(), broken_roles()
    if as_json:
        shown = [
            one.role.model_dump(mode="json", exclude={"prompt", "messages"})
            | {"file": str(one.path), "shipped": one.shipped}
            for one in found.values()
        ]
        wrong = {name: str(error) for name, error in broken.items()}
        told = {"roles": shown, "left_out": wrong}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    widest = max(map(len, found))
    for name, one in found.items():
        own = "" if one.shipped else f" [yours: {one.path}]"
        click.echo(f"{name:<{widest}}  {one.role.tier:<6}  {one.role.summary}{own}")
    for name, error in broken.items():
        click.echo(f"{name:<{widest}}  left out: {error}")


@command.command("show", help="Print a role: its values and its prompt.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def _show(name: str, as_json: bool) -> None:
    one = _chosen((name,))[name]
    role = one.role
    if as_json:
        shown = {**role.model_dump(mode="json"), "file": str(one.path)}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    sampling = ", ".join(f"{key} {value}" for key, value in role.sampling_options().items())
    rows = {
        "name": role.name,
        "title": role.title,
        "summary": role.summary,
        "tier": role.tier,
        "works for": role.hand or "the mind",
        "may call": ", ".join(role.hands) or "no hand",
        "thinks": "yes" if role.think else "no",
        "tokens": f"{role.num_predict} at most",
        "sampling": sampling or "as the base model has it",
        "adapter": role.adapter or "none",
        "file": one.path,
    }
    for key, value in rows.items():
        click.echo(f"{key:<10} {value}")
    click.echo(f"\n{role.prompt}")
    for turn in role.messages:
        click.echo(f"\n[{turn.role}]\n{turn.content}")


@command.command("new", help="Start a role of your own as a copy of another.")
@click.argument("name")
@click.option("--like", default="scientist", show_default=True, help="The role to copy.")
def _new(name: str, like: str) -> None:
    from manyhands.roles.files import new_role
    from manyhands.roles.loader import user_roles_folder

    path = new_role(name, _chosen((like,))[like], user_roles_folder())
    click.echo(f"Written: {path}")
    click.echo(f"Next: change its prompt, then: manyhands roles build {name}")


@command.command("render", help="Write the Modelfiles of roles for your settings.")
@click.argument("names", nargs=-1)
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option("--shipped", is_flag=True, help="For developers: the files that ship, profile full.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is out of step.")
def _render(names: tuple[str, ...], to: Path | None, shipped: bool, check: bool) -> None:
    from manyhands.data_files import data_path
    from manyhands.roles.files import compare_files, user_modelfiles, write_modelfiles
    from manyhands.roles.loader import find_roles
    from manyhands.roles.render import shipped_settings
    from manyhands.settings import load_settings

    settings = shipped_settings() if shipped else load_settings()
    found = find_roles([]) if shipped else _chosen(names)
    folder = to or (data_path("Modelfile") if shipped else user_modelfiles())
    if check:
        stale = [one for one in compare_files(found, settings, folder) if one.diff]
        for one in stale:
            click.echo(one.diff)
        click.echo(f"{len(stale)} of {len(found)} Modelfiles in {folder} are out of step.")
        raise SystemExit(1 if stale else 0)
    for path in write_modelfiles(found, settings, folder):
        click.echo(f"Written: {path}")
    click.echo(f"{len(found)} Modelfiles in {folder} are in step with their roles.")


@command.command("build", help="Make the roles' models on the server; repeats change nothing.")
@click.argument("names", nargs=-1)
def _build(names: tuple[str, ...]) -> None:
    import anyio

    from manyhands.cli.making import build_all
    from manyhands.settings import load_settings

    anyio.run(build_all, load_settings(), _chosen(names))


@command.command("diff", help="Compare roles with Modelfiles on disk and models on the server.")
@click.argument("names", nargs=-1)
def _diff(names: tuple[str, ...]) -> None:
    import anyio

    from manyhands.roles.files import compare_files, user_modelfiles
    from manyhands.settings import load_settings

    settings, found = load_settings(), _chosen(names)
    differing = 0
    for one in compare_files(found, settings, user_modelfiles()):
        if one.exists and one.diff:
            differing += 1
            click.echo(one.diff)
    for host, states in anyio.run(_states, settings, found).items():
        for state in states:
            told = f" ({', '.join(state.differences)})" if state.differences else ""
            differing += state.state != "current"
            click.echo(f"{state.role:<14} {state.state:<8} {state.model} on {host}{told}")
    raise SystemExit(1 if differing else 0)


async def _states(settings: Settings, found: dict[str, FoundRole]) -> dict[str, list[RoleStatus]]:
    from manyhands.cli.servers import open_engines
    from manyhands.roles.build import role_status

    async with open_engines(settings) as engines:
        return {
            host: await role_status(found, settings, engine, host)
            for host, engine in engines.items()
        }


def _chosen(names: tuple[str, ...]) -> dict[str, FoundRole]:
    """The named roles; all that can be used when none is named."""
    from manyhands.roles.loader import broken_roles, find_roles, no_role

    found = find_roles()
    for name in names:
        if name not in found:
            raise no_role(name, found)
    for name, error in broken_roles().items():
        if not names:
            click.echo(f"Role {name!r} is left out. {error}", err=True)
        elif name in names:
            click.echo(f"Your role {name!r} is left out, ours serves. {error}", err=True)
    return {name: found[name] for name in names} if names else found
