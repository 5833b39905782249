"""`manyhands doctor`: is everything there that a question needs, and what to run if not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from manyhands.cli.given import AMOUNT

if TYPE_CHECKING:
    from manyhands.cli.findings import Finding
    from manyhands.cli.fitting import FitReport

__all__ = ["command"]

#: Stands for `--fit` without a model.
_ALL = "*"


@click.command("doctor", help="Check servers, models, roles, sandbox and stores.")
@click.option("--probe", is_flag=True, help="Also ask the mind for one token, which loads it.")
@click.option(
    "--smoke", is_flag=True, help="Put tiny scripted models on the servers, check, remove them."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@click.option(
    "--fit",
    is_flag=False,
    flag_value=_ALL,
    metavar="[MODEL]",
    help="What fits into memory: every tier, or one model.",
)
@click.option("--vram", type=AMOUNT, help="With --fit: GB of GPU memory of another machine.")
@click.option("--ram", type=AMOUNT, help="With --fit: GB of RAM of another machine.")
@click.option("--num-ctx", type=click.IntRange(256), help="With --fit: another window.")
@click.option(
    "--kv-type",
    type=click.Choice(["f16", "q8_0", "q4_0"]),
    default="f16",
    show_default=True,
    help="With --fit: the server's OLLAMA_KV_CACHE_TYPE.",
)
@click.option(
    "--load-gb-s",
    type=click.FloatRange(0, min_open=True),
    help="With --fit: GB of weights read in a second (3: NVMe, 10: page cache). Without it, what "
    "was measured on the server, else 3.",
)
def command(
    probe: bool,
    smoke: bool,
    as_json: bool,
    fit: str | None,
    vram: float | None,
    ram: float | None,
    num_ctx: int | None,
    kv_type: str,
    load_gb_s: float | None,
) -> None:
    """Exit code 0 when there is no problem (warnings do not count), else 1."""
    if fit is not None:
        _fit("" if fit == _ALL else fit, as_json, vram, ram, num_ctx, kv_type, load_gb_s)
        return
    if vram is not None or ram is not None or num_ctx:
        raise click.UsageError("--vram, --ram and --num-ctx need --fit.")
    import anyio

    from manyhands.cli.findings import Mark

    findings = anyio.run(_smoke if smoke else _examine, probe, as_json)
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
    elif smoke and not problems:
        click.echo("\nThe server does what is needed of it.")
    elif problems:
        click.echo(f"\n{len(problems)} {'problem' if len(problems) == 1 else 'problems'}.")
    else:
        click.echo('\nReady. Ask something: manyhands ask "…"')
    raise SystemExit(1 if problems else 0)


def _fit(
    model: str,
    as_json: bool,
    vram: float | None,
    ram: float | None,
    num_ctx: int | None,
    kv_type: str,
    load_gb_s: float | None,
) -> None:
    import anyio
    from rich.console import Console

    from manyhands.cli.fitting import fit_json, fit_report, print_fit
    from manyhands.cli.servers import open_engines
    from manyhands.engines.fit.arithmetic import GB, KvType
    from manyhands.engines.fit.machine import Card, Machine, this_machine
    from manyhands.settings import load_settings

    if vram is None and ram is None:
        machine = this_machine()
    else:
        cards = (Card("given", round(vram * GB)),) if vram else ()
        machine = Machine(cards, round((ram or 0) * GB), "given")

    async def work() -> FitReport:
        settings = load_settings()
        async with open_engines(settings) as engines:
            return await fit_report(
                settings,
                engines,
                machine,
                model=model,
                num_ctx=num_ctx or 0,
                gb_s=load_gb_s,
                kv_type=KvType(kv_type),
            )

    report = anyio.run(work)
    if as_json:
        click.echo(json.dumps(fit_json(report), indent=2, ensure_ascii=False))
    else:
        print_fit(report, Console())


def _told(one: Finding, quiet: bool) -> None:
    if not quiet:
        click.echo(f"{one.mark:<8} {one.topic:<12} {one.text}")
        if one.next:
            click.echo(f"{'':<8} {'':<12} → {one.next}")


async def _smoke(_: bool, quiet: bool) -> list[Finding]:
    """The tiny models on each Ollama host that a tier uses."""
    from contextlib import aclosing

    from manyhands.cli.findings import Finding, Mark
    from manyhands.cli.servers import open_engines
    from manyhands.cli.smoke import smoke
    from manyhands.settings import HostKind, load_settings

    settings = load_settings()
    used = dict.fromkeys(name for spec in settings.tiers.values() for name in spec.hosts)
    findings: list[Finding] = []

    def tell(one: Finding) -> None:
        findings.append(one)
        _told(one, quiet)

    async with open_engines(settings) as engines:
        for name in used:
            url = settings.hosts[name].url
            if settings.hosts[name].kind is not HostKind.OLLAMA:
                text = f"{name} at {url} takes no models from here; `--probe` asks it for a token"
                tell(Finding("smoke", Mark.WARNING, text))
                continue
            tell(Finding("smoke", Mark.OK, f"{name} at {url}"))
            async with aclosing(smoke(engines[name])) as results:
                async for one in results:
                    tell(one)
    return findings


async def _examine(probe: bool, quiet: bool) -> list[Finding]:
    from manyhands.cli.findings import Finding, Mark
    from manyhands.cli.health import examine
    from manyhands.cli.servers import open_engines
    from manyhands.errors import RoleError, SettingsError
    from manyhands.roles.loader import broken_roles, find_roles
    from manyhands.settings import load_with_origins

    findings: list[Finding] = []

    def tell(one: Finding) -> None:
        findings.append(one)
        _told(one, quiet)

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
    for name, fault in broken_roles().items():
        told = f"{name!r} is left out: {fault.message}"
        tell(Finding("roles", Mark.PROBLEM, told, fault.hint))
    async with open_engines(loaded.settings) as engines:
        async for one in examine(loaded.settings, roles, engines, probe=probe):
            tell(one)
    return findings
