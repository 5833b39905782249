"""A whole program that somebody hands over: that its text is sound, and that it runs to its end."""

from __future__ import annotations

import time

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.figures import Data, place_data
from manyhands.checks.programs.static import study
from manyhands.checks.sandbox.contracts import Isolation, RunStatus, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.runner import run

__all__ = ["runs", "sound"]


def sound(code: str) -> CheckOutcome:
    """Whether it parses, its names are bound and its modules are there; nothing is run."""
    started = time.monotonic()
    findings = study(code)
    verdict = Verdict.REFUTED if findings else Verdict.SUPPORTED
    said = "; ".join(f"line {f.line}: {f.message}" for f in findings[:3])
    evidence = {"static": [f.as_dict() for f in findings], "method": "the text, not run"}
    summary = said or "it parses, its names are bound and its modules are there"
    return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)


async def runs(
    code: str, data: Data | None = None, policy: SandboxPolicy | None = None
) -> CheckOutcome:
    """Whether it ends without an error. `data` is there as `data.csv` and under its own name."""
    files, inputs, job = ({}, {}, {"code": code}) if data is None else place_data(code, data)
    result = await run(SandboxRun(code=job["code"], inputs=inputs, files=files), policy)
    last = (result.stderr.strip().splitlines() or [""])[-1][:300]
    evidence = {
        "isolation": result.isolation.value,
        "status": result.status.value,
        "stdout": result.stdout[-2000:],
        "limit": result.limit,
    }
    if result.status is RunStatus.OK:
        verdict = Verdict.UNDETERMINED if result.isolation is Isolation.NONE else Verdict.SUPPORTED
        summary = "it ran to its end; whether what it says is right was not checked"
    else:
        verdict = Verdict.REFUTED if result.status is RunStatus.ERROR else Verdict.UNDETERMINED
        summary = result.limit or last or result.status.value
    return CheckOutcome(verdict, summary, result.seconds, evidence)
