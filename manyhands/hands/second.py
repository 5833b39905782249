"""What makes a program's result surer than its blind tests: graded tests, properties, a second one.

Nothing here refutes by itself what it cannot show: a second program may be the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.hands.bench import evidence_from
from manyhands.hands.blind import PYTHON, judge_blind
from manyhands.hands.columns import columns
from manyhands.hands.contracts import Evidence, Spend
from manyhands.hands.fitting import Piece
from manyhands.hands.work import Desk, Source, abstained, block_of, rerunnable
from manyhands.journal.events import NoteReason

__all__ = ["compare_second", "graded", "held_properties", "task_examples", "write_second"]

#: Who writes the second program; served by the model that writes the tests, so that none is loaded.
_ROLE = "skeptic"
_MUTANTS = 6
#: Agreement says little where a program says hardly more than one thing.
_FEWEST_RESULTS = 3
_MOST_DATA_BYTES = 500_000
#: A task in these words may want what the properties forbid.
_CHANGES = re.compile(r"in[- ]place|mutat|modif|updat|append to|remove from|sort the given", re.I)
_VARIES = re.compile(r"random|shuffle|sample|today|now\b|current|clock|time of|uuid|id\(", re.I)


async def write_second(desk: Desk, tier: str, *task: str | Piece) -> tuple[str, Spend]:
    """A second program for the task, from the task alone; empty when none came."""
    if not desk.spare():
        return "", Spend()
    prompt = await desk.prompt(
        _ROLE,
        tier,
        *task,
        "Write this function as plainly as you can: slow and obvious, by brute force where that "
        "works. It is compared with somebody else's. Guard against nothing that the task does not "
        "name.",
    )
    spoken = await desk.voice.say(_ROLE, prompt, step=desk.step, tier=tier)
    code, fault = block_of(spoken, PYTHON)
    fault = abstained(spoken) or fault
    if fault:
        await desk.voice.note(NoteReason.SKIPPED, f"second program: {fault}", desk.step)
        return "", spoken.spend
    return code, spoken.spend


async def task_examples(desk: Desk, task: str, entry_point: str, code: str) -> Evidence | None:
    """The examples that the task itself states; None when it states none."""
    from manyhands.checks.programs.examples import examples_as_tests, examples_in

    examples = examples_in(task, entry_point)
    if not examples:
        return None
    case = {"code": code, "entry_point": entry_point, "tests": examples_as_tests(examples)}
    outcome = await desk.bench.program("python", case)
    isolation = await desk.bench.isolation()
    check = evidence_from("task_examples", outcome, independent=True, isolation=isolation)
    return await rerunnable(desk, "python", case, check)


async def graded(desk: Desk, check: Evidence, code: str, entry_point: str, tests: str) -> Evidence:
    """The evidence of passed blind tests with what they are worth.

    Tests that overlook many small wrong versions of the answer are no proof of it.
    """
    from manyhands.checks.programs.blind import grade_tests

    grade = await grade_tests(tests, code, entry_point, limit=_MUTANTS, policy=desk.bench.policy)
    rate = grade.kill_rate
    if rate is None:
        said = "how many wrong versions they notice is not known"
    else:
        weak = "weak: " if grade.weak else ""
        said = f"{weak}they notice {grade.killed} of {grade.mutants} wrong versions"
    detail = {**check.detail, "grade": grade.as_evidence()}
    known_weak = rate is not None and grade.weak
    update = {"evidence": f"{check.evidence}; {said}", "detail": detail}
    return check.model_copy(update=update | ({"independent": False} if known_weak else {}))


async def held_properties(desk: Desk, task: str, entry_point: str, code: str) -> Evidence | None:
    """That the same call gives the same, and leaves its arguments.

    None where the task may want otherwise, and where no arguments can be made.
    """
    wanted = [
        name
        for name, other in (("deterministic", _VARIES), ("argument_kept", _CHANGES))
        if not other.search(task)
    ]
    if not wanted:
        return None
    case = {"code": code, "entry_point": entry_point, "properties": wanted}
    outcome = await _checked(desk, "python", case)
    if outcome.verdict is Verdict.UNDETERMINED:
        return None
    isolation = await desk.bench.isolation()
    check = evidence_from("properties", outcome, independent=False, isolation=isolation)
    return await rerunnable(desk, "python", case, check)


async def compare_second(
    desk: Desk,
    task: str,
    entry_point: str,
    code: str,
    second: str,
    tests: str,
    sources: Sequence[Source],
    *,
    first_try: bool,
) -> Evidence | None:
    """The answer against the second program on the same inputs.

    A second program that fails the blind tests says nothing. Else a difference goes back to the
    coder once, as a failed check; when it stays, nobody knows who is right: `passed` is None.
    `detail["doubt"]` is true then, and where both say the same to everything: passed tests alone
    prove nothing of such a program.
    """
    if tests and (await judge_blind(desk, second, entry_point, tests)).verdict is Verdict.REFUTED:
        await desk.voice.note(
            NoteReason.SKIPPED, "second program: it fails the blind tests itself", desk.step
        )
        return None
    case: dict[str, Any] = {"a": second, "b": code, "entry_point": entry_point, "prompt": task}
    case["values_only"] = True
    if sources:
        inputs = _inputs(sources)
        if not inputs:
            return None
        case["inputs"] = inputs
    outcome = await _checked(desk, "differential", case)
    isolation = await desk.bench.isolation()
    check = evidence_from("second_program", outcome, independent=True, isolation=isolation)
    fewest = 2 if sources else _FEWEST_RESULTS
    if check.passed and (results := outcome.evidence.get("different_results", 0)) < fewest:
        said = f"{check.evidence}, but these bring no more than {results} different results"
        detail = {**check.detail, "doubt": results < 2}
        check = check.model_copy(update={"passed": None, "evidence": said, "detail": detail})
    elif check.passed is False:
        counter = outcome.evidence.get("counterexample", {})
        said = f"for the arguments {counter.get('args', '?')} {check.evidence}"
        said += "; the reference is a second program written from the task, which may be wrong"
        update = {
            "passed": False if first_try else None,
            "evidence": said,
            "detail": {**check.detail, "doubt": True},
        }
        check = check.model_copy(update=update)
    return await rerunnable(desk, "differential", case, check)


async def _checked(desk: Desk, kind: str, case: dict[str, Any]) -> CheckOutcome:
    """A check that may not apply: then it is undecided, with the reason."""
    from manyhands.checks.kinds import check_case

    return await check_case({"kind": kind, **case}, desk.bench.policy)


def _inputs(sources: Sequence[Source]) -> list[list[dict[str, list[Any]]]]:
    """The data as the function gets them: the whole, and halves; empty when they are large."""
    if sum(source.host_path.stat().st_size for source in sources) > _MOST_DATA_BYTES:
        return []
    tables = [columns(source.path) for source in sources]
    parts = (slice(None), slice(None, None, 2), slice(1, None, 2))
    return [
        [{name: values[part] for name, values in table.items()} for table in tables]
        for part in parts
    ]
