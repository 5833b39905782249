"""The `code` hand: a function, run against tests and a second program made from the task alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from manyhands.checks.sandbox.contracts import RunStatus, SandboxRun
from manyhands.hands import columns
from manyhands.hands.bench import evidence_from
from manyhands.hands.blind import PYTHON, blind_case, judge_blind, write_tests
from manyhands.hands.contracts import CodeRequest, Evidence, HandName, Spend
from manyhands.hands.fitting import Piece
from manyhands.hands.second import (
    compare_second,
    graded,
    held_properties,
    task_examples,
    write_second,
)
from manyhands.hands.work import (
    Desk,
    Draft,
    Hand,
    abstained,
    block_of,
    described,
    evidence_note,
    rerunnable,
)

__all__ = ["CodeHand"]

#: Runs the answer on the real data. It stands in its own file, after the answer's definitions.
_RUNNER = """
import json as _json
from manyhands_columns import columns as _columns
print(_json.dumps({entry}(*[_columns(path) for path in {paths!r}]), default=str))
"""
_COLUMNS = Path(columns.__file__)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What was written for a step before any answer: blind tests and a second program."""

    tests: str
    second: str
    spend: Spend


class CodeHand(Hand[CodeRequest]):
    name = HandName.CODE
    role = "coder"
    tester = "tester"

    def __init__(self) -> None:
        self._prepared: dict[str, _Prepared] = {}

    async def prepare(self, request: CodeRequest, desk: Desk) -> None:
        """Have the blind tests and a second program written from the task, never from an answer."""
        task = self._task(request, desk)
        tests, spend = await write_tests(desk, self.tester, *task)
        second, more = await write_second(desk, desk.voice.role(self.tester).tier, *task)
        self._prepared[desk.step] = _Prepared(tests, second, spend + more)

    def _task(self, request: CodeRequest, desk: Desk) -> tuple[str | Piece, ...]:
        sources = [desk.sources[name] for name in request.data]
        arguments = (
            "The function gets one argument per data name: a dict that maps each column name to "
            "the list of its values (numbers as float, empty cells as None)."
            if sources
            else ""
        )
        return (
            f"Task: {request.task}",
            f"The function is called `{request.entry_point}`.",
            arguments,
            *described(sources),
        )

    async def draft(self, request: CodeRequest, desk: Desk, tier: str, last: Draft | None) -> Draft:
        if desk.step not in self._prepared:
            await self.prepare(request, desk)
        blind = self._prepared[desk.step]
        parts = (*self._task(request, desk), *desk.earlier(), *evidence_note(last))
        prompt = await desk.prompt(self.role, tier, *parts)
        spoken = await desk.voice.say(self.role, prompt, step=desk.step, tier=tier)
        spend = spoken.spend + (blind.spend if last is None else Spend())
        if reason := abstained(spoken):
            return Draft(abstained=reason, spend=spend)
        code, fault = block_of(spoken, PYTHON)
        if fault:
            return Draft(fault=fault, spend=spend)
        draft = Draft(work=code, spend=spend, value=code, summary=f"`{request.entry_point}`")
        draft.artifacts.append(
            await desk.keep(f"{desk.step}.py", "text/x-python", code.encode("utf-8"))
        )
        for name, text in (("test", blind.tests), ("second", blind.second)):
            if text:
                draft.artifacts.append(
                    await desk.keep(f"{name}_{desk.step}.py", "text/x-python", text.encode("utf-8"))
                )
        await self._check(request, desk, code, blind, draft, first_try=last is None)
        if request.data:
            await self._on_data(request, desk, code, draft)
        return draft

    async def _check(
        self,
        request: CodeRequest,
        desk: Desk,
        code: str,
        blind: _Prepared,
        draft: Draft,
        *,
        first_try: bool,
    ) -> None:
        """The checks, cheap ones first; what failed already is not looked at more closely."""
        name = request.entry_point
        if (stated := await task_examples(desk, request.task, name, code)) is not None:
            draft.checks.append(stated)
        tested = await self._blind(request, desk, code, blind.tests)
        draft.checks.append(tested)
        if any(check.passed is False for check in draft.checks):
            return
        if tested.passed:
            tested = await graded(desk, tested, code, name, blind.tests)
        if not request.data:
            held = await held_properties(desk, request.task, name, code)
            draft.checks += [held] if held is not None else []
        if blind.second:
            compared = await compare_second(
                desk,
                request.task,
                name,
                code,
                blind.second,
                blind.tests,
                [desk.sources[one] for one in request.data],
                first_try=first_try,
            )
            draft.checks += [compared] if compared is not None else []
            if compared is not None and compared.detail.get("doubt"):
                tested = tested.model_copy(update={"independent": False})
        draft.checks = [tested if one.name == tested.name else one for one in draft.checks]

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
                inputs={
                    "manyhands_columns.py": _COLUMNS,
                    **{source.file_name: source.host_path for source in sources},
                },
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
                passed=None if result.status is RunStatus.REFUSED else ok,
                evidence=f"result {last_line[:300]}"
                if ok
                else f"{result.status}: {(result.stderr.strip() or last_line)[-600:]}",
                isolation=str(result.isolation),
                seconds=result.seconds,
            )
        )
