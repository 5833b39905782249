"""A check can be run by hand, and one of a former run repeated from its id."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.cli.main import cli
from manyhands.data_files import data_path
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

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
