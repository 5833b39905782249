"""A large notebook costs few tokens: the active cell and its error come first, and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers_redaction import KEYLIKE_PLACES, PLACES
from helpers_sidebar import frame, open_chat, played_tab
from jupyterlab_chat.models import FileAttachment, NotebookAttachment, NotebookAttachmentCell
from manyhands_jupyter.persona.cells_text import BUDGET_TOKENS, notebook_context

from manyhands.mind.condense import estimate_tokens


def cell(index: int, source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "index": index,
        "cellId": f"c{index}",
        "cellType": "code",
        "source": source,
        "executionCount": index + 1,
        "outputs": list(outputs),
    }


def notebook(active: int, *cells: dict[str, Any]) -> dict[str, Any]:
    return {"path": "big.ipynb", "count": 400, "activeIndex": active, "kernel": "python3, idle",
            "cells": list(cells)}  # fmt: skip


ERROR = {
    "type": "error",
    "name": "KeyError",
    "value": "'ppm'",
    "text": "\x1b[31mKeyError\x1b[0m: " + "frame\n" * 4_000 + "the last line says why",
}


def test_ten_megabytes_of_outputs_cost_less_than_two_thousand_tokens() -> None:
    huge = {"type": "stream", "name": "stdout", "text": "0123456789 " * 200_000}
    told = notebook(3, *(cell(index, f"step({index})", huge) for index in range(6)))
    told["cells"][3] = cell(3, "table['ppm']", ERROR)
    assert len(json.dumps(told)) > 10_000_000
    text = notebook_context(told)["notebook"]
    assert estimate_tokens(text) <= BUDGET_TOKENS < 2_000
    assert "table['ppm']" in text
    assert "It failed: KeyError: 'ppm'" in text
    assert "the last line says why" in text
    assert "\x1b" not in text


def test_the_budget_holds_in_every_script() -> None:
    told = notebook(0, cell(0, "値 = '数'\n" * 5_000), cell(1, "é" * 9_000, ERROR))
    assert estimate_tokens(notebook_context(told)["notebook"]) <= BUDGET_TOKENS + 10


def test_a_cell_that_failed_far_away_goes_before_neighbours_that_did_not() -> None:
    long = "x = 1  # " + "very long " * 300
    told = notebook(5, cell(1, "fails()", ERROR), *(cell(index, long) for index in (4, 5, 6)))
    text = notebook_context(told, budget_tokens=1_200)["notebook"]
    assert "The active cell, 6." in text
    assert "It failed: KeyError" in text


def test_no_open_notebook_sends_nothing() -> None:
    assert notebook_context({"cells": []}) == {}


@pytest.mark.anyio
async def test_what_was_sent_is_shown_word_for_word_without_secrets(
    play: Any, tmp_path: Path
) -> None:
    token = "ghp_" + "a1B2" * 9
    seen = notebook(0, cell(0, f"token = '{token}'\nload(token)"))
    with play(lambda request: frame(route="direct", answer="ok")) as server:
        async with open_chat(tmp_path) as chat, played_tab({"look": seen}):
            await chat.say("What is this?")
            assert chat.told["seen"] == ["notebook"]
            shown = await chat.say("/seen")
        sent = json.dumps([item.body for item in server.requests])
    assert "load(token)" in shown
    assert token not in shown
    assert "load(token)" in sent
    assert token not in sent


@pytest.mark.anyio
async def test_no_secret_of_a_cell_reaches_the_wire_wherever_it_stands(
    play: Any, tmp_path: Path
) -> None:
    secret = "Tr0ub4dor-and-3"
    held = [place.replace("§", secret) for place in (*PLACES, *KEYLIKE_PLACES)]
    long = "passwords = [\n" + f"    '{secret}',\n" * 2_000 + "]"
    with play(lambda request: frame(route="direct", answer="ok")) as server:
        async with open_chat(tmp_path) as chat:
            for number, source in enumerate(["\n".join(held[:30]), "\n".join(held[30:]), long]):
                printed = {"type": "stream", "name": "stdout", "text": source}
                async with played_tab({"look": notebook(0, cell(0, source, printed))}):
                    await chat.say(f"What is this, {number}?")
                assert chat.told["seen"] == ["notebook"]
    sent = json.dumps([item.body for item in server.requests])
    assert "[secret removed]" in sent
    assert secret not in sent


@pytest.mark.anyio
async def test_the_notebook_of_another_user_is_never_sent(play: Any, tmp_path: Path) -> None:
    seen = notebook(0, cell(0, "bobs_secret_plan()"))
    with play(lambda request: frame(route="direct", answer="ok")) as server:
        async with open_chat(tmp_path) as chat, played_tab({"look": seen}, user="bob"):
            await chat.say("What is this?")
            assert chat.told["seen"] == []
        assert "bobs_secret_plan" not in json.dumps([item.body for item in server.requests])


@pytest.mark.anyio
async def test_attached_cells_come_as_cells_with_their_live_outputs(
    play: Any, tmp_path: Path
) -> None:
    (tmp_path / "book.ipynb").write_text(
        json.dumps(
            {
                "cells": [
                    {"id": "a", "cell_type": "code", "source": ["old_source()"], "outputs": [
                        {"output_type": "stream", "name": "stdout", "text": ["saved output"]}]},
                    {"id": "b", "cell_type": "code", "source": "not_attached()", "outputs": []},
                ]
            }
        )
    )  # fmt: skip
    live = [cell(0, "new_source()", {"type": "stream", "name": "stdout", "text": "live output"})]
    with play(lambda request: frame(route="direct", answer="ok")) as server:
        async with open_chat(tmp_path) as chat:
            attached = chat.model.set_attachment(
                NotebookAttachment(
                    value="book.ipynb",
                    cells=[NotebookAttachmentCell(id="a", input_type="code")],
                )
            )
            async with played_tab({"look": None, "cells": live}):
                await chat.say("What does it do?", [attached])
            sent = str(server.requests[-2:][0].body) + str(server.requests[-1].body)
            assert "new_source()" in sent
            assert "live output" in sent
            await chat.say("And when it is closed?", [attached])  # no tab: the saved file
            sent = "".join(str(item.body) for item in server.requests[-3:])
            assert "old_source()" in sent
            assert "saved output" in sent
            assert "not_attached()" not in sent


@pytest.mark.anyio
async def test_an_attached_table_is_data_and_nothing_outside_the_folder_is_read(
    play: Any, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "rise.csv").write_text("year,ppm\n2000,369.7\n2001,371.3\n")
    (tmp_path / "private.txt").write_text("not for the mind")
    with play(lambda request: frame(route="direct", answer="ok")) as server:
        async with open_chat(root) as chat:
            table = chat.model.set_attachment(FileAttachment(value="rise.csv"))
            await chat.say("How fast?", [table])
            assert "ppm" in str([item.body for item in server.requests])
            assert "**data** `rise`" in await chat.say("/seen")
            outside = chat.model.set_attachment(FileAttachment(value="../private.txt"))
            said = await chat.say("And this?", [outside])
            assert "lies outside the server's folder" in said
            gone = chat.model.set_attachment(FileAttachment(value="gone.csv"))
            assert "is no file (any more)" in await chat.say("And this?", [gone])
        assert "not for the mind" not in str([item.body for item in server.requests])
