"""The mathematical checks: cases go to a sandboxed worker that is kept warm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.sandbox.contracts import RunStatus, SandboxPolicy
from manyhands.checks.sandbox.session import Session

__all__ = ["KINDS", "MathChecker"]

KINDS = (
    "antiderivative", "derivative", "definite_integral", "identity", "inequality", "integer_claim",
    "limit", "sum", "solution", "ode", "matrix", "units",
)  # fmt: skip

#: Seconds until the worker is ended. It stops itself a little before (`maths_worker.SLOW`); kinds
#: that may ask SymPy for a closed form, or z3 for a proof, get more.
_SECONDS = 1.0
_SLOW = {
    "definite_integral": 3.5, "inequality": 3.0, "integer_claim": 3.0,
}  # fmt: skip
_FILES = (
    "algebra.py", "ball_rules.py", "balls.py", "calculus.py", "domain.py",
    "double_exponential.py", "equations.py",
    "forms.py", "integrals.py", "judge.py", "latex_text.py", "limits.py", "linear.py",
    "maths_worker.py", "notation.py", "points.py", "rules.py", "singular.py", "slopes.py",
    "solutions.py", "statements.py", "sums.py", "tokens.py", "units.py", "vocabulary.py",
    "whole.py", "whole_signs.py",
)  # fmt: skip


class MathChecker:
    """Checks mathematical cases; an async context manager that owns its worker.

    Text is read inside the sandbox by an allow-list and never evaluated as code. A case that
    hangs or crashes the worker is `undetermined`; the next one gets a new worker.
    """

    def __init__(self, policy: SandboxPolicy | None = None) -> None:
        source = files("manyhands.checks.maths") / "inside"
        self._session = Session(
            handler="maths_worker:handle",
            module_files={name: (source / name).read_text(encoding="utf-8") for name in _FILES},
            preload=("sympy", "flint"),
            policy=policy,
        )

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.__aexit__(kind, error, trace)

    async def check(self, case: Mapping[str, Any]) -> CheckOutcome:
        """Judge one case; `docs/checks.md` has an example of each kind.

        Raises:
            SandboxError: no sandbox works here, or its worker does not start.
        """
        kind = str(case.get("kind", ""))
        seconds = _SLOW.get(kind, _SECONDS)
        try:
            body = json.loads(json.dumps(dict(case)))
        except (TypeError, ValueError, RecursionError) as error:
            return CheckOutcome(Verdict.UNDETERMINED, f"the case is no JSON: {error}")
        reply = await self._session.request(body, timeout=seconds)
        if reply.status is not RunStatus.OK:
            return CheckOutcome(
                Verdict.UNDETERMINED,
                f"the check ended with {reply.status}: {reply.error}",
                reply.seconds,
                {"isolation": str(reply.isolation)},
            )
        found = reply.value
        return CheckOutcome(
            Verdict(found["verdict"]),
            str(found["summary"]),
            reply.seconds,
            {**found["evidence"], "isolation": str(reply.isolation)},
        )
