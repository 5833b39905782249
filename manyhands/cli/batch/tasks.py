"""Reading a file of tasks, one JSON object a line; a line that is wrong is told and not lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from manyhands.errors import InputError
from manyhands.hands.contracts import HandName
from manyhands.mind.frame import PlanStep
from manyhands.mind.single import plan_step

__all__ = ["BadLine", "Task", "read_tasks"]


class _Line(BaseModel):
    """A line: a `question` for the mind, or a `hand` with its own fields."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=200)] = ""
    question: str = ""
    hand: HandName | None = None
    data: dict[str, str] | tuple[str, ...] = ()
    role: str = ""
    hands: bool = True
    council: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> _Line:
        if bool(self.question.strip()) == (self.hand is not None):
            raise PydanticCustomError("kind", "either a `question` or a `hand` must be given")
        if self.hand is None and self.model_extra:
            names = ", ".join(self.model_extra)
            raise PydanticCustomError("extra", "a question has no {names}", {"names": names})
        return self


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        id: unique in its file; `line-7` where the line has none.
        digest: of what is asked: a changed task is done again under its old id.
        step: for a hand; None for a question.
    """

    id: str
    line: int
    digest: str
    question: str
    data: dict[str, Path]
    role: str
    hands: bool
    council: bool
    step: PlanStep | None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no task, with its text and what is wrong."""

    line: int
    text: str
    complaint: str


def read_tasks(path: Path) -> tuple[list[Task], list[BadLine]]:
    """Every task of a file, and every line that is none. Blank lines are passed over.

    Paths of data count from the file's folder.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    tasks: list[Task] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(raw.split(b"\n"), start=1):
        text = line.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if not text:
            continue
        try:
            task = _task(number, line, path.parent)
        except InputError as error:
            bad.append(BadLine(number, text, error.message))
            continue
        if task.id in seen:
            bad.append(BadLine(number, text, f"the id {task.id!r} stands in line {seen[task.id]}"))
            continue
        seen[task.id] = number
        tasks.append(task)
    return tasks, bad


def _task(number: int, line: bytes, folder: Path) -> Task:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"it is not UTF-8 (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError("it is no JSON object")
    try:
        found = _Line.model_validate(value)
    except ValidationError as error:
        raise InputError(_complaint(error)) from None
    step = None
    if found.hand is not None:
        known = PlanStep.model_fields.keys()
        stray = [name for name in found.model_extra or {} if name not in known]
        if stray:
            raise InputError(f"the hand {found.hand} has no {', '.join(stray)}")
        names = list(found.data) if isinstance(found.data, dict) else _names(found.data)
        step = plan_step(found.hand, {**(found.model_extra or {}), "data": names})
    whole = json.dumps(
        {key: item for key, item in value.items() if key != "id"},
        sort_keys=True,
        ensure_ascii=False,
    )
    return Task(
        id=found.id or f"line-{number}",
        line=number,
        digest=hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        question=found.question.strip(),
        data=_paths(found.data, folder),
        role=found.role,
        hands=found.hands,
        council=found.council,
        step=step,
    )


def _names(paths: Sequence[str]) -> list[str]:
    return [Path(one).stem for one in paths]


def _paths(data: dict[str, str] | tuple[str, ...], folder: Path) -> dict[str, Path]:
    named: dict[str, Any] = (
        data if isinstance(data, dict) else dict(zip(_names(data), data, strict=True))
    )
    return {name: folder / str(one) for name, one in named.items()}


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
