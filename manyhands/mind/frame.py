"""The frame: what the mind writes before it acts, and the plan it may hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from manyhands.hands.contracts import REQUESTS, HandName, HandRequest, MathKind
from manyhands.hands.schemas import flat_schema

__all__ = [
    "EffectTool",
    "Frame",
    "PlanFault",
    "PlanStep",
    "Route",
    "Unknown",
    "WantedEffect",
    "Way",
    "check_plan",
    "frame_schema",
    "frame_text",
    "request_of",
]


class Route(StrEnum):
    """How a question is answered: at once, by asking back, by a plan of hands, by a council."""

    DIRECT = "direct"
    ASK = "ask"
    PLAN = "plan"
    COUNCIL = "council"


class EffectTool(StrEnum):
    """What a question may want done outside the run; each goes through the broker."""

    SAVE_FILE = "save_file"
    REMEMBER = "remember"


class WantedEffect(BaseModel):
    """One effect as the mind proposes it: a step's file to a path, or a text for memory."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tool: EffectTool
    step: str = ""
    path: str = Field(default="", max_length=300)
    text: str = Field(default="", max_length=2000)


class PlanStep(BaseModel):
    """One hand request as the mind writes it: flat, with only the fields that its hand uses.

    Attributes:
        replaces: in a revised plan, the step of the same hand whose work it does another way.
        same_as: the step whose question it answers by another way; their results are compared.
        subject: what a person hands over to `verify`; no plan of the mind may hold one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1, max_length=40)
    hand: HandName
    task: str = Field(min_length=1, max_length=8000)
    needs: tuple[str, ...] = ()
    replaces: str = ""
    same_as: str = ""
    data: tuple[str, ...] = ()
    entry_point: str = ""
    kind: MathKind = MathKind.FREE
    given: dict[str, str] = Field(default_factory=dict)
    chart: str = ""
    x: str = ""
    y: str = ""
    agg: str = ""
    subject: str = ""
    tool: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)


class Way(StrEnum):
    """How an unknown becomes known: read from what is given, worked out, or told by the user."""

    LOOK_UP = "look_up"
    DERIVE = "derive"
    ASK = "ask"


class Unknown(BaseModel):
    """Something that the frame does not know yet, and how it can be known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: str = Field(max_length=500)
    how: Way = Way.DERIVE

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """A bare text is something to derive: models and older records write it so."""
        return {"what": value} if isinstance(value, str) else value


class Frame(BaseModel):
    """Goal, givens, unknowns, acceptance checks, and the way on.

    `answer` is set on the direct route, `question` on the asking one, `steps` on the plan.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str = Field(min_length=1, max_length=2000)
    route: Route
    givens: tuple[str, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    constraints: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    answer: str = ""
    question: str = ""
    steps: tuple[PlanStep, ...] = ()
    effects: Annotated[tuple[WantedEffect, ...], Field(max_length=8)] = ()


class PlanFault(BaseModel):
    """Why a frame cannot be followed, in words that can go back to the mind."""

    model_config = ConfigDict(frozen=True)

    step: str
    reason: str

    def __str__(self) -> str:
        return f"step {self.step!r}: {self.reason}" if self.step else self.reason


def frame_schema(
    data: Sequence[str], *, hands: bool, tools: Collection[str] = ()
) -> dict[str, Any]:
    """The grammar for the framing call: with no hands, no plan can be written.

    Args:
        tools: names of other servers' tools; without, no step can call one.
    """
    schema = flat_schema(Frame)
    step = schema["properties"]["steps"]["items"]["properties"]
    del step["subject"]
    if tools:
        step["tool"] = {"enum": list(tools)}
    else:
        del step["tool"], step["arguments"]
        step["hand"]["enum"] = [name for name in step["hand"]["enum"] if name != HandName.TOOL]
    if not hands:
        schema["properties"]["route"] = {"enum": [Route.DIRECT, Route.ASK]}
        del schema["properties"]["steps"]
        del schema["properties"]["effects"]
    elif data:
        step["data"] = {"type": "array", "items": {"enum": list(data)}}
    return schema


def check_plan(
    frame: Frame,
    data: Mapping[str, Sequence[str]],
    max_steps: int,
    done: Mapping[str, HandName] | None = None,
    tools: Mapping[str, Sequence[str]] | None = None,
) -> list[PlanFault]:
    """Everything that keeps a frame from being followed; an empty list when it can be.

    Args:
        data: data name -> its column names.
        max_steps: the budget of steps.
        done: steps of the plan that this one revises, with their hands.
        tools: other servers' tools -> arguments that each must have.
    """
    if frame.route is Route.DIRECT:
        return [] if frame.answer.strip() else [_fault("", "the direct route needs an answer")]
    if frame.route is Route.ASK:
        return [] if frame.question.strip() else [_fault("", "the asking route needs a question")]
    if frame.route is Route.COUNCIL:
        return []
    if not frame.steps:
        return [_fault("", "the plan has no steps")]
    faults = list(_shape_faults(frame.steps, max_steps, done or {}))
    for step in frame.steps:
        faults.extend(_data_faults(step, data))
        faults.extend(_tool_faults(step, tools or {}))
        if step.subject:  # its examples would be the mind's own word for its own program
            faults.append(_fault(step.id, "`subject` is not for plans"))
        try:
            request_of(step)
        except ValidationError as error:
            faults.extend(
                _fault(step.id, f"{'.'.join(map(str, part['loc']))}: {part['msg']}")
                for part in error.errors()
            )
    return faults


def _fault(step: str, reason: str) -> PlanFault:
    return PlanFault(step=step, reason=reason)


def _shape_faults(
    steps: Sequence[PlanStep], max_steps: int, done: Mapping[str, HandName]
) -> Iterable[PlanFault]:
    if len(steps) + len(done) > max_steps:
        yield _fault("", f"{len(steps) + len(done)} steps, but the budget allows {max_steps}")
    ids = [step.id for step in steps]
    for name in sorted({name for name in ids if ids.count(name) > 1 or name in done}):
        yield _fault(name, "the id is used twice")
    for step in steps:
        for need in step.needs:
            if need not in ids and need not in done:
                yield _fault(step.id, f"needs {need!r}, which is no step of the plan")
        if step.same_as and (step.same_as == step.id or step.same_as not in {*ids, *done}):
            yield _fault(step.id, f"same_as names {step.same_as!r}, which is no other step")
        if step.replaces and done.get(step.replaces) is not step.hand:
            yield _fault(
                step.id, f"replaces {step.replaces!r}, which is no {step.hand} step so far"
            )
    if _has_cycle(steps):
        yield _fault("", "the steps need each other in a circle")


def _has_cycle(steps: Sequence[PlanStep]) -> bool:
    waiting = {step.id: set(step.needs) for step in steps}
    while ready := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in ready:
            del waiting[name]
    return bool(waiting)


def _data_faults(step: PlanStep, data: Mapping[str, Sequence[str]]) -> Iterable[PlanFault]:
    for name in step.data:
        if name not in data:
            known = ", ".join(data) or "none"
            yield _fault(step.id, f"data {name!r} was not given (given: {known})")
    if step.hand is HandName.VISUALIZE and len(step.data) == 1 and step.data[0] in data:
        columns = data[step.data[0]]
        for axis in (step.x, step.y):
            if axis and columns and axis not in columns:
                yield _fault(step.id, f"{axis!r} is no column (columns: {', '.join(columns)})")


def _tool_faults(step: PlanStep, tools: Mapping[str, Sequence[str]]) -> Iterable[PlanFault]:
    if step.hand is not HandName.TOOL:
        return
    if step.tool not in tools:
        yield _fault(
            step.id, f"there is no tool {step.tool!r} (tools: {', '.join(tools) or 'none'})"
        )
        return
    for name in tools[step.tool]:
        if name not in step.arguments:
            yield _fault(step.id, f"{step.tool} needs the argument {name!r}")


def request_of(step: PlanStep) -> HandRequest:
    """The typed request of a plan step; raises `pydantic.ValidationError` on a wrong field."""
    model = REQUESTS[step.hand]
    fields: dict[str, Any] = {
        name: value
        for name, value in step.model_dump(mode="python").items()
        if name in model.model_fields and value not in ("", (), {})
    }
    if step.hand is HandName.VERIFY:
        fields["claim"] = step.task
    request: HandRequest = model.model_validate(fields)  # type: ignore[assignment]
    return request


def frame_text(frame: Frame) -> str:
    """The frame as compact JSON, empty fields left out: what later prompts see of it."""
    shown = frame.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
