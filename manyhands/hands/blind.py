"""Blind tests: written by a role that sees what is promised and never the program."""

from __future__ import annotations

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.hands.contracts import Spend
from manyhands.hands.fitting import Piece
from manyhands.hands.work import Desk, block_of
from manyhands.journal.events import NoteReason

__all__ = ["PYTHON", "blind_case", "judge_blind", "write_tests"]

#: How models mark a block of Python.
PYTHON = ("python", "py", "python3")


async def write_tests(desk: Desk, role: str, *task: str | Piece) -> tuple[str, Spend]:
    """The tests that a role wrote for a task, and what they cost; empty when it wrote none.

    A role whose answer cannot be used is asked once more.
    """
    spend = Spend()
    prompt = await desk.prompt(role, "", *task)
    for calm in (False, True):
        spoken = await desk.voice.say(role, prompt, step=desk.step, calm=calm)
        spend += spoken.spend
        tests, fault = block_of(spoken, PYTHON)
        if not fault and "assert" not in tests:
            fault = "the tests hold no assertion"
        if not fault:
            return tests, spend
        await desk.voice.note(NoteReason.RETRY, f"blind tests: {fault}", desk.step)
    return "", spend


def blind_case(code: str, entry_point: str, tests: str) -> dict[str, str]:
    """The `python` case of a program and its blind tests."""
    return {"prompt": "", "entry_point": entry_point, "tests": tests, "code": code}


async def judge_blind(desk: Desk, code: str, entry_point: str, tests: str) -> CheckOutcome:
    """Run the tests on the program.

    Tests that a function which does nothing passes too are no evidence for any program.
    """
    outcome = await desk.bench.program("python", blind_case(code, entry_point, tests))
    if outcome.verdict is not Verdict.SUPPORTED:
        return outcome
    idle = f"def {entry_point}(*values, **named):\n    return None\n"
    of_idle = await desk.bench.program("python", blind_case(idle, entry_point, tests))
    if of_idle.verdict is Verdict.REFUTED:
        return outcome
    why = "the blind tests pass for a function that does nothing"
    return CheckOutcome(Verdict.UNDETERMINED, why, outcome.seconds, {"weak": True})
