"""Grading blind tests: how many small wrong versions of the answer they notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from manyhands.checks.outcome import Verdict
from manyhands.checks.programs.differential import differential
from manyhands.checks.programs.judge import Ending, judge, outcome_of
from manyhands.checks.programs.mutants import Mutant, mutants
from manyhands.checks.sandbox.contracts import SandboxPolicy

__all__ = ["WEAK_BELOW", "TestGrade", "grade_tests"]

#: Tests that notice a smaller share of the mutants are called weak.
WEAK_BELOW = 0.8
_FEWEST = 3  # mutants below which no rate is stated
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class TestGrade:
    """What the tests are worth.

    Attributes:
        ending: how the tests end on the answer itself.
        mutants: mutants that differ from the answer: on a test, or on some generated input.
        killed: how many of them the tests refute.
        survivors: changes that went unnoticed, `line: change`.
        equivalent: mutants that neither told apart from the answer; not counted.
    """

    __test__ = False

    ending: Ending
    mutants: int
    killed: int
    survivors: tuple[str, ...]
    equivalent: int
    seed: int

    @property
    def kill_rate(self) -> float | None:
        """Share of mutants noticed; None when there were too few."""
        return self.killed / self.mutants if self.mutants >= _FEWEST else None

    @property
    def weak(self) -> bool:
        """Whether a pass of these tests says little; unknown counts as weak."""
        rate = self.kill_rate
        return rate is None or rate < WEAK_BELOW

    def as_evidence(self) -> dict[str, Any]:
        rate = self.kill_rate
        return {
            "method": "mutants of the answer",
            "seed": self.seed,
            "mutants": self.mutants,
            "killed": self.killed,
            "kill_rate": None if rate is None else round(rate, 3),
            "weak": self.weak,
            "survivors": list(self.survivors),
            "equivalent_left_out": self.equivalent,
        }


async def grade_tests(
    tests: str,
    code: str,
    entry_point: str,
    *,
    prelude: str = "",
    prompt: str = "",
    seed: int = 0,
    limit: int = 12,
    policy: SandboxPolicy | None = None,
) -> TestGrade:
    """Run `tests` on the answer and on up to `limit` mutants of it.

    When the tests do not pass on the answer itself, no mutant is run.
    """
    own = await judge(code, entry_point, tests, prelude=prelude, policy=policy)
    if own.ending is not Ending.PASSED:
        return TestGrade(own.ending, 0, 0, (), 0, seed)
    candidates = mutants(code, entry_point, seed=seed, limit=limit)
    verdicts: dict[int, bool | None] = {}
    gate = anyio.CapacityLimiter(_AT_ONCE)

    async def one(at: int, mutant: Mutant) -> None:
        async with gate:
            found = await judge(mutant.source, entry_point, tests, prelude=prelude, policy=policy)
            if outcome_of(found, []).verdict is Verdict.REFUTED:
                verdicts[at] = True
                return
            told = await differential(
                code, mutant.source, entry_point, prompt=prompt, seed=seed, policy=policy
            )
            verdicts[at] = False if told.verdict is Verdict.REFUTED else None

    async with anyio.create_task_group() as tasks:
        for at, mutant in enumerate(candidates):
            tasks.start_soon(one, at, mutant)
    noticed = [verdicts[at] for at in range(len(candidates))]
    survivors = tuple(
        f"line {m.line}: {m.mutation} {m.change}"
        for m, seen in zip(candidates, noticed, strict=True)
        if seen is False
    )
    killed = noticed.count(True)
    equivalent = noticed.count(None)
    return TestGrade(own.ending, len(candidates) - equivalent, killed, survivors, equivalent, seed)
