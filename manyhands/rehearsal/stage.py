"""Setting the stage: the tiers of given settings, played by scripted models on one server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manyhands.rehearsal.profile import ZERO, Profile
from manyhands.rehearsal.script import ReplyFn, ScriptedModel
from manyhands.rehearsal.server import running_server

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["scripted_tiers"]

#: Bytes of the weights as they lie on disk at 4 bits, by tier (simulated).
_SIZES = {"mind": 19_000_000_000, "expert": 43_000_000_000, "heavy": 142_000_000_000}
_DIMENSIONS = 384
_ENDLESS_GB = 1e6


@contextmanager
def scripted_tiers(
    settings: Settings, reply: ReplyFn, profile: Profile = ZERO
) -> Iterator[Settings]:
    """Settings that differ from the given ones only in their hosts: a rehearsal server, not shared.

    Args:
        reply: what every chat model answers; it can tell roles apart by their system prompt.
    """
    from manyhands.settings import HostKind, HostSettings

    models = {}
    for name, tier in settings.tiers.items():
        embeds = name == "embed"
        sees = ("vision",) if name == "vision" else ()
        models[tier.model] = ScriptedModel(
            name=tier.model,
            reply=reply,
            size=_SIZES.get(name, 1_000_000_000),
            capabilities=("embedding",) if embeds else ("completion", "tools", "thinking", *sees),
            dimensions=_DIMENSIONS if embeds else 0,
        )
    with running_server(list(models.values()), profile) as server:
        vram_gb = profile.vram / 1e9 or _ENDLESS_GB  # the rehearsed card, not the one in here
        host = HostSettings(url=server.url, kind=HostKind.OLLAMA, vram_gb=vram_gb)
        hosts = dict.fromkeys(settings.hosts, host)
        # Models that only play are nobody else's: nothing is shared with other doors.
        alone = settings.serve.model_copy(update={"mode": "off"})
        yield settings.model_copy(update={"hosts": hosts, "serve": alone})
