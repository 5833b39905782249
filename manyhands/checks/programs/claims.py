"""Claims about a table: the claim's program on the real data, traps taken out, text recomputed."""

from __future__ import annotations

import ast
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.battery import start
from manyhands.checks.programs.claim_changes import TableFacts, Trap, TrapKind
from manyhands.checks.programs.claim_numbers import other_numbers
from manyhands.checks.programs.claim_text import Statement, agrees, read_claim
from manyhands.checks.programs.claim_traps import traps_in
from manyhands.checks.programs.claim_words import words_unheeded
from manyhands.checks.programs.figures import place_data
from manyhands.checks.programs.link import INSIDE
from manyhands.checks.programs.meddling import meddling
from manyhands.checks.programs.static import find_function
from manyhands.checks.sandbox.contracts import (
    Isolation,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)

__all__ = ["check_claim"]

_OTHER = "another table: "  # prefix of the tables that have nothing to do with the claim
_KEPT = "duplicate rows"  # leaving them out is no correction, only a hint


async def check_claim(
    csv: Path | str | Sequence[Mapping[str, Any]],
    claim_code: str,
    text: str = "",
    policy: SandboxPolicy | None = None,
) -> CheckOutcome:
    """Check a claim about a table.

    The rule: *refuted* when `claim(df)` is false, when it is true only because of a trap (it is
    false once the trap is taken out of the program or of the data), or when the sentence, read and
    recomputed without the program, is false. *undetermined* when the program fails, is also true
    of tables that have nothing to do with this one, reaches into the interpreter, or contradicts a
    recomputation that bears the text out. Else *supported*.

    The table is read, changed and recomputed in one sandbox; the program runs in another, on
    tables in a random order, and is not told which of them is the real one.
    """
    started = time.monotonic()
    evidence: dict[str, Any] = {"method": "claim(df) on the data, traps taken out one by one"}

    def outcome(verdict: Verdict, summary: str) -> CheckOutcome:
        return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)

    try:
        reached = meddling(claim_code)
        if find_function(ast.parse(claim_code), "claim") is None:
            return outcome(Verdict.UNDETERMINED, "the program defines no function claim(df)")
    except (SyntaxError, ValueError, RecursionError) as error:
        return outcome(Verdict.UNDETERMINED, f"the claim's program does not parse: {error}")
    statement = read_claim(text)
    files, inputs, job = place_data(claim_code, csv)
    looked = await _look(job["data"], files, inputs, statement, policy)
    evidence["isolation"] = looked.isolation.value
    said = _read(looked, "claim_tables.json")
    if "tables" not in said:
        return outcome(Verdict.UNDETERMINED, f"the table cannot be read: {_why(looked)}")
    evidence["rows"] = said["rows"]
    columns, numeric = tuple(said["columns"]), tuple(said["numeric"])
    facts = TableFacts(columns, numeric, said["groups"], said["misordered"])
    traps = [
        *traps_in(claim_code, text, facts),
        *other_numbers(claim_code, text),
        *words_unheeded(claim_code, text, facts),
    ]
    evidence["traps"] = [{"kind": t.kind.value, "line": t.line, "what": t.what} for t in traps]
    programs = {"own": job["code"]}
    programs |= {str(at): t.without for at, t in enumerate(traps) if t.without}
    made, told = await _run_programs(programs, said["tables"], looked, (files, inputs, job), policy)
    if "own" not in told:
        return outcome(Verdict.UNDETERMINED, f"the claim's program could not be run: {_why(made)}")
    verdict, summary = _decide(said.get("recomputed"), told, traps, statement, evidence)
    if verdict is Verdict.SUPPORTED and reached:
        return outcome(Verdict.UNDETERMINED, f"the program reaches into Python: {reached[0]}")
    if verdict is Verdict.SUPPORTED and made.isolation is Isolation.NONE:
        return outcome(Verdict.UNDETERMINED, f"{summary}, but it was run without isolation")
    return outcome(verdict, summary)


async def _look(
    data: str,
    files: dict[str, bytes],
    inputs: dict[str, Path],
    statement: Statement | None,
    policy: SandboxPolicy | None,
) -> SandboxResult:
    """Our own look at the table: no line of the claim's program is in this sandbox."""
    ask = {"csv": data, "ask": statement.ask if statement else None}
    job = SandboxRun(
        code=(INSIDE / "table_facts.py").read_text(),
        inputs=inputs,
        files={**files, "claim_job.json": json.dumps(ask).encode()},
        collect=("claim_tables.json", "table_*.csv"),
    )
    return await start(job, policy)


async def _run_programs(
    programs: dict[str, str],
    tables: Sequence[str],
    looked: SandboxResult,
    placed: tuple[dict[str, bytes], dict[str, Path], dict[str, Any]],
    policy: SandboxPolicy | None,
) -> tuple[SandboxResult, dict[str, dict[str, Any]]]:
    """Each program on the table, the claim's own also on the changed tables, in random order.

    Returns what each said: `own`, the number of a trap, or the name of a changed table.
    """
    files, inputs, job = placed
    runs = [(name, name, job["data"]) for name in programs]
    changed = {}
    for at, name in enumerate(tables):
        content = looked.files.get(f"table_{at}.csv")
        if content is not None:
            changed[f"table_{at}.csv"] = content
            runs.append((name, "own", f"table_{at}.csv"))
    random.SystemRandom().shuffle(runs)
    order = {"programs": programs, "runs": [[program, table] for _, program, table in runs]}
    made = await start(
        SandboxRun(
            code=(INSIDE / "table_claim.py").read_text(),
            inputs=inputs,
            files={**files, **changed, "claim_job.json": json.dumps(order).encode()},
            collect=("claim.json",),
        ),
        policy,
    )
    replies = _read(made, "claim.json").get("replies")
    if not isinstance(replies, list) or len(replies) != len(runs):
        return made, {}
    return made, {
        name: reply
        for (name, _, _), reply in zip(runs, replies, strict=True)
        if isinstance(reply, dict)
    }


def _read(result: SandboxResult, name: str) -> dict[str, Any]:
    try:
        value = json.loads(result.files.get(name, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _why(result: SandboxResult) -> str:
    last = (result.stderr.strip().splitlines() or [result.status.value])[-1][:300]
    return result.limit or last


def _decide(
    recomputed: Any,
    told: Mapping[str, dict[str, Any]],
    traps: Sequence[Trap],
    statement: Statement | None,
    evidence: dict[str, Any],
) -> tuple[Verdict, str]:
    own = told["own"]
    borne_out: bool | None = None
    if statement is not None and recomputed is not None:
        borne_out = agrees(statement, recomputed)
        evidence["recomputed"] = {"value": recomputed, "stated": statement.stated}
    if own.get("value") not in (True, False):
        if borne_out is False:
            return Verdict.REFUTED, f"recomputed from the table: {recomputed}"
        return Verdict.UNDETERMINED, f"the claim's program failed: {own.get('error')}"
    evidence["claim"] = own["value"]
    evidence["seen"] = own.get("seen", [])
    if not own["value"]:
        if borne_out:
            return Verdict.UNDETERMINED, "the program says no, the text recomputed says yes"
        return Verdict.REFUTED, "claim(df) is false"
    if borne_out is False:
        return Verdict.REFUTED, f"recomputed from the table: {recomputed}"
    for at, trap in enumerate(traps):
        if trap.decides:
            return Verdict.REFUTED, f"{trap.kind}: {trap.what}"
        if told.get(str(at), {}).get("value") is False:
            return Verdict.REFUTED, f"true only through {trap.kind}: {trap.what}"
    changed = {name: reply for name, reply in told.items() if not name.isdigit() and name != "own"}
    others = [reply for name, reply in changed.items() if name.startswith(_OTHER)]
    for name, reply in changed.items():
        if reply.get("value") is False and not name.startswith(_OTHER):
            if name != _KEPT:
                return Verdict.REFUTED, f"true only through {name}"
            evidence["duplicates"] = "false once duplicate rows are left out"
    if not borne_out and any(t.kind is TrapKind.CONSTANT for t in traps):
        return Verdict.UNDETERMINED, "the program does not read the table"
    if not borne_out and others and all(reply.get("value") is True for reply in others):
        return Verdict.UNDETERMINED, "the program is true of any table"
    independent = " and by recomputing the text" if borne_out else ""
    evidence["independent"] = bool(borne_out)
    return Verdict.SUPPORTED, f"the claim holds by its program{independent}"
