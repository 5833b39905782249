"""What `config show` prints can be put into a bug report."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.commands.config import command


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_secrets_of_other_servers_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[mcpServers.tickets]\nurl = "https://u:pw12345678@tickets.example/mcp"\n'
        'headers = {Authorization = "Bearer abcdefghijklmnop", X = "${NAME}"}\n'
    )
    monkeypatch.setenv("MANYHANDS_CONFIG", str(path))
    shown = CliRunner().invoke(command, ["show", *options], catch_exceptions=False).output
    assert "pw12345678" not in shown
    assert "abcdefghijklmnop" not in shown
    assert "tickets.example/mcp" in shown
    assert "${NAME}" in shown
