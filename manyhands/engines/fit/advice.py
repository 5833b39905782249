"""What of an installation fits a machine: each tier, pairs of tiers, and the profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from manyhands.configuration.profiles import PROFILES, Profile
from manyhands.engines.fit.arithmetic import (
    KvType,
    ModelShape,
    Need,
    largest_window,
    load_s,
    need_of,
)
from manyhands.engines.fit.known import KNOWN

__all__ = ["Asked", "Fit", "LoadSource", "fit_of", "propose", "together"]

#: A part of its need that a model may keep outside the GPU and still be of use as a mind or expert.
_TOLERABLE_SPILL = 0.10
_LEAST_OF_HEAVY = 0.5


class LoadSource(StrEnum):
    """Where the expected seconds of a load come from."""

    MEASURED = "measured"
    OTHER_LOADS = "other loads"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class Asked:
    """A model at a window, under the name of its tier."""

    tier: str
    shape: ModelShape
    num_ctx: int
    on_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """How one model fits.

    Attributes:
        on_gpu: the part of weights and cache on the GPU, from 0 to 1.
        spilled: bytes in the machine's own memory.
        runs: whether GPU and RAM together hold it.
        load_s: expected seconds of a load.
        best_window: the largest window with which it fits whole into the GPU; 0 when none does.
    """

    asked: Asked
    need: Need
    on_gpu: float
    spilled: int
    runs: bool
    load_s: float
    best_window: int
    load_from: LoadSource = LoadSource.COMPUTED


def fit_of(asked: Asked, vram: int, ram: int, *, gb_s: float, kv_type: KvType = KvType.F16) -> Fit:
    """How a model fits a machine.

    Args:
        ram: bytes; 0 when it is not known, and then no spill is called too large.
        gb_s: GB of weights that are read in a second.
    """
    card = 0 if asked.on_cpu else vram
    need = need_of(asked.shape, asked.num_ctx, kv_type)
    spilled = need.spilled(card)
    return Fit(
        asked=asked,
        need=need,
        on_gpu=need.share_on_gpu(card),
        spilled=spilled,
        runs=not ram or spilled <= ram,
        load_s=load_s(asked.shape, gb_s),
        best_window=largest_window(asked.shape, card, kv_type),
    )


def together(fits: Sequence[Fit], vram: int) -> list[tuple[str, str]]:
    """Pairs of tiers with different models that stay on the GPU side by side."""
    whole = [fit for fit in fits if not fit.asked.on_cpu and not fit.spilled]
    return [
        (one.asked.tier, other.asked.tier)
        for at, one in enumerate(whole)
        for other in whole[at + 1 :]
        if one.asked.shape.name != other.asked.shape.name
        and one.need.total + other.need.total <= vram
    ]


def propose(vram: int, ram: int, shapes: Mapping[str, ModelShape] = KNOWN) -> Profile:
    """The largest profile whose mind and expert fit but for a tenth, and whose heavy fits by half.

    Without a GPU the RAM holds everything; speed then allows only the two small profiles.
    """
    if not vram and not ram:
        return Profile.TINY
    candidates = list(Profile) if vram else [Profile.LAPTOP, Profile.TINY]
    for profile in candidates:
        if all(_holds(profile, tier, vram, ram, shapes) for tier in ("mind", "expert", "heavy")):
            return profile
    return Profile.TINY


def _holds(
    profile: Profile, tier: str, vram: int, ram: int, shapes: Mapping[str, ModelShape]
) -> bool:
    spec = PROFILES[profile][tier]
    need = need_of(shapes[spec["model"]], spec["num_ctx"])
    # A quarter of the RAM stays with the system and the hands' programs.
    if need.total > vram + ram * 0.75:
        return False
    if not vram:
        return True
    if tier == "heavy":
        return need.share_on_gpu(vram) >= _LEAST_OF_HEAVY
    return need.spilled(vram) <= _TOLERABLE_SPILL * need.total
