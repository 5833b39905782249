"""`manyhands doctor --fit` answers for this machine, another one, every tier or one model."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from rich.console import Console

from manyhands.cli.fitting import fit_report, print_fit
from manyhands.cli.main import cli
from manyhands.engines.fit.arithmetic import GB
from manyhands.engines.fit.machine import Card, Machine
from manyhands.engines.ollama import OllamaEngine
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.schedule.estimates import LoadSample
from manyhands.serve.identity import Identities
from manyhands.serve.times import LoadTimes
from manyhands.settings import load_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text('profile = "workstation"\n')
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MANYHANDS_HOSTS__LOCAL__URL", "http://127.0.0.1:9")
    return tmp_path


def fit(*options: str) -> Any:
    done = CliRunner().invoke(cli, ["doctor", "--fit", *options, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_machine_that_one_does_not_have() -> None:
    told = fit("qwen3:235b", "--vram", "48", "--ram", "256")
    (model,) = told["models"]
    assert model["model"] == "qwen3:235b-a22b"
    assert model["num_ctx"] == 16_384
    assert 0.30 < model["on_gpu"] < 0.35
    assert model["runs"]
    assert model["load_s"] == pytest.approx(49.8, abs=0.1)
    assert told["profile"] == "workstation"
    assert any("computed by the CPU" in remark for remark in told["remarks"])


@pytest.mark.parametrize("terminal", [True, False])
def test_every_title_is_whole_within_80_columns_and_a_pipe_gets_no_padding(terminal: bool) -> None:
    machine = Machine((Card("described", 24 * GB, 0),), 64 * GB, "given")
    report = anyio.run(fit_report, load_settings(), {}, machine)
    out = io.StringIO()
    print_fit(report, Console(file=out, width=80, force_terminal=terminal, color_system=None))
    lines = out.getvalue().splitlines()
    titles = next(line for line in lines if "num_ctx" in line)
    assert " ".join(titles.split()) == "model num_ctx weights cache more total GPU load s"
    if terminal:
        assert max(map(len, lines)) <= 80
    else:
        assert all(line == line.rstrip() for line in lines)
        assert lines[-1].endswith(")"), "a statement is one line"


def test_what_does_not_run_is_said() -> None:
    told = fit("qwen3:235b", "--vram", "48", "--ram", "64")
    assert not told["models"][0]["runs"]
    assert any("does not run here" in remark for remark in told["remarks"])


def test_a_window_that_would_fit_is_named() -> None:
    told = fit("llama3.3:70b", "--vram", "48", "--ram", "64", "--num-ctx", "32768")
    assert told["remarks"][-1] == "llama3.3:70b fits whole with num_ctx = 12288."
    smaller = fit("llama3.3:70b", "--vram", "48", "--num-ctx", "12288")
    assert smaller["models"][0]["on_gpu"] == 1.0
    quantised = fit("llama3.3:70b", "--vram", "48", "--num-ctx", "16384", "--kv-type", "q8_0")
    assert quantised["models"][0]["spilled"] == 0


def test_every_tier_and_what_stays_together() -> None:
    told = fit("--vram", "48", "--ram", "64")
    assert [one["tier"] for one in told["models"]] == ["mind", "expert", "heavy", "embed"]
    assert told["together"] == [["mind", "expert"]]


def test_a_model_on_the_server_is_read_there() -> None:
    models = [ScriptedModel("own:7b", size=5_000_000_000)]
    with running_server(models) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYHANDS_HOSTS__LOCAL__URL", server.url)
        told = fit("own:7b", "--vram", "24", "--num-ctx", "8192")
    (model,) = told["models"]
    assert model["weights"] == 5_000_000_000
    assert model["cache"] == 48 * 4 * 256 * 2 * 8192


def test_loads_that_were_measured_here_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [
        ScriptedModel(f"own:{billions}b", size=billions * 1_000_000_000) for billions in (7, 14, 30)
    ]
    tiers = {"mind": "own:7b", "expert": "own:14b", "heavy": "own:30b"}
    with running_server(models) as server:
        monkeypatch.setenv("MANYHANDS_HOSTS__LOCAL__URL", server.url)
        monkeypatch.setenv("MANYHANDS_SERVE__TIMES", str(home / "loads.db"))
        for tier, model in tiers.items():
            monkeypatch.setenv(f"MANYHANDS_TIERS__{tier.upper()}__MODEL", model)
        assert {one["load_from"] for one in fit()["models"]} == {"computed"}

        async def weights(model: str) -> str:
            engine = OllamaEngine(server.url)
            try:
                return (await Identities(engine).of(model)).weights
            finally:
                await engine.aclose()

        times = LoadTimes.open(home / "loads.db")
        sample = LoadSample(anyio.run(weights, "own:7b"), 7_000_000_000, 9.0)  # 1 GB/s and 2 s
        times.add(server.url, sample, at=0.0)
        times.close()
        told = {one["tier"]: one for one in fit()["models"]}
        assert (told["mind"]["load_s"], told["mind"]["load_from"]) == (9.0, "measured")
        assert (told["heavy"]["load_s"], told["heavy"]["load_from"]) == (32.0, "other loads")
        said = {one["load_from"] for one in fit("--load-gb-s", "5")["models"]}
        assert said == {"computed"}  # a person's word wins
        assert {one["load_from"] for one in fit("--vram", "48")["models"]} == {"computed"}


def test_an_unknown_model_and_stray_options_are_told() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--fit", "nobody:1b", "--vram", "8"])
    assert "'nobody:1b' is not known" in str(done.exception)
    stray = CliRunner().invoke(cli, ["doctor", "--vram", "8"])
    assert stray.exit_code == 2
    assert "need --fit" in stray.output


def test_a_person_gets_a_table_that_says_it_is_computed() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--fit", "--vram", "80", "--ram", "256"])
    assert done.exit_code == 0
    assert "not measured" in done.output
    assert "qwen3:30b-a3b" in done.output
