"""Routing replayed on declared outcome tables: cost and accuracy of four ways to choose a tier.

    python benchmarks/routing.py [--seed 1] [--tasks 2000]

Everything here is simulated: chances and seconds of the tiers are declared below, no model runs.
Each way meets the same tasks with the same dice. `random` draws tiers at the share that ours used.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from manyhands.learning.routing import LOSS_S, Record, choose

TIERS = ["mind", "expert", "heavy"]
#: Kind of task -> chance of a verified attempt by tier (declared).
CHANCES = {
    "easy": {"mind": 0.93, "expert": 0.95, "heavy": 0.97},
    "middling": {"mind": 0.45, "expert": 0.86, "heavy": 0.93},
    "hard": {"mind": 0.05, "expert": 0.35, "heavy": 0.82},
}
#: Seconds of one attempt, loads spread over a batch included (declared).
SECONDS = {"mind": 12.0, "expert": 55.0, "heavy": 170.0}

Pick = Callable[[str, dict[str, Record], random.Random], str]
Played = tuple[float, float, dict[str, int]]


def play(
    pick: Pick, tasks: list[tuple[str, list[float]]], seed: int
) -> tuple[float, float, dict[str, int]]:
    """Mean seconds for a task, share that ended verified, and how often each tier began."""
    rng = random.Random(seed)
    seen: dict[str, dict[str, Record]] = {kind: {} for kind in CHANCES}
    seconds, good = 0.0, 0
    began = dict.fromkeys(TIERS, 0)
    for kind, dice in tasks:
        tier = pick(kind, seen[kind], rng)
        began[tier] += 1
        above = TIERS[TIERS.index(tier) + 1 : TIERS.index(tier) + 2]
        for one, die in zip([tier, tier, *above], dice, strict=False):
            passed = die < CHANCES[kind][one]
            seconds += SECONDS[one]
            old = seen[kind].get(one, Record())
            seen[kind][one] = Record(
                old.tried + 1, old.succeeded + passed, old.seconds + SECONDS[one]
            )
            if passed:
                good += 1
                break
    return seconds / len(tasks), good / len(tasks), began


def curve(tasks: list[tuple[str, list[float]]], seed: int) -> None:
    """What verified results cost: our choice for several losses, each beside random draws."""
    print(f"{'loss':>8}{'ours s/task':>13}{'verified':>10}   {'random s/task':>14}{'verified':>10}")
    for loss in (20.0, 60.0, 150.0, 400.0, LOSS_S, 3000.0, 20_000.0):
        ours = play(lambda kind, seen, rng, at=loss: choose(TIERS, seen, at).tier, tasks, seed)
        share = [ours[2][tier] for tier in TIERS]
        drawn = play(lambda kind, seen, rng, by=share: rng.choices(TIERS, by)[0], tasks, seed)
        print(f"{loss:8.0f}{ours[0]:13.1f}{ours[1]:10.1%}   {drawn[0]:14.1f}{drawn[1]:10.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=2000)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    kinds = list(CHANCES)
    tasks = [(rng.choice(kinds), [rng.random() for _ in range(3)]) for _ in range(options.tasks)]
    ours = play(lambda kind, seen, rng: choose(TIERS, seen).tier, tasks, options.seed)
    share = [ours[2][tier] for tier in TIERS]
    ways: dict[str, Played] = {
        "always small": play(lambda *_: "mind", tasks, options.seed),
        "always large": play(lambda *_: "heavy", tasks, options.seed),
        "random, equal share": play(
            lambda kind, seen, rng: rng.choices(TIERS, share)[0], tasks, options.seed
        ),
        "ours": ours,
    }
    print(
        f"simulated, {options.tasks} tasks, seed {options.seed}; a failed task costs {LOSS_S:g} s"
    )
    print(f"{'way':22}{'s/task':>9}{'verified':>10}{'loss/task':>11}{'vs ours':>9}  began")
    base = ours[0] + (1 - ours[1]) * LOSS_S
    for name, (seconds, good, began) in ways.items():
        loss = seconds + (1 - good) * LOSS_S
        told = " ".join(f"{tier} {count}" for tier, count in began.items())
        print(f"{name:22}{seconds:9.1f}{good:10.1%}{loss:11.1f}{loss / base:8.2f}x  {told}")
    print("cost-accuracy curve, simulated; random draws tiers at the same share as ours")
    curve(tasks, options.seed)


if __name__ == "__main__":
    main()
