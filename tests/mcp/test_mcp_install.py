"""Installing into IDEs keeps what is there, is the same twice, and can be taken back."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from manyhands_mcp.install import CLIENTS, Change, Done, change, own_command, snippet, state_of

from manyhands.cli.commands.mcp import _NAMES, command
from manyhands.errors import InputError

COMMAND = ["/opt/bin/manyhands", "mcp"]
PLACES = [(name, scope) for name, client in CLIENTS.items() for scope in client.files]
JSON_PLACES = [place for place in PLACES if place[0] != "continue"]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    return {"home": tmp_path / "home", "here": tmp_path / "here"}


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_install_twice_and_uninstall_leave_nothing_but_what_was_there(
    folders: dict[str, Any], name: str, scope: str
) -> None:
    path, done, backup = change(name, scope, Change.INSTALL, COMMAND, **folders)
    assert (done, backup) == (Done.WRITTEN, None)
    written = path.read_bytes()
    assert state_of(name, scope, **folders) == (path, "configured")
    assert change(name, scope, Change.INSTALL, COMMAND, **folders)[1] is Done.NOTHING
    assert path.read_bytes() == written
    assert change(name, scope, Change.UNINSTALL, COMMAND, **folders)[1] is Done.REMOVED
    assert change(name, scope, Change.UNINSTALL, COMMAND, **folders)[1] is Done.NOTHING
    assert not path.exists()


@pytest.mark.parametrize(("name", "scope"), JSON_PLACES)
def test_everything_else_in_the_file_stays(folders: dict[str, Any], name: str, scope: str) -> None:
    client = CLIENTS[name]
    path = client.files[scope].path(folders["home"], folders["here"])
    path.parent.mkdir(parents=True, exist_ok=True)
    other = {"theme": "dark ☾", client.section: {"other": {"command": "x", "env": {"A": "1"}}}}
    before = json.dumps(other, indent=4, ensure_ascii=False) + "\n"
    path.write_text(before, encoding="utf-8")
    path.chmod(0o600)
    _, _, backup = change(name, scope, Change.INSTALL, COMMAND, **folders)
    assert backup is not None
    assert backup.read_text(encoding="utf-8") == before
    now = json.loads(path.read_text(encoding="utf-8"))
    assert now["theme"] == "dark ☾"
    assert now[client.section]["other"] == other[client.section]["other"]  # type: ignore[index]
    assert now[client.section]["manyhands"]["command"] == COMMAND[0]
    assert path.stat().st_mode & 0o777 == 0o600
    change(name, scope, Change.UNINSTALL, COMMAND, **folders)
    assert path.read_text(encoding="utf-8") == before


def test_a_users_own_keys_in_our_entry_stay(folders: dict[str, Any]) -> None:
    path, _, _ = change("cursor", "user", Change.INSTALL, ["/old/manyhands", "mcp"], **folders)
    document = json.loads(path.read_text())
    document["mcpServers"]["manyhands"]["env"] = {"MANYHANDS_PROFILE": "small"}
    path.write_text(json.dumps(document))
    change("cursor", "user", Change.INSTALL, COMMAND, **folders)
    entry = json.loads(path.read_text())["mcpServers"]["manyhands"]
    assert entry == {
        "command": COMMAND[0],
        "args": ["mcp"],
        "env": {"MANYHANDS_PROFILE": "small"},
    }


@pytest.mark.parametrize(
    "text",
    [
        '{\n  // my comment\n  "a": 1\n}',
        '{"a": 1,}',
        "[]",
        '{"a": 1, "a": 2}',
        '{"servers": 7}',
        "{",
    ],
)
def test_a_file_that_is_no_plain_json_is_left_alone(folders: dict[str, Any], text: str) -> None:
    path = folders["here"] / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError):
        change("vscode", "project", Change.INSTALL, COMMAND, **folders)
    assert path.read_text() == text
    assert [one.name for one in path.parent.iterdir()] == ["mcp.json"]


def test_a_linked_file_stays_a_link(folders: dict[str, Any]) -> None:
    real = folders["home"] / "dotfiles.json"
    real.write_text("{}")
    link = folders["home"] / ".cursor" / "mcp.json"
    link.parent.mkdir()
    link.symlink_to(real)
    change("cursor", "user", Change.INSTALL, COMMAND, **folders)
    assert link.is_symlink()
    assert "manyhands" in real.read_text()


def test_each_client_gets_the_limit_that_it_understands() -> None:
    def entry(name: str) -> dict[str, Any]:
        whole = json.loads(snippet(name, COMMAND))
        return dict(whole[CLIENTS[name].section]["manyhands"])

    assert entry("claude-code")["timeout"] == 1_800_000
    assert entry("zed")["timeout"] == 600
    assert entry("vscode")["type"] == "stdio"
    assert "connectionTimeout: 600000" in snippet("continue", COMMAND)


def test_the_command_is_this_installations_own_by_its_whole_path(tmp_path: Path) -> None:
    made = own_command([tmp_path])
    assert Path(made[0]).is_absolute()
    assert made[-3:] == ["mcp", "--data-folder", str(tmp_path.resolve())]


def test_the_command_line_prints_installs_and_tells(
    folders: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(_NAMES) == set(CLIENTS)
    monkeypatch.setenv("HOME", str(folders["home"]))
    monkeypatch.chdir(folders["here"])
    run = CliRunner().invoke
    printed = run(command, ["install", "--client", "claude-code", "--print"])
    assert '"mcpServers"' in printed.output
    assert list(folders["here"].iterdir()) == []
    written = run(command, ["install", "--client", "claude-code"])
    assert "it starts: " in written.output
    assert (folders["here"] / ".mcp.json").exists()
    told = run(command, ["status"])
    assert "configured" in told.output
    assert run(command, ["install", "--client", "nobody"]).exit_code == 2


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_secrets_of_the_file_are_never_readable_by_others_not_even_while_it_is_written(
    folders: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = CLIENTS["claude-code"].files["user"].path(folders["home"], folders["here"])
    path.write_text('{"oauth": "secret"}')
    path.chmod(0o600)
    begun = []
    opened = os.fdopen

    def spy(handle: int, *args: Any, **options: Any) -> Any:
        begun.append(stat.S_IMODE(os.fstat(handle).st_mode))  # nothing is in the file yet
        return opened(handle, *args, **options)

    monkeypatch.setattr(os, "fdopen", spy)
    mask = os.umask(0)
    try:
        _, _, backup = change("claude-code", "user", Change.INSTALL, COMMAND, **folders)
    finally:
        os.umask(mask)
    assert begun == [0o600, 0o600]  # the copy and the new file
    assert backup is not None
    assert backup.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o600


def test_a_link_planted_beside_the_file_is_not_followed(folders: dict[str, Any]) -> None:
    path = CLIENTS["cursor"].files["user"].path(folders["home"], folders["here"])
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    victim = folders["here"] / "victim"
    victim.write_text("mine")
    for name in (f".{path.name}.manyhands-new", f"{path.name}.manyhands-backup"):
        path.with_name(name).symlink_to(victim)
    change("cursor", "user", Change.INSTALL, COMMAND, **folders)
    assert victim.read_text() == "mine"


def test_what_a_user_added_to_continues_file_is_kept_in_a_copy(folders: dict[str, Any]) -> None:
    path, _, _ = change("continue", "user", Change.INSTALL, COMMAND, **folders)
    with path.open("a") as file:
        file.write("    env:\n      KEY: mine\n")
    whole = path.read_text()
    assert state_of("continue", "user", **folders)[1] == "configured"
    _, done, backup = change("continue", "user", Change.UNINSTALL, COMMAND, **folders)
    assert (done, path.exists()) == (Done.REMOVED, False)
    assert backup is not None
    assert backup.read_text() == whole


def test_a_file_of_continues_without_our_entry_is_told_as_not_configured(
    folders: dict[str, Any],
) -> None:
    path = CLIENTS["continue"].files["user"].path(folders["home"], folders["here"])
    path.parent.mkdir(parents=True)
    path.write_text("name: mine\nmcpServers:\n  - name: other\n    command: x\n")
    assert state_of("continue", "user", **folders)[1] == "not configured"
