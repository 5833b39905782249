"""`manyhands doctor` names each problem with its next command, also when nothing is there."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.commands.doctor import command
from manyhands.cli.commands.setup import command as setup
from manyhands.errors import SettingsError, Unreachable
from manyhands.journal.store import Journal
from manyhands.settings import load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with settings that point to a port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (tmp_path / "config.toml").write_text(
        f'profile = "tiny"\n[hosts.local]\nurl = "127.0.0.1:{port}"\n'
        f'[journal]\npath = "{tmp_path}/journal.db"\n[memory]\npath = "{tmp_path}/memory.db"\n'
    )
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(logging.getLogger("stamina"), "propagate", False)
    return tmp_path


def findings(expected_exit: int) -> dict[str, list[dict[str, str]]]:
    done = CliRunner().invoke(command, ["--json"])
    assert done.exit_code == expected_exit, done.output
    shown = json.loads(done.stdout)
    assert shown["ok"] == (expected_exit == 0)
    by_topic: dict[str, list[dict[str, str]]] = {}
    for one in shown["findings"]:
        by_topic.setdefault(one["topic"], []).append(one)
    return by_topic


def test_a_server_that_is_away_is_a_problem_with_its_command(home: Path) -> None:
    (server,) = findings(1)["server"]
    assert server["mark"] == "problem"
    assert "127.0.0.1" in server["text"]
    assert server["next"].startswith("ollama serve")


def test_a_mistake_in_the_settings_is_a_finding_and_no_traceback(home: Path) -> None:
    (home / "config.toml").write_text('profile = "huge"\n')
    (one,) = findings(1)["settings"]
    assert "config.toml:1" in one["text"]
    assert "full, workstation, laptop, tiny" in one["text"]


def test_a_mistake_in_a_role_is_a_finding_and_the_rest_is_looked_at(home: Path) -> None:
    (home / "roles").mkdir()
    (home / "roles" / "poet.toml").write_text("name = 3\n")
    found = findings(1)
    assert "poet.toml:1" in found["roles"][0]["text"]
    assert found["sandbox"]


def test_stores_that_are_not_written_yet_are_fine_and_stay_unwritten(home: Path) -> None:
    found = findings(1)
    assert found["journal"][0]["mark"] == found["memory"][0]["mark"] == "ok"
    assert not (home / "journal.db").exists()


def test_a_whole_journal_is_told_from_a_damaged_one(home: Path) -> None:
    Journal.open(home / "journal.db").close()
    assert findings(1)["journal"][0]["mark"] == "ok"
    (home / "memory.db").write_bytes(b"this is no database at all" * 100)
    memory = findings(1)["memory"][0]
    assert memory["mark"] == "problem"
    assert memory["next"]
    assert (home / "memory.db").read_bytes().startswith(b"this is no")


def test_the_words_are_readable_without_colour(home: Path) -> None:
    output = CliRunner().invoke(command, [], color=True).output
    assert "\x1b" not in output
    assert "problem  server" in output
    assert "→ ollama serve" in output


def test_setup_without_a_server_says_so_and_writes_no_model(home: Path) -> None:
    done = CliRunner().invoke(setup, ["--yes"])
    assert isinstance(done.exception, Unreachable)
    assert done.exception.hint


def test_setup_does_not_overrule_the_profile_in_the_file(home: Path) -> None:
    done = CliRunner().invoke(setup, ["--profile", "laptop", "--yes"])
    assert isinstance(done.exception, SettingsError)
    assert "config.toml:1 says profile 'tiny'" in done.exception.message
    assert load_settings().profile == "tiny"
