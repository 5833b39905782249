"""A model that spells half a surrogate pair, which JSON allows and no file can hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_mind import ask

from manyhands.journal.events import Answered, RunFinished
from manyhands.journal.store import Journal
from manyhands.settings import Settings


@pytest.mark.anyio
async def test_the_run_has_its_answer_and_its_end_in_the_journal(
    settings_in: Callable[[Path], Settings], tmp_path: Path
) -> None:
    frame = '{"goal": "greet", "route": "direct", "answer": "a\\ud800b"}'
    seen = await ask(settings_in(tmp_path), lambda role, prompt: frame)
    assert seen.answer is not None
    with Journal.open(tmp_path / "journal.db") as journal:
        (run,) = journal.runs()
        bodies = [event.body for event in journal.events(run.id)]
    assert isinstance(bodies[-1], RunFinished)
    (answered,) = (body for body in bodies if isinstance(body, Answered))
    assert answered.text == "a\ufffdb"
