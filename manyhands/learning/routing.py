"""Which tier should begin a step: a pure choice from recorded outcomes.

Each tier's chance is the mean of a Beta distribution: declared pseudo-counts plus what the checks
said. The choice minimises the expected seconds of what starts there: an attempt, one repair, then
one attempt of the next tier up, and a declared loss when that brings nothing. One choice in
eight tries the tier that is known least, if it is not much dearer: a bounded bandit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["EXPLORE_EVERY", "LOSS_S", "PRIORS", "Choice", "Record", "choose", "expected_costs"]

#: Pseudo-counts (successes, failures) before anything was seen: declared, not measured.
PRIORS: Mapping[str, tuple[float, float]] = {
    "mind": (2.0, 2.0),
    "expert": (3.0, 1.5),
    "heavy": (4.0, 1.0),
}
#: Seconds of one attempt before anything was seen: declared, not measured.
PRIOR_SECONDS: Mapping[str, float] = {"mind": 15.0, "expert": 60.0, "heavy": 180.0}
#: What a step without a verified result costs the user, in seconds of waiting: declared.
LOSS_S = 900.0
EXPLORE_EVERY = 8
#: A tier is tried for knowledge only if it is expected to cost at most this many times the best.
_DEAREST = 2.5
#: The weight of the declared seconds, in attempts.
_SECONDS_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Record:
    """What a tier did on one kind of task: attempts that a check decided, and their seconds."""

    tried: int = 0
    succeeded: int = 0
    seconds: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """The tier to begin with, and the reason in words.

    Attributes:
        costs: tier -> expected seconds of the cascade that starts there.
    """

    tier: str
    why: str
    costs: Mapping[str, float]


def chance(tier: str, record: Record) -> float:
    """The expected chance that an attempt of this tier passes its checks."""
    good, bad = PRIORS.get(tier, (1.0, 1.0))
    return (good + record.succeeded) / (good + bad + record.tried)


def attempt_seconds(tier: str, record: Record) -> float:
    declared = PRIOR_SECONDS.get(tier, 60.0)
    return (_SECONDS_WEIGHT * declared + record.seconds) / (_SECONDS_WEIGHT + record.tried)


def expected_costs(
    tiers: Sequence[str], records: Mapping[str, Record], loss_s: float = LOSS_S
) -> dict[str, float]:
    """Expected seconds of a step that begins at each tier, as hands work: attempt, repair, one
    attempt of the next tier up.

    Args:
        tiers: from weak to strong.
        loss_s: what a step without a verified result costs, in seconds.
    """
    costs: dict[str, float] = {}
    above = loss_s  # one attempt of the next tier up, or nothing at the top
    for tier in reversed(tiers):
        record = records.get(tier, Record())
        fails, seconds = 1.0 - chance(tier, record), attempt_seconds(tier, record)
        costs[tier] = seconds + fails * (seconds + fails * above)
        above = seconds + fails * loss_s
    return costs


def choose(tiers: Sequence[str], records: Mapping[str, Record], loss_s: float = LOSS_S) -> Choice:
    """The tier to begin with.

    Args:
        loss_s: what a step without a verified result costs; more of it buys more of the strong.

    Raises:
        ValueError: there are no tiers.
    """
    costs = expected_costs(tiers, records, loss_s)
    best = min(tiers, key=lambda tier: (costs[tier], tiers.index(tier)))
    total = sum(record.tried for record in records.values())
    if total and total % EXPLORE_EVERY == EXPLORE_EVERY - 1:
        near = [tier for tier in tiers if costs[tier] <= _DEAREST * costs[best]]
        least = min(near, key=lambda tier: records.get(tier, Record()).tried)
        if least != best:
            tried = records.get(least, Record()).tried
            return Choice(least, f"{least} has been tried only {tried} times", costs)
    seen = records.get(best, Record())
    grounds = f"{seen.succeeded} of {seen.tried} passed" if seen.tried else "by the declared priors"
    return Choice(best, f"least expected waiting, {costs[best]:.0f} s ({grounds})", costs)
