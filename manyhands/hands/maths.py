"""The `math` hand: one expression, worked out by a model and checked against what was given."""

from __future__ import annotations

import json
import re
from typing import Any

from manyhands.hands.bench import evidence_from
from manyhands.hands.contracts import HandName, MathKind, MathRequest
from manyhands.hands.work import (
    Desk,
    Draft,
    Hand,
    abstained,
    block_of,
    evidence_note,
    rerunnable,
)

__all__ = ["MathHand", "case_of"]

#: The field of a check case that the hand's expression fills.
_SLOT = {
    MathKind.ANTIDERIVATIVE: "F",
    MathKind.DERIVATIVE: "df",
    MathKind.DEFINITE_INTEGRAL: "value",
    MathKind.IDENTITY: "rhs",
    MathKind.LIMIT: "value",
    MathKind.SUM: "value",
    MathKind.SOLUTION: "values",
    MathKind.ODE: "solution",
    MathKind.MATRIX: "value",
}


def case_of(request: MathRequest, expression: str) -> dict[str, Any] | None:
    """The check case for an answer; None when the request has no independent check."""
    slot = _SLOT.get(request.kind)
    if slot is None:
        return None
    given: dict[str, Any] = {key: _plain(value) for key, value in request.given.items()}
    return {**given, "kind": str(request.kind), slot: _answer(request.kind, expression)}


def _plain(text: str) -> Any:
    """Lists and objects written as JSON text are taken as such; all else stays text."""
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _answer(kind: MathKind, expression: str) -> Any:
    if kind is MathKind.SOLUTION:
        pairs = re.findall(r"([A-Za-z]\w*)\s*=\s*([^,;\n]+)", expression)
        return {name: value.strip() for name, value in pairs} or expression
    if kind is MathKind.MATRIX:
        return _plain(expression)
    return expression.split("=", 1)[1].strip() if _named(expression) else expression


def _named(expression: str) -> bool:
    """Whether the answer is written as `F(x) = …` or `dC/dt = …`."""
    return bool(re.match(r"^[A-Za-z][\w'/]*(\([^()=]*\))?\s*=(?!=)", expression))


class MathHand(Hand[MathRequest]):
    name = HandName.MATH
    role = "mathematician"

    async def draft(self, request: MathRequest, desk: Desk, tier: str, last: Draft | None) -> Draft:
        given = "\n".join(f"{key} = {value}" for key, value in request.given.items())
        prompt = await desk.prompt(
            self.role,
            tier,
            f"Task ({request.kind}): {request.task}",
            f"Given:\n{given}" if given else "",
            *desk.earlier(),
            "End with the final expression alone in one fenced block, in SymPy notation.",
            *evidence_note(last),
        )
        spoken = await desk.voice.say(self.role, prompt, step=desk.step, tier=tier)
        if reason := abstained(spoken):
            return Draft(abstained=reason, spend=spoken.spend)
        expression, fault = block_of(spoken)
        if fault:
            return Draft(fault=fault, spend=spoken.spend)
        draft = Draft(
            value=expression, work=expression, summary=f"{expression}", spend=spoken.spend
        )
        draft.artifacts.append(
            await desk.keep(f"{desk.step}.txt", "text/plain", expression.encode())
        )
        case = case_of(request, expression)
        if case is None:
            return draft
        outcome = await desk.bench.maths(case)
        check = evidence_from(
            f"{request.kind}_check",
            outcome,
            independent=True,
            isolation=await desk.bench.isolation(),
        )
        draft.checks.append(await rerunnable(desk, str(request.kind), case, check))
        return draft
