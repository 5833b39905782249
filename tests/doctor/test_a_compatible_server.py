"""`manyhands doctor` looks at servers that speak as OpenAI does: models, window, key, one token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from manyhands.cli.commands.doctor import command
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server


def model_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, tier: str = "heavy"
) -> list[str]:
    (tmp_path / "config.toml").write_text(
        f'profile = "tiny"\n[hosts.farm]\nkind = "openai"\n{host}\n'
        f'[tiers.{tier}]\nmodel = "big"\nnum_ctx = 8192\nhosts = ["farm"]\n'
        f'[journal]\npath = "{tmp_path}/journal.db"\n[memory]\nenabled = false\n'
    )
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MANYHANDS_HOSTS__LOCAL__URL", "http://127.0.0.1:9")
    done = CliRunner().invoke(command, ["--json", "--probe"])
    found = json.loads(done.stdout)["findings"]
    return [
        f"{one['mark']}: {one['text']} -> {one['next']}"
        for one in found
        if "farm" in one["text"] or "Org/Big" in one["text"]
    ]


def test_what_it_serves_is_compared_with_what_the_tier_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [ScriptedModel("Org/Big", context_length=4096)]
    with running_server(models) as server:
        url = f'url = "{server.url}"'
        server_ok, absent = model_findings(tmp_path, monkeypatch, url)
        mapped = f'{url}\nmodels = {{ big = "Org/Big" }}'
        _, window, answers = model_findings(tmp_path, monkeypatch, mapped)
    assert server_ok.startswith("ok: farm at ")
    assert absent.startswith("problem: tier heavy: farm serves no 'big', only: Org/Big")
    assert "hosts.farm.models" in absent
    assert window.startswith("problem: tier heavy: Org/Big is served with a window of 4096")
    assert "tiers.heavy.num_ctx = 4096" in window
    assert answers.startswith("ok: Org/Big answers")


@pytest.mark.parametrize(
    ("able", "said"),
    [
        (("completion", "vision"), "ok: Org/Big answers -> "),
        (("completion",), "problem: Org/Big does not answer: "),
    ],
)
def test_a_vision_model_is_probed_with_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: tuple[str, ...], said: str
) -> None:
    with running_server([ScriptedModel("Org/Big", capabilities=able)]) as server:
        mapped = f'url = "{server.url}"\nmodels = {{ big = "Org/Big" }}'
        *_, answers = model_findings(tmp_path, monkeypatch, mapped, "vision")
    assert answers.startswith(said)
    assert ("is not a multimodal model" in answers) == ("vision" not in able)


def test_a_key_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FARM_KEY", raising=False)
    host = 'url = "http://127.0.0.1:9"\napi_key_env = "FARM_KEY"'
    (one,) = model_findings(tmp_path, monkeypatch, host)
    assert one.startswith("problem: farm: ")
    assert "FARM_KEY" in one


def test_a_server_that_is_away_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = model_findings(tmp_path, monkeypatch, 'url = "http://127.0.0.1:9"')
    assert one.startswith("problem: farm: Nobody answers at http://127.0.0.1:9")
