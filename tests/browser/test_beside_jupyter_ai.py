"""Beside Jupyter AI 3.2, which pins mcp 1 and brings its own cards, commands and notebook tools.

All other browser tests run with mcp 2 and without any of these.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from helpers_browser import ROOT, Lab, open_lab, open_notebook, shot
from helpers_chat import ask, last_reply, open_chat, trace_of
from playwright.sync_api import Page, expect

from manyhands.rehearsal.server import RehearsalServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]
UV = shutil.which("uv") or f"{Path(sys.executable).parent}/uv"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with Jupyter AI 3.2 and manyhands."""
    folder = tmp_path_factory.mktemp("line")
    env = {**os.environ, "VIRTUAL_ENV": ""}

    def run(*arguments: str) -> None:
        done = subprocess.run([UV, *arguments], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr

    run("venv", "--python", sys.executable, str(folder / "env"))
    found = str(folder / "env" / "bin" / "python")
    ours = f"manyhands[jupyter] @ {ROOT.as_uri()}"
    run("pip", "install", "--python", found, ours, "jupyter-ai==3.2.*", "jupyterlab>=4.6,<5")
    return found


@pytest.fixture
def lab(tmp_path: Path, played: RehearsalServer, python: str) -> Iterator[Lab]:
    made = Lab(
        tmp_path, ollama=played.url, python=python, options=("--MindPersona.simulated=True",)
    )
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell("1 / 0")]
    nbformat.write(book, made.root / "work.ipynb")
    yield made
    made.stop()


def run_first_cell(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.locator(".jp-OutputArea-output", has_text="ZeroDivisionError").first.wait_for()


def test_the_persona_works_with_its_cards_and_its_command_menu(page: Page, lab: Lab) -> None:
    lab.start()
    open_lab(page, lab)
    open_notebook(page, "work.ipynb")
    open_chat(page, "talk")
    run_first_cell(page)
    ask(page, "Explain this error")
    last_reply(page, "The active cell fails with ZeroDivisionError: division by zero")

    ask(page, "please save a program")
    page.get_by_role("button", name="Allow once").click()
    last_reply(page, "save_file done")
    card = page.locator(".jp-jupyter-ai-acp-client-tool-call")
    expect(card.last).to_contain_text("code: The sum of a list.")
    expect(trace_of(page)).to_contain_text("verified")

    box = page.locator(".jp-chat-input-container textarea").first
    box.click()
    box.type("/coun")
    page.get_by_role("option").filter(has_text="/council").first.wait_for()
    shot(page, "beside-jupyter-ai")


def test_without_our_lab_extension_the_active_cell_comes_by_jupyter_ais_commands(
    page: Page, lab: Lab
) -> None:
    lab.disable_our_extension()
    lab.start()
    open_lab(page, lab, with_ours=False)
    open_notebook(page, "work.ipynb")
    open_chat(page, "talk")
    page.evaluate("() => window.jupyterapp.shell.activateById(window.panel.id)")
    run_first_cell(page)
    ask(page, "Explain this error")
    last_reply(page, "The active cell fails with ZeroDivisionError: division by zero")
    assert page.locator(".mh-trace").count() == 0
    shot(page, "beside-jupyter-ai-without-ours")
