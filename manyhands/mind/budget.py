"""What a run may spend, and the message when a limit is reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from manyhands.errors import BudgetExceeded
from manyhands.hands.contracts import Spend

__all__ = ["KEPT", "SPARE", "Budget", "Purse"]

#: Work that makes a result surer is begun only while this share of every limit is left.
SPARE = 0.5
#: What such work must leave of every limit, by the most that it may cost.
KEPT = 0.25


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one run: tokens, seconds of wall time, of model time, loads, steps."""

    tokens: int
    seconds: float
    gpu_seconds: float
    loads: int
    steps: int


class Purse:
    """Adds up what a run spends; the call after a limit was reached is refused.

    A limit is overrun by at most the one call that reached it.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._started = clock()
        self.spent = Spend()
        self.over: BudgetExceeded | None = None

    @property
    def seconds(self) -> float:
        return self._clock() - self._started

    @property
    def left(self) -> float:
        """The smallest share of a limit that is left, from 1 to 0."""
        return max(0.0, min(1 - used / allowed for _, used, allowed in self._limits()))

    def bears(self, more: Spend, seconds: float) -> bool:
        """Whether enough of every limit is left, and would be after so much more."""
        kept = min(
            1 - used / allowed for _, used, allowed in self._limits(self.spent + more, seconds)
        )
        return self.left >= SPARE and kept >= KEPT

    def _limits(
        self, spent: Spend | None = None, seconds: float = 0.0
    ) -> Iterator[tuple[str, float, float]]:
        """Each limit with what was used of it and what may be."""
        spent = self.spent if spent is None else spent
        yield "tokens", spent.prompt_tokens + spent.completion_tokens, self._budget.tokens
        yield "seconds", self.seconds + seconds, self._budget.seconds
        yield "gpu_seconds", spent.model_s + spent.load_s, self._budget.gpu_seconds
        yield "loads", spent.loads, self._budget.loads

    def charge(self, spend: Spend) -> None:
        """Add a cost; asked with nothing, it says whether another call may be made.

        Raises:
            BudgetExceeded: a limit had been reached before this call.
        """
        if spend.calls or spend.loads:
            self.spent += spend
            return
        for limit, used, allowed in self._limits():
            if used >= allowed:
                self.over = BudgetExceeded(
                    f"The budget of {allowed:g} {limit} is used up ({used:g}).",
                    limit=limit,
                    allowed=allowed,
                    used=used,
                    hint=f"What was reached is kept; raise budgets.{limit} to go further.",
                )
                raise self.over
