"""What a run looks like in a chat: the tree for our lab extension, and the words of the message."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from manyhands.hands.contracts import Evidence
from manyhands.journal.events import AttemptDone, Event, RunStarted, Said
from manyhands.mind.answer import Answer
from manyhands.trace.tree import Tree, TreeState, grow

__all__ = ["Telling", "answer_text", "passed_text", "proposals_in", "tool_calls"]

#: Characters that a chat keeps of one thought and of one line of evidence; the journal has all.
_THOUGHT = 4_000
_LINE = 600
#: How many of the latest thoughts a chat keeps.
_THOUGHTS = 12
_FENCE = re.compile(r"^```(?:python|py|python3)[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S)


@dataclass(slots=True)
class Telling:
    """A run as it is told in one message. Events come from the minds' thread, readers from the
    server's: everything happens under a lock.

    Attributes:
        seen: labels of what was sent of the notebook.
        waiting: the approval that is asked for now; see `Waiting.told`.
    """

    seen: tuple[str, ...] = ()
    tree: Tree = field(default_factory=Tree)
    thoughts: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)
    waiting: dict[str, Any] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    context_tokens: int = 0
    tier: str = "mind"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event: Event) -> None:
        """Take an event in."""
        with self._lock:
            match event.body:
                case Said() as said:
                    self._said(said)
                case AttemptDone(attempt=attempt):
                    self._drawn(attempt)
                case RunStarted() as started:
                    self.seen = tuple(started.context)
            grow(self.tree, event)

    def _said(self, said: Said) -> None:
        self.prompt_tokens += said.prompt_tokens
        self.completion_tokens += said.completion_tokens
        if not said.step:
            self.context_tokens = said.prompt_tokens + said.completion_tokens
            self.tier = said.tier
        if said.thinking.strip():
            self.thoughts.append(
                {
                    "who": said.role,
                    "model": said.model,
                    "step": said.step,
                    "text": _cut(said.thinking.strip(), _THOUGHT),
                    "seconds": round(said.seconds, 1),
                }
            )
            del self.thoughts[:-_THOUGHTS]

    def _drawn(self, attempt: dict[str, Any]) -> None:
        for item in attempt.get("artifacts") or ():
            if isinstance(item, dict) and item.get("media_type") in ("image/png", "image/jpeg"):
                picture = {"id": str(item["id"]), "name": str(item["name"])}
                if picture not in self.pictures:
                    self.pictures.append(picture)

    @property
    def run_id(self) -> str:
        return self.tree.run_id

    def told(self) -> tuple[str, dict[str, Any]]:
        """The text so far, and what the lab extension draws."""
        with self._lock:
            tree = self.tree.as_json()
            body = self.tree.answer
            del tree["answer"]
            for step in tree["steps"]:
                step["summary"] = _cut(step["summary"], _LINE)
                for badge in step["badges"]:
                    badge["evidence"] = _cut(badge["evidence"], _LINE)
            tree["notes"] = [_cut(note, _LINE) for note in tree["notes"]]
            return body, {
                "version": 1,
                **tree,
                "thoughts": [dict(item) for item in self.thoughts],
                "pictures": [dict(item) for item in self.pictures],
                "waiting": self.waiting,
                "seen": list(self.seen),
                "proposals": proposals_in(body),
            }

    @property
    def doing(self) -> str:
        """What goes on now, in words for the chat's status line."""
        with self._lock:
            if self.waiting is not None:
                return "waits for your answer"
            for node in reversed(self.tree.steps):
                if node.state == TreeState.RUNNING:
                    return f"{node.id}: {node.doing or 'works'}"
            return self.tree.doing or "is thinking"


def proposals_in(text: str) -> list[str]:
    """The Python cells that an answer proposes."""
    return [block.rstrip() for block in _FENCE.findall(text) if block.strip()]


def answer_text(answer: Answer) -> str:
    """The message for an answer; readable also where our lab extension is not installed."""
    if answer.question_back:
        return answer.question_back
    parts = [answer.text or "_No text._"]
    for effect in answer.effects:
        said = effect.summary if effect.state == "done" else f"{effect.summary}: {effect.detail}"
        parts.append(f"`{effect.tool}` {effect.state}: {said}")
    if len(answer.open_points) == 1 and not answer.steps:
        told = f"**{answer.status}** · {answer.open_points[0]}"
        parts.append(_status_lines(told, (), simulated=answer.simulated))
    elif answer.steps or answer.open_points:
        told = f"**{answer.status}** · {passed_text(answer.evidence)} · {answer.seconds:.1f} s"
        parts.append(_status_lines(told, answer.open_points, simulated=answer.simulated))
    return "\n\n".join(parts)


def passed_text(evidence: Sequence[Evidence]) -> str:
    """How many checks passed, in words."""
    passed = sum(1 for check in evidence if check.passed)
    return f"{passed} check{'' if passed == 1 else 's'} passed"


def _status_lines(told: str, open_points: Sequence[str], *, simulated: bool) -> str:
    lines = [told + (" · scripted models" if simulated else "")]
    lines.extend(f"- open: {' '.join(point.split())[:300]}" for point in open_points[:5])
    return "\n".join(lines)


_KINDS = {"code": "edit", "math": "think", "visualize": "execute", "verify": "search"}
_STATUS = {"waiting": "pending", "running": "in_progress", "failed": "failed", "cut": "failed"}


def tool_calls(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps in the form that jupyter-ai-acp-client draws as its tool cards."""
    return [
        {
            "tool_call_id": f"{told['run_id']}:{step['id']}",
            "title": f"{step['hand'] or 'step'}: {_cut(step['task'], 120)}",
            "kind": _KINDS.get(step["hand"], "other"),
            "status": _STATUS.get(step["state"], "completed"),
            "raw_input": {"task": step["task"], "role": step["role"], "model": step["model"]},
            "raw_output": step["summary"] or None,
        }
        for step in told["steps"]
    ]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
