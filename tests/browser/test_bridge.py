"""`window.manyhandsLab`: cells are inserted, replaced and run in the open notebook, undoably."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers_browser import Lab, open_lab, open_notebook, shot
from playwright.sync_api import Error, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page: Page, lab: Lab, notebook: Path) -> Page:
    open_lab(page, lab)
    open_notebook(page, notebook.name)
    return page


def call(page: Page, name: str, **arguments: Any) -> dict[str, Any]:
    told: dict[str, Any] = page.evaluate(
        "([name, given]) => window.manyhandsLab[name](given)", [name, arguments]
    )
    return told


def sources(page: Page) -> list[str]:
    told: list[str] = page.evaluate(
        "() => window.panel.content.widgets.map(cell => cell.model.sharedModel.getSource())"
    )
    return told


def undo(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:undo-cell-action')")


def test_a_proposed_cell_is_inserted_and_run_and_taken_back_by_undo(
    opened: Page, notebook: Path
) -> None:
    on_disk = notebook.read_bytes()
    first = opened.evaluate("() => window.panel.content.widgets[0].model.id")
    run = call(opened, "runCell", cellId=first)
    assert run["ok"] is True

    made = call(opened, "insertCell", source="print(x + 1)", where="below", cellId=first)
    assert sources(opened) == ["x = 6", "print(x + 1)", "x * 7"]
    ran = call(opened, "runCell", cellId=made["cellId"])
    assert ran["ok"] is True
    assert ran["outputs"] == [{"type": "stream", "name": "stdout", "text": "7\n"}]
    shot(opened, "bridge-inserted")

    call(opened, "replaceCell", cellId=made["cellId"], source="print(x + 2)")
    assert sources(opened)[1] == "print(x + 2)"
    opened.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
    opened.keyboard.press("Control+z")
    assert sources(opened) == ["x = 6", "print(x + 1)", "x * 7"]
    undo(opened)
    assert sources(opened) == ["x = 6", "x * 7"]
    assert notebook.read_bytes() == on_disk


def test_a_copied_notebook_in_front_is_not_taken_for_the_one_that_was_meant(
    opened: Page, notebook: Path
) -> None:
    first = opened.evaluate("() => window.panel.content.widgets[0].model.id")
    shutil.copy(notebook, notebook.with_name("copy.ipynb"))
    open_notebook(opened, "copy.ipynb")
    assert opened.evaluate("() => window.panel.content.widgets[0].model.id") == first
    ran = call(
        opened, "runProposed", source="print(6)", seconds=60, cellId=first, path=notebook.name
    )
    assert ran["output"] == "6\n"
    assert sources(opened) == ["x = 6", "x * 7"]
    open_notebook(opened, notebook.name)
    assert sources(opened) == ["x = 6", "print(6)", "x * 7"]


def test_a_cell_that_fails_says_so_with_its_traceback(opened: Page) -> None:
    made = call(opened, "insertCell", source="1 / 0", where="above")
    ran = call(opened, "runCell", cellId=made["cellId"])
    assert ran["ok"] is False
    assert ran["outputs"][0]["name"] == "ZeroDivisionError"
    active = call(opened, "activeCell")
    assert active["path"] == "work.ipynb"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("replaceCell", {"cellId": "gone", "source": "x"}, "No open notebook has a cell 'gone'"),
        ("insertCell", {"source": "x", "cellType": "html"}, "There is no cell type 'html'"),
        ("insertCell", {"source": "x", "where": "left"}, "A cell goes 'below' or 'above'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_plain_words(
    opened: Page, name: str, arguments: dict[str, str], said: str
) -> None:
    before = sources(opened)
    with pytest.raises(Error, match=said):
        call(opened, name, **arguments)
    assert sources(opened) == before


def test_without_an_open_notebook_the_bridge_says_what_to_do(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    with pytest.raises(Error, match="No notebook is open"):
        call(page, "insertCell", source="x")
