"""Grading an answer by machine, apart from the checks that the answer itself went through."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from manyhands.checks.outcome import Verdict
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import HandName, Status
from manyhands.mind.answer import Answer

__all__ = ["Grade", "Task", "TaskKind", "grade", "load_tasks"]


class TaskKind(StrEnum):
    CODE = "code"
    MATHS = "maths"
    CHART = "chart"
    CLAIM = "claim"
    ROUTE = "route"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Task:
    """One task; `fields` holds what its kind of grading needs."""

    id: str
    kind: TaskKind
    question: str
    data: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grade:
    """Whether the answer is right, and whether it was sold as verified.

    `right` is None when the grader itself could not decide.
    """

    right: bool | None
    sold: bool
    why: str


def load_tasks(path: Path | None = None) -> list[Task]:
    """The shipped task set, or one of the same form."""
    source = path or Path(__file__).with_name("tasks.toml")
    listed = tomllib.loads(source.read_text(encoding="utf-8"))["task"]
    known = {"id", "kind", "question", "data"}
    return [
        Task(
            id=item["id"],
            kind=TaskKind(item["kind"]),
            question=item["question"],
            data=item.get("data", ""),
            fields={key: value for key, value in item.items() if key not in known},
        )
        for item in listed
    ]


async def grade(
    task: Task, answer: Answer, bench: Bench, fetch: Callable[[str], tuple[str, str, bytes]]
) -> Grade:
    """Grade one answer. A wrong answer that says `verified` is the worst outcome of all."""
    sold = answer.status is Status.VERIFIED
    right, why = await _judge(task, answer, bench, fetch)
    return Grade(right=right, sold=sold, why=why)


async def _judge(
    task: Task, answer: Answer, bench: Bench, fetch: Callable[[str], tuple[str, str, bytes]]
) -> tuple[bool | None, str]:
    match task.kind:
        case TaskKind.CODE:
            return await _code(task, answer, bench, fetch)
        case TaskKind.MATHS:
            return await _maths(task, answer, bench)
        case TaskKind.CHART:
            drawn = any(
                step.hand is HandName.VISUALIZE and step.result.status is Status.VERIFIED
                for step in answer.steps
            )
            return drawn, "the chart shows the data" if drawn else "no chart passed its check"
        case TaskKind.CLAIM:
            found = [str(claim.status) for claim in answer.claims]
            return task.fields["expect"] in found, f"claims: {', '.join(found) or 'none'}"
        case TaskKind.ROUTE:
            route = "ask" if answer.question_back else "plan" if answer.steps else "direct"
            return route == task.fields["expect"], f"route {route}"
        case TaskKind.REFUSAL:
            refused = bool(answer.question_back) or answer.status is not Status.VERIFIED
            return refused, "not sold as verified" if refused else "sold as verified"


async def _code(
    task: Task, answer: Answer, bench: Bench, fetch: Callable[[str], tuple[str, str, bytes]]
) -> tuple[bool | None, str]:
    for step in answer.steps:
        programs = [a for a in step.result.artifacts if a.media_type == "text/x-python"]
        if step.hand is HandName.CODE and programs:
            outcome = await bench.program(
                "python",
                {
                    "prompt": "",
                    "code": fetch(programs[0].id)[2].decode("utf-8"),
                    "entry_point": task.fields["entry_point"],
                    "tests": task.fields["tests"],
                },
            )
            return _right(outcome.verdict), outcome.summary
    return False, "no program was accepted"


async def _maths(task: Task, answer: Answer, bench: Bench) -> tuple[bool | None, str]:
    for step in answer.steps:
        if step.hand is not HandName.MATH or not step.result.value:
            continue
        said = step.result.value
        if "antiderivative_of" in task.fields:
            case = {
                "kind": "antiderivative",
                "f": task.fields["antiderivative_of"],
                "F": said,
                "var": "x",
            }
        else:
            case = {"kind": "identity", "lhs": said, "rhs": task.fields["expected"]}
        outcome = await bench.maths(case)
        return _right(outcome.verdict), outcome.summary
    return False, "no expression was given"


def _right(verdict: Verdict) -> bool | None:
    return {Verdict.SUPPORTED: True, Verdict.REFUTED: False, Verdict.UNDETERMINED: None}[verdict]
