"""What can be checked of a file, a cell or an artifact that somebody hands over, without a model.

A Python text: that it is sound, that its functions do what their docstrings' examples say, that a
`claim(df)` holds of the data, or that it runs to its end. A JSON text: the case that it is.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from manyhands.checks.kinds import Checker
from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.examples import examples_as_tests, examples_in
from manyhands.checks.programs.static import find_function, program_text
from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.checks.tables import Table
from manyhands.errors import InputError

__all__ = ["Criterion", "case_in", "cell_of", "judge_subject", "last_with_what_it_needs", "overall"]

_MOST_FUNCTIONS = 40


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that was asked of the subject.

    Attributes:
        case: what `manyhands check run` takes to repeat it.
        decides: it says whether the subject is right, not only whether it works.
    """

    name: str
    outcome: CheckOutcome
    case: dict[str, Any]
    decides: bool = False


def overall(found: list[Criterion]) -> Verdict:
    """Refuted when one criterion is; supported when all are and one of them decides."""
    verdicts = {one.outcome.verdict for one in found}
    if Verdict.REFUTED in verdicts:
        return Verdict.REFUTED
    decided = any(one.decides for one in found)
    supported = decided and verdicts == {Verdict.SUPPORTED}
    return Verdict.SUPPORTED if supported else Verdict.UNDETERMINED


def cell_of(notebook: str, number: int) -> str:
    """The program of a notebook up to its code cell `number` (from 1), magics left out.

    The cells before it come along: what it uses is made there. Raises InputError.
    """
    try:
        sources = _code_cells(json.loads(notebook))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("That is no notebook.", hint="Give an .ipynb file.") from None
    if not 0 < number <= len(sources):
        raise InputError(
            f"There is no code cell {number}; the notebook has {len(sources)}.",
            hint="Code cells are counted from 1.",
        )
    return _program_of(sources[:number])


def _code_cells(notebook: Any) -> list[str]:
    """Raises KeyError or TypeError for what is no notebook."""
    cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [one if isinstance(one, str) else "".join(one) for one in cells]


def _program_of(sources: Sequence[str]) -> str:
    """The cells as one program: lines of magics are empty, cells of a magic (`%%`) left out."""
    whole = "\n".join("" if one.lstrip().startswith("%%") else one for one in sources)
    kept = ("" if line.lstrip()[:1] in ("%", "!") else line for line in whole.splitlines())
    return "\n".join(kept) + "\n"


def last_with_what_it_needs(sources: Sequence[str]) -> str:
    """The last cell, after those before it that make or change a name it needs, as one program.

    What a kernel ran beside it (other tries, looking at things) would only get in the way.
    """
    kept = [_program_of(sources[-1:])]
    needed = _names(kept[0])[0]
    for source in reversed(sources[:-1]):
        program = _program_of([source])
        used, made = _names(program)
        if needed & made:
            kept.append(program)
            needed |= used
    return "\n".join(reversed(kept))


def _names(program: str) -> tuple[set[str], set[str]]:
    """The names that a program uses, and those that it binds or whose values it may change."""
    used: set[str] = set()
    made: set[str] = set()
    try:
        nodes = list(ast.walk(ast.parse(program)))
    except (SyntaxError, ValueError, RecursionError):
        return used, made
    for node in nodes:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).partition(".")[0])
        changed: list[ast.expr] = []
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            changed = [node.value]  # df["x"] = …
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [*node.value.args]  # shuffle(values)
            if isinstance(node.value.func, ast.Attribute):
                changed.append(node.value.func)  # values.sort()
        for one in changed:
            while isinstance(one, ast.Subscript | ast.Attribute):
                one = one.value
            if isinstance(one, ast.Name):
                made.add(one.id)
    return used, made


async def judge_subject(
    text: str, data: Table | None = None, policy: SandboxPolicy | None = None
) -> list[Criterion]:
    """Pick the checks that fit the text, and run them.

    Args:
        data: what the program reads as `data.csv` and under its own name.

    Raises InputError when nothing can be checked, NoIsolation without a sandbox.
    """
    case = case_in(text)
    async with Checker(policy) as checker:
        if case is not None:
            told = await checker.check(case)
            return [Criterion(f"the {case['kind']} case", told, case, decides=True)]
        code = program_text(text)
        case = {"kind": "program", "code": code, "run": False}
        found = [Criterion("it is sound", await checker.check(case), case)]
        if found[0].outcome.verdict is Verdict.REFUTED:
            return found
        for name, case in _cases(code, data):
            found.append(Criterion(name, await checker.check(case), case, decides=True))
        if len(found) == 1:
            case = {"kind": "program", "code": code}
            if data is not None:
                case["data"] = data.as_case()
            found.append(Criterion("it runs to its end", await checker.check(case), case))
    return found


def case_in(text: str) -> dict[str, Any] | None:
    """The case that a text is; None for a program. Raises InputError for other JSON values."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    with suppress(KeyError, TypeError):
        cells = len(_code_cells(value))
        raise InputError(
            "That is a whole notebook; one of its code cells can be checked.",
            hint=f"Name a code cell: --cell 1 to {cells} (`cell` over MCP)."
            if cells
            else "It has no code cell yet.",
        )
    if not isinstance(value, dict) or "kind" not in value:
        raise InputError(
            "The JSON is no case: it has no `kind`.", hint="docs/checks.md lists the kinds."
        )
    return value


def _cases(code: str, data: Table | None) -> list[tuple[str, dict[str, Any]]]:
    """A criterion and a case for each function with examples, and for a claim about the data."""
    tree = ast.parse(code)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    cases: list[tuple[str, dict[str, Any]]] = []
    for node in functions[:_MOST_FUNCTIONS]:
        examples = examples_in(ast.get_docstring(node) or "", node.name)
        if examples:
            tests = examples_as_tests(examples)
            case: dict[str, Any] = {"kind": "python", "code": code, "entry_point": node.name}
            case |= {"tests": tests}
            cases.append((f"{node.name} does what its {len(examples)} examples say", case))
    claim = find_function(tree, "claim")
    if claim is not None and data is not None:
        about = ast.get_docstring(claim) or ""
        case = {"kind": "table_claim", "csv": data.as_case(), "claim_code": code, "text": about}
        cases.append(("the claim holds of the data", case))
    return cases
