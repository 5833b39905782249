"""A question in the chat knows the variables of the notebook's kernel, also while a cell runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_sidebar import frame, open_chat, played_tab
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.multikernelmanager import MultiKernelManager
from manyhands_jupyter.persona.variables import BUDGET_TOKENS
from manyhands_jupyter.server.desk import desk

from manyhands.mind.condense import estimate_tokens
from manyhands.mind.mind import Mind

pytestmark = pytest.mark.anyio

SECRET = "Tr0ub4dor-and-3"
CELL = f"""
import pandas as pd
rise = pd.DataFrame({{'year': [2000, 2001, 2002], 'ppm': [369.7, 371.3, None]}})
api_key = '{SECRET}'
big = pd.DataFrame({{'x': range(2_000_000)}})
for number in range(300):
    globals()[f'filler_{{number}}'] = 'x' * 200
"""


class Kernels:
    """A server's kernels, one of them running, and its client."""

    def __init__(self, folder: Path) -> None:
        self.manager = MultiKernelManager(connection_dir=str(folder))
        self.id = self.manager.start_kernel(kernel_name="python3", cwd=str(folder))
        self.client: BlockingKernelClient = self.manager.get_kernel(self.id).client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.client.execute_interactive(CELL, timeout=60)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_all(now=True)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    made = Kernels(tmp_path_factory.mktemp("kernels"))
    desk().connect(made.manager)
    yield made
    desk().connect(None)
    made.close()


def look(kernel_id: str) -> dict[str, Any]:
    cell = {"index": 0, "cellId": "a", "cellType": "code", "source": "rise", "outputs": []}
    return {"look": {"path": "a.ipynb", "count": 1, "activeIndex": 0, "kernel": "python3",
                     "kernelId": kernel_id, "cells": [cell]}}  # fmt: skip


def direct(request: Any) -> str:
    return frame(route="direct", answer="ok")


async def test_variables_come_with_a_question_and_a_mentioned_table_is_data(
    play: Any, tmp_path: Path, kernels: Kernels
) -> None:
    with play(direct) as server:
        async with (
            open_chat(tmp_path) as chat,
            played_tab(look(kernels.id), sees_kernels=True),
        ):
            await chat.say("How fast does @rise grow?")
            assert chat.told["seen"] == ["notebook", "variables of the notebook"]
            shown = await chat.say("What did you see?")
            await chat.say("And @big?")
            large = await chat.say("/seen")
    assert "rise: pandas.DataFrame, 3 rows × 2 columns" in shown
    assert "ppm: float64, 1 null" in shown
    assert "**data** `rise`" in shown
    assert "Too large to hand over as data (16 MB" in large
    assert "**data**" not in large
    sent = json.dumps([item.body for item in server.requests])
    assert "How fast does `rise` grow?" in sent
    assert SECRET not in sent
    assert SECRET not in shown
    with Mind().journal() as journal:
        first = journal.events(journal.runs()[-1].id)[0].body
    assert estimate_tokens(first.context["variables of the notebook"]) <= BUDGET_TOKENS
    assert sum(estimate_tokens(text) for text in first.context.values()) < 2_000


async def test_they_are_read_while_a_cell_runs(play: Any, tmp_path: Path, kernels: Kernels) -> None:
    kernels.client.execute("print('began', flush=True)\nimport time\ntime.sleep(60)")
    while kernels.client.get_iopub_msg(timeout=20)["msg_type"] != "stream":
        pass
    try:
        with play(direct):
            async with (
                open_chat(tmp_path) as chat,
                played_tab(look(kernels.id), sees_kernels=True),
            ):
                await chat.say("What is in @rise?")
                assert "ppm: float64, 1 null" in await chat.say("/seen")
    finally:
        kernels.manager.interrupt_kernel(kernels.id)


async def test_a_kernel_that_is_gone_or_not_the_users_is_left_out(
    play: Any, tmp_path: Path, kernels: Kernels
) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            async with played_tab(look("gone"), sees_kernels=True):
                assert (await chat.say("What is in @rise?")).splitlines()[0] == "ok"
                assert chat.told["seen"] == ["notebook"]
            async with played_tab(look(kernels.id), sees_kernels=False):
                assert (await chat.say("What is in @rise?")).splitlines()[0] == "ok"
                assert chat.told["seen"] == ["notebook"]
