"""The workbench: the checks that hands use, with one worker kept warm while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.sandbox.contracts import SandboxPolicy, SandboxResult, SandboxRun
from manyhands.errors import NeedsPython
from manyhands.hands.contracts import Evidence

if TYPE_CHECKING:
    from manyhands.checks.maths.checker import MathChecker

__all__ = ["Bench", "evidence_from"]


class Bench:
    """Runs programs and checks under one policy. An async context manager.

    Nothing is started until the first check needs it.
    """

    def __init__(self, policy: SandboxPolicy) -> None:
        self.policy = policy
        self._stack = AsyncExitStack()
        self._maths: MathChecker | None = None
        self._lock = anyio.Lock()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def isolation(self) -> str:
        """The layer that runs will have; raises `NoIsolation` when there is none."""
        from manyhands.checks.sandbox.runner import best

        return str(await best(self.policy))

    async def needs_python(self, what: str) -> str:
        """Why `what` cannot be done here, for want of a real interpreter; empty when it can."""
        from manyhands.checks.sandbox.runner import best_python

        try:
            await best_python(self.policy, what)
        except NeedsPython as error:
            return str(error)
        return ""

    async def maths(self, case: Mapping[str, Any]) -> CheckOutcome:
        """Check one mathematical case (`docs/checks.md` names the kinds)."""
        async with self._lock:
            if self._maths is None:
                from manyhands.checks.maths.checker import MathChecker

                self._maths = await self._stack.enter_async_context(MathChecker(self.policy))
            try:
                return await self._maths.check(case)
            except NeedsPython as error:
                return _undecided(error)

    async def program(self, kind: str, case: Mapping[str, Any]) -> CheckOutcome:
        """Check a case about a program: `python`, `differential`, `table_claim`."""
        from manyhands.checks.programs.kinds import HANDLERS

        try:
            return await HANDLERS[kind](case, self.policy)
        except NeedsPython as error:
            return _undecided(error)

    async def run(self, job: SandboxRun) -> SandboxResult:
        """Run a program in the sandbox."""
        from manyhands.checks.sandbox.runner import run

        return await run(job, self.policy)


def _undecided(error: NeedsPython) -> CheckOutcome:
    return CheckOutcome(Verdict.UNDETERMINED, str(error))


def evidence_from(
    name: str, outcome: CheckOutcome, *, independent: bool, isolation: str
) -> Evidence:
    """A check's outcome as evidence about an answer: supported passes, refuted fails."""
    passed = {Verdict.SUPPORTED: True, Verdict.REFUTED: False, Verdict.UNDETERMINED: None}
    return Evidence(
        name=name,
        passed=passed[outcome.verdict],
        independent=independent,
        evidence=outcome.summary,
        isolation=isolation,
        seconds=outcome.seconds,
        detail=outcome.evidence,
    )
