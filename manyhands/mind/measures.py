"""What the servers' token counts taught, kept from run to run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from manyhands.errors import StorageError
from manyhands.hands.tokens import Meter
from manyhands.learning.outcomes import Outcomes

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["kept_meter"]


@contextmanager
def kept_meter(settings: Settings, *, learns: bool) -> Iterator[Meter]:
    """A meter that begins where earlier runs ended.

    A file that cannot be used, or is just in use, costs exactness, not the run; who learns
    outcomes from it tells.

    Args:
        learns: whether it is kept; counts of scripted models say nothing of real ones.
    """
    meter = Meter()
    path = settings.routing.path
    if learns and path.exists():
        with suppress(StorageError), Outcomes.open(path) as outcomes:
            for model, state in outcomes.measures():
                meter.restore(model, state)
    try:
        yield meter
    finally:
        if learns and meter.changed:
            with suppress(StorageError), Outcomes.open(path) as outcomes, outcomes.at_once():
                for model in sorted(meter.changed):
                    outcomes.keep_measure(model, meter.state(model), time.time())
