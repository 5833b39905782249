"""The asking commands as a user runs them: processes, against scripted models."""

from __future__ import annotations

import io
import json
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from helpers_cli import Stage, direct
from rich.console import Console

from manyhands.cli.reviewing import review_at_terminal
from manyhands.mind.frame import Frame, Route
from manyhands.rehearsal.script import Reply, ScriptedRequest
from manyhands.settings import load_settings
from manyhands.trace.terminal import TerminalTrace


def report(done: subprocess.CompletedProcess[str]) -> Mapping[str, object]:
    assert done.returncode == 0, done.stderr
    found: Mapping[str, object] = json.loads(done.stdout)
    return found


def test_an_answer_as_json_says_what_it_is(stage: Stage) -> None:
    answer = report(stage.run("ask", "Is it?", "--json"))
    assert answer["answer"] == {"text": "Yes.", "status": "unverified"}
    assert answer["open_points"] == ["answered directly: nothing was run or checked"]
    assert answer["simulated"] is False
    assert answer["run_id"]


def test_a_budget_that_ends_a_run_says_so_once_and_names_the_step(stage: Stage) -> None:
    step = {"hand": "math", "task": "t", "kind": "derivative"}
    steps = [
        {**step, "id": "first", "given": {"f": "x**2", "var": "x"}},
        {**step, "id": "then", "given": {"f": "x**3", "var": "x"}},
    ]
    plan = json.dumps({"goal": "g", "route": "plan", "steps": steps})
    stage.say = lambda request: plan if "framer" in str(request.messages[0]) else "```\n2*x\n```"

    stage.env["MANYHANDS_MEMORY__ENABLED"] = "false"  # so that both framing calls are the same

    def told_with(tokens: int, code: int, step: str) -> dict[str, Any]:
        stage.env["MANYHANDS_BUDGETS__TOKENS"] = str(tokens)
        done = stage.run("ask", "Work it out", "--json")
        assert done.returncode == code, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["exhausted"] == "tokens"
        assert told["answer"]["text"].startswith(f"Stopped at step {step}. ")
        assert told["answer"]["text"].count("is used up") == 1
        return told

    framed = told_with(1, 5, "first")
    assert framed["answer"]["status"] == "failed"
    assert framed["open_points"] == ["not done: first, then"]
    used = framed["usage"]["prompt_tokens"] + framed["usage"]["completion_tokens"]
    halfway = told_with(used + 1, 0, "then")
    assert halfway["answer"]["status"] == "unverified"
    assert "- first: verified. 2*x" in halfway["answer"]["text"]
    assert halfway["open_points"] == ["not done: then"]


def test_the_question_can_come_on_standard_input(stage: Stage) -> None:
    seen: list[str] = []

    def say(request: ScriptedRequest) -> str:
        seen.append(str(request.messages[-1]["content"]))
        return direct("Read.")

    stage.say = say
    assert stage.run("ask", "-", said="from a pipe").returncode == 0
    assert "from a pipe" in seen[0]


def test_the_trace_names_model_time_and_tokens(stage: Stage) -> None:
    done = stage.run("ask", "Is it?")
    assert done.returncode == 0, done.stderr
    mind = load_settings(stage.folder / "config.toml", env={}).tiers["mind"].model
    assert mind in done.stdout
    assert "token" in done.stdout
    assert " s" in done.stdout


def test_continue_goes_on_with_the_last_conversation(stage: Stage) -> None:
    first = report(stage.run("ask", "My name is Ada.", "--json"))
    seen: list[str] = []

    def say(request: ScriptedRequest) -> str:
        seen.append(str(request.messages[-1]["content"]))
        return direct("Ada.")

    stage.say = say
    second = report(stage.run("ask", "What is my name?", "--continue", "--json"))
    assert second["conversation_id"] == first["conversation_id"]
    assert "My name is Ada." in seen[0]


def test_runs_are_listed_shown_and_exported(stage: Stage) -> None:
    run_id = str(report(stage.run("ask", "Is it?", "--json"))["run_id"])
    assert run_id in stage.run("runs", "list").stdout.replace("\n", "")
    listed = json.loads(stage.run("runs", "list", "--json").stdout)
    assert [run["id"] for run in listed] == [run_id]
    assert "Yes." in stage.run("runs", "show", run_id).stdout
    events = [json.loads(line) for line in stage.run("runs", "export", run_id).stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_an_unknown_run_is_said_with_the_next_command(stage: Stage) -> None:
    done = stage.run("runs", "show", "run-nothing")
    assert done.returncode == 2
    assert "runs list" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_can_be_stopped_before_it_runs(stage: Stage) -> None:
    stage.say = lambda request: json.dumps(
        {
            "goal": "g",
            "route": "plan",
            "steps": [{"id": "a", "hand": "code", "task": "t", "entry_point": "f"}],
        }
    )
    done = stage.run("ask", "Work it out", "--plan", said="stop\n")
    assert "Run this plan?" in done.stdout
    assert "not approved" in done.stdout


def test_nothing_is_drawn_over_the_question_about_a_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = threading.Event()

    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            drawn.set()
            return super().write(text)

    class Person(io.StringIO):
        """Waits for more to be drawn than was there when it was asked."""

        def readline(self, size: int | None = -1, /) -> str:
            drawn.clear()
            assert not drawn.wait(1), "the question was drawn over"
            return super().readline()

    console = Console(file=Screen(), force_terminal=True)
    monkeypatch.setattr(sys, "stdin", Person("what\nrun\n"))
    frame = Frame(goal="g", route=Route.PLAN)
    with TerminalTrace(console):
        assert anyio.run(review_at_terminal(console), frame) == frame


def test_a_plan_that_nobody_answers_for_is_not_run(stage: Stage) -> None:
    step = {"id": "a", "hand": "code", "task": "t", "entry_point": "f"}
    plan = json.dumps({"goal": "g", "route": "plan", "steps": [step]})
    stage.say = lambda request: plan
    done = stage.run("ask", "Work it out", "--plan")
    assert done.returncode == 10, done.stderr
    assert "not approved" in done.stdout
    assert "Traceback" not in done.stderr
    stage.env["EDITOR"] = "true"
    edited = stage.run("ask", "Work it out", "--plan", said="edit\n")
    assert edited.returncode == 10, edited.stderr
    stage.env["EDITOR"] = "no-such-editor"
    edited = stage.run("ask", "Work it out", "--plan", said="edit\n")
    assert "cannot be used" in edited.stdout
    assert "Traceback" not in edited.stderr
    talked = stage.run("chat", "--plan", said="Work it out\n")
    assert talked.returncode == 0, talked.stderr


def test_a_plan_can_be_reviewed_when_its_run_goes_on(stage: Stage) -> None:
    step = {"id": "a", "hand": "code", "task": "t", "entry_point": "f"}
    plan = json.dumps({"goal": "g", "route": "plan", "steps": [step]})
    stage.say = lambda request: plan
    stage.at_terminal(["ask", "Work it out", "--plan"], [("Run this plan?", "\x03")])
    (run,) = json.loads(stage.run("runs", "list", "--json").stdout)
    assert run["state"] == "stopped"
    again = stage.run("runs", "resume", run["id"], "--plan", said="stop\n")
    assert "Run this plan?" in again.stdout
    assert "not approved" in again.stdout


def test_a_run_that_goes_on_asks_again_before_its_effect(stage: Stage) -> None:
    stage.env["MANYHANDS_APPROVALS__REMEMBER"] = "ask"
    kept = [{"tool": "remember", "text": "the tide table is in a.csv"}]
    stage.say = lambda request: json.dumps(
        {"goal": "g", "route": "direct", "answer": "Kept.", "effects": kept}
    )
    assert stage.run("ask", "Remember it").returncode == 6, "nobody can be asked in a pipe"
    shown = stage.at_terminal(["ask", "Remember it"], [("Allow this?", "\x03")])
    assert "Stopped" in shown, "at once, without Enter"
    run, _ = json.loads(stage.run("runs", "list", "--json").stdout)
    assert run["state"] == "stopped"
    shown = stage.at_terminal(["runs", "resume", run["id"]], [("Allow this?", "once\n")])
    assert "remember done" in shown
    assert "tide table" in stage.run("memory", "search", "tide", "--words").stdout


def test_a_chat_is_kept_and_resumed(stage: Stage) -> None:
    done = stage.run("chat", said="Hello\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert "Yes." in done.stdout
    again = stage.run("chat", "--resume", said="/quit\n")
    assert "you: Hello" in again.stdout
    assert "mind: Yes." in again.stdout
    listed = stage.run("chat", "--list").stdout
    assert "Hello" in listed


def test_a_chat_remembers_recalls_and_forgets(stage: Stage) -> None:
    told = stage.run("chat", said="/remember Tides are in a.csv\n/recall tides\n/remember\n/quit\n")
    kept = re.search(r"(fact-\w+): remembered", told.stdout)
    assert kept, told.stdout + told.stderr
    assert "fact · user" in told.stdout
    assert "Say what" in told.stdout
    gone = stage.run("chat", said=f"/forget memory:{kept[1]}\ny\n/recall tides\n/quit\n")
    assert "1 of 1 forgotten" in gone.stdout
    assert "Nothing is remembered about that here" in gone.stdout


def test_a_chat_can_be_forked(stage: Stage) -> None:
    stage.run("chat", said="Hello\n/quit\n")
    forked = stage.run("chat", "--resume", said="/fork\nAnd now?\n/quit\n")
    assert "Going on in" in forked.stdout
    assert len(stage.run("chat", "--list").stdout.splitlines()) == 2


def test_a_fault_in_a_chat_does_not_end_it(stage: Stage) -> None:
    done = stage.run("chat", "--data", "nowhere.csv", said="Hello\n/quit\n")
    assert done.returncode == 0
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("ask", ""), 2, "empty"),
        (("ask", "x", "--role", "nobody"), 2, "nobody"),
        (("ask", "x", "--data", "nowhere.csv"), 2, "nowhere.csv"),
        (("ask", "x", "--conversation", "conv-none"), 2, "conv-none"),
        (("runs", "resume", "run-none"), 2, "run-none"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    stage: Stage, args: tuple[str, ...], code: int, words: str
) -> None:
    done = stage.run(*args)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_no_server_names_the_host_and_what_to_do(stage: Stage) -> None:
    stage.env["OLLAMA_HOST"] = "http://127.0.0.1:9"
    done = stage.run("ask", "x")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_model_comes_with_its_pull_command(stage: Stage) -> None:
    stage.env["MANYHANDS_TIERS__MIND__MODEL"] = "nobody:1b"
    done = stage.run("ask", "x")
    assert done.returncode == 3
    assert "ollama pull nobody:1b" in done.stderr


def test_without_a_sandbox_the_run_ends_with_the_fix_and_can_be_resumed(stage: Stage) -> None:
    step = {"id": "a", "hand": "math", "task": "t", "kind": "derivative"}
    plan = {"goal": "g", "route": "plan", "steps": [{**step, "given": {"f": "x", "var": "x"}}]}

    def say(request: ScriptedRequest) -> str:
        return json.dumps(plan) if request.format else "```\n1\n```"

    stage.say = say
    stage.env["MANYHANDS_SANDBOX__BACKEND"] = "seatbelt"
    done = stage.run("ask", "Differentiate x")
    assert done.returncode == 4, done.stderr
    assert "seatbelt" in done.stderr
    assert "Traceback" not in done.stderr
    (run,) = json.loads(stage.run("runs", "list", "--json").stdout)
    assert run["state"] == "failed"
    del stage.env["MANYHANDS_SANDBOX__BACKEND"]
    again = stage.run("runs", "resume", run["id"], "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["steps"][0]["status"] == "verified"


def test_ctrl_c_stops_the_model_and_leaves_a_run_to_resume(stage: Stage) -> None:
    speaking = threading.Event()

    def say(request: ScriptedRequest) -> Reply:
        speaking.set()
        return Reply("word " * 5000, pace_s=0.05)

    stage.say = say
    child = subprocess.Popen(
        [sys.executable, "-m", "manyhands", "ask", "Talk"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=stage.environment(),
        cwd=stage.folder,
    )
    assert speaking.wait(60)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "runs resume" in out
    (run,) = json.loads(stage.run("runs", "list", "--json").stdout)
    assert run["state"] == "stopped"


def test_a_journal_that_cannot_be_made_is_said(stage: Stage) -> None:
    (stage.folder / "file").touch()
    stage.env["MANYHANDS_JOURNAL__PATH"] = str(stage.folder / "file" / "journal.db")
    done = stage.run("ask", "x")
    assert done.returncode not in (0, 1)
    assert "journal.db" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_up_is_said_and_the_journal_stays_whole(stage: Stage) -> None:
    """A limit on the size of files stands for the full disk: the system refuses the same write."""
    assert stage.run("ask", "x").returncode == 0

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "ask", "y"],
        capture_output=True,
        text=True,
        env=stage.environment(),
        cwd=stage.folder,
        preexec_fn=limit,
    )
    assert done.returncode not in (0, 1)
    assert "Traceback" not in done.stderr
    assert "journal.db" in done.stderr
    states = [run["state"] for run in json.loads(stage.run("runs", "list", "--json").stdout)]
    assert states[-1] == "answered"
    assert states[0] in ("cut", "failed", "stopped")


@pytest.mark.parametrize("command", [("ask", "Hello?"), ("runs", "list"), ("--help",)])
def test_a_reader_that_leaves_early_is_no_crash(stage: Stage, command: tuple[str, ...]) -> None:
    stage.run("ask", "Is it?")
    told = subprocess.Popen(
        [sys.executable, "-m", "manyhands", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=stage.environment(),
        cwd=stage.folder,
    )
    assert told.stdout is not None
    told.stdout.close()
    _, said = told.communicate(timeout=60)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert told.returncode == 1
