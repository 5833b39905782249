"""A wrong value names the file, the line, the key and what is allowed; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import SettingsError
from manyhands.settings import load_settings


def complaint(folder: Path, text: str | bytes, env: dict[str, str] | None = None) -> str:
    path = folder / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, env or {})
    assert caught.value.hint
    return caught.value.message.replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('profile = "big"', ["FILE:1", "profile", "'big'", "full, workstation, laptop, tiny"]),
        (
            '# one\n[sandbox]\nbackend = "docker"',
            ["FILE:3", "sandbox.backend", "'docker'", "bwrap, landlock"],
        ),
        ('[budgets]\n\ntokens = "many"', ["FILE:3", "budgets.tokens", "'many'", "whole number"]),
        ("[budgets]\ntokens = 0", ["FILE:2", "budgets.tokens", "at least 1"]),
        ("[budgets]\nwait_s = 100", ["FILE:2", "budgets.wait_s", "at most 55"]),
        ("[memory]\nenabled = 7", ["FILE:2", "memory.enabled", "true or false"]),
        ('[memory]\nembedder = "no"', ["FILE:2", "memory.embedder", "tier, none, or a URL"]),
        ("[journal]\npath = 3", ["FILE:2", "journal.path", "a path"]),
        ("budgets = 3", ["FILE:1", "budgets = 3", "a table"]),
        ('[tiers]\nmind = { model = "m", num_ctx = 3 }', ["FILE:2", "tiers.mind.num_ctx", "256"]),
        ("[tiers.mind]\nhosts = []", ["FILE:2", "tiers.mind.hosts", "not empty"]),
        (
            '[hosts.a]\nurl = "ftp://x"',
            ["FILE:2", "hosts.a.url", "http://127.0.0.1:11434", "ftp"],
        ),
        (
            '[hosts.a]\nurl = "http://me:secret@x"',
            ["FILE:2", "hosts.a.url", "api_key_env"],
        ),
    ],
)
def test_a_bad_value_names_file_line_key_and_what_is_allowed(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    message = complaint(tmp_path, text)
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budgets]\ntokns = 3", ["FILE:2", "budgets.tokns", "did you mean 'tokens'", "steps"]),
        ("[bugdets]\ntokens = 3", ["FILE:1", "bugdets", "did you mean 'budgets'"]),
        ("[tiers.mind]\nnumctx = 3", ["FILE:2", "did you mean 'num_ctx'"]),
        ("[tiers.brain]\nmodel = 'm'", ["FILE:1", "'brain'", "mind, expert, heavy"]),
        ("[hosts.a]\nurl = 'x'\napi_key = 'k'", ["FILE:3", "did you mean 'api_key_env'"]),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    message = complaint(tmp_path, text)
    for part in said:
        assert part in message


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[hosts.a]\nurl = "http://me:hunter2@x"\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert "hunter2" not in str(caught.value)


def test_tiers_on_one_base_need_one_window(tmp_path: Path) -> None:
    message = complaint(tmp_path, 'profile = "laptop"\n[tiers.expert]\nnum_ctx = 4096\n')
    assert "FILE:3" in message
    assert "4096" in message
    assert "reload" in message
    both = "[tiers.expert]\nnum_ctx = 4096\n[tiers.heavy]\nnum_ctx = 4096\n"
    path = tmp_path / "both.toml"
    path.write_text('profile = "laptop"\n' + both)
    assert load_settings(path, {}).tiers["heavy"].num_ctx == 4096


def test_tiers_on_one_base_but_other_hosts_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'profile = "laptop"\n[hosts.b]\nurl = "b"\n[tiers.heavy]\nhost = "b"\nnum_ctx = 4096\n'
    )
    assert load_settings(path, {}).tiers["heavy"].num_ctx == 4096


def test_latest_is_the_same_base_as_no_tag(tmp_path: Path) -> None:
    text = (
        '[tiers.mind]\nmodel = "m"\nnum_ctx = 512\n'
        '[tiers.heavy]\nmodel = "m:latest"\nnum_ctx = 1024\n'
    )
    assert "num_ctx" in complaint(tmp_path, text)


def test_an_unknown_host_is_named_with_the_known_ones(tmp_path: Path) -> None:
    message = complaint(tmp_path, '[tiers.mind]\nhost = "gpu"\n')
    assert "FILE:2" in message
    assert "'gpu'" in message
    assert "local" in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = \n", "FILE:1:"),
        ('\n\nx = "open', "FILE:3:"),
        ("[a\n", "FILE:1:"),
        ("a=1\na=2", "FILE:2"),
    ],
)
def test_broken_toml_names_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    message = complaint(tmp_path, text)
    assert message.startswith(place)
    assert "no TOML" in message


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    assert "not UTF-8" in complaint(tmp_path, b"profile = '\xff\xfe'")


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings(tmp_path / "no.toml", {})
    with pytest.raises(SettingsError, match="no settings file"):
        load_settings(env={"MANYHANDS_CONFIG": str(tmp_path / "no.toml")})


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MANYHANDS_BUDGETS__TOKENS", "many", "whole number"),
        ("MANYHANDS_PROFILE", "big", "full, workstation, laptop, tiny"),
        ("MANYHANDS_UNSAFE_EXEC", "perhaps", "true or false"),
        ("MANYHANDS_TIERS__MIND__NUM_CTX", "1", "256"),
        ("OLLAMA_HOST", "ftp://x", "http, https"),
        ("MANYHANDS_BUDGETS__TOKEN", "1", "TOKENS"),
        ("MANYHANDS_BUGDETS__TOKENS", "1", "BUDGETS"),
        ("MANYHANDS_PROFIL", "tiny", "PROFILE"),
        ("MANYHANDS_TIERS__BRAIN__MODEL", "m", "MIND"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, said: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {variable: value})
    assert variable in caught.value.message
    assert said in str(caught.value)


def test_variables_of_other_parts_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    load_settings(path, {"MANYHANDS_HANDS_PYTHON": "/usr/bin/python3", "OTHER": "1"})


@given(st.binary(max_size=200))
def test_no_file_content_ends_in_anything_but_settings_or_a_complaint(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "config.toml"
    path.write_bytes(content)
    message = str(path)
    try:
        load_settings(path, {})
    except SettingsError as error:
        message = error.message
    assert str(path) in message
