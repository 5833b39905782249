"""Claims about a table: the claim's program on the real data, traps taken out, text recomputed."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.claim_text import agrees, numbers_named, read_claim
from manyhands.checks.programs.figures import place_data
from manyhands.checks.programs.link import INSIDE
from manyhands.checks.programs.static import find_function
from manyhands.checks.sandbox.contracts import Isolation, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.runner import run

__all__ = ["Trap", "TrapKind", "check_claim", "traps_in"]


class TrapKind(StrEnum):
    """A fault that makes a wrong claim look right."""

    DROPPED_GAPS = "rows with gaps left out"
    FILLED_GAPS = "gaps filled in"
    INNER_JOIN = "rows lost in a join"
    MANY_JOIN = "rows multiplied in a join"
    DEGREES = "degrees of freedom"
    WINDOW = "off-by-one window"
    LEAKAGE = "later rows used for earlier ones"
    FLOAT_EQUAL = "floats compared with =="
    CONSTANT = "does not read the table"


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap in the program's text.

    Attributes:
        without: the program with the trap taken out; empty when there is no such program.
        decides: the trap alone refutes the claim.
    """

    kind: TrapKind
    line: int
    what: str
    without: str = ""
    decides: bool = False


def _call_name(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _replaced(tree: ast.Module, node: ast.AST, new: Callable[[Any], ast.expr]) -> str:
    """The program with one node exchanged."""
    index = next(at for at, other in enumerate(ast.walk(tree)) if other is node)
    copy = ast.parse(ast.unparse(tree))
    target = list(ast.walk(copy))[index]

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            if node is target:
                return new(self.generic_visit(node))
            return self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Exchange().visit(copy)))


def _keyword(call: ast.Call, name: str, value: ast.expr) -> ast.Call:
    kept = [k for k in call.keywords if k.arg != name]
    return ast.Call(call.func, call.args, [*kept, ast.keyword(name, value)])


def traps_in(code: str, text: str = "") -> list[Trap]:
    """Traps that the text of a claim's program shows. Raises SyntaxError."""
    tree = ast.parse(ast.unparse(ast.parse(code)))
    said = text.lower()
    named = numbers_named(text)
    found: list[Trap] = []
    for node in ast.walk(tree):
        name, line = _call_name(node), getattr(node, "lineno", 0)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            if any(
                isinstance(s, ast.Constant) and isinstance(s.value, float) for s in node.comparators
            ):
                found.append(Trap(TrapKind.FLOAT_EQUAL, line, ast.unparse(node)))
            continue
        if not isinstance(node, ast.Call):
            continue
        whole = ast.unparse(node)
        method = isinstance(node.func, ast.Attribute)
        if name in ("dropna", "fillna") and method:
            kind = TrapKind.DROPPED_GAPS if name == "dropna" else TrapKind.FILLED_GAPS
            if _about_gaps(said) or (name == "dropna" and not _whole_rows(node)):
                continue
            if isinstance(node.func, ast.Attribute):
                found.append(Trap(kind, line, whole, _replaced(tree, node, lambda n: n.func.value)))
        elif name == "merge":
            how = next((k.value for k in node.keywords if k.arg == "how"), None)
            if how is None or (isinstance(how, ast.Constant) and how.value == "inner"):
                left = _replaced(tree, node, lambda n: _keyword(n, "how", ast.Constant("left")))
                found.append(Trap(TrapKind.INNER_JOIN, line, whole, left))
            found.append(Trap(TrapKind.MANY_JOIN, line, whole, _replaced(tree, node, _one_to_one)))
        elif name in ("std", "var", "sem"):
            found += _degrees(tree, node, said, whole)
        elif name in ("rolling", "head", "tail", "nlargest", "nsmallest"):
            given = (
                node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            )
            if name in named and isinstance(given, int) and given != named[name]:
                what = f"{whole}, the text says {named[name]}"
                found.append(Trap(TrapKind.WINDOW, line, what, decides=True))
            if any(k.arg == "center" and getattr(k.value, "value", 0) for k in node.keywords):
                found.append(Trap(TrapKind.LEAKAGE, line, whole, _replaced(tree, node, _no_center)))
        elif name == "shift" and node.args and ast.unparse(node.args[0]).startswith("-"):
            decides = any(w in said for w in ("predict", "forecast", "lagged", "previous"))
            found.append(Trap(TrapKind.LEAKAGE, line, whole, decides=decides))
    function = find_function(tree, "claim")
    if function is not None and function.args.args:
        table = function.args.args[0].arg
        used = any(isinstance(n, ast.Name) and n.id == table for n in ast.walk(function))
        if not used:
            found.append(Trap(TrapKind.CONSTANT, function.lineno, "the table is not used"))
    return found


def _about_gaps(said: str) -> bool:
    """Whether the sentence itself speaks of gaps: then what the program does is its meaning."""
    return any(
        w in said for w in ("complete", "missing", "gap", "filled", "treat", "known", "null")
    )


def _whole_rows(call: ast.Call) -> bool:
    """Whether gaps in any column cost the row; one column's gaps never count in its statistics."""
    target = call.func.value if isinstance(call.func, ast.Attribute) else None
    one = isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant)
    return not one and not any(k.arg in ("subset", "axis") for k in call.keywords)


def _one_to_one(call: ast.Call) -> ast.expr:
    """The join with one row of the right table for each key."""
    keys = next((k.value for k in call.keywords if k.arg in ("on", "right_on")), None)
    at = (
        0
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") != "pd"
        else 1
    )
    if keys is None or len(call.args) <= at:
        return call
    subset = keys if isinstance(keys, ast.List) else ast.List([keys], ast.Load())
    drop = ast.Attribute(call.args[at], "drop_duplicates", ast.Load())
    args = list(call.args)
    args[at] = ast.Call(drop, [], [ast.keyword("subset", subset)])
    return ast.Call(call.func, args, call.keywords)


def _no_center(call: ast.Call) -> ast.expr:
    return _keyword(call, "center", ast.Constant(False))


def _degrees(tree: ast.Module, node: ast.Call, said: str, whole: str) -> list[Trap]:
    """A standard deviation of a sample divides by n - 1, of a population by n."""
    numpy = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in (
        "np",
        "numpy",
    )
    given = next((k.value for k in node.keywords if k.arg == "ddof"), None)
    value = given.value if isinstance(given, ast.Constant) else (0 if numpy else 1)
    wanted = 0 if "population" in said else 1
    if value == wanted:
        return []
    new = _replaced(tree, node, lambda n: _keyword(n, "ddof", ast.Constant(wanted)))
    return [Trap(TrapKind.DEGREES, node.lineno, whole, new)]


async def check_claim(
    csv: Path | str | Sequence[Mapping[str, Any]],
    claim_code: str,
    text: str = "",
    policy: SandboxPolicy | None = None,
) -> CheckOutcome:
    """Check a claim about a table.

    The rule: *refuted* when `claim(df)` is false, when it is true only because of a trap (it is
    false once the trap is taken out of the program or of the data), or when the sentence, read and
    recomputed without the program, is false. *undetermined* when the program fails, does not
    depend on the data, or contradicts a recomputation that bears the text out. Else *supported*.
    """
    started = time.monotonic()
    evidence: dict[str, Any] = {"method": "claim(df) on the data, traps taken out one by one"}

    def outcome(verdict: Verdict, summary: str) -> CheckOutcome:
        return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)

    try:
        traps = traps_in(claim_code, text)
    except (SyntaxError, ValueError, RecursionError) as error:
        return outcome(Verdict.UNDETERMINED, f"the claim's program does not parse: {error}")
    statement = read_claim(text)
    programs = {"own": claim_code} | {str(at): t.without for at, t in enumerate(traps) if t.without}
    files, inputs, job = place_data(claim_code, csv)
    job = {"csv": job["data"], "programs": programs, "ask": statement.ask if statement else None}
    made = await run(
        SandboxRun(
            code=(INSIDE / "table_claim.py").read_text(),
            inputs=inputs,
            files={**files, "claim_job.json": json.dumps(job).encode()},
            collect=("claim.json",),
        ),
        policy,
    )
    evidence["isolation"] = made.isolation.value
    evidence["traps"] = [{"kind": t.kind.value, "line": t.line, "what": t.what} for t in traps]
    try:
        said = json.loads(made.files["claim.json"])
        own = said["programs"]["own"]
    except (KeyError, ValueError, TypeError):
        why = made.limit or (made.stderr.strip().splitlines() or [made.status.value])[-1][:300]
        return outcome(Verdict.UNDETERMINED, f"the claim's program could not be run: {why}")
    evidence["rows"] = said["rows"]
    verdict, summary = _decide(said, own, traps, statement, evidence)
    if verdict is Verdict.SUPPORTED and made.isolation is Isolation.NONE:
        return outcome(Verdict.UNDETERMINED, f"{summary}, but it was run without isolation")
    return outcome(verdict, summary)


def _decide(
    said: dict[str, Any],
    own: dict[str, Any],
    traps: list[Trap],
    statement: Any,
    evidence: dict[str, Any],
) -> tuple[Verdict, str]:
    recomputed = said.get("recomputed")
    borne_out: bool | None = None
    if statement is not None and recomputed is not None:
        borne_out = agrees(statement, recomputed)
        evidence["recomputed"] = {"value": recomputed, "stated": statement.stated}
    if "error" in own:
        if borne_out is False:
            return Verdict.REFUTED, f"recomputed from the table: {recomputed}"
        return Verdict.UNDETERMINED, f"the claim's program failed: {own['error']}"
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
        if said["programs"].get(str(at), {}).get("value") is False:
            return Verdict.REFUTED, f"true only through {trap.kind}: {trap.what}"
    for name, result in said["tables"].items():
        if result.get("value") is False and name != "duplicate rows":
            return Verdict.REFUTED, f"true only through {name}"
        if result.get("value") is False:
            evidence["duplicates"] = "false once duplicate rows are left out"
    if any(t.kind is TrapKind.CONSTANT for t in traps):
        return Verdict.UNDETERMINED, "the program does not read the table"
    if said["scrambled"].get("value") is True and borne_out is None:
        evidence["scrambled"] = "also true for a table with other values"
    independent = " and by recomputing the text" if borne_out else ""
    evidence["independent"] = bool(borne_out)
    return Verdict.SUPPORTED, f"the claim holds by its program{independent}"
