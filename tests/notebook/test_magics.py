"""`%mind` in real kernels: asks, waits or returns at once, stops, goes on, and says what it saw."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_locks import another_writer
from helpers_notebook import Notebook, environment, running_kernel, script
from manyhands_jupyter.magics.single import FORMS, hand_words, step_of
from manyhands_jupyter.magics.words import SUBCOMMANDS

from manyhands.journal.store import Journal

TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("magics")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Notebook]:
    with running_kernel(folder) as notebook:
        assert not notebook.run("%load_ext manyhands").error
        said = notebook.run(f"%mind rehearse {script()}")
        assert "the models are scripted" in said.text
        yield notebook


@pytest.fixture
def notebook(kernel: Notebook) -> Notebook:
    kernel.run("%mind new")
    return kernel


def test_a_cell_without_a_person_waits_and_prints_the_trace_and_the_answer(
    notebook: Notebook,
) -> None:
    shown = notebook.run("%%mind --no-context\nhello\nthere")
    assert not shown.error
    assert "? hello there" in " ".join(shown.text.split())
    assert "Hello from a script." in shown.text
    assert "the models were scripted" in shown.text
    assert not shown.comms


def test_an_interactive_cell_ends_at_once_and_its_panel_goes_on(notebook: Notebook) -> None:
    sent = notebook.send("%mind slowly", stdin=True)
    shown = notebook.wait(sent)
    assert shown.panel["tree"]["state"] == "running"
    assert not shown.panel["ended"]
    assert notebook.value("6 * 7") == "42"
    notebook.until(sent, "It took its time.")
    notebook.until(sent, "'ended': True")
    assert shown.panel["tree"]["status"] == "unverified"
    assert "It took its time." in notebook.until(sent, "run run_").updates[-1]["text/plain"]
    assert notebook.value("_mind.text") == "It took its time."


def test_with_a_name_the_answer_is_an_object(notebook: Notebook) -> None:
    shown = notebook.run("%mind --to found hello", stdin=True)
    assert shown.panel["ended"]
    assert notebook.value("found.text, str(found.status), found.simulated") == (
        "('Hello from a script.', 'unverified', True)"
    )
    (display,) = notebook.run("found").displays
    assert "Hello from a script." in display["text/plain"]
    assert "text/html" not in display


def test_cells_that_come_in_a_row_wait_for_each_other(notebook: Notebook) -> None:
    first = notebook.send("%mind hello", stdin=True)
    second = notebook.send("print(_mind.tree.question)", stdin=True)
    shown = notebook.wait(first)
    assert shown.panel["ended"]
    assert notebook.wait(second).text.strip() == "hello"


def test_a_failed_cell_is_mended_with_its_traceback_and_a_diff(notebook: Notebook) -> None:
    failing = "x = 0\nprint(1 / x)"
    assert "ZeroDivisionError" in notebook.run(failing, cell_id="failing").error
    notebook.run("%mind fix --to mended")
    seen = notebook.run("%mind see").text
    assert "----> 2 print(1 / x)" in seen
    assert "x: int = 0" in seen
    assert notebook.value("mended.cells[0].replaces") == "failing"
    diff = notebook.value("mended.cells[0].diff")
    assert "-x = 0" in diff
    assert "+x = 1" in diff


def test_nothing_to_fix_is_said(tmp_path: Path) -> None:
    with running_kernel(tmp_path) as fresh:
        fresh.run("%load_ext manyhands")
        assert "No cell of this kernel has failed" in fresh.run("%mind fix").error
        assert "No cell of this kernel has shown" in fresh.run("%mind explain").error


def test_the_last_output_is_explained_and_a_huge_one_costs_little(notebook: Notebook) -> None:
    notebook.run("print('value 7\\n' * 1_300_000)")
    notebook.run("%mind explain")
    seen = notebook.run("%mind see").text
    assert "value 7" in seen
    tokens = int(seen.split("about ")[1].split()[0])
    assert 50 < tokens < 2_000


def test_what_was_sent_is_shown_and_holds_no_secret(notebook: Notebook) -> None:
    notebook.run(f"key = '{TOKEN}'\nprint('logged in with', key)")
    notebook.run(
        "import pandas as pd\n"
        "frame = pd.DataFrame({'co2': [1.5, None], 'password': ['a' * 4, 'b']})"
    )
    notebook.run("%mind what is in @frame, and {nothing}?")
    seen = notebook.run("%mind what did you see?").text
    assert "co2: float64, 1 null" in seen
    assert "what is in `frame`, and {nothing}?" in seen
    assert TOKEN not in seen
    assert "aaaa" not in seen
    assert "[secret removed]" in seen


def test_stop_reaches_a_run_at_once_and_resume_goes_on(notebook: Notebook, folder: Path) -> None:
    sent = notebook.send("%mind slowly", stdin=True)
    notebook.wait(sent)
    shown = notebook.until(sent, "writing")
    begun = time.perf_counter()
    notebook.click(shown, act="stop")
    notebook.until(sent, "Stopped.")
    took = time.perf_counter() - begun
    notebook.until(sent, "'ended': True")
    run_id = shown.panel["tree"]["run_id"]
    assert took < 5.0  # the benchmark measures; this only tells a stop from the run's own end
    assert shown.panel["tree"]["state"] == "stopped"
    with Journal.open(folder / "journal.db") as journal:
        assert journal.run(run_id).state == "stopped"
    assert "It took its time." in notebook.run(f"%mind resume {run_id}").text


def test_stop_reaches_a_run_that_waits_for_another_process_to_write(
    notebook: Notebook, folder: Path
) -> None:
    notebook.run("%mind hello")
    with another_writer(folder / "jobs.db") as writer:
        writer.take()
        sent = notebook.send("%mind slowly", stdin=True)
        notebook.click(notebook.wait(sent), act="stop")
        notebook.until(sent, "Stopped.")
        writer.let_go()
    assert "Hello from a script." in notebook.run("%mind hello").text


def test_an_interrupt_stops_a_waiting_cell_and_the_next_question_works(
    notebook: Notebook,
) -> None:
    sent = notebook.send("%mind --wait slowly")
    notebook.until(sent, "slowly")
    notebook.manager.interrupt_kernel()
    shown = notebook.wait(sent)
    assert "Stopped." in shown.error
    assert "Traceback" not in shown.error
    assert "Hello from a script." in notebook.run("%mind hello").text


def test_a_stream_that_breaks_off_is_told_and_the_next_question_works(
    notebook: Notebook,
) -> None:
    failed = notebook.run("%mind break off")
    assert failed.error
    assert "Traceback" not in failed.error
    assert "Hello from a script." in notebook.run("%mind hello").text


def test_a_hand_works_alone(notebook: Notebook) -> None:
    shown = notebook.run(
        "%%hand math --kind derivative --given f=x**2,var=x --to slope\nthe derivative of x²"
    )
    assert not shown.error
    assert notebook.value("slope.value, str(slope.status)") == "('2*x', 'verified')"
    assert "There is no hand 'paint'" in notebook.run("%%hand paint\nx").error


def test_a_cell_is_verified_with_the_cells_before_it(notebook: Notebook) -> None:
    notebook.run("base = 2")
    notebook.run("nowhere")
    number = int(notebook.value("get_ipython().execution_count"))
    notebook.run('def add(n):\n    """\n    >>> add(1)\n    3\n    """\n    return n + base')
    shown = notebook.run(f"%hand verify --cell {number} --to judged")
    assert not shown.error, shown.error
    told = notebook.value("str(judged.status), judged.value")
    assert "'verified'" in told
    assert "supported: add does what its 1 examples say" in told
    assert "check rerun sha256:" in told
    assert "There was no cell [9999]" in notebook.run("%hand verify --cell 9999").error
    assert "takes no --cell" in notebook.run("%hand code --cell 1").error


def test_a_question_back_is_shown_and_answered_in_the_same_conversation(
    notebook: Notebook,
) -> None:
    shown = notebook.run("%mind ask back")
    assert "The mind asks: Which year?" in shown.text
    notebook.run("%mind --to found 1958")
    first, second = json.loads(
        notebook.value(
            "__import__('json').dumps([_mind.answer.conversation_id, found.answer.conversation_id])"
        )
    )
    assert first == second


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%mind --frob x", "There is no option '--frob'"),
        ("%mind --role", "Option --role needs a value"),
        ("%mind --role nobody hello", "There is no role 'nobody'"),
        ("%mind --to 1x hello", "'1x' is no name for a variable"),
        ("%mind --data nothing hello", "There is neither a variable nor a file 'nothing'"),
        ("%mind --data number hello", "'number' is a int, which is no table"),
        ("%mind trace run_unknown", "No run with id 'run_unknown'"),
        ("%mind rehearse nowhere.toml", "There is no script 'nowhere.toml'"),
        ("%mind limit soon", "'soon' are no seconds"),
        ("%mind allow all", "'all' says nothing about running cells"),
        ("%mind runs many", "'many' is no number"),
        ("%mind roles nobody", "There is no role 'nobody'"),
        ("%%hand math --f x**2\nits slope", FORMS["math"]),
        ("%%hand math --kind slope\nits slope", FORMS["math"]),
        ("%%hand math --given x**2\nits slope", "no list of name=value"),
        ("%%hand visualize --data number\nit", "'number' is a int"),
        ("%hand code --entry f", FORMS["code"]),
        ("%%mind\n\n", "mind QUESTION"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(notebook: Notebook, line: str, said: str) -> None:
    notebook.run("number = 3")
    shown = notebook.run(line)
    assert said in shown.all_text
    assert "Traceback" not in shown.all_text


def test_a_rating_is_kept_with_its_run(notebook: Notebook, folder: Path) -> None:
    sent = notebook.send("%mind hello", stdin=True)
    notebook.wait(sent)
    shown = notebook.until(sent, "'ended': True")
    notebook.click(shown, act="rate", good=False, reason="too short")
    notebook.until(sent, "too short")
    assert shown.panel["tree"]["rating"] == "bad"
    trace = notebook.run("%mind runs 1").text.split()[0]
    with Journal.open(folder / "journal.db") as journal:
        assert journal.events(trace)[-1].body.model_dump()["reason"] == "too short"
    assert "Kept with run" in notebook.run("%mind good after all").text


def test_runs_of_every_door_are_seen_in_every_door(notebook: Notebook, folder: Path) -> None:
    notebook.run("%mind hello")
    run_id = notebook.value("_mind.run_id")
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "runs", "list"],
        env=environment(folder) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run_id in done.stdout
    from manyhands_mcp.replies import Outcome

    from manyhands.jobs.store import JobStore

    store = JobStore.open(folder / "jobs.db")
    newest = store.recent("local")[0]
    store.close()
    assert newest.run_id == run_id
    outcome = Outcome.model_validate(newest.result)
    assert outcome.simulated
    assert outcome.value == "Hello from a script."
    assert "hello" in notebook.run(f"%mind trace {run_id}").text


def test_status_roles_memory_and_help_say_what_there_is(notebook: Notebook) -> None:
    status = notebook.run("%mind status").text
    assert "The models are scripted by" in status
    assert "this kernel: nothing runs" in status
    assert "mathematician" in notebook.run("%mind roles").text
    assert "tier" in notebook.run("%mind roles coder").text
    assert "Nothing is remembered yet" in notebook.run("%mind memory").text
    assert "%%hand" in notebook.run("%mind help").text
    assert "Nothing runs." in notebook.run("%mind stop").text


def test_the_control_panel_shows_without_a_fault(notebook: Notebook) -> None:
    shown = notebook.run("%mind panel")
    assert not shown.error, shown.error
    assert shown.displays, "a widget, or its text where there are none"


def test_the_control_panel_says_of_each_section_what_is_wrong_with_it(tmp_path: Path) -> None:
    with running_kernel(tmp_path) as notebook:
        notebook.run("%load_ext manyhands")
        (tmp_path / "settings.toml").write_text("not = [")
        sent = notebook.send("%mind panel", stdin=True)
        shown = notebook.wait(sent)
        assert not shown.error
        told = str(shown.comms)
        assert "mathematician" in told
        assert "settings.toml" in told


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")


def test_the_page_names_every_command(notebook: Notebook) -> None:
    told = notebook.run("%mind help").text
    for command in SUBCOMMANDS:
        assert f"%mind {command}" in PAGE, command
        assert command in told, command


def test_the_page_shows_how_each_hand_is_called() -> None:
    for name, form in FORMS.items():
        assert f"`{form}`" in PAGE
        called, words = hand_words(form.removeprefix("%%hand "), "the task")
        assert called == name
        assert step_of(name, words, words.text, "", words.data).hand == name


def test_the_example_of_the_page_runs(notebook: Notebook) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    for cell in example.split("\n\n"):
        shown = notebook.run(cell)
        assert not shown.error, (cell, shown.error)


def test_cells_that_are_not_saved_yet_are_seen_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    cells = [
        {"cell_type": "code", "id": name, "source": source, "outputs": []}
        for name, source in (("first", "saved = 1"), ("ask", "%mind hello"), ("last", "far = 9"))
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    with running_kernel(tmp_path, JPY_SESSION_NAME=str(path)) as fresh:
        fresh.run("%load_ext manyhands")
        fresh.run(f"%mind rehearse {script()}")
        fresh.run("saved = 1", cell_id="first")
        fresh.run("print('as yet', 40 + 2)", cell_id="new")
        fresh.run("1 / 0", cell_id="newer")
        for asking in ("ask", "not saved either"):
            fresh.run("%mind hello", cell_id=asking)
            seen = fresh.run("%mind see").text
            assert seen.index("saved = 1") < seen.index("as yet 42") < seen.index("1 / 0"), seen
            assert "far = 9" in seen
            assert "%mind hello" not in seen
        fresh.run("%mind fix --to mended", cell_id="ask")
        assert fresh.value("mended.cells[0].replaces") == "newer"
        seen = fresh.run("%mind see").text
        assert seen.index("as yet 42") < seen.index("1 / 0")
        assert "far = 9" not in seen, "the cell to mend is the last that is shown"


def test_memory_is_added_found_corrected_and_forgotten_from_a_cell(
    notebook: Notebook, folder: Path
) -> None:
    def said(line: str) -> str:
        shown = notebook.run(f"%mind memory {line}")
        return shown.text + shown.error

    assert "tides: remembered" in said("add The tide table is in data/tides.csv --id tides")
    assert "tides.csv" in said("search where is the tide table --words")
    assert "share of the best" in said("why tide table --words")
    assert "tides: changed" in said('edit tides --text "The tide table has moved."')
    assert "has moved" in said("show tides")
    assert "tides" in said("tide table")
    for waits in ("forget tides", "edit tides", "index . --watch", "search", 'add "unclosed'):
        assert "Traceback" not in (fault := said(waits))
        assert fault.strip()
    assert "has moved" in said("show tides")
    said(f"export {folder / 'kept.jsonl'}")
    assert "1 of 1 forgotten" in said("forget tides --yes")
    assert "no memory 'tides'" in said("show tides")
    assert "1 new" in said(f"import {folder / 'kept.jsonl'}")
    assert "fact 1" in said("stats")
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "memory", "show", "tides"],
        env=environment(folder), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "has moved" in done.stdout


def test_without_a_name_runs_and_memories_of_other_projects_are_left_alone(
    notebook: Notebook, folder: Path
) -> None:
    assert notebook.run("%mind break off").error
    assert not notebook.run("%mind memory add The gate opens at nine --id gate").error
    (folder / "elsewhere").mkdir()
    notebook.run("%mind new")
    notebook.run("%cd elsewhere")
    try:
        assert "No run of this project" in notebook.run("%mind resume").error
        assert "Nothing about that is remembered here" in notebook.run("%mind memory gate").text
    finally:
        notebook.run("%cd ..")
    assert "gate opens at nine" in notebook.run("%mind memory gate").text
    resumed = notebook.run("%mind resume")
    assert "break off" in resumed.text
    assert "No run of this project" not in resumed.error
    assert not notebook.run("%mind memory forget gate --yes").error
