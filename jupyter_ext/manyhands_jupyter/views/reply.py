"""The answer as an object of the notebook: text, status, evidence, picture, proposed cells."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manyhands.hands.contracts import EvidenceKind, HandName, Status
from manyhands.trace.lines import check_mark
from manyhands.trace.tree import Tree, text_of

if TYPE_CHECKING:
    from manyhands.hands.contracts import Evidence, HandResult
    from manyhands.mind.answer import Answer
    from manyhands_jupyter.acting.proposals import Proposal

__all__ = ["Reply", "answer_lines"]

_BADGES = {Status.VERIFIED: "✓", Status.REFUTED: "✗"}


@dataclass(slots=True)
class Reply:
    """What a question or a hand gave.

    Its rich display is plain text and PNG pictures: what a model wrote is never HTML.

    Attributes:
        answer: the mind's answer; None for a hand.
        result: a hand's result; None for the mind's answer.
        tree: the trace.
        cells: cells that the answer proposes; nothing of them has happened yet.
        pictures: PNG contents that the run made.
    """

    tree: Tree
    answer: Answer | None = None
    result: HandResult | None = None
    cells: Sequence[Proposal] = ()
    pictures: Sequence[bytes] = ()
    rate: Callable[[bool, str], None] | None = field(default=None, repr=False)

    @property
    def run_id(self) -> str:
        return self.tree.run_id

    @property
    def text(self) -> str:
        if self.answer is not None:
            return self.answer.question_back or self.answer.text
        if self.result is None:
            return ""
        summary, value = self.result.summary, self.result.value
        # A chart's facts are for programs, and a verdict's value says the claim again.
        told = self.result.hand in (HandName.VISUALIZE, HandName.VERIFY) or value in summary
        return summary if told else f"{summary}\n\n{value}"

    @property
    def value(self) -> str:
        """A hand's value as text; of the mind's answer its text."""
        return self.result.value if self.result is not None else self.text

    @property
    def status(self) -> Status:
        found = self.answer or self.result
        assert found is not None
        return found.status

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        found = self.answer or self.result
        return found.evidence if found is not None else ()

    @property
    def open_points(self) -> tuple[str, ...]:
        found = self.answer or self.result
        return found.open_points if found is not None else ()

    @property
    def simulated(self) -> bool:
        """The models were scripted."""
        return self.tree.simulated

    @property
    def trace(self) -> str:
        """The run as a tree in plain text."""
        return text_of(self.tree)

    def good(self, reason: str = "") -> None:
        """Rate the answer as good; the journal keeps it."""
        self._rate(True, reason)

    def bad(self, reason: str = "") -> None:
        """Rate the answer as bad, and say why."""
        self._rate(False, reason)

    def _rate(self, good: bool, reason: str) -> None:
        if self.rate is not None:
            self.rate(good, reason)

    def __str__(self) -> str:
        return "\n".join(answer_lines(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": str(self)}
        if self.pictures:
            bundle["image/png"] = base64.b64encode(self.pictures[0]).decode("ascii")
        return bundle


def answer_lines(reply: Reply) -> list[str]:
    """The answer with its status, evidence, claims and open points, line by line."""
    answer = reply.answer
    if answer is not None and answer.question_back:
        return [f"The mind asks: {answer.question_back}", "Answer it with %mind …"]
    said = " · the models were scripted" if reply.simulated else ""
    badge = f"{_BADGES.get(reply.status, '?')} {reply.status}"
    lines = [reply.text, "", f"{badge} · run {reply.run_id}{said}"]
    if answer is not None:
        for step in answer.steps:
            lines.extend(_check(check, f"{step.id} · ") for check in step.result.evidence)
        lines.extend(f"  {claim.status}: {claim.text}" for claim in answer.claims)
        lines.extend(f"  {one.tool} {one.state}: {one.summary}" for one in answer.effects)
    else:
        lines.extend(_check(check, "") for check in reply.evidence)
    lines.extend(f"  open: {' '.join(point.split())[:200]}" for point in reply.open_points)
    return lines


def _check(check: Evidence, where: str) -> str:
    mark = check_mark(check.passed, opinion=check.kind is EvidenceKind.OPINION)
    return f"  {mark} {where}{check.name}: {' '.join(check.evidence.split())[:160]}"
