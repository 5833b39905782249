"""Notebook 7: the magics, their panel, proposed cells and the control panel work there too."""

from __future__ import annotations

from collections.abc import Iterator

import nbformat
import pytest
from helpers_browser import Lab, shot
from playwright.sync_api import Page, expect

from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, played: RehearsalServer) -> Iterator[Lab]:
    """Notebook 7 is served by the same server, under /notebooks and /tree."""
    started = Lab(
        tmp_path_factory.mktemp("lab"),
        ollama=played.url,
        options=("--JupyterNotebookApp.expose_app_in_browser=True",),
    )
    started.start()
    yield started
    started.stop()


def open_in_notebook_7(page: Page, lab: Lab, name: str, *sources: str) -> None:
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(made, lab.root / f"{name}.ipynb")
    page.goto(f"{lab.url}/notebooks/{name}.ipynb?token={lab.token}", wait_until="domcontentloaded")
    page.locator("body[data-notebook='notebooks']").wait_for(state="attached")
    page.wait_for_function(
        "() => window.manyhandsLab && window.jupyterapp && window.jupyterapp.shell.currentWidget",
        timeout=60_000,
    )
    page.evaluate(
        """async () => {
          const panel = window.jupyterapp.shell.currentWidget;
          await panel.context.ready;
          await panel.sessionContext.ready;
          await panel.sessionContext.session.kernel.info;
        }"""
    )  # what is run before its kernel is there is dropped
    page.locator(".jp-Notebook .jp-Cell").nth(len(sources) - 1).wait_for()


def run_cells(page: Page, count: int) -> None:
    page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
    for _ in range(count):
        page.keyboard.press("Shift+Enter")


def test_a_cell_asks_and_its_proposal_runs_after_a_yes_and_is_undone(page: Page, lab: Lab) -> None:
    open_in_notebook_7(page, lab, "asks", "%load_ext manyhands", "6 / 0", "%mind explain")
    run_cells(page, 2)
    page.locator(".jp-OutputArea-output", has_text="ZeroDivisionError").wait_for()
    page.keyboard.press("Control+Enter")
    panel = page.locator(".mh-panel")
    expect(panel).to_contain_text("Divide by a count", timeout=60_000)
    proposal = panel.locator(".mh-cell")
    proposal.get_by_role("button", name="Run").click()
    panel.locator(".mh-ask").wait_for()
    cells = page.locator(".jp-Notebook .jp-Cell")
    assert cells.count() == 3  # nothing before the yes
    panel.get_by_role("button", name="Allow once").click()
    expect(cells).to_have_count(4)
    expect(cells.last.locator(".jp-OutputArea-output")).to_contain_text("2.0")
    proposal.locator(".mh-cell-state.mh-good").wait_for()
    shot(page, "notebook-7")
    page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").last.click()
    page.keyboard.press("Escape")
    page.keyboard.press("z")
    expect(cells).to_have_count(3)


def test_stop_and_the_control_panel_work(page: Page, lab: Lab) -> None:
    open_in_notebook_7(
        page, lab, "stops", "%load_ext manyhands", "%mind work slowly", "%mind panel"
    )
    run_cells(page, 1)
    page.keyboard.press("Control+Enter")
    page.locator(".mh-panel", has_text="thinking").wait_for(timeout=60_000)
    page.locator(".mh-panel").get_by_role("button", name="Stop").click()
    page.locator(".mh-panel", has_text="Stopped.").wait_for()
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-Notebook .jp-Cell .cm-content").last.click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("list", name="Running")).to_contain_text("this kernel: nothing runs")
    expect(page.get_by_role("list", name="Running")).to_contain_text("stopped")
    page.locator(".mh-control .widget-toggle-button", has_text="Models").click()
    expect(page.get_by_role("list", name="Models")).to_contain_text("What fits", timeout=60_000)
    shot(page, "notebook-7-control")
