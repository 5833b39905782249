"""Where models are served, as those who speak to them need it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from manyhands.engines.contracts import ChatRequest, Delta, Reply
from manyhands.errors import EngineError
from manyhands.hands.contracts import Spend
from manyhands.journal.events import Body
from manyhands.schedule.model import Outlook

__all__ = ["Emit", "ModelPlace", "Models", "Planned"]

Emit = Callable[[Body], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where a tier's model is: what a call must name.

    Attributes:
        host: the host that was chosen for the call; empty until `Models.ready` chose one.
    """

    tier: str
    model: str
    num_ctx: int
    thinks: bool
    host: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that a plan will come to.

    Attributes:
        seconds: expected, the load not counted.
        needs: ids of planned calls that come before.
    """

    id: str
    tier: str
    seconds: float = 30.0
    needs: tuple[str, ...] = ()


class Models(Protocol):
    """The models of this installation, by tier."""

    def place(self, tier: str, adapter_model: str = "") -> ModelPlace:
        """The model that serves `tier`; raises `SettingsError` for an unknown tier."""
        ...

    async def ready(
        self, place: ModelPlace, emit: Emit, *, without: Collection[str] = ()
    ) -> tuple[ModelPlace, Spend]:
        """Choose the host that serves soonest and load the model there unless it is resident.

        Args:
            without: hosts that failed in this call already.

        Returns:
            The place with its host, and what loading cost.

        Raises:
            EngineError: no host is left; the fault of the last one.
        """
        ...

    def stream(self, place: ModelPlace, request: ChatRequest) -> AsyncGenerator[Delta | Reply]:
        """`Engine.stream` of the place's host."""
        ...

    def passes_on(self, place: ModelPlace, error: EngineError, tried: Collection[str]) -> bool:
        """Told of a call that failed; whether a host that was not tried may serve it."""
        ...

    def tier_above(self, tier: str) -> str | None:
        """The next stronger tier, None at the top or where it serves the same model."""
        ...

    async def outlook(self, tiers: Sequence[str]) -> Outlook | None:
        """What loading costs where these tiers are served; None where that cannot be told."""
        ...

    async def announce(self, calls: Sequence[Planned]) -> None:
        """Tell what a plan will come to, in place of what was told before."""
        ...
