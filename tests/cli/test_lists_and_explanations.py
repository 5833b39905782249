"""Lists are readable when narrow and when piped; an unknown task is told before a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manyhands.cli.commands.learning import command as learning
from manyhands.cli.commands.runs import command as runs
from manyhands.errors import InputError
from manyhands.journal.events import RunStarted
from manyhands.journal.store import Journal
from manyhands.learning.outcomes import Outcome, Outcomes
from manyhands.mind.routes import ladder_of
from manyhands.settings import load_settings

QUESTION = "What is the derivative of x to the power of three, and where is it zero?"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text('profile = "tiny"\n', encoding="utf-8")
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MANYHANDS_JOURNAL__PATH", str(tmp_path / "journal.db"))
    monkeypatch.setenv("MANYHANDS_ROUTING__PATH", str(tmp_path / "learning.db"))
    return tmp_path


def said(result: Result) -> str:
    assert result.exception is None, result.output
    return result.output


@pytest.fixture
def written(home: Path) -> list[str]:
    """Ids of three runs, one of them of `manyhands eval`."""
    ids = ["run_aaaaaaaaaaaaaaaa1", "run_aaaaaaaaaaaaaaaa2", "run_aaaaaaaaaaaaaaaa3"]
    with Journal.open(home / "journal.db") as journal:
        for run_id, door in zip(ids, ("cli", "notebook", "eval"), strict=True):
            started = RunStarted(question=QUESTION, conversation_id="conv_1", door=door)
            journal.begin_run(run_id, "conv_1", started)
    return ids


def test_a_piped_list_has_one_line_for_each_run(written: list[str]) -> None:
    lines = said(CliRunner().invoke(runs, ["list"])).splitlines()
    assert [line.split()[0] for line in lines] == [written[1], written[0]]
    assert all(line.endswith(QUESTION) for line in lines)
    every = said(CliRunner().invoke(runs, ["list", "--all"])).splitlines()
    assert [line.split()[0] for line in every] == written[::-1]


def test_runs_of_eval_take_no_place_of_others(written: list[str]) -> None:
    (line,) = said(CliRunner().invoke(runs, ["list", "--limit", "1"])).splitlines()
    assert line.startswith(written[1])


def test_a_narrow_terminal_cuts_the_question_and_no_id(written: list[str]) -> None:
    narrow = {"FORCE_COLOR": "1", "COLUMNS": "40"}
    lines = said(CliRunner().invoke(runs, ["list"], env=narrow)).splitlines()
    assert [line.split()[0] for line in lines[::2]] == [written[1], written[0]]
    for line in lines[1::2]:
        assert len(line) <= 40
        assert QUESTION.startswith(line.strip().removesuffix("…"))


@pytest.fixture
def learned(home: Path) -> str:
    """Three outcomes of one kind of task, two of which passed; the model that they are of."""
    tier, model = list(ladder_of(load_settings()).items())[-1]
    with Outcomes.open(home / "learning.db") as outcomes:
        outcomes.add(
            Outcome(
                at=0.0, run_id="r", step="s", number=number, task="math:derivative", role="r",
                tier=tier, model=model, passed=number != 1, seconds=2.0, tokens=9,
            )
            for number in (1, 2, 3)
        )  # fmt: skip
    return model


def test_an_explanation_shows_the_outcomes_it_rests_on(learned: str) -> None:
    one_kind = said(CliRunner().invoke(learning, ["explain", "math:derivative"]))
    (seen,) = [line for line in one_kind.splitlines() if f"({learned})" in line]
    assert "2 of 3 passed" in seen
    whole = said(CliRunner().invoke(learning, ["explain", "math"]))
    assert one_kind.splitlines()[0] in whole
    assert "2 of 3 passed" in whole
    assert "math:limit" in whole
    assert "no outcomes" in said(CliRunner().invoke(learning, ["explain", "code"]))


@pytest.mark.parametrize("args", [["explain", "nosuch"], ["reset", "nosuch"]])
def test_an_unknown_task_is_told_with_those_there_are(learned: str, args: list[str]) -> None:
    done = CliRunner().invoke(learning, args)
    assert isinstance(done.exception, InputError)
    assert "math:derivative" in done.exception.hint
    assert "Forget" not in done.output


def test_resetting_math_forgets_every_kind_of_it(learned: str) -> None:
    assert "3 outcomes" in said(CliRunner().invoke(learning, ["reset", "math", "--yes"]))
    assert "Nothing yet" in said(CliRunner().invoke(learning, ["show"]))


def test_nothing_is_asked_where_nothing_was_learned() -> None:
    assert "Forget" not in said(CliRunner().invoke(learning, ["reset"]))
