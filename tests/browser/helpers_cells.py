"""Cells that ask, in the browser: notebooks, panels, and what the models say to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from helpers_browser import Lab, open_lab, open_notebook
from helpers_chat import frame, reply_of, role_of
from playwright.sync_api import Locator, Page

from manyhands.rehearsal.script import Reply, ScriptedRequest

__all__ = [
    "PREPARE",
    "begun_notebook",
    "panel",
    "reply_in_a_cell",
    "run_and_wait",
    "run_cell",
    "said_by",
    "script",
    "sources",
    "write_notebook",
]

#: What every notebook of these tests begins with.
PREPARE = """\
%load_ext manyhands
import pandas as pd
co2 = pd.DataFrame({"year": [1959, 1969, 1979, 1989], "ppm": [315.98, 324.62, 336.84, 353.20]})"""

_STEP = {
    "id": "rise",
    "hand": "code",
    "task": "The mean yearly rise of ppm between the first and the last year, rounded to two "
    "digits.",
    "entry_point": "yearly_rise",
    "data": ["co2"],
}
_PLAN = frame(route="plan", steps=[_STEP], goal="The mean yearly rise of CO₂")
_PROGRAM = """
def yearly_rise(table):
    years, ppm = table["year"], table["ppm"]
    return round((ppm[-1] - ppm[0]) / (years[-1] - years[0]), 2)
"""
_SECOND = """
def yearly_rise(table):
    rows = sorted(zip(table["year"], table["ppm"]))
    (begin, low), (end, high) = rows[0], rows[-1]
    return round((high - low) / (end - begin), 2)
"""
_TESTS = """
def check(candidate):
    assert candidate({"year": [2000, 2010], "ppm": [300.0, 315.0]}) == 1.5
    assert candidate({"year": [2000, 2001, 2002], "ppm": [300, 300, 300]}) == 0
"""
_ANSWER = (
    "CO₂ rose by **1.24 ppm per year** on average. The function `yearly_rise` divides the whole "
    "rise by the years between the first and the last row.\n\n"
    "- blind tests with straight and flat series passed\n"
    "- it was run on your own `co2`, and can be run here as the cell below"
)
_PLOT = """\
import matplotlib.pyplot as plt

plt.plot(co2["year"], co2["ppm"])
plt.ylabel("CO₂ in ppm")
plt.show()"""
_CHART = """
import matplotlib.pyplot as plt
import pandas as pd

table = pd.read_csv("co2.csv")
fig, ax = plt.subplots()
ax.plot(table["year"], table["ppm"])
ax.set_xlabel("year")
ax.set_ylabel("ppm")
"""
_PROGRAMS = {
    "draw": _PLOT,
    "wait": "import time\n\nprint('begun', flush=True)\ntime.sleep(600)",
    "break the rules": "1 + '1'",
}


def reply_in_a_cell(request: ScriptedRequest) -> Reply | str:
    """What the models say to cells; of what they have no words for, what they say in the chat."""
    role, prompt = role_of(request), request.last
    if role == "framer":
        asked = prompt.rpartition("Question:")[2]
        return _framed(asked) or reply_of(request)
    if role == "illustrator":
        return f"```python\n{_CHART}```\n"
    if "yearly rise" not in prompt:
        return reply_of(request)
    programs = {"tester": _TESTS, "coder": _PROGRAM, "skeptic": _SECOND}
    if role in programs:
        return f"```python\n{programs[role]}```\n"
    return Reply(_ANSWER, pace_s=0.04)


def _framed(asked: str) -> str:
    if "yearly rise" in asked:
        return _PLAN
    if "raised ZeroDivisionError" in asked:
        said = "The count was zero, and nothing can be divided by zero."
        return frame(
            route="direct", answer=f"{said}\n\n```python\ncount = 3\nprint(6 / count)\n```"
        )
    if "of Euler" in asked:
        told = r"It is $e^{i\pi} + 1 = 0$, or \(e^{i\pi} = -1\), for $5 and $6. `$x$` is code."
        return frame(route="direct", answer=told)
    for words, program in _PROGRAMS.items():
        if words in asked:
            return frame(route="direct", answer=f"Run this:\n\n```python\n{program}\n```")
    return ""


def script() -> str:
    """The question about the yearly rise as a script for `%mind rehearse`."""
    rules = [
        ("You are the framer", _PLAN),
        ("You are the tester", f"```python{_TESTS}```"),
        ("You are the coder", f"```python{_PROGRAM}```"),
        ("You are the skeptic", f"```python{_SECOND}```"),
    ]
    told = "\n".join(
        f"[[model.reply]]\nsystem = {json.dumps(system)}\nsay = {json.dumps(say)}"
        for system, say in rules
    )
    return f'[[model]]\nname = "all"\n{told}\n[[model.reply]]\nsay = {json.dumps(_ANSWER)}\n'


def write_notebook(lab: Lab, name: str, *cells: str) -> Path:
    """A notebook in the server's root, with cell ids `cell0`, `cell1`, …"""
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_code_cell(source, id=f"cell{number}") for number, source in enumerate(cells)
    ]
    path = lab.root / name
    nbformat.write(made, path)
    return path


def begun_notebook(page: Page, lab: Lab, name: str, *cells: str) -> Path:
    """A notebook with the magics loaded in its first cell, open in the browser."""
    path = write_notebook(lab, name, PREPARE, *cells)
    open_lab(page, lab)
    open_notebook(page, name)
    run_and_wait(page, 0)
    return path


def run_cell(page: Page, index: int) -> None:
    """Control and Enter in a cell, as a person does; does not wait for its end."""
    cell = page.locator(".jp-Notebook .jp-Cell").nth(index)
    cell.locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")


def run_and_wait(page: Page, index: int) -> dict[str, Any]:
    """Run a cell as its notebook does and wait for its end; the cell with its outputs."""
    ran: dict[str, Any] = page.evaluate(
        """async index => {
          const cell = window.panel.content.widgets[index];
          return window.manyhandsLab.runCell({ cellId: cell.model.id });
        }""",
        index,
    )
    return ran


def said_by(page: Page, index: int) -> str:
    """Run a cell and give back what it printed or raised."""
    return "".join(output["text"] for output in run_and_wait(page, index)["outputs"])


def panel(page: Page, number: int = -1) -> Locator:
    """A panel by its place in the notebook; the last one."""
    found = page.locator(".jp-Notebook .mh-panel")
    return found.last if number < 0 else found.nth(number)


def sources(page: Page) -> list[str]:
    """The texts of all cells."""
    told: list[str] = page.evaluate(
        "() => window.panel.content.widgets.map(cell => cell.model.sharedModel.getSource())"
    )
    return told
