"""A secret that would go to another machine over plain http is named with its setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.configuration.in_clear import sent_in_clear
from manyhands.settings import load_settings

ENV = {"HANDS_SERVER_TOKEN": "t", "GPU_KEY": "k"}


def told(tmp_path: Path, text: str, env: dict[str, str]) -> list[str]:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return sent_in_clear(load_settings(path, env={}), env)


def hands(url: str) -> str:
    return f'[hands]\nserver = "{url}"\n'


def host(url: str) -> str:
    return f'[hosts.gpu]\nurl = "{url}"\nkind = "openai"\napi_key_env = "GPU_KEY"\n'


def other(url: str) -> str:
    return f'[mcpServers.tickets]\nurl = "{url}"\nheaders = {{ Authorization = "Bearer x" }}\n'


@pytest.mark.parametrize(
    ("setting", "key"),
    [(hands, "hands.server"), (host, "hosts.gpu.url"), (other, "mcpServers.tickets.url")],
)
def test_a_secret_for_another_machine_over_http_is_told(
    tmp_path: Path, setting: Callable[[str], str], key: str
) -> None:
    (sentence,) = told(tmp_path, setting("http://gpu-box:8765/mcp"), ENV)
    assert sentence.startswith(f"{key} (http://gpu-box:8765) is plain http")
    assert "Bearer x" not in sentence
    (sentence,) = told(tmp_path, setting("http://gpu-box:8765/mcp?key=k"), ENV)
    assert sentence.startswith(f"{key} (http://gpu-box:8765) is plain http")
    for safe in ("https://gpu-box/mcp", "http://127.0.0.1:8765/mcp", "http://localhost:1/mcp"):
        assert told(tmp_path, setting(safe), ENV) == []
    assert told(tmp_path, setting("http://127.0.0.1.example.org/mcp"), ENV)


@pytest.mark.parametrize("setting", [hands, host])
def test_without_a_secret_nothing_is_told(tmp_path: Path, setting: Callable[[str], str]) -> None:
    assert told(tmp_path, setting("http://gpu-box:8765/mcp"), {}) == []
