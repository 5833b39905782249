"""A proposed cell runs in the user's own tab and kernel, by the rules of the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_sidebar import frame, open_chat, played_tab
from manyhands_jupyter.server.cells import Wanted, run_proposed
from manyhands_jupyter.server.desk import desk

from manyhands.broker.contracts import Choice
from manyhands.errors import InputError
from manyhands.mind.mind import Mind

pytestmark = pytest.mark.anyio

SOURCE = "print(6 * 7)"
RAN = {"cell_id": "c", "ok": True, "seconds": 0.1, "output": "42\n", "error": "", "stopped": ""}
CELL = {"index": 0, "cellId": "a", "cellType": "code", "source": "x", "outputs": []}
BOOK = {"path": "a.ipynb", "count": 1, "activeIndex": 0, "kernel": "python3", "cells": [CELL]}


def proposing(request: Any) -> str:
    return frame(route="direct", answer=f"Try\n\n```python\n{SOURCE}\n```")


@asynccontextmanager
async def answered(folder: Path, look: Any = None) -> AsyncIterator[str]:
    """The run of an answer that proposes a cell; `look` is the open notebook."""
    desk().cells.clear()
    async with open_chat(folder) as chat, played_tab({"look": look, "run": RAN}):
        await chat.say("What is six times seven?")
        assert chat.told["proposals"] == [SOURCE]
        yield chat.told["run_id"]


async def click(run_id: str, choice: Choice | None = None, seconds: float = 60) -> dict[str, Any]:
    wanted = Wanted(run_id, SOURCE, seconds, cell="a", path="a.ipynb", tab="left", choice=choice)
    return await run_proposed(desk(), "ann", wanted)


def effects(run_id: str) -> list[tuple[str, Any]]:
    with Mind().journal() as journal:
        bodies = [event.body for event in journal.events(run_id)]
    return [
        (body.kind, getattr(body, "allowed", getattr(body, "state", None)))
        for body in bodies
        if body.kind.startswith("effect")
    ]


async def test_a_person_is_asked_and_their_yes_and_the_outcome_stand_in_the_journal(
    play: Any, tmp_path: Path
) -> None:
    with play(proposing):
        async with answered(tmp_path) as run_id:
            asked = await click(run_id)
            assert (asked["verdict"], asked["session"]) == ("ask", True)
            assert effects(run_id) == []
            ran = await click(run_id, Choice.ONCE)
            assert (ran["verdict"], ran["state"], ran["output"]) == ("allow", "done", "42\n")
            assert (await click(run_id))["verdict"] == "ask"  # it was good for once
            assert effects(run_id) == [
                ("effect_decided", True),
                ("effect_intended", None),
                ("effect_finished", "done"),
            ]


async def test_allowed_for_the_session_it_runs_without_asking(play: Any, tmp_path: Path) -> None:
    with play(proposing):
        async with answered(tmp_path) as run_id:
            assert (await click(run_id, Choice.SESSION))["state"] == "done"
            assert (await click(run_id))["verdict"] == "allow"
            bob = await run_proposed(
                desk(), "bob", Wanted(run_id, SOURCE, 60, cell="b", path="a.ipynb", tab="left")
            )
            assert bob["verdict"] == "ask"


async def test_with_a_notebook_in_the_context_each_cell_is_asked_about(
    play: Any, tmp_path: Path
) -> None:
    with play(proposing):
        async with answered(tmp_path, BOOK) as run_id:
            asked = await click(run_id)
            assert (asked["verdict"], asked["session"]) == ("ask", False)
            assert "outside" in asked["why"]
            await click(run_id, Choice.SESSION)
            assert (await click(run_id))["verdict"] == "ask"


async def test_where_the_settings_say_never_nothing_runs(play: Any, tmp_path: Path) -> None:
    with play(proposing):
        (tmp_path / "config.toml").write_text('[approvals]\nrun_cell = "never"\n')
        async with answered(tmp_path) as run_id:
            for choice in (None, Choice.ONCE, Choice.SESSION):
                told = await click(run_id, choice)
                assert told["verdict"] == "deny"
                assert "the settings forbid run_cell" in told["why"]
            assert {kind for kind, _ in effects(run_id)} == {"effect_decided"}


async def test_what_cannot_run_is_said_in_words(play: Any, tmp_path: Path) -> None:
    with play(proposing):
        async with answered(tmp_path) as run_id:
            with pytest.raises(InputError, match="run_gone"):
                await click("run_gone")
            with pytest.raises(InputError, match="0 s are no limit"):
                await click(run_id, seconds=0)
        gone = await click(run_id, Choice.ONCE)  # the tab was closed
        assert gone["state"] == "failed"
        assert "browser tab is not connected" in gone["why"]
        assert effects(run_id)[-1] == ("effect_finished", "failed")
