"""`manyhands doctor --fit`: what fits this machine, or one that is only described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console

from manyhands.cli.columns import aligned
from manyhands.configuration.hosts import is_here
from manyhands.configuration.profiles import PROFILE_NOTES, Profile
from manyhands.engines.fit.advice import Asked, Fit, LoadSource, fit_of, propose, together
from manyhands.engines.fit.arithmetic import GB, KvType, ModelShape, shape_of
from manyhands.engines.fit.known import known_shape
from manyhands.engines.fit.machine import Machine
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import EngineError, InputError, StorageError
from manyhands.schedule.estimates import learned_load_s
from manyhands.serve.identity import Identities
from manyhands.serve.times import LoadTimes
from manyhands.settings import Settings
from manyhands.trace.terminal import plain

__all__ = ["FitReport", "fit_json", "fit_report", "print_fit"]

_DEFAULT_WINDOW = 16_384
#: GB in a second that a disk of today reads, where nothing was measured.
_GB_S = 3.0
_MARKS = {LoadSource.MEASURED: "", LoadSource.OTHER_LOADS: " ²", LoadSource.COMPUTED: " ¹"}


@dataclass(frozen=True, slots=True)
class FitReport:
    """What fits.

    Attributes:
        unknown: tier or model -> why nothing can be said of it.
        pairs: tiers that stay on the GPU side by side.
        remarks: sentences for a person.
    """

    vram: int
    ram: int
    source: str
    fits: tuple[Fit, ...]
    unknown: dict[str, str]
    pairs: tuple[tuple[str, str], ...]
    proposal: Profile
    remarks: tuple[str, ...]


async def fit_report(
    settings: Settings,
    engines: Mapping[str, OllamaEngine],
    machine: Machine,
    *,
    model: str = "",
    num_ctx: int = 0,
    gb_s: float | None = None,
    kv_type: KvType = KvType.F16,
) -> FitReport:
    """Work out what fits.

    Args:
        model: only this one; every tier of the settings when empty.
        num_ctx: another window than the tiers' own.
        gb_s: GB of weights that are read in a second. None: what was measured on the model's
            server counts, where this machine is asked about and something was measured.

    Raises:
        InputError: `model` is neither on a server nor in the table.
    """
    asked, unknown = await _asked(settings, engines, model, num_ctx)
    vram, ram = machine.vram, machine.ram
    fits = tuple(fit_of(one, vram, ram, gb_s=gb_s or _GB_S, kv_type=kv_type) for one in asked)
    if gb_s is None and machine.source != "given":
        fits = await _learned(settings, engines, fits)
    return FitReport(
        vram=vram,
        ram=ram,
        source=machine.source,
        fits=fits,
        unknown=unknown,
        pairs=tuple(together(fits, vram)),
        proposal=propose(vram, ram),
        remarks=tuple(_remarks(settings, machine, fits, asked_for=model)),
    )


async def _asked(
    settings: Settings, engines: Mapping[str, OllamaEngine], model: str, num_ctx: int
) -> tuple[list[Asked], dict[str, str]]:
    if model:
        tiers = {tier: spec for tier, spec in settings.tiers.items() if spec.model == model}
        own = next((spec.num_ctx for spec in tiers.values()), _DEFAULT_WINDOW)
        shape = await _shape(model, engines)
        if not num_ctx:
            own = min(own, shape.longest or own)
        return [Asked(shape.name, shape, num_ctx or own)], {}
    asked, unknown = [], {}
    for tier, spec in settings.tiers.items():
        here = {name: engines[name] for name in spec.hosts if name in engines}
        try:
            shape = await _shape(spec.model, here)
        except InputError as error:
            unknown[tier] = error.message
            continue
        asked.append(Asked(tier, shape, num_ctx or spec.num_ctx, on_cpu=spec.num_gpu == 0))
    return asked, unknown


async def _shape(model: str, engines: Mapping[str, OllamaEngine]) -> ModelShape:
    """From a server that has the model, else from the table."""
    for engine in engines.values():
        try:
            size = (await engine.sizes()).get(model if ":" in model else f"{model}:latest", 0)
            if size:
                return shape_of(model, (await engine.show(model)).info, size)
        except EngineError:
            continue
    return known_shape(model)


async def _learned(
    settings: Settings, engines: Mapping[str, OllamaEngine], fits: tuple[Fit, ...]
) -> tuple[Fit, ...]:
    """With the load times that were measured on the first server which has the model."""
    if not settings.serve.times.exists():
        return fits
    try:
        times = LoadTimes.open(settings.serve.times)
    except StorageError:
        return fits
    try:
        return tuple([await _learned_one(settings, engines, times, fit) for fit in fits])
    finally:
        times.close()


async def _learned_one(
    settings: Settings, engines: Mapping[str, OllamaEngine], times: LoadTimes, fit: Fit
) -> Fit:
    shape, spec = fit.asked.shape, settings.tiers.get(fit.asked.tier)
    for name in spec.hosts if spec else settings.hosts:
        if name not in engines:
            continue
        try:
            identity = await Identities(engines[name]).of(shape.name)
        except EngineError:
            continue
        samples = times.samples(settings.hosts[name].url)
        learned = learned_load_s(identity.weights, identity.size or shape.weights, samples)
        if learned is not None:
            source = LoadSource.MEASURED if learned[1] else LoadSource.OTHER_LOADS
            return replace(fit, load_s=learned[0], load_from=source)
    return fit


def _remarks(
    settings: Settings, machine: Machine, fits: tuple[Fit, ...], *, asked_for: str
) -> list[str]:
    said = []
    if not machine.cards:
        said.append(
            "No GPU was found, so everything runs in RAM. For another machine: --vram GB --ram GB."
        )
    if machine.source not in ("given", "none"):
        away = [name for name, host in settings.hosts.items() if not is_here(host.url)]
        if away:
            said.append(
                f"The memory is that of this machine; for {', '.join(away)} say theirs with --vram."
            )
    for fit in fits:
        name, tier = fit.asked.shape.name, fit.asked.tier
        if fit.asked.on_cpu:
            continue
        if not fit.runs:
            said.append(
                f"{name} does not run here: {_gb(fit.spilled)} GB are left for RAM, which has "
                f"{_gb(machine.ram)}."
            )
        elif fit.spilled and machine.vram:
            said.append(
                f"{name} keeps {_gb(fit.spilled)} GB in RAM; those layers are computed by the CPU."
            )
        if fit.spilled and fit.best_window:
            key = "num_ctx" if asked_for else f"tiers.{tier}.num_ctx"
            said.append(f"{name} fits whole with {key} = {fit.best_window}.")
    return said


def _gb(size: int) -> str:
    return f"{size / GB:.1f}"


def fit_json(report: FitReport) -> dict[str, Any]:
    """The report for programs; sizes in bytes."""
    return {
        "vram": report.vram,
        "ram": report.ram,
        "source": report.source,
        "models": [
            {
                "tier": fit.asked.tier,
                "model": fit.asked.shape.name,
                "num_ctx": fit.asked.num_ctx,
                **asdict(fit.need),
                "total": fit.need.total,
                "on_gpu": round(fit.on_gpu, 4),
                "spilled": fit.spilled,
                "runs": fit.runs,
                "load_s": round(fit.load_s, 1),
                "load_from": fit.load_from,
                "best_window": fit.best_window,
            }
            for fit in report.fits
        ],
        "unknown": report.unknown,
        "together": [list(pair) for pair in report.pairs],
        "profile": report.proposal,
        "remarks": list(report.remarks),
    }


def print_fit(report: FitReport, console: Console) -> None:
    """The report for a person; one line for each statement where the output is no terminal."""

    def tell(text: str) -> None:
        console.print(plain(text), soft_wrap=not console.is_terminal)

    ram = f"{_gb(report.ram)} GB" if report.ram else "not given"
    tell(f"GPU memory {_gb(report.vram)} GB ({report.source}), RAM {ram}.")
    tell("Sizes in GB, 1e9 bytes each; they are computed, not measured.")
    head = ("", "model", "num_ctx", "weights", "cache", "more", "total", "GPU", "load s")
    rows = [head, *(_row(fit) for fit in report.fits)]
    for line in aligned(rows, right=range(2, len(head))):
        console.print(plain(line, "bold" if line.split()[0] == "model" else ""), soft_wrap=True)
    sources = {fit.load_from for fit in report.fits}
    if LoadSource.COMPUTED in sources:
        tell("¹ computed from the size of the file")
    if LoadSource.OTHER_LOADS in sources:
        tell("² computed from loads of other models that were measured on this server")
    for tier, why in report.unknown.items():
        tell(f"{tier}: {why}")
    for one, other in report.pairs:
        tell(f"{one} and {other} stay on the GPU together.")
    for remark in report.remarks:
        tell(f"→ {remark}")
    tell(f"Profile for this memory: {report.proposal} ({PROFILE_NOTES[report.proposal]})")


def _row(fit: Fit) -> tuple[str, ...]:
    need, asked = fit.need, fit.asked
    return (
        "" if asked.tier == asked.shape.name else asked.tier,
        asked.shape.name,
        str(asked.num_ctx),
        *map(_gb, (need.weights, need.cache, need.overhead, need.total)),
        "CPU" if asked.on_cpu else f"{fit.on_gpu:.0%}",
        f"{fit.load_s:.0f}{_MARKS[fit.load_from]}",
    )
