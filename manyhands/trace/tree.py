"""A run as a tree: frame, steps, hands, evidence; what panels and the chat's preamble draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from manyhands.clean import clean
from manyhands.journal.events import (
    AnswerDelta,
    Answered,
    Asked,
    AttemptDone,
    AttemptStarted,
    CheckDone,
    CouncilDone,
    CouncilDraft,
    EffectDecided,
    EffectFinished,
    Event,
    Framed,
    Generating,
    ModelLoaded,
    ModelLoading,
    Note,
    PassageRead,
    Rated,
    Recalled,
    RunFinished,
    RunStarted,
    StepDone,
    StepStarted,
)
from manyhands.trace.lines import begins_anew, check_mark, line_of, title_of

__all__ = ["Badge", "StepNode", "Tree", "TreeState", "grow", "text_of", "tree_of"]


class TreeState(StrEnum):
    """Where a run or a step stands; a step that was begun and never ended stays `running`."""

    WAITING = "waiting"
    RUNNING = "running"
    ANSWERED = "answered"
    ASKED = "asked"
    FAILED = "failed"
    STOPPED = "stopped"
    CUT = "cut"


@dataclass(slots=True)
class Badge:
    """What one check of the last attempt found; an `opinion` is a model's, and proves nothing."""

    name: str
    passed: bool | None
    evidence: str
    opinion: bool = False


@dataclass(slots=True)
class StepNode:
    """One step: which hand, who works on it, what it cost, what the checks found.

    Attributes:
        state: `waiting` and `running`, later the status of its result.
        doing: what goes on now, in words; empty when nothing does.
        began: Unix seconds; 0 before it began.
    """

    id: str
    hand: str = ""
    task: str = ""
    state: str = TreeState.WAITING
    role: str = ""
    model: str = ""
    attempt: int = 0
    why: str = ""
    doing: str = ""
    summary: str = ""
    began: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    badges: list[Badge] = field(default_factory=list)


@dataclass(slots=True)
class Tree:
    """A run as far as its events tell.

    Attributes:
        state: of the run; `status` says how far its answer may be trusted.
        doing: what the mind itself does now.
        open_points: what stayed unproved in the answer.
        notes: retries, limits, effects: lines that a person should see.
        rating: `good`, `bad` or empty, as a person judged it; `reason` says why.
        seq: of the last event that was taken in.
    """

    run_id: str = ""
    conversation_id: str = ""
    question: str = ""
    door: str = ""
    simulated: bool = False
    state: str = TreeState.WAITING
    status: str = ""
    goal: str = ""
    route: str = ""
    doing: str = ""
    steps: list[StepNode] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answer: str = ""
    open_points: list[str] = field(default_factory=list)
    error: str = ""
    began: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    rating: str = ""
    reason: str = ""
    seq: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def step(self, step_id: str) -> StepNode:
        """The step of this id; made if it is new."""
        for node in self.steps:
            if node.id == step_id:
                return node
        node = StepNode(step_id)
        self.steps.append(node)
        return node


def tree_of(events: Iterable[Event]) -> Tree:
    """The tree of a run's events so far."""
    tree = Tree()
    for event in events:
        grow(tree, event)
    return tree


def grow(tree: Tree, event: Event) -> None:
    """Take one more event in; the tree changes in place."""
    tree.seq = event.seq
    match event.body:
        case RunStarted() as body:
            tree.run_id, tree.conversation_id = event.run_id, body.conversation_id
            tree.question, tree.door, tree.simulated = body.question, body.door, body.simulated
            tree.state, tree.began, tree.doing = TreeState.RUNNING, event.at, "begins"
        case Framed() as body:
            tree.goal, tree.route, tree.doing = body.goal, body.route, ""
            for step_id in body.order:
                tree.step(step_id)
        case AnswerDelta(text=text):
            tree.answer += text
            tree.doing = "writes the answer"
        case Asked(question=question):
            tree.answer = question
        case Answered(text=text, status=status, open_points=points):
            tree.answer, tree.status, tree.doing = text, status, ""
            tree.open_points = list(points)
        case RunFinished() as body:
            tree.state, tree.error, tree.doing = str(body.outcome), body.error, ""
            tree.seconds = body.seconds
            tree.tokens = _tokens(body.spend)
            for node in tree.steps:
                node.doing = ""
                if node.state == TreeState.RUNNING:
                    node.state = tree.state
        case Rated() as body:
            tree.rating, tree.reason = "good" if body.good else "bad", body.reason
        case Generating() | ModelLoading() | ModelLoaded():
            _working(tree, event)
        case StepStarted() | AttemptStarted() | CheckDone() | AttemptDone() | StepDone():
            _step(tree, event)
        case _:
            _noted(tree, event)


def _step(tree: Tree, event: Event) -> None:
    match event.body:
        case StepStarted() as body:
            node = tree.step(body.step)
            node.hand, node.task = body.hand, body.task
            node.state, node.began = TreeState.RUNNING, event.at
        case AttemptStarted() as body:
            node = tree.step(body.step)
            node.attempt, node.role, node.model = body.number, body.role, body.model
            node.why, node.badges, node.doing = body.why, [], "begins"
        case CheckDone() as body:
            node = tree.step(body.step)
            node.badges.append(Badge(body.name, body.passed, body.evidence, body.opinion))
            node.doing = "" if body.opinion else "is checked"
        case AttemptDone() as body:
            node = tree.step(body.step)
            node.doing = ""
            node.seconds += _number(body.attempt.get("seconds"))
            node.tokens += _tokens(body.attempt.get("spend"))
            fault = body.attempt.get("fault") or body.attempt.get("abstained")
            if fault:
                tree.notes.append(f"{body.step}, attempt {node.attempt}: {fault}")
        case StepDone() as body:
            node = tree.step(body.step)
            node.state, node.summary, node.doing = body.status, body.summary, ""


def _working(tree: Tree, event: Event) -> None:
    """What goes on now belongs to the step that runs, or to the mind."""
    line = line_of(event.body)
    said = line.text if line is not None else ""
    named = getattr(event.body, "step", "")
    running = [node for node in tree.steps if node.state == TreeState.RUNNING]
    if named and any(node.id == named for node in tree.steps):
        tree.step(named).doing = said
    elif running and isinstance(event.body, ModelLoading | ModelLoaded):
        running[-1].doing = said
    else:
        tree.doing = said


def _noted(tree: Tree, event: Event) -> None:
    line = line_of(event.body)
    if line is None:
        return
    if begins_anew(event.body):
        tree.answer = ""
    match event.body:
        case Note() | EffectDecided() | EffectFinished() | CouncilDraft() | CouncilDone():
            tree.notes.append(line.text)
        case Recalled() | PassageRead():
            tree.notes.append(line.text)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _tokens(spend: object) -> int:
    counts = spend if isinstance(spend, dict) else {}
    return int(sum(_number(counts.get(key)) for key in ("prompt_tokens", "completion_tokens")))


def text_of(tree: Tree) -> str:
    """The same tree as plain text, for terminals, files and readers without a panel."""
    said = " (scripted models)" if tree.simulated else ""
    lines = [f"? {title_of(tree.question)}{said}"]
    if tree.goal:
        lines.append(f"  {tree.goal} [{tree.route}]")
    for node in tree.steps:
        lines.append(f"  {node.id} · {node.hand or 'waits'}: {node.state}{_cost(node)}")
        if node.doing:
            lines.append(f"    … {node.doing}")
        lines.extend(
            f"    {check_mark(badge.passed, opinion=badge.opinion)} {badge.name}: "
            f"{_flat(badge.evidence)}"
            for badge in node.badges
        )
    lines.extend(f"  ! {_flat(note)}" for note in tree.notes)
    if tree.doing:
        lines.append(f"  … {tree.doing}")
    if tree.state not in (TreeState.WAITING, TreeState.RUNNING):
        end = f"  {tree.state} in {tree.seconds:.1f} s, {tree.tokens} tokens"
        lines.append(f"{end}. {tree.error}" if tree.error else end)
    return clean("\n".join(lines))


def _cost(node: StepNode) -> str:
    if not node.model:
        return ""
    return f" · {node.role} on {node.model}, {node.seconds:.1f} s, {node.tokens} tokens"


def _flat(text: str, limit: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
