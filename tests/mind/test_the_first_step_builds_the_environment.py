"""The first step of a new installation says that the hands' Python is built, and waits for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_mind import ask, math_step, plan

from manyhands.hands.contracts import Status
from manyhands.journal.events import AttemptStarted, Note, NoteReason
from manyhands.settings import Settings


@pytest.mark.slow  # it installs packages
@pytest.mark.anyio
async def test_it_is_told_before_the_first_attempt(
    tmp_path: Path,
    settings_in: Callable[[Path], Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"framer": plan(math_step("d", "x**2")), "mathematician": "```\n2*x\n```"}
    settings = settings_in(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "new"))
    seen = await ask(settings, lambda role, _: said.get(role, "It is 2*x."))
    assert seen.answer is not None
    assert seen.answer.status is Status.VERIFIED
    told = [
        isinstance(body, Note)
        for body in seen.bodies
        if isinstance(body, AttemptStarted)
        or (isinstance(body, Note) and body.reason is NoteReason.ENVIRONMENT)
    ]
    assert told == [True, False]
