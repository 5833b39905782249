"""The demo on scripted models and on a server; the evaluation and its reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from manyhands.cli.demo_models import say
from manyhands.rehearsal.script import Reply, ReplyFn, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import load_settings

PROMPTS = {name: role.prompt for name, role in load_roles().items()}
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path, **env: str) -> dict[str, str]:
    (folder / "config.toml").touch()
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", str(folder)),
        "MANYHANDS_CONFIG": str(folder / "config.toml"),
        "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
        "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
        "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        "MANYHANDS_SERVE__FOLDER": str(folder / "runtime"),
        "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
        **env,
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "manyhands", *args],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
            env=environment(tmp_path, **env),
        )

    return run


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[ReplyFn], str]]:
    from contextlib import ExitStack

    (tmp_path / "config.toml").touch()
    tiers = load_settings(tmp_path / "config.toml", env={}).tiers.values()
    with ExitStack() as stack:

        def serve(reply: ReplyFn) -> str:
            models = [ScriptedModel(name=tier.model, reply=reply) for tier in tiers]
            return stack.enter_context(running_server(models)).url

        yield serve


def test_the_demo_prints_one_json_object_with_all_it_promises(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["answer"]["status"] == "verified"
    assert report["simulated"] is True
    assert {claim["status"] for claim in report["claims"]} == {"verified", "refuted"}
    failed_first = [
        step
        for step in report["steps"]
        if any(check["passed"] is False for check in step["attempts"][0]["checks"])
    ]
    assert failed_first
    for step in report["steps"]:
        accepted = step["attempts"][step["accepted"] - 1]
        assert all(check["passed"] is not False for check in accepted["checks"])
        assert all(check["evidence"] for check in accepted["checks"])
    assert Path(report["figure"]).read_bytes().startswith(b"\x89PNG")
    assert report["usage"]["calls"] > 0
    assert "scripted" in done.stderr


def test_the_demos_notebook_is_executed_and_opens(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--json", "--out", "there")
    report = json.loads(done.stdout)
    book = nbformat.read(report["notebook"], as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    (numbers,) = code[1].outputs
    rates = next(step for step in report["steps"] if step["id"] == "rates")
    assert json.loads(numbers.text) == json.loads(rates["value"])
    assert "image/png" in code[2].outputs[0].data
    assert "scripted" in "".join(cell.source for cell in book.cells)
    assert (tmp_path / "there" / "mauna_loa_co2_monthly.csv").exists(), "its cells can be run again"


def test_the_demo_asks_a_real_server_when_told(run: Run, serve: Callable[[ReplyFn], str]) -> None:
    url = serve(lambda request: say(request, PROMPTS))
    done = run("demo", "--json", "--ollama", url)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["answer"]["status"] == "verified"
    assert report["simulated"] is False
    assert "scripted" not in done.stderr


def test_the_demo_says_where_it_cannot_write(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    done = run("demo", "--out", "taken")
    assert done.returncode == 2
    assert "--out" in done.stderr


ROMAN = """```python
def to_roman(n):
    out = ""
    table = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
             (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
    for value, letters in table:
        while n >= value:
            out, n = out + letters, n - value
    return out
```"""
FRAME = {
    "goal": "g",
    "route": "plan",
    "steps": [{"id": "r", "hand": "code", "task": "to_roman(n)", "entry_point": "to_roman"}],
}


def answering(program: str) -> Callable[[ScriptedRequest], str]:
    def reply(request: ScriptedRequest) -> str:
        system = str(request.messages[0]["content"])
        role = next((name for name, prompt in PROMPTS.items() if prompt == system), "")
        tests = "```python\ndef check(candidate):\n    assert candidate(1) == 'I'\n```"
        texts = {"framer": json.dumps(FRAME), "tester": tests, "coder": program}
        return texts.get(role, "Here it is.")

    return reply


def test_an_evaluation_grades_by_its_own_tests_and_counts_what_was_sold(
    run: Run, serve: Callable[[ReplyFn], str], tmp_path: Path
) -> None:
    right = serve(answering(ROMAN))
    wrong = serve(answering("```python\ndef to_roman(n):\n    return 'I' * n\n```"))
    for name, url in (("right", right), ("wrong", wrong)):
        done = run("eval", "--only", "code-roman", "--out", f"{name}.json", OLLAMA_HOST=url)
        assert done.returncode == 0, done.stderr
    good, bad = (
        json.loads((tmp_path / f"{name}.json").read_text())["rows"][0]
        for name in ("right", "wrong")
    )
    assert (good["right"], good["sold"]) == (True, True)
    assert (bad["right"], bad["sold"]) == (False, True), "its weak tests let it through"
    compared = run("eval", "--compare", "right.json", "wrong.json")
    assert compared.returncode == 0
    assert "code-roman" in compared.stdout


TWO_TASKS = """
[[task]]
id = "first"
kind = "route"
question = "Hello?"
expect = "direct"

[[task]]
id = "second"
kind = "route"
question = "And now?"
expect = "direct"
"""


def test_an_evaluation_that_is_stopped_keeps_what_was_graded(
    run: Run, serve: Callable[[ReplyFn], str], tmp_path: Path
) -> None:
    asked = threading.Event()

    def reply(request: ScriptedRequest) -> str | Reply:
        if "And now?" not in request.last:
            return json.dumps({"goal": "g", "route": "direct", "answer": "Hello."})
        asked.set()
        return Reply("word " * 20_000, pace_s=0.01)

    (tmp_path / "two.toml").write_text(TWO_TASKS, encoding="utf-8")
    (tmp_path / "out.json").write_text("an older report", encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "manyhands", "eval", "--tasks", "two.toml", "--out", "out.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path, OLLAMA_HOST=serve(reply)),
    ) as process:
        assert asked.wait(120)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "out.json.part" in out.replace("\n", "")
    report = json.loads((tmp_path / "out.json.part").read_text())
    assert [(row["id"], row["right"]) for row in report["rows"]] == [("first", True)]
    assert (tmp_path / "out.json").read_text() == "an older report"
    again = run("eval", "--only", "nosuchtask", "--out", "out.json")
    assert again.returncode == 2
    assert "Move it away" in again.stderr
    assert json.loads((tmp_path / "out.json.part").read_text()) == report


def test_a_file_that_is_no_report_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    done = run("eval", "--compare", "a.json", "a.json")
    assert done.returncode == 2
    assert "no report" in done.stderr
