"""What can be checked of a file, a cell or an artifact that somebody hands over, without a model.

A Python text: that it is sound, that its functions do what their docstrings' examples say, that a
`claim(df)` holds of the data, or that it runs to its end. A JSON text: the case that it is.
"""

from __future__ import annotations

import ast
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyhands.checks.kinds import Checker
from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.examples import examples_as_tests, examples_in
from manyhands.checks.programs.static import find_function, program_text, study
from manyhands.checks.sandbox.contracts import Isolation, RunStatus, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.runner import run
from manyhands.errors import InputError

__all__ = ["Criterion", "cell_of", "judge_subject", "overall"]

_MOST_FUNCTIONS = 40


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that was asked of the subject.

    Attributes:
        case: what `manyhands check run` takes to repeat it; None for what is no case.
    """

    name: str
    outcome: CheckOutcome
    case: dict[str, Any] | None = None


def overall(found: list[Criterion]) -> Verdict:
    """Refuted when one criterion is, supported when all are."""
    verdicts = {one.outcome.verdict for one in found}
    if Verdict.REFUTED in verdicts:
        return Verdict.REFUTED
    return Verdict.SUPPORTED if verdicts == {Verdict.SUPPORTED} else Verdict.UNDETERMINED


def cell_of(notebook: str, number: int) -> str:
    """The program of a notebook up to its code cell `number` (from 1), magics left out.

    The cells before it come along: what it uses is made there. Raises InputError.
    """
    try:
        cells = [c["source"] for c in json.loads(notebook)["cells"] if c["cell_type"] == "code"]
        sources = [one if isinstance(one, str) else "".join(one) for one in cells]
    except (ValueError, KeyError, TypeError):
        raise InputError("That is no notebook.", hint="Give an .ipynb file.") from None
    if not 0 < number <= len(sources):
        raise InputError(
            f"There is no code cell {number}; the notebook has {len(sources)}.",
            hint="Code cells are counted from 1.",
        )
    lines = "\n".join(sources[:number]).splitlines()
    return "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in lines) + "\n"


async def judge_subject(
    text: str, data: Path | None = None, policy: SandboxPolicy | None = None
) -> list[Criterion]:
    """Pick the checks that fit the text, and run them.

    Args:
        data: a CSV file that the program reads as `data.csv` and under its own name.

    Raises InputError when nothing can be checked, NoIsolation without a sandbox.
    """
    case = _case(text)
    async with Checker(policy) as checker:
        if case is not None:
            return [Criterion(f"the {case['kind']} case", await checker.check(case), case)]
        code = program_text(text)
        found = [Criterion("it is sound", _sound(code))]
        if found[0].outcome.verdict is Verdict.REFUTED:
            return found
        for name, more in _cases(code, data):
            found.append(Criterion(name, await checker.check(more), more))
    if len(found) == 1:
        found.append(Criterion("it runs to its end", await _runs(code, data, policy)))
    return found


def _case(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or "kind" not in value:
        raise InputError(
            "The JSON is no case: it has no `kind`.", hint="docs/checks.md lists the kinds."
        )
    return value


def _sound(code: str) -> CheckOutcome:
    started = time.monotonic()
    findings = study(code)
    verdict = Verdict.REFUTED if findings else Verdict.SUPPORTED
    said = "; ".join(f"line {f.line}: {f.message}" for f in findings[:3])
    evidence = {"static": [f.as_dict() for f in findings], "method": "the text, not run"}
    summary = said or "it parses, its names are bound and its modules are there"
    return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)


def _cases(code: str, data: Path | None) -> list[tuple[str, dict[str, Any]]]:
    """A criterion and a case for each function with examples, and for a claim about the data."""
    tree = ast.parse(code)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    cases: list[tuple[str, dict[str, Any]]] = []
    for node in functions[:_MOST_FUNCTIONS]:
        examples = examples_in(ast.get_docstring(node) or "", node.name)
        if examples:
            tests = examples_as_tests(examples)
            case = {"kind": "python", "code": code, "entry_point": node.name, "tests": tests}
            cases.append((f"{node.name} does what its {len(examples)} examples say", case))
    claim = find_function(tree, "claim")
    if claim is not None and data is not None:
        about = ast.get_docstring(claim) or ""
        case = {"kind": "table_claim", "csv": str(data), "claim_code": code, "text": about}
        cases.append(("the claim holds of the data", case))
    return cases


async def _runs(code: str, data: Path | None, policy: SandboxPolicy | None) -> CheckOutcome:
    inputs = {} if data is None else {"data.csv": data, data.name: data}
    result = await run(SandboxRun(code=code, inputs=inputs), policy)
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
