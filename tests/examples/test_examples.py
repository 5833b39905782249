"""Every example runs from top to bottom and shows what is committed, apart from times and ids.

`MANYHANDS_UPDATE_EXAMPLES=1 pytest tests/examples` writes the outputs anew.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from helpers_notebook import environment
from nbclient import NotebookClient
from nbformat import NotebookNode

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
#: What may differ from run to run: ids, seconds, and how many tokens a prompt takes.
_CHANGES = re.compile(
    r"run_[a-z0-9]{8,}|\b\d+(?:\.\d+)? s\b|\b\d+ tokens\b|condensed \d+ → \d+ tokens"
)
_MACHINE_PATH = re.compile(r"(?<![\w~.])/(?:tmp|home|root|usr|opt|var|private|Users|work)/")


@pytest.fixture(scope="module", params=NAMES)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[NotebookNode, NotebookNode]:
    """A committed example, and the same run anew in a copy of its folder."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "examples")
    path = EXAMPLES / request.param
    committed = nbformat.read(path, as_version=4)
    anew = nbformat.read(path, as_version=4)
    client = NotebookClient(
        anew,
        timeout=120,
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder / "examples")}},
    )
    client.execute(env=environment(folder))
    anew.metadata.language_info = {"name": "python"}
    for output in outputs(anew):
        for holder in (output, output.get("data", {})):
            for key, value in holder.items():
                if isinstance(value, str) and key != "image/png":
                    # Where a user's settings lie, who has not put them elsewhere.
                    holder[key] = value.replace(str(folder), "~/.config/manyhands")
        if "traceback" in output:
            output.traceback = [
                line.replace(str(folder), "~/.config/manyhands") for line in output.traceback
            ]
    if os.environ.get("MANYHANDS_UPDATE_EXAMPLES"):
        nbformat.write(anew, path)
        committed = anew
    return committed, anew


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def shown(output: NotebookNode) -> list[object]:
    """What a reader sees of an output, without what changes with every run."""
    texts = [output.get("text", ""), *output.get("traceback", ()), output.get("evalue", "")]
    data = output.get("data", {})
    texts += [value for kind, value in sorted(data.items()) if kind.startswith("text/")]
    sizes = [png_size(base64.b64decode(value)) for k, value in data.items() if k == "image/png"]
    return [output.output_type, *(_CHANGES.sub("…", text) for text in texts), *sizes]


def png_size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_an_example_shows_what_is_committed(both: tuple[NotebookNode, NotebookNode]) -> None:
    committed, anew = both
    for before, now in zip(committed.cells, anew.cells, strict=True):
        was = [shown(output) for output in before.get("outputs", ())]
        told = f"{now.source}\n(is that as it should be? MANYHANDS_UPDATE_EXAMPLES=1)"
        assert [shown(output) for output in now.get("outputs", ())] == was, told


def test_an_example_says_that_its_models_were_scripted_and_names_no_machine(
    both: tuple[NotebookNode, NotebookNode],
) -> None:
    committed, _ = both
    told = "\n".join(str(shown(output)) for output in outputs(committed))
    assert "the models were scripted" in told
    assert "**scripted" in "\n".join(cell.source for cell in committed.cells)
    assert not _MACHINE_PATH.search(told)
    assert "ipywidgets" not in told
