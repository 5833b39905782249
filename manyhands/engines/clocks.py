"""The clocks of a call: first token, gap between tokens, total, load; each raises our own error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from manyhands.engines.contracts import Deadlines
from manyhands.errors import DeadlineExceeded

__all__ = ["Clocks", "within"]

_WORDS = {
    "first_token": "sent no token",
    "gap": "sent no further token",
    "total": "did not finish",
}


class Clocks:
    """The clocks of one answer, running from its making. Only tokens wind the gap clock up."""

    def __init__(self, deadlines: Deadlines, host: str, model: str) -> None:
        self._deadlines = deadlines
        self._host = host
        self._model = model
        self._started = time.monotonic()
        self._last_token: float | None = None

    def token(self) -> None:
        self._last_token = time.monotonic()

    def left(self) -> tuple[float, str]:
        """Seconds until the next clock runs out, and which it is."""
        now = time.monotonic()
        total = self._started + self._deadlines.total_s - now
        if self._last_token is None:
            first = self._started + self._deadlines.first_token_s - now
            return min((first, "first_token"), (total, "total"))
        gap = self._last_token + self._deadlines.gap_s - now
        return min((gap, "gap"), (total, "total"))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold one wait to the clock that runs out next; raises `DeadlineExceeded`."""
        left, clock = self.left()
        with anyio.move_on_after(max(0.0, left)) as scope:
            yield
        if scope.cancelled_caught:
            limit = getattr(self._deadlines, f"{clock}_s")
            raise DeadlineExceeded(
                f"{self._model!r} on {self._host} {_WORDS[clock]} within {limit:g} s.",
                clock=clock,
                hint=f"Raise deadlines.{clock}_s if the model is only slow.",
                host=self._host,
                model=self._model,
            )


@contextmanager
def within(seconds: float, clock: str, *, host: str, model: str) -> Iterator[None]:
    """Hold a whole call to one clock; raises `DeadlineExceeded`."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        what = f" for {model!r}" if model else ""
        raise DeadlineExceeded(
            f"{host} did not answer{what} within {seconds:g} s.",
            clock=clock,
            hint=f"Raise deadlines.{clock}_s if the server is only slow.",
            host=host,
            model=model,
        )
