"""Models as a voice knows them, in one window and always ready; a test says what they answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from manyhands.errors import EngineError
from manyhands.hands.contracts import Spend
from manyhands.hands.places import Emit, ModelPlace, Planned


class ReadyModels:
    """All of a voice's models but `stream`, which a subclass gives.

    Args:
        num_ctx: the window of each of them, in tokens.
    """

    def __init__(self, num_ctx: int) -> None:
        self._num_ctx = num_ctx

    def place(self, tier: str, adapter_model: str = "") -> ModelPlace:
        return ModelPlace(tier, "m", self._num_ctx, thinks=False)

    async def ready(
        self, place: ModelPlace, emit: Emit, *, without: Collection[str] = ()
    ) -> tuple[ModelPlace, Spend]:
        return place, Spend()

    def passes_on(self, place: ModelPlace, error: EngineError, tried: Collection[str]) -> bool:
        return False

    async def outlook(self, tiers: Sequence[str]) -> None:
        return None

    async def announce(self, calls: Sequence[Planned]) -> None:
        pass

    def tier_above(self, tier: str) -> str | None:
        return None
