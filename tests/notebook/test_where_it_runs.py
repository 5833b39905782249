"""The magics where less is there: no widgets, no browser, no person, no kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pexpect
import pytest
from helpers_notebook import environment, running_kernel, script

GUARD = str(Path(__file__).with_name("guard"))


@pytest.mark.parametrize("without", ["anywidget", "anywidget,ipywidgets"])
def test_without_widgets_the_answer_is_text_that_changes_in_place(
    tmp_path: Path, without: str
) -> None:
    with running_kernel(tmp_path, PYTHONPATH=GUARD, GUARD_WITHOUT=without) as notebook:
        assert "No module named 'anywidget'" in notebook.run("import anywidget").error
        assert not notebook.run("%load_ext manyhands").error
        notebook.run(f"%mind rehearse {script()}")
        sent = notebook.send("%mind slowly", stdin=True)
        shown = notebook.wait(sent)
        assert "manyhands: begins" in shown.displays[0]["text/plain"]
        assert notebook.value("6 * 7") == "42"  # the cell has ended, its answer goes on
        assert "It took its time." in notebook.until(sent, "the models were scripted").all_text
        assert not shown.comms
        assert shown.updates[-1].keys() == {"text/plain"}
        panel = notebook.run("%mind panel", stdin=True)
        assert not panel.error
        if "ipywidgets" in without:
            assert "pip install '.[jupyter]'" in panel.text
            assert "this kernel: nothing runs" in panel.text


def test_in_a_terminal_it_prints_asks_and_obeys_ctrl_c(tmp_path: Path) -> None:
    arguments = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
    env = environment(tmp_path) | {"COLUMNS": "120", "TERM": "dumb"}
    terminal = pexpect.spawn(
        sys.executable, arguments, env=env, cwd=str(tmp_path), encoding="utf-8", timeout=60
    )
    try:
        for number, line in enumerate(("%load_ext manyhands", f"%mind rehearse {script()}"), 1):
            terminal.expect_exact(f"In [{number}]: ")
            terminal.sendline(line)
        terminal.expect_exact("the models are scripted")
        terminal.expect_exact("In [3]: ")
        terminal.sendline("%mind hello?")
        terminal.expect_exact("Hello from a script.")
        terminal.expect_exact("the models were scripted")
        terminal.expect_exact("In [4]: ")
        terminal.sendline("%mind slowly")
        terminal.expect_exact("? slowly")
        terminal.sendintr()
        terminal.expect_exact("Stopped. `%mind resume` goes on with it.")
        terminal.expect_exact("In [5]: ")
        terminal.sendline("%mind resume")
        terminal.expect_exact("It took its time.")
        terminal.expect_exact("In [6]: ")
        terminal.sendline("%mind --to found propose")
        terminal.expect_exact("In [7]: ")
        terminal.sendline("found.cells[0].run()")
        terminal.expect_exact("Allow? [y]es")
        terminal.sendline("n")
        terminal.expect_exact("In [8]: ")
        assert "Traceback" not in terminal.before
        terminal.sendline("%mind panel")
        terminal.expect_exact("this kernel: nothing runs")
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)


def converted(folder: Path, *sources: str) -> subprocess.CompletedProcess[str]:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(made, folder / "work.ipynb")
    return subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to=notebook", "--execute", "work.ipynb"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_nbconvert_waits_for_each_answer_and_stops_at_a_fault(tmp_path: Path) -> None:
    load = f"%load_ext manyhands\n%mind rehearse {script()}"
    done = converted(tmp_path, load, "%mind slowly", "print(_mind.text.upper())")
    assert done.returncode == 0, done.stderr
    made = nbformat.read(tmp_path / "work.nbconvert.ipynb", as_version=4)
    asked, after = ("".join(one.text for one in cell.outputs) for cell in made.cells[1:])
    assert "It took its time." in asked
    assert after == "IT TOOK ITS TIME.\n"
    broken = converted(tmp_path, load, "%mind --role nobody hello", "print('not reached')")
    assert broken.returncode != 0
    assert "There is no role 'nobody'" in broken.stderr
