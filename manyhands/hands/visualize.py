"""The `visualize` hand: a chart drawn by a program, its facts compared with the data."""

from __future__ import annotations

import json
from typing import Any

from manyhands.hands.bench import evidence_from
from manyhands.hands.contracts import Evidence, HandName, VisualizeRequest
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

__all__ = ["VisualizeHand"]


class VisualizeHand(Hand[VisualizeRequest]):
    name = HandName.VISUALIZE
    role = "illustrator"

    async def draft(
        self, request: VisualizeRequest, desk: Desk, tier: str, last: Draft | None
    ) -> Draft:
        if reason := await desk.bench.needs_python("Drawing a figure"):
            return Draft(abstained=reason)
        source = desk.sources[request.data[0]]
        wanted = [f"chart: {request.chart}"]
        wanted += [
            f"{key}: {value}"
            for key, value in (("x", request.x), ("y", request.y), ("agg", request.agg))
            if value
        ]
        prompt = await desk.prompt(
            self.role,
            tier,
            f"Task: {request.task}",
            "\n".join(wanted),
            f"The data lie in the file {source.file_name!r} in the working folder.",
            *described([source]),
            *desk.earlier(),
            *evidence_note(last),
        )
        spoken = await desk.voice.say(self.role, prompt, step=desk.step, tier=tier)
        if reason := abstained(spoken):
            return Draft(abstained=reason, spend=spoken.spend)
        code, fault = block_of(spoken, ("python", "py", "python3"))
        if fault:
            return Draft(fault=fault, spend=spoken.spend)
        draft = Draft(work=code, spend=spoken.spend)
        await self._check(request, desk, code, draft)
        draft.artifacts.append(
            await desk.keep(f"{desk.step}.py", "text/x-python", code.encode("utf-8"))
        )
        return draft

    async def _check(self, request: VisualizeRequest, desk: Desk, code: str, draft: Draft) -> None:
        from manyhands.checks.programs.figures import check_figure

        source = desk.sources[request.data[0]]
        outcome, png, facts = await check_figure(
            code, source.table.unchanged(), self._expected(request), desk.bench.policy
        )
        draft.checks.append(
            Evidence(
                name="draws",
                passed=png is not None,
                evidence="the program drew a figure" if png else outcome.summary,
                isolation=await desk.bench.isolation(),
            )
        )
        if png is None:
            return
        check = evidence_from(
            "figure_facts",
            outcome,
            independent=bool(request.x or request.y),
            isolation=await desk.bench.isolation(),
        )
        case = {"code": code, "data": source.table.as_case(), "expect": self._expected(request)}
        draft.checks.append(await rerunnable(desk, "figure", case, check))
        draft.artifacts.append(await desk.keep(f"{desk.step}.png", "image/png", png))
        draft.value = json.dumps(facts, ensure_ascii=False, default=str)[:4000]
        draft.summary = f"A {request.chart} chart of {request.y or 'the data'}: {outcome.summary}"

    @staticmethod
    def _expected(request: VisualizeRequest) -> dict[str, Any]:
        expect: dict[str, Any] = {"chart": request.chart}
        if request.x:
            expect["x"] = request.x
        if request.y:
            expect["y"] = request.y
        expect["agg"] = request.agg
        return expect
