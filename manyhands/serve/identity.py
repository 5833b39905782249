"""What a model's name means on a server: its weights, its adapters, how many bytes they are."""

from __future__ import annotations

import time
from dataclasses import dataclass

from manyhands.configuration.model import bare_name
from manyhands.engines.ollama import OllamaEngine
from manyhands.roles.server import Held

__all__ = ["Identities", "Identity"]

#: What a name means is asked again after so many seconds: roles are built anew, models pulled.
_KNOWN_S = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Two names with one identity share a loaded model, where their runner options are equal.

    Attributes:
        size: bytes of the weights; 0 when the server does not tell.
        asked: when it was asked, on the monotonic clock.
    """

    weights: str
    adapters: tuple[str, ...]
    size: int
    asked: float


class Identities:
    """The identities of one server's models, asked when they are needed."""

    def __init__(self, engine: OllamaEngine) -> None:
        self._engine = engine
        self._known: dict[str, Identity] = {}
        self._sizes: dict[str, int] = {}

    async def of(self, model: str) -> Identity:
        """The identity of a model; raises `EngineError`, `ModelMissing` among them."""
        name = bare_name(model)
        known = self._known.get(name)
        if known is not None and time.monotonic() - known.asked < _KNOWN_S:
            return known
        held = Held.from_info(await self._engine.show(model))
        if name not in self._sizes:
            sizes = await self._engine.sizes()
            self._sizes = {bare_name(one): size for one, size in sizes.items()}
        adapters = (held.adapter,) if held.adapter else ()
        found = Identity(held.weights or name, adapters, self._sizes.get(name, 0), time.monotonic())
        self._known[name] = found
        return found

    def size_of(self, weights: str) -> int:
        """Bytes of a file of weights, as far as it is known."""
        return next((one.size for one in self._known.values() if one.weights == weights), 0)
