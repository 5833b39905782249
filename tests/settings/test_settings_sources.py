"""A value comes from the default, the profile, the file or the environment, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from manyhands.settings import Profile, Settings, load_settings, load_with_origins


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_full_profile_holds(tmp_path: Path) -> None:
    loaded = load_with_origins(env={"MANYHANDS_CONFIG": str(written(tmp_path, ""))})
    assert loaded.settings.profile is Profile.FULL
    assert set(loaded.settings.tiers) == {"mind", "expert", "heavy", "embed"}
    assert loaded.origins["tiers.mind.model"] == "profile full"
    assert loaded.origins["budgets.tokens"] == "default"


def test_the_environment_wins_over_the_file_and_the_file_over_the_profile(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'profile = "tiny"\n[budgets]\ntokens = 10\nsteps = 3\n[tiers.mind]\nnum_ctx = 4096\n',
    )
    loaded = load_with_origins(path, {"MANYHANDS_BUDGETS__TOKENS": "20"})
    settings, origins = loaded.settings, loaded.origins
    assert (settings.budgets.tokens, origins["budgets.tokens"]) == (20, "MANYHANDS_BUDGETS__TOKENS")
    assert (settings.budgets.steps, origins["budgets.steps"]) == (3, "config.toml:4")
    assert (settings.tiers["mind"].num_ctx, origins["tiers.mind.num_ctx"]) == (
        4096,
        "config.toml:6",
    )
    assert settings.tiers["mind"].model == "qwen3:1.7b"


def test_every_leaf_can_be_set_in_the_environment(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    usual = load_with_origins(path, {})
    values = usual.settings.model_dump(mode="json")
    for dotted in usual.origins:
        value: object = values
        for part in dotted.split("."):
            assert isinstance(value, dict)
            value = value[part]
        variable = "MANYHANDS_" + dotted.upper().replace(".", "__")
        text = value if isinstance(value, str) else json.dumps(1 if value is None else value)
        assert load_with_origins(path, {variable: text}).origins[dotted] == variable


def test_a_list_is_written_in_the_environment_as_in_toml(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, '[hosts.big]\nurl = "big:80"\n'),
        {"MANYHANDS_TIERS__HEAVY__HOSTS": '["big", "local"]'},
    )
    assert settings.tiers["heavy"].hosts == ("big", "local")
    assert settings.tiers["heavy"].host == "big"


def test_host_is_a_short_way_to_write_one_host(tmp_path: Path) -> None:
    text = '[hosts.big]\nurl = "big:80"\n[tiers.heavy]\nhost = "big"\n'
    loaded = load_with_origins(written(tmp_path, text), {})
    assert loaded.settings.tiers["heavy"].hosts == ("big",)
    assert loaded.origins["tiers.heavy.hosts"] == "config.toml:4"


def test_ollama_host_is_the_default_of_the_local_host(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    loaded = load_with_origins(path, {"OLLAMA_HOST": "0.0.0.0:1234"})
    assert loaded.settings.hosts["local"].url == "http://127.0.0.1:1234"
    assert loaded.origins["hosts.local.url"] == "OLLAMA_HOST"
    path = written(tmp_path, '[hosts.local]\nurl = "gpu"\n')
    loaded = load_with_origins(path, {"OLLAMA_HOST": "0.0.0.0:1234"})
    assert loaded.settings.hosts["local"].url == "http://gpu:11434"


def test_the_opt_in_to_unsafe_execution_is_one_variable(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert not load_settings(path, {}).sandbox.policy().allow_none
    assert load_settings(path, {"MANYHANDS_UNSAFE_EXEC": "1"}).sandbox.policy().allow_none
    assert not load_settings(path, {"MANYHANDS_UNSAFE_EXEC": "0"}).sandbox.policy().allow_none


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, ""), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.budgets.tokens = 1  # type: ignore[misc]


def test_sandbox_limits_reach_the_policy() -> None:
    policy = Settings.model_validate({"sandbox": {"memory_mib": 100, "wall_s": 3}}).sandbox.policy()
    assert policy.limits.memory_bytes == 100 * 1024 * 1024
    assert policy.limits.wall_s == 3


def test_clocks_reach_the_engine() -> None:
    clocks = Settings.model_validate({"deadlines": {"gap_s": 7}}).deadlines.for_engine()
    assert clocks.gap_s == 7


@pytest.mark.parametrize("profile", list(Profile))
def test_each_profile_is_valid_and_serves_every_tier(profile: Profile) -> None:
    assert {"mind", "expert", "heavy", "embed"} <= set(Settings(profile=profile).tiers)


def test_loading_needs_no_heavy_imports() -> None:
    program = (
        "import sys, manyhands.settings as s; s.load_settings(env={}); "
        "print([m for m in ('numpy', 'httpx', 'apsw', 'rich', 'ollama') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_host_can_be_added_by_variables_alone(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, ""),
        {"MANYHANDS_HOSTS__GPU__URL": "gpu", "MANYHANDS_TIERS__HEAVY__HOSTS": "gpu"},
    )
    assert settings.hosts[settings.tiers["heavy"].host].url == "http://gpu:11434"
    assert settings.tiers["mind"].host == "local"


def test_a_vision_model_is_off_until_one_variable_names_it(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    assert "vision" not in load_settings(path, {}).tiers
    loaded = load_with_origins(path, {"MANYHANDS_TIERS__VISION__MODEL": "qwen2.5vl:7b"})
    vision = loaded.settings.tiers["vision"]
    assert (vision.model, vision.num_ctx, vision.hosts) == ("qwen2.5vl:7b", 8192, ("local",))
    assert loaded.origins["tiers.vision.model"] == "MANYHANDS_TIERS__VISION__MODEL"
    assert loaded.origins["tiers.vision.num_ctx"] == "default"


def test_a_mind_that_sees_is_its_own_vision_model_and_is_not_loaded_twice(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[tiers.mind]\nmodel = "gemma3:27b"\nnum_ctx = 16384\nnum_gpu = 40\nthink = true\n'
        '[tiers.vision]\nmodel = "gemma3:27b"\n',
    )
    tiers = load_settings(path, {}).tiers
    assert tiers["vision"].runner_options() == tiers["mind"].runner_options()
    assert (tiers["vision"].num_ctx, tiers["vision"].think) == (16384, True)
