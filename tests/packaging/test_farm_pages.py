"""The farm's pages hold: their settings load, their commands run, their sums are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.main import cli
from manyhands.engines.fit.arithmetic import GB, load_s, need_of
from manyhands.engines.fit.known import known_shape
from manyhands.settings import HostKind, load_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{page}-{at}")
    for page in ("farm.md", "engines.md")
    for at, block in enumerate(re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(), re.S))
]
FARM = (DOCS / "farm.md").read_text()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_settings_of_each_step_load(block: str, tmp_path: Path) -> None:
    hosts = {name for row in re.findall(r"hosts = \[(.*?)\]", block) for name in _names(row)}
    missing = [name for name in hosts if f"[hosts.{name}]" not in block and name != "local"]
    (tmp_path / "config.toml").write_text(
        block + "".join(f'\n[hosts.{name}]\nurl = "http://{name}:8000"\n' for name in missing)
    )
    settings = load_settings(tmp_path / "config.toml", env={})
    assert len(settings.hosts) > 1
    for host in settings.hosts.values():
        assert host.models == {} or host.kind is HostKind.OPENAI


def _names(row: str) -> list[str]:
    return re.findall(r'"([^"]+)"', row)


def test_its_fit_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MANYHANDS_HOSTS__LOCAL__URL", "http://127.0.0.1:9")
    (tmp_path / "config.toml").touch()
    commands = re.findall(r"manyhands (doctor --fit[^`\n]*)", FARM)
    assert len(commands) >= 2
    for words in commands:
        done = CliRunner().invoke(cli, words.split())
        assert done.exit_code == 0, (words, done.output)


@pytest.mark.parametrize("model", ["llama3.3:70b", "qwen3:235b-a22b", "qwen3:30b-a3b"])
def test_the_bytes_of_a_token_are_those_that_doctor_counts(model: str) -> None:
    window = need_of(known_shape(model), 16_384).cache
    assert f"= {window // 16_384:,} | {window / GB:.1f} GB" in FARM


def test_the_windows_and_loads_are_what_their_sums_say() -> None:
    rows = re.findall(r"\| (\d) x 80 GB \| (\d+)B, \d bits, (\d+) GB \| (\d+) GB \| (\d+) \|", FARM)
    assert len(rows) == 4
    names = {"70": "llama3.3:70b", "235": "qwen3:235b-a22b"}
    for cards, model, weights, left, windows in rows:
        free = int(cards) * 80 * 0.9 - int(weights)
        assert round(free) == int(left)
        assert int(free * GB // need_of(known_shape(names[model]), 16_384).cache) == int(windows)
    assert round(load_s(known_shape("llama3.3:70b"), 3.0)) == 17
    assert round(load_s(known_shape("qwen3:235b"), 3.0)) == 50
