"""The cells around a question: live outputs, pictures as files, and a budget."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from helpers_notebook import running_kernel
from manyhands_jupyter.context.cells import (
    Cell,
    cells_of,
    cells_text,
    cut,
    keep_in,
    read_notebook,
)

from manyhands.mind.condense import estimate_tokens

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def test_a_ten_megabyte_notebook_costs_less_than_two_thousand_tokens(tmp_path: Path) -> None:
    output = [{"output_type": "stream", "name": "stdout", "text": "row 1\n" * 180_000}]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "source": f"work({n})", "outputs": output}
        for n in range(10)
    ]
    cells[5]["outputs"] = [{"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}]
    path = tmp_path / "large.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert path.stat().st_size > 10_000_000
    text, _ = cells_text(read_notebook(path), 5, 1_600)
    assert estimate_tokens(text) < 2_000
    assert "work(5)" in text
    assert "E: v" in text
    assert "work(4)" in text


def test_neighbours_are_shown_in_the_notebooks_order() -> None:
    cells = [Cell(str(n), "code", f"step({n})") for n in range(9)]
    text, dropped = cells_text(cells, 4, 2_000)
    assert [text.index(f"step({n})") for n in range(9)] == sorted(
        text.index(f"step({n})") for n in range(9)
    )
    assert dropped == 0


def test_pictures_are_files_and_secrets_are_gone(tmp_path: Path) -> None:
    secret = "hf_" + "aB" * 17
    encoded = base64.b64encode(PNG).decode()
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": "a",
                "source": f"login('{secret}')",
                "outputs": [
                    {"output_type": "display_data", "data": {"image/png": encoded}},
                    {"output_type": "stream", "text": [f"logged in with {secret}"]},
                ],
            }
        ]
    }
    text, _ = cells_text(cells_of(notebook), 0, 1_000, keep_in(tmp_path / "pictures"))
    assert secret not in text
    (picture,) = (tmp_path / "pictures").iterdir()
    assert str(picture) in text
    assert picture.read_bytes() == PNG
    assert encoded[:60] not in text


@pytest.mark.parametrize("budget", [0, 1, 30, 400])
def test_what_is_cut_fits_whatever_its_alphabet(budget: int) -> None:
    for text in ("x" * 9_000, "水" * 9_000, "é\n" * 5_000):
        assert estimate_tokens(cut(text, budget)) <= max(budget, 20)


def test_a_broken_notebook_file_is_no_cells(tmp_path: Path) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text('{"cells": [{"source"')
    assert read_notebook(path) == []
    path.write_text('{"cells": [1, {"source": null, "outputs": [null]}]}')
    assert len(read_notebook(path)) == 1


_RECORDER = """
from manyhands_jupyter.context.outputs import Recorder
recorder = Recorder(get_ipython())
recorder.begin()
"""


def test_what_cells_print_show_and_raise_is_kept_as_they_run(tmp_path: Path) -> None:
    with running_kernel(tmp_path) as notebook:
        notebook.run(_RECORDER)
        notebook.run("print('printed'); 40 + 2", cell_id="a")
        notebook.run("import asyncio; await asyncio.sleep(0); print('after an await')", cell_id="b")
        failed = notebook.run("1 / 0", cell_id="c")
        assert "ZeroDivisionError" in failed.error
        notebook.run(
            "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
            cell_id="d",
        )
        notebook.run("print('x' * 1_000_000)", cell_id="e")
        told = notebook.value(
            "{ran.cell_id: (ran.output[:30], ran.error, len(ran.pictures),"
            " len(ran.output) < 20_000)"
            " for ran in recorder.cells() if ran.finished and ran.cell_id}"
        )
        kept = eval(told)
        assert kept["a"][0] == "printed\n42"
        assert kept["b"][0] == "after an await"
        assert kept["c"][1] == "ZeroDivisionError: division by zero"
        assert kept["d"][2] == 1
        assert kept["e"][3]
        assert "1 / 0" in notebook.value("recorder.last_error().traceback")
        notebook.run("x = 1", cell_id="nothing to show")
        notebook.run("6 * 7", cell_id="f")
        assert notebook.value("recorder.last_output().cell_id") == "f"
        notebook.run("recorder.end()")
        assert "quiet" in notebook.run("print('quiet')").text
