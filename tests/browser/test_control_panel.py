"""`%mind panel` in a real JupyterLab: what is loaded, what fits, what the doctor says."""

from __future__ import annotations

from collections.abc import Iterator

import nbformat
import pytest
from helpers_browser import Lab, open_lab, open_notebook, shot
from playwright.sync_api import Browser, Page, expect

from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.browser
BUTTON = ".mh-control .widget-toggle-button"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, played: RehearsalServer) -> Iterator[Lab]:
    started = Lab(tmp_path_factory.mktemp("lab"), ollama=played.url)
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_code_cell("%load_ext manyhands\n%mind --wait hello <b>there</b>"),
        nbformat.v4.new_code_cell("%mind panel"),
    ]
    nbformat.write(made, started.root / "work.ipynb")
    started.start()
    yield started
    started.stop()


def open_panel(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    open_notebook(page, "work.ipynb")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".mh-control").wait_for()


def section(page: Page, name: str) -> None:
    page.locator(BUTTON, has_text=name).click()
    page.get_by_role("list", name=name, exact=True).wait_for()


def test_the_panel_says_what_runs_fits_and_is_to_do(page: Page, lab: Lab) -> None:
    open_panel(page, lab)
    running = page.get_by_role("list", name="Running")
    expect(running).to_contain_text("this kernel: nothing runs")
    expect(running).to_contain_text("hello <b>there</b>")  # as text: nothing in it is HTML
    shot(page, "control-running")

    section(page, "Models")
    fits = page.get_by_role("list", name="Models")
    expect(fits).to_contain_text("What fits in", timeout=60_000)
    for tier in ("mind", "expert", "heavy", "embed"):
        expect(fits).to_contain_text(f"{tier} · ")
    shot(page, "control-models")

    section(page, "Roles")
    expect(page.get_by_role("list", name="Roles")).to_contain_text("mathematician")
    section(page, "Memory")
    expect(page.get_by_role("list", name="Memory")).to_contain_text("Nothing is remembered yet")
    page.locator(".mh-control input[type=text]").fill("carbon dioxide")
    page.keyboard.press("Enter")
    page.get_by_role("list", name="Found").wait_for()
    section(page, "Doctor")
    found = page.get_by_role("list", name="Doctor")
    expect(found).to_contain_text("server: local at", timeout=60_000)
    found.locator(".mh-next", has_text="manyhands roles build").wait_for()
    shot(page, "control-doctor")


def test_the_panel_is_readable_in_the_dark_at_400_pixels_and_worked_by_keys(
    browser: Browser, lab: Lab
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    try:
        open_panel(page, lab)
        page.evaluate(
            "() => window.jupyterapp.commands.execute("
            "'apputils:change-theme', { theme: 'JupyterLab Dark' })"
        )
        page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        page.set_viewport_size({"width": 400, "height": 900})
        page.locator(BUTTON, has_text="Running").focus()
        page.keyboard.press("Tab")
        expect(page.locator(BUTTON, has_text="Models")).to_be_focused()
        page.keyboard.press("Enter")
        fits = page.get_by_role("list", name="Models")
        expect(fits).to_contain_text("What fits in", timeout=60_000)
        fits.scroll_into_view_if_needed()
        shot(page, "control-dark-400")
        inner, outer = fits.evaluate("list => [list.scrollWidth, list.clientWidth]")
        assert inner <= outer
        section(page, "Memory")
        field, panel = (
            page.locator(one).first.bounding_box()
            for one in (".mh-control input[type=text]", ".mh-control")
        )
        assert field is not None
        assert panel is not None
        assert field["x"] + field["width"] <= panel["x"] + panel["width"]
    finally:
        context.close()
