"""What a run takes from memory and leaves there: its episode, and lessons from checked outcomes."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.errors import ManyhandsError
from manyhands.hands.contracts import Status
from manyhands.mind.answer import Answer, StepReport

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Remembering", "episode_of", "lessons_of", "source_of", "users_own_word"]

_MOST_HITS = 8
_LONGEST = 1500


class Remembering:
    """The user's memory as a run uses it; opened for each use, since uses are few.

    Args:
        folder: where the question was asked: its project is the scope.
    """

    def __init__(self, settings: Settings, run_id: str, question: str, folder: Path) -> None:
        self._settings = settings
        self._run_id = run_id
        self._question = question
        self._folder = folder

    async def recall(self, question: str) -> tuple[str, Sequence[str]]:
        """What is remembered about the question, each with who vouches for it, and the ids.

        Raises:
            ManyhandsError: the memory cannot be read.
        """
        from manyhands.memory.opening import open_memory, project_of

        if not self._settings.memory.begun():
            return "", ()
        scope = project_of(self._folder)
        async with open_memory(self._settings, scope=scope) as memory:
            hits = await memory.recall(
                question,
                k=_MOST_HITS,
                scope=[scope, ""],
                budget_tokens=self._settings.memory.budget_tokens,
            )
        lines = [
            f"[{hit.kind}, {hit.trust}"
            + (f", superseded by {hit.superseded_by}" if hit.superseded_by else "")
            + (f", from {hit.source}" if hit.source else "")
            + f"] {hit.text}"
            for hit in hits
        ]
        return "\n".join(lines), [hit.id for hit in hits]

    async def remember(self, text: str) -> str:
        """Write a statement; the user's own words are the user's word, all else a proposal."""
        own = users_own_word(text, self._question)
        item = {
            "id": f"said-{self._run_id}-{zlib.crc32(text.encode()):08x}",
            "kind": "fact",
            "text": text,
            "source": source_of(self._run_id),
            "trust": "user" if own else "model",
            "time": time.time(),
        }
        await self._add([item])
        return str(item["id"])

    async def keep(self, answer: Answer) -> str:
        """Write the episode of a run and its lessons; why not, when it could not be done."""
        items = [episode_of(self._question, answer), *lessons_of(answer.run_id, answer.steps)]
        try:
            await self._add(items)
        except ManyhandsError as error:
            return str(error)
        return ""

    async def _add(self, items: Sequence[dict[str, Any]]) -> None:
        from manyhands.memory.opening import open_memory, project_of

        async with open_memory(self._settings, scope=project_of(self._folder)) as memory:
            await memory.add(items)


def source_of(run_id: str) -> str:
    """The source of what a run leaves in memory; of a step's, a comma and the step follow."""
    return f"run {run_id}"


def users_own_word(text: str, question: str) -> bool:
    """Whether the user's question itself makes the statement, word for word."""
    said, asked = (re.findall(r"\w+", part.casefold()) for part in (text, question))
    return bool(said) and f" {' '.join(said)} " in f" {' '.join(asked)} "


def episode_of(question: str, answer: Answer) -> dict[str, Any]:
    """The question, what came of it, and the checks that it rests on."""
    evidence = [
        {"check": check.name, "passed": check.passed}
        for check in answer.evidence
        if check.passed is not None
    ]
    return {
        "id": f"episode-{answer.run_id}",
        "kind": "episode",
        "text": f"Asked: {question[:_LONGEST]}\nAnswer ({answer.status}): {answer.text[:_LONGEST]}",
        "source": source_of(answer.run_id),
        "trust": "checked" if answer.status is Status.VERIFIED else "model",
        "time": time.time(),
        "meta": {"evidence": evidence, "status": str(answer.status)},
    }


def lessons_of(run_id: str, steps: Sequence[StepReport]) -> list[dict[str, Any]]:
    """What a failed check taught where a later attempt passed: nothing else becomes a lesson."""
    lessons = []
    for step in steps:
        result = step.result
        if result.status is not Status.VERIFIED or result.accepted < 2:
            continue
        failed = next(
            (check for attempt in result.attempts for check in attempt.failed_checks), None
        )
        if failed is None:
            continue
        lessons.append(
            {
                "id": f"lesson-{run_id}-{step.id}",
                "kind": "lesson",
                "text": f"For {step.hand} work such as: {step.task[:400]}\nA first version failed "
                f"{failed.name}: {' '.join(failed.evidence.split())[:300]}. A later one passed.",
                "source": f"{source_of(run_id)}, step {step.id}",
                "trust": "checked",
                "time": time.time(),
                "meta": {
                    "evidence": [
                        {"check": check.name, "passed": True}
                        for check in result.evidence
                        if check.passed
                    ]
                },
            }
        )
    return lessons
