"""Whether the models of some settings only play: a rehearsal server says so when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from manyhands.engines.ollama import OllamaEngine
from manyhands.settings import HostKind, Tier

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["only_play"]

#: A server that does not answer within it is told by the run itself.
_LIMIT_S = 1.0


async def only_play(settings: Settings, tier: Tier = Tier.MIND) -> bool:
    """Ask the tier's own host."""
    spec = settings.tiers.get(tier)
    host = settings.hosts.get(spec.host) if spec is not None else None
    if host is None or host.kind is not HostKind.OLLAMA:
        return False
    engine = OllamaEngine(host.url)
    try:
        with anyio.move_on_after(_LIMIT_S):
            return await engine.scripted()
    finally:
        await engine.aclose()
    return False
