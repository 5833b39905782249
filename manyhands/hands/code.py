"""The `code` hand: a function, run against tests that were written from the task alone."""

from __future__ import annotations

import json

from manyhands.checks.sandbox.contracts import RunStatus, SandboxRun
from manyhands.hands.bench import evidence_from
from manyhands.hands.blind import PYTHON, blind_case, judge_blind, write_tests
from manyhands.hands.contracts import CodeRequest, Evidence, HandName, Spend
from manyhands.hands.work import (
    Desk,
    Draft,
    Hand,
    abstained,
    block_of,
    evidence_note,
    prompt_of,
    rerunnable,
)

__all__ = ["CodeHand"]

#: Runs the answer on the real data. It stands in its own file, after the answer's definitions.
_RUNNER = """
import csv as _csv, json as _json
def _number(text):
    try:
        return float(text)
    except ValueError:
        return text
def _columns(path):
    with open(path, newline="", encoding="utf-8-sig") as lines:
        rows = list(_csv.DictReader(lines))
    names = [name for name in (rows[0] if rows else {{}})]
    return {{
        name.strip(): [_number(row[name]) if row[name] not in (None, "") else None for row in rows]
        for name in names
    }}
print(_json.dumps({entry}(*[_columns(path) for path in {paths!r}]), default=str))
"""


class CodeHand(Hand[CodeRequest]):
    name = HandName.CODE
    role = "coder"
    tester = "tester"

    def __init__(self) -> None:
        self._tests: dict[str, tuple[str, Spend]] = {}

    async def prepare(self, request: CodeRequest, desk: Desk) -> None:
        """Have the blind tests written: the tester sees the task, never an answer."""
        task = self._task(request, desk)
        self._tests[desk.step] = await write_tests(desk, self.tester, task)

    def _task(self, request: CodeRequest, desk: Desk) -> str:
        sources = [desk.sources[name] for name in request.data]
        arguments = (
            "The function gets one argument per data name: a dict that maps each column name to "
            "the list of its values (numbers as float, empty cells as None)."
            if sources
            else ""
        )
        return prompt_of(
            f"Task: {request.task}",
            f"The function is called `{request.entry_point}`.",
            arguments,
            "\n".join(source.description for source in sources),
        )

    async def draft(self, request: CodeRequest, desk: Desk, tier: str, last: Draft | None) -> Draft:
        if desk.step not in self._tests:
            await self.prepare(request, desk)
        tests, tests_spend = self._tests[desk.step]
        prompt = prompt_of(self._task(request, desk), desk.notes, evidence_note(last))
        spoken = await desk.voice.say(self.role, prompt, step=desk.step, tier=tier)
        spend = spoken.spend + (tests_spend if last is None else Spend())
        if reason := abstained(spoken):
            return Draft(abstained=reason, spend=spend)
        code, fault = block_of(spoken, PYTHON)
        if fault:
            return Draft(fault=fault, spend=spend)
        draft = Draft(work=code, spend=spend, value=code, summary=f"`{request.entry_point}`")
        draft.artifacts.append(
            await desk.keep(f"{desk.step}.py", "text/x-python", code.encode("utf-8"))
        )
        draft.checks.append(await self._blind(request, desk, code, tests))
        if tests:
            draft.artifacts.append(
                await desk.keep(f"test_{desk.step}.py", "text/x-python", tests.encode("utf-8"))
            )
        if request.data:
            await self._on_data(request, desk, code, draft)
        return draft

    async def _blind(self, request: CodeRequest, desk: Desk, code: str, tests: str) -> Evidence:
        if not tests:
            return Evidence(
                name="blind_tests", passed=None, evidence="no usable blind tests were written"
            )
        outcome = await judge_blind(desk, code, request.entry_point, tests)
        check = evidence_from(
            "blind_tests", outcome, independent=True, isolation=await desk.bench.isolation()
        )
        case = blind_case(code, request.entry_point, tests)
        return await rerunnable(desk, "python", case, check)

    async def _on_data(self, request: CodeRequest, desk: Desk, code: str, draft: Draft) -> None:
        sources = [desk.sources[name] for name in request.data]
        runner = _RUNNER.format(
            entry=request.entry_point, paths=[source.file_name for source in sources]
        )
        result = await desk.bench.run(
            SandboxRun(
                code=f"{code}\n{runner}",
                inputs={source.file_name: source.host_path for source in sources},
            )
        )
        ok = result.status is RunStatus.OK
        last_line = result.stdout.strip().rpartition("\n")[2]
        if ok:
            try:
                value = json.loads(last_line)
            except ValueError:
                ok, last_line = False, "it printed no JSON result"
            else:
                draft.value = json.dumps(value, ensure_ascii=False)
                draft.summary = f"`{request.entry_point}` on the data gives {draft.value[:300]}"
        draft.checks.append(
            Evidence(
                name="runs_on_data",
                passed=ok,
                evidence=f"result {last_line[:300]}"
                if ok
                else f"{result.status}: {(result.stderr.strip() or last_line)[-600:]}",
                isolation=str(result.isolation),
                seconds=result.seconds,
            )
        )
