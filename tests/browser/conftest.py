"""One browser for the session; one JupyterLab with scripted models for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_browser import CHROMIUM, Lab
from helpers_chat import models
from playwright.sync_api import Browser, Page, expect, sync_playwright

from manyhands.rehearsal.server import RehearsalServer

# An expectation waits for an event; how long is only a matter of how busy the machine is.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of each module: its event loop must be gone when other tests need their own."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsalServer]:
    with models(tmp_path_factory.mktemp("models")) as server:
        yield server


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose model server is not there."""
    started = Lab(tmp_path_factory.mktemp("lab"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def notebook(lab: Lab) -> Path:
    """A notebook with two cells, in the server's root."""
    import nbformat

    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell("x = 6"), nbformat.v4.new_code_cell("x * 7")]
    path = lab.root / "work.ipynb"
    nbformat.write(made, path)
    return path
