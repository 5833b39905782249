"""Which kinds of isolation the tests can be run on here; the others are skipped with the reason."""

from __future__ import annotations

import anyio
import pytest

from manyhands.checks.sandbox import SandboxPolicy, best
from manyhands.errors import NoIsolation

__all__ = ["TIERS", "both_tiers", "needs_bubblewrap"]

_MISSING: dict[str, str] = {}
for _tier in ("bwrap", "landlock"):
    try:
        anyio.run(best, SandboxPolicy(backend=_tier))
    except NoIsolation as error:
        _MISSING[_tier] = error.message

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
