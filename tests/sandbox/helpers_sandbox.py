"""Which kinds of isolation the tests can be run on here; the others are skipped with the reason."""

from __future__ import annotations

import anyio
import pytest

from manyhands.checks.sandbox.runner import probe

__all__ = ["TIERS", "both_tiers", "needs_bubblewrap"]

_MISSING = {
    str(layer.isolation): f"{layer.isolation} does not work here: {layer.reason}"
    for layer in anyio.run(probe)
    if not layer.works
}

#: Those that work here, the strongest first.
TIERS = tuple(tier for tier in ("bwrap", "landlock") if tier not in _MISSING)

both_tiers = pytest.mark.parametrize(
    "tier",
    [
        pytest.param(
            tier,
            marks=pytest.mark.skipif(tier in _MISSING, reason=_MISSING.get(tier, "it works")),
        )
        for tier in ("bwrap", "landlock")
    ],
)
needs_bubblewrap = pytest.mark.skipif("bwrap" in _MISSING, reason=_MISSING.get("bwrap", "it works"))
