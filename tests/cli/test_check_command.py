"""A check can be run by hand, and one of a former run repeated from its id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.subject import Criterion
from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.cli.main import cli
from manyhands.data_files import data_path
from manyhands.errors import InputError
from manyhands.hands.contracts import HandResult
from manyhands.journal.events import Event, Note, StepDone
from manyhands.journal.store import Journal
from manyhands.mind.checked import journal_check
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "settings.toml").touch()
    env = {
        "MANYHANDS_CONFIG": str(tmp_path / "settings.toml"),
        "MANYHANDS_JOURNAL__PATH": str(tmp_path / "journal.db"),
    }
    return lambda *args, said="": CliRunner(env=env).invoke(cli, args, input=said)


@pytest.mark.parametrize(
    ("value", "code", "verdict"),
    [("2*x", 0, "supported"), ("3*x", 1, "refuted"), ("2*x)(", 10, "undetermined")],
)
def test_a_case_from_a_pipe(
    run: Callable[..., Result], value: str, code: int, verdict: str
) -> None:
    case = {"kind": "derivative", "f": "x**2", "df": value, "var": "x"}
    done = run("check", "run", "-", "--json", said=json.dumps(case))
    assert done.exit_code == code, done.output
    assert json.loads(done.output)["verdict"] == verdict


@pytest.mark.parametrize("said", ["no json", "[]", "{}"])
def test_what_is_no_case_is_said(run: Callable[..., Result], said: str) -> None:
    done = run("check", "run", "-", said=said)
    assert done.exit_code != 0
    assert "no check" in str(done.exception)


def test_every_check_of_a_run_can_be_repeated(
    run: Callable[..., Result], tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    csv = data_path("examples") / f"{DATA}.csv"
    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        answer = Mind(rehearsed, roles=ROLES, simulated=True).ask_sync(QUESTION, data={DATA: csv})
    ids = {
        (step.id, check.name): str(check.detail["rerun"])
        for step in answer.steps
        for check in step.result.evidence
        if "rerun" in check.detail
    }
    assert {name for _, name in ids} == {
        "blind_tests",
        "derivative_check",
        "figure_facts",
        "two_programs_agree",
    }
    for (step, name), check_id in ids.items():
        done = run("check", "rerun", check_id)
        assert done.exit_code == (1 if step == "steady" else 0), (name, done.output)


TABLE = "region,units\nNorth,3\nSouth,5\n"
CLAIM = 'def claim(df):\n    """The units sum to 8."""\n    return bool(df["units"].sum() == 8)\n'


def claimed(run: Callable[..., Result], folder: Path) -> tuple[Path, str]:
    """A claim that its table bears out: the table, and the id that repeats the check."""
    table = folder / "units sold.csv"
    table.write_text(TABLE)
    (folder / "claim.py").write_text(CLAIM)
    done = run("check", "file", str(folder / "claim.py"), "--data", str(table), "--json")
    assert done.exit_code == 0, done.output
    return table, json.loads(done.output)["criteria"][-1]["rerun"]


def test_a_check_of_a_file_is_journalled_and_told_how_to_repeat(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "p.py").write_text(CLAIM)
    (tmp_path / "t.csv").write_text(TABLE)
    done = run("check", "file", str(tmp_path / "p.py"), "--data", str(tmp_path / "t.csv"))
    reruns = [line.split()[-1] for line in done.output.splitlines() if "check rerun" in line]
    assert len(reruns) == 2, done.output
    assert run("check", "rerun", reruns[1][:20]).exit_code == 0
    (told,) = json.loads(run("runs", "list", "--json").output)
    assert (told["status"], told["question"]) == ("verified", f"check {tmp_path / 'p.py'}")


@pytest.mark.parametrize("fate", ["changed", "gone"])
def test_a_check_is_repeated_on_the_table_as_it_was_and_the_change_is_told(
    run: Callable[..., Result], tmp_path: Path, fate: str
) -> None:
    table, check_id = claimed(run, tmp_path)
    assert json.loads(run("check", "rerun", check_id, "--json").output)["notes"] == []
    then = hashlib.sha256(table.read_bytes()).hexdigest()
    if fate == "changed":
        table.write_text(TABLE + "West,100\n")
    else:
        table.unlink()
    done = run("check", "rerun", check_id)
    assert done.exit_code == 0, done.output
    assert then in done.stderr
    if fate == "changed":
        assert hashlib.sha256(table.read_bytes()).hexdigest() in done.stderr


def test_without_a_kept_copy_a_changed_table_is_not_judged(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyhands.checks.tables.KEPT_BYTES", len(TABLE) - 1)
    table, check_id = claimed(run, tmp_path)
    assert run("check", "rerun", check_id).exit_code == 0
    table.write_text(TABLE + "West,100\n")
    done = run("check", "rerun", check_id)
    now = hashlib.sha256(table.read_bytes()).hexdigest()
    assert isinstance(done.exception, InputError)
    for part in (hashlib.sha256(TABLE.encode()).hexdigest(), now, "has changed"):
        assert part in str(done.exception)


def test_an_unknown_id_is_said(run: Callable[..., Result]) -> None:
    assert "No artifact" in str(run("check", "rerun", "sha256:none").exception)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 10),
        ("# nothing yet\n", 10),
        ("def f(x):\n    return x\n", 10),
        ('def f(x):\n    """Doubles.\n\n    >>> f(2)\n    4\n    """\n    return 2 * x\n', 0),
        ('def f(x):\n    """Doubles.\n\n    >>> f(2)\n    5\n    """\n    return 2 * x\n', 1),
    ],
)
def test_a_file_is_supported_only_by_what_says_that_it_is_right(
    run: Callable[..., Result], tmp_path: Path, program: str, code: int
) -> None:
    (tmp_path / "p.py").write_text(program)
    done = run("check", "file", str(tmp_path / "p.py"))
    assert done.exit_code == code, done.output


def test_no_exported_file_takes_the_place_of_another(
    run: Callable[..., Result], tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    csv = data_path("examples") / f"{DATA}.csv"
    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True)
        answer = mind.ask_sync(QUESTION, data={DATA: csv})
        with mind.journal() as journal:
            contents = {content for _, content in journal.artifacts_of(answer.run_id)}
    folder = tmp_path / "files"
    assert run("runs", "export", answer.run_id, "--artifacts", str(folder)).exit_code == 0
    assert {path.read_bytes() for path in folder.iterdir()} == contents


FIGURE = {
    "kind": "figure",
    "data": "region,units\nNorth,3\nSouth,5\nNorth,4\n",
    "code": "import pandas as pd\nimport matplotlib.pyplot as plt\n"
    "s = pd.read_csv('data.csv').groupby('region')['units'].mean()\n"
    "fig, ax = plt.subplots()\nax.bar(s.index, s.values)\n",
    "expect": {"chart": "bar", "x": "region", "y": "units", "agg": "sum"},
}


def test_a_figure_is_shown_to_the_vision_model_and_the_checks_alone_decide(
    tmp_path: Path, run: Callable[..., Result], settings_in: Callable[[Path], Settings]
) -> None:
    seen: list[ScriptedRequest] = []

    def reply(request: ScriptedRequest) -> str:
        seen.append(request)
        return json.dumps({"sees": "Two bars.", "verdict": "ok", "problems": []})

    (tmp_path / "case.json").write_text(json.dumps(FIGURE))
    with running_server([ScriptedModel("eye", reply, capabilities=("completion", "vision"))]) as at:
        (tmp_path / "settings.toml").write_text(
            f'[hosts.local]\nurl = "{at.url}"\n[tiers.vision]\nmodel = "eye"\n'
        )
        done = run("check", "file", str(tmp_path / "case.json"))
    # It shows the mean where the sum was wanted.
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done
    lines = done.output.splitlines()
    assert "reviewed: eye, an opinion: finds nothing wrong with it (sees: Two bars)" in lines
    assert lines[-1] == "refuted as a whole"
    (request,) = seen
    with Journal.open(tmp_path / "journal.db") as journal:
        (told,) = journal.runs(limit=1)
        events = journal.events(told.id)
    (step,) = [event.body for event in events if isinstance(event.body, StepDone)]
    (attempt,) = HandResult.model_validate(step.result).attempts
    assert [check.kind for check in attempt.checks] == ["machine", "opinion"]
    (picture,) = attempt.artifacts
    assert picture.id == f"sha256:{request.images[0].sha256}"
    assert '"agg": "sum"' in request.last


@pytest.mark.anyio
async def test_a_check_is_kept_without_an_opinion_where_nobody_answers(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    with running_server([ScriptedModel("eye")]) as gone:
        url = gone.url
    settings = settings_in(tmp_path)
    local, mind = HostSettings(url=url), settings.tiers["mind"]
    settings = settings.model_copy(
        update={"hosts": {"local": local}, "tiers": {**settings.tiers, "vision": mind}}
    )
    drawn = CheckOutcome(Verdict.REFUTED, "the bars are too high", picture=b"\x89PNG")
    events: list[Event] = []
    found = [Criterion("the figure case", drawn, FIGURE, decides=True)]
    kept = await journal_check(settings, "check a figure", None, found, "test", events.append)
    assert kept.reruns[0].startswith("sha256:")
    assert kept.opinion is None
    (note,) = [event.body for event in events if isinstance(event.body, Note)]
    assert note.text.startswith("no opinion of the picture: ")
    (done,) = [event.body for event in events if isinstance(event.body, StepDone)]
    assert done.status == "refuted"
