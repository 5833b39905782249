"""What models and tools say is text in the terminal: nothing of it is lost, nothing is obeyed."""

from __future__ import annotations

import json
import re

from helpers_cli import Stage, direct

_OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor of the terminal's own library


def test_angle_brackets_of_an_answer_are_shown(stage: Stage) -> None:
    said = "Use std::vector<int> and Map<String, List<T>>, if a<b and c>d."
    stage.say = lambda request: direct(said)
    shown = " ".join(stage.run("ask", "Which types?").stdout.replace("│", "").split())
    assert said in shown


def test_a_model_writes_neither_to_the_title_nor_to_the_clipboard(stage: Stage) -> None:
    goal = "g \x1b]0;PWNED\x07 \x1b[2J \u202egnp"
    answer = "hi \x1b]52;c;ZXZpbA==\x07 \x1b[31mred"
    stage.say = lambda request: json.dumps({"goal": goal, "route": "direct", "answer": answer})
    told = stage.run("ask", "Hi \x1b]0;MINE\x07").stdout
    (run,) = json.loads(stage.run("runs", "list", "--json").stdout)
    told += stage.run("runs", "show", run["id"]).stdout
    told += stage.run("runs", "list").stdout
    told += stage.run("chat", "--list").stdout
    told += stage.run("chat", "--resume", said="/quit\n").stdout
    assert "hi" in told
    assert not {"\x1b", "\x07", "\u202e"} & set(told)
    assert not any(word in told for word in ("PWNED", "MINE", "ZXZpbA"))
    page = stage.folder / "page.html"
    stage.run("runs", "show", run["id"], "--html", str(page))
    assert "\x1b" not in page.read_text()


def test_what_is_to_be_approved_cannot_repaint_the_question(stage: Stage) -> None:
    text = "the tide table\x1b[2J\x1b]0;PWNED\x07 is in a.csv"
    stage.say = lambda request: json.dumps(
        {
            "goal": "g",
            "route": "direct",
            "answer": "Kept.",
            "effects": [{"tool": "remember", "text": text}],
        }
    )
    stage.env["MANYHANDS_APPROVALS__REMEMBER"] = "ask"
    shown = stage.at_terminal(["ask", "Remember it"], [("Allow this?", "no\n")])
    asked = shown[shown.index("asked because") :]
    assert "the tide table is in a.csv" in asked
    assert "PWNED" not in asked
    assert "\x1b[2J" not in asked
    assert "\x1b" not in _OWN.sub("", asked)
