"""What is handed over to `verify`: found by its name, and judged by running it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.static import program_text
from manyhands.checks.tables import TABLE_ENDINGS, carried, names_a_file
from manyhands.errors import InputError
from manyhands.hands.bench import evidence_from
from manyhands.hands.blind import blind_case, judge_blind, write_tests
from manyhands.hands.cases import cases_of
from manyhands.hands.contracts import OWN_WORD, Evidence, Status, VerifyRequest, proves
from manyhands.hands.work import Desk, Draft, prompt_of, rerunnable

__all__ = ["judge_handed", "subject_text"]

_ARTIFACT = re.compile(r"(?:manyhands://artifacts/|sha256:)?([0-9a-f]{64})")


def subject_text(
    given: str, artifact: Callable[[str], bytes], file: Callable[[str], Path], cell: int = 0
) -> str:
    """The text that is meant by an artifact's id, a path, or by itself (several lines, JSON).

    A case gets the tables that it names, so that who judges it reads no file for it.

    Args:
        artifact: the content of an artifact, by its whole id.
        file: where a path leads, for a caller who may not read everything.
        cell: a notebook's code cell, from 1, with the cells before it; 0 for the whole text.

    Raises InputError when there is no such thing, or it is no text.
    """
    from manyhands.checks.subject import case_in, cell_of

    said = given.strip()
    if "\n" in said or said.startswith("{"):
        text = given
    elif found := _ARTIFACT.fullmatch(said):
        text = _decoded(artifact(f"sha256:{found[1]}"), f"The artifact {found[1][:12]}…")
    else:
        path = file(said)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{said!r} cannot be read: {error.strerror}.", hint="Name a readable text file."
            ) from None
        if path.suffix.lower() in TABLE_ENDINGS:
            raise InputError(
                f"{said!r} is a table; a program, a notebook's cell or a case is checked.",
                hint="Pass the table as data (--data), with the program that reads it.",
            )
        text = _decoded(content, repr(said))
    if cell:
        return cell_of(text, cell)
    case = case_in(text)
    if case is None:
        return text
    return json.dumps(carried(case, artifact, file), sort_keys=True)


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{name} is no text.",
            hint="Programs, notebooks and cases can be checked; tables are data (--data).",
        ) from None


async def judge_handed(request: VerifyRequest, desk: Desk, roles: Sequence[str]) -> Draft:
    """The subject by its own word, and by the claim where one was made about it.

    Args:
        roles: each writes blind tests for the claim; only their agreement decides it.
    """
    from manyhands.checks.subject import case_in, judge_subject

    case = case_in(request.subject)
    if case is not None and any(map(names_a_file, (case.get("csv"), case.get("data")))):
        raise InputError(
            "The case names a file, and whoever wrote it may not choose what is read here.",
            hint="Put the table's CSV text into the case.",
        )
    data = desk.sources[request.data[0]].table if request.data else None
    isolation = await desk.bench.isolation()
    draft = Draft()
    verdicts: list[tuple[Verdict, bool]] = []
    lines: list[str] = []

    def tell(name: str, outcome: CheckOutcome, check: Evidence, *, decides: bool) -> None:
        draft.checks.append(check)
        verdicts.append((outcome.verdict, decides))
        lines.append(f"{outcome.verdict}: {name}: {outcome.summary}")
        if "counterexample" in outcome.evidence:
            lines.append(f"  counterexample: {outcome.evidence['counterexample']}")
        lines.extend(f"  again: manyhands check rerun {case}" for _, case in cases_of(check))

    for one in await judge_subject(request.subject, data, desk.bench.policy):
        made = evidence_from(one.name, one.outcome, independent=one.decides, isolation=isolation)
        check = await rerunnable(desk, one.case["kind"], one.case, made)
        tell(one.name, one.outcome, check, decides=one.decides)
        if one.outcome.picture is not None:
            png = one.outcome.picture
            draft.artifacts.append(await desk.keep(f"{desk.step}.png", "image/png", png))
    if request.claim != OWN_WORD and Verdict.REFUTED not in {verdict for verdict, _ in verdicts}:
        outcome, check = await _judge_claim(request, desk, roles, isolation, draft)
        tell(request.claim, outcome, check, decides=True)
    draft.claim_status = _status(verdicts, isolation)
    draft.summary = f"{draft.claim_status}: {'; '.join(_short(verdicts))}"
    draft.value = "\n".join(lines)
    return draft


def _status(verdicts: Sequence[tuple[Verdict, bool]], isolation: str) -> Status:
    """That a program works is no evidence that it is right: something must have decided."""
    found = {verdict for verdict, _ in verdicts}
    if Verdict.REFUTED in found:
        return Status.REFUTED
    decided = any(decides for _, decides in verdicts)
    if found == {Verdict.SUPPORTED} and decided and proves(isolation):
        return Status.VERIFIED
    return Status.UNVERIFIED


def _short(verdicts: Sequence[tuple[Verdict, bool]]) -> list[str]:
    found = [verdict for verdict, _ in verdicts]
    return [f"{found.count(one)} {one}" for one in Verdict if one in found]


async def _judge_claim(
    request: VerifyRequest, desk: Desk, roles: Sequence[str], isolation: str, draft: Draft
) -> tuple[CheckOutcome, Evidence]:
    code = program_text(request.subject)
    found = _function(code, request.claim)
    if found is None:
        why = "the claim names none of its functions, so no test can be written for it"
        outcome = CheckOutcome(Verdict.UNDETERMINED, why, 0.0, {})
        return outcome, evidence_from("claim", outcome, independent=True, isolation=isolation)
    name, signature = found
    task = prompt_of(
        f"Task: {request.claim}",
        f"The function is called `{name}`: `{signature}`.",
        "Write tests of this as plain assert statements, from the task alone.",
    )
    outcomes, reruns = [], {}
    for role in roles:
        tests, spend = await write_tests(desk, role, task)
        draft.spend += spend
        if not tests:
            outcomes.append(CheckOutcome(Verdict.UNDETERMINED, "no usable tests", 0.0, {}))
            continue
        outcome = await judge_blind(desk, code, name, tests)
        outcomes.append(outcome)
        check = evidence_from(f"{role}_tests", outcome, independent=True, isolation=isolation)
        kept = await rerunnable(desk, "python", blind_case(code, name, tests), check)
        reruns[f"rerun_{role}"] = kept.detail["rerun"]
    verdicts = {outcome.verdict for outcome in outcomes}
    verdict = verdicts.pop() if len(verdicts) == 1 else Verdict.UNDETERMINED
    told = "; ".join(
        f"{role}: {outcome.verdict}, {outcome.summary}"
        for role, outcome in zip(roles, outcomes, strict=True)
    )
    both = CheckOutcome(verdict, told, sum(o.seconds for o in outcomes), reruns)
    return both, evidence_from("blind_tests_agree", both, independent=True, isolation=isolation)


def _function(code: str, claim: str) -> tuple[str, str] | None:
    """Name and signature of the function that the claim names, or of the only one there is."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    words = re.findall(r"[A-Za-z_]\w*", claim)
    named = [word for word in dict.fromkeys(words) if word in functions]
    name = named[0] if len(named) == 1 else next(iter(functions)) if len(functions) == 1 else None
    if name is None:
        return None
    node = functions[name]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return name, f"def {name}({ast.unparse(node.args)}){returns}"
