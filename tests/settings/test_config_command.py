"""`manyhands config` shows origins, and its first file is whole, valid and never overwrites."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.commands.config import command
from manyhands.configuration.template import config_text
from manyhands.errors import SettingsError
from manyhands.settings import Profile, load_settings, load_with_origins


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "new folder" / "config.toml"
    monkeypatch.setenv("MANYHANDS_CONFIG", str(path))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    return path


def test_init_writes_a_valid_file_for_the_profile(path: Path) -> None:
    done = CliRunner().invoke(command, ["init", "--profile", "laptop"])
    assert done.exit_code == 0
    assert load_settings(path, {}).profile is Profile.LAPTOP
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


def test_init_keeps_an_existing_file_unless_forced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('profile = "tiny"\n')
    done = CliRunner().invoke(command, ["init"])
    assert isinstance(done.exception, SettingsError)
    assert "--force" in done.exception.hint
    assert path.read_text() == 'profile = "tiny"\n'
    assert CliRunner().invoke(command, ["init", "--force"]).exit_code == 0
    assert load_settings(path, {}).profile is Profile.FULL


@pytest.mark.parametrize("profile", list(Profile))
def test_every_commented_line_is_a_default_that_can_be_uncommented(
    profile: Profile, tmp_path: Path
) -> None:
    lines = []
    for line in config_text(profile).splitlines():
        bare = line.removeprefix("# ")
        setting = bare.startswith("[") or (" = " in bare and bare.split(" = ")[0].isidentifier())
        lines.append(bare if setting else "")
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines))
    assert tomllib.loads(path.read_text())["budgets"]
    untouched = tmp_path / "untouched.toml"
    untouched.write_text(config_text(profile))
    assert load_settings(path, {}) == load_settings(untouched, {})
    assert load_with_origins(path, {}).origins["routing.escalate"].startswith("config.toml:")


def test_show_json_gives_values_and_origins(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    path.write_text("[budgets]\ntokens = 7\n")
    monkeypatch.setenv("MANYHANDS_BUDGETS__STEPS", "2")
    shown = json.loads(CliRunner().invoke(command, ["show", "--json"]).output)
    assert shown["settings"]["budgets"]["tokens"] == 7
    assert shown["origins"]["budgets.tokens"] == "config.toml:2"
    assert shown["origins"]["budgets.steps"] == "MANYHANDS_BUDGETS__STEPS"


def test_show_prints_one_line_for_each_value(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("")
    output = CliRunner().invoke(command, ["show"]).output
    for key in load_with_origins(path, {}).origins:
        assert sum(line.startswith(f"{key} ") for line in output.splitlines()) == 1


def test_path_needs_no_file(path: Path) -> None:
    assert CliRunner().invoke(command, ["path"]).output.strip() == str(path)
