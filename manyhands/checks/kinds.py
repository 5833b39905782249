"""Every kind of case in one place: the mathematical ones and those about programs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from manyhands.checks.maths.checker import KINDS as MATHS_KINDS
from manyhands.checks.maths.checker import MathChecker
from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.kinds import HANDLERS
from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.errors import ManyhandsError

__all__ = ["KINDS", "Checker", "check_case"]

#: All kinds, the mathematical ones first; `docs/checks.md` has an example of each.
KINDS: tuple[str, ...] = (*MATHS_KINDS, *HANDLERS)


class Checker:
    """Checks cases of every kind with one warm mathematical worker. An async context manager.

    Nothing is started until a case needs it.
    """

    def __init__(self, policy: SandboxPolicy | None = None) -> None:
        self._policy = policy
        self._maths = MathChecker(policy)

    async def __aenter__(self) -> Self:
        await self._maths.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._maths.__aexit__(kind, error, trace)

    async def check(self, case: Mapping[str, Any]) -> CheckOutcome:
        """Judge one case. A case that cannot be checked is `undetermined`, with the reason.

        That holds for a case that lacks a part as well as for a machine without a sandbox: what
        could not be run says nothing about the answer, so nothing is raised.
        """
        kind = case.get("kind")
        started = time.monotonic()
        try:
            if isinstance(kind, str) and kind in MATHS_KINDS:
                return await self._maths.check(case)
            if isinstance(kind, str) and kind in HANDLERS:
                return await HANDLERS[kind](case, self._policy)
        except ManyhandsError as error:
            return _open(str(error), started, {"error": type(error).__name__})
        except (TypeError, ValueError, LookupError, OSError, RecursionError) as error:
            return _open(f"{type(error).__name__}: {error}", started, {})
        return _open(f"the kind {kind!r} is not known", started, {"kinds": list(KINDS)})


def _open(why: str, started: float, evidence: dict[str, Any]) -> CheckOutcome:
    seconds = time.monotonic() - started
    return CheckOutcome(Verdict.UNDETERMINED, why[:500], seconds, evidence)


async def check_case(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """`Checker.check` for a single case; many cases share one worker in a `Checker`."""
    async with Checker(policy) as checker:
        return await checker.check(case)
