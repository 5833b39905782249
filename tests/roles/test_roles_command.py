"""`manyhands roles` lists, shows and starts roles, and names the nearest role for a typo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manyhands.cli.commands.roles import command
from manyhands.errors import InputError, RoleError, SettingsError
from manyhands.roles.loader import load_roles


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text('profile = "tiny"\n')
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(command, list(args))


def test_list_names_each_role_once_with_its_tier() -> None:
    lines = run("list").output.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, role.tier] for name, role in load_roles([]).items()
    ]


def test_list_says_which_roles_are_the_users_own(home: Path) -> None:
    run("new", "poet")
    (own,) = [line for line in run("list").output.splitlines() if "[yours" in line]
    assert own.startswith("poet")
    shown = json.loads(run("list", "--json").output)["roles"]
    assert [one["name"] for one in shown if not one["shipped"]] == ["poet"]


def test_show_prints_the_whole_prompt() -> None:
    assert load_roles([])["tester"].prompt in run("show", "tester").output
    assert json.loads(run("show", "tester", "--json").output)["tier"] == "expert"


def test_a_typo_gets_the_nearest_role() -> None:
    done = run("show", "testr")
    assert isinstance(done.exception, InputError)
    assert "'tester'" in done.exception.hint


def test_a_broken_file_leaves_out_its_role_alone_and_is_named(home: Path) -> None:
    run("new", "poet")
    (home / "roles" / "critic.toml").write_text("x = \n", encoding="utf-8")
    listed = run("list")
    assert "critic" in listed.output
    assert "critic.toml:1" in listed.output
    shown = json.loads(run("list", "--json").output)
    assert list(shown["left_out"]) == ["critic"]
    assert "poet" in [one["name"] for one in shown["roles"]]
    rendered = run("render")
    assert rendered.exit_code == 0
    assert "critic.toml:1" in rendered.output
    asked_for = run("render", "critic")
    assert isinstance(asked_for.exception, RoleError)
    assert "critic.toml:1" in str(asked_for.exception)


def test_a_broken_file_of_a_shipped_role_is_told_to_who_asks_for_the_role(home: Path) -> None:
    (home / "roles").mkdir()
    (home / "roles" / "chair.toml").write_text("x = \n", encoding="utf-8")
    shown = run("show", "chair", "--json")
    assert json.loads(shown.stdout)["prompt"] == load_roles([])["chair"].prompt
    assert "chair.toml:1" in shown.stderr
    assert run("show", "editor").stderr == ""


def test_new_copies_a_role_under_its_own_name_and_never_overwrites(home: Path) -> None:
    assert run("new", "poet", "--like", "editor").exit_code == 0
    assert load_roles()["poet"].prompt == load_roles()["editor"].prompt
    assert load_roles()["poet"].title == "Poet"
    again = run("new", "poet")
    assert isinstance(again.exception, SettingsError)
    assert load_roles()["poet"].tier == "mind"


@pytest.mark.parametrize("name", ["Poet", "a b", "../poet", "1st", ""])
def test_a_name_that_cannot_be_a_file_is_refused(home: Path, name: str) -> None:
    done = run("new", name)
    assert isinstance(done.exception, RoleError)
    assert not (home / "roles").exists()


def test_render_writes_for_the_users_own_tiers(home: Path) -> None:
    assert run("render", "editor").exit_code == 0
    text = (home / "Modelfile" / "editor.Modelfile").read_text()
    assert "FROM qwen3:1.7b\nPARAMETER num_ctx 8192\n" in text
    assert run("render", "editor", "--check").exit_code == 0
    assert run("render", "--check").exit_code == 1


def test_the_shipped_files_are_checked_against_the_full_profile() -> None:
    assert run("render", "--shipped", "--check").exit_code == 0
