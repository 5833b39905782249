"""What a cell that asks costs its user: loading, the first thing to see, Stop, and variables read.

Kernels, notebook page and browser are real; the model is scripted and only thinks until it is
stopped. What is shown and stopped in the kernel is measured at its messages, in the page from the
key that is pressed to the frame that is painted. Beside each stands the cheapest thing of its kind
in the same kernel or page: a cell that displays one word, and a cell with `1`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
from jupyter_client.asynchronous.client import AsyncKernelClient
from manyhands_jupyter.context.remote import RemoteVariables, open_remote

from manyhands.rehearsal.script import Reply, ScriptedModel
from manyhands.rehearsal.server import Exchange, RehearsalServer, running_server
from manyhands.settings import load_settings

_TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(_TESTS / "notebook"), str(_TESTS / "browser")]

from helpers_notebook import Notebook, running_kernel  # noqa: E402

__all__ = ["kernel_figures", "page_figures"]

_LOAD = (
    "import time\nbegun = time.perf_counter()\nget_ipython().run_line_magic('load_ext', {name!r})\n"
    "print(time.perf_counter() - begun)"
)
#: A table of ten million values, two small ones, and a hundred other variables.
_VARIABLES = """
import numpy as np, pandas as pd
large = pd.DataFrame(np.random.default_rng(0).normal(size=(1_000_000, 10))).add_prefix("column")
names = pd.DataFrame({"name": ["ada", None] * 500, "year": range(1000)})
series = names["year"]
for number in range(100):
    globals()[f"value{number}"] = list(range(number))
"""
#: In the page: from Enter to the next frame after something matching is in the active cell.
_PRESS = """
async selector => {
  const node = window.panel.content.activeCell.node;
  const output = () => node.querySelector(`.jp-Cell-outputArea ${selector}`);
  window.found = new Promise(done => {
    addEventListener('keydown', function pressed(event) {
      if (event.key !== 'Enter') return;
      removeEventListener('keydown', pressed, true);
      const begun = performance.now();
      const look = new MutationObserver(() => {
        if (!output() || !output().textContent.trim()) return;
        look.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
      });
      look.observe(node, { childList: true, subtree: true, characterData: true });
    }, true);
  });
}
"""


@contextmanager
def thinking() -> Iterator[RehearsalServer]:
    """A server whose models think for a minute and a half, unless they are stopped."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "settings.toml"
        path.touch()
        tiers = load_settings(path=path, env={}).tiers.values()

    def reply(_: Any) -> Reply:
        return Reply("x", thinking="hm " * 10_000, pace_s=0.01)

    with running_server([ScriptedModel(name=tier.model, reply=reply) for tier in tiers]) as server:
        yield server


def streams(server: RehearsalServer, before: int) -> Exchange:
    """The first chat after `before` requests, once its model has begun to speak."""
    while True:
        for item in server.requests[before:]:
            if item.path == "/api/chat" and item.tokens > 5:
                return item
        time.sleep(0.005)


def closed_ms(exchange: Exchange, begun: float) -> float:
    while exchange.ended is None:
        time.sleep(0.001)
    assert exchange.cancelled
    return 1000 * (exchange.ended - begun)


def kernel_figures(options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of each thing that is measured in a kernel."""
    found: dict[str, list[float]] = {"load_ext": [], "load_ext autoreload": []}
    with tempfile.TemporaryDirectory() as name, thinking() as server:
        folder = Path(name)
        for _ in range(options.starts):
            with running_kernel(folder) as notebook:
                for what, ext in (("load_ext autoreload", "autoreload"), ("load_ext", "manyhands")):
                    said = notebook.run(_LOAD.format(name=ext)).text
                    found[what].append(1000 * float(said))
        serve = {"MANYHANDS_SERVE__FOLDER": name, "MANYHANDS_SERVE__TIMES": f"{name}/loads.db"}
        with running_kernel(folder, server.url, **serve) as notebook:
            notebook.run("%load_ext manyhands")
            notebook.run("from IPython.display import display")
            found |= _asked(notebook, server, options.repeats)
            found |= anyio.run(_read, notebook, options.repeats)
    return found


def _asked(notebook: Notebook, server: RehearsalServer, repeats: int) -> dict[str, list[float]]:
    def shown_ms(code: str) -> tuple[str, float]:
        begun = time.perf_counter()
        sent = notebook.send(code, stdin=True)
        while not notebook._cells[sent].displays:
            notebook._take(10)
        took = 1000 * (time.perf_counter() - begun)
        notebook.wait(sent)
        return sent, took

    found: dict[str, list[float]] = {"kernel: display": [], "kernel: %mind": [], "kernel: Stop": []}
    for number in range(repeats + 1):
        _, plain = shown_ms("display('word')")
        before = len(server.requests)
        sent, ours = shown_ms("%mind How fast does it rise?")
        exchange = streams(server, before)
        begun = time.monotonic()
        notebook.click(notebook._cells[sent], act="stop")
        stop = closed_ms(exchange, begun)
        notebook.until(sent, "'ended': True")
        if number:  # the first question also loads what all need
            for what, took in (("display", plain), ("%mind", ours), ("Stop", stop)):
                found[f"kernel: {what}"].append(took)
    return found


async def _read(notebook: Notebook, repeats: int) -> dict[str, list[float]]:
    notebook.run(_VARIABLES)
    client = AsyncKernelClient()
    client.load_connection_info(notebook.manager.get_connection_info())
    client.start_channels()
    try:
        async with open_remote(client) as remote:
            assert remote.subshell, "this kernel has no subshells"
            idle = await _reads(remote, repeats)
            sent = notebook.send("print('began', flush=True)\nimport time\ntime.sleep(600)")
            notebook.until(sent, "began")
            waits = await _reads(remote, repeats)
            notebook.manager.interrupt_kernel()
            notebook.wait(sent)
            sent = notebook.send("print('began', flush=True)\nwhile True: pass")
            notebook.until(sent, "began")
            computes = await _reads(remote, repeats)
            notebook.manager.interrupt_kernel()
            notebook.wait(sent)
    finally:
        client.stop_channels()
    return {
        "schema, idle": idle,
        "schema, a cell waits": waits,
        "schema, a cell computes": computes,
    }


async def _reads(remote: RemoteVariables, repeats: int) -> list[float]:
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        seen = await remote.read(seconds=30)
        took.append(1000 * (time.perf_counter() - begun))
        assert {"large", "names", "series", "value99"} <= {one.name for one in seen}
    return took


def page_figures(options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds from Enter in a real JupyterLab; empty where there is no browser."""
    from helpers_browser import CHROMIUM, Lab, open_lab, open_notebook
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        return {}
    found: dict[str, list[float]] = {"page: display": [], "page: %mind": [], "page: Stop": []}
    with (
        tempfile.TemporaryDirectory() as name,
        thinking() as server,
        sync_playwright() as playwright,
    ):
        lab = Lab(Path(name), ollama=server.url)
        (lab.root / "work.ipynb").write_text(json.dumps(_notebook()))
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            lab.start()
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            open_lab(page, lab)
            open_notebook(page, "work.ipynb")
            run = "() => window.jupyterapp.commands.execute('notebook:run-cell')"
            page.evaluate(run)

            def pressed_ms(code: str, selector: str) -> float:
                page.evaluate(
                    """code => {
                      window.panel.content.activeCellIndex = 1;
                      const cell = window.panel.content.activeCell;
                      cell.model.clearExecution();
                      cell.outputArea.model.clear();
                      cell.model.sharedModel.setSource(code);
                      window.panel.content.mode = 'edit';
                      cell.editor.focus();
                    }""",
                    code,
                )
                page.evaluate(_PRESS, selector)
                page.keyboard.press("Control+Enter")
                return float(page.evaluate("() => window.found"))

            for number in range(options.repeats + 1):
                plain = pressed_ms("display('word')", "pre")
                before = len(server.requests)
                ours = pressed_ms("%mind How fast does it rise?", ".mh-state")
                exchange = streams(server, before)
                begun = time.monotonic()
                page.evaluate("() => document.querySelector('.mh-stop').click()")
                stop = closed_ms(exchange, begun)
                page.locator(".mh-state", has_text="stopped").wait_for()
                if number:
                    for what, took in (("display", plain), ("%mind", ours), ("Stop", stop)):
                        found[f"page: {what}"].append(took)
        finally:
            browser.close()
            lab.stop()
    return found


def _notebook() -> dict[str, Any]:
    def cell(source: str) -> dict[str, Any]:
        return {
            "cell_type": "code",
            "id": f"c{len(source)}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }

    cells = [cell("%load_ext manyhands\nfrom IPython.display import display"), cell("")]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
