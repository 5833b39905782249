"""A role file with a mistake names the file, the line and the key; users' roles win by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import RoleError
from manyhands.roles.loader import find_roles, load_role, load_roles
from manyhands.roles.model import Role

GOOD = """\
name = "poet"
title = "Poet"
summary = "Writes."
tier = "mind"
prompt = '''
num_ctx = 3
'''
"""


def write(folder: Path, text: str, name: str = "poet.toml") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_role_of_the_users_own_is_added_and_one_of_ours_replaced(tmp_path: Path) -> None:
    write(tmp_path / "roles", GOOD)
    write(tmp_path / "roles", GOOD.replace("poet", "coder"), "coder.toml")
    found = find_roles([tmp_path / "roles"])
    assert found["poet"].role.prompt == "num_ctx = 3"
    assert not found["poet"].shipped
    assert found["coder"].role.title == "Poet"
    assert found["tester"].shipped


def test_the_users_folder_lies_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    write(tmp_path / "roles", GOOD)
    assert "poet" in load_roles()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD + "temprature = 1", 8, ["temprature", "Allowed"]),
        (GOOD + "[samplng]\ntemperature = 1", 8, ["samplng", "did you mean 'sampling'"]),
        (GOOD + "[sampling]\ntemprature = 1", 9, ["sampling.temprature", "'temperature'"]),
        (GOOD + "[sampling]\n\ntemperature = 3", 10, ["sampling.temperature", "at most 2"]),
        (GOOD.replace("mind", "mnd"), 4, ["tier", "mind, expert, heavy"]),
        (GOOD.replace('"Poet"', "3"), 2, ["title", "text"]),
        (GOOD.replace('tier = "mind"\n', ""), 1, ["tier", "missing"]),
        (GOOD.replace("'''", '"""').replace("num_ctx = 3", r"a \"\"\" b"), 5, ["prompt", '"""']),
        (GOOD + 'hands = ["cook"]', 8, ["hands", "code, math, visualize, verify"]),
        (GOOD + '[[messages]]\nrole = "tool"\ncontent = "x"', 9, ["messages.0.role", "user"]),
        (GOOD + 'title = "again"', 8, ["no TOML"]),
    ],
)
def test_a_mistake_names_file_line_key_and_what_is_allowed(
    tmp_path: Path, text: str, line: int, said: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RoleError) as caught:
        load_role(path)
    assert caught.value.message.startswith(f"{path}:{line}:")
    for part in said:
        assert part in caught.value.message


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("num_ctx = 4096", "reload"),
        ("[sampling]\nnum_ctx = 4096", "reload"),
        ("[sampling]\nnum_gpu = 1", "reload"),
        ('template = "x"', "tool calls"),
        ('renderer = "qwen3-coder"', "tool calls"),
        ("[sampling]\nnum_predict = 3", "budget.answer_tokens"),
        ('model = "qwen3:8b"', "tier"),
        ("keep_alive = -1", "loaded"),
    ],
)
def test_what_belongs_elsewhere_is_refused_with_the_reason(
    tmp_path: Path, extra: str, reason: str
) -> None:
    with pytest.raises(RoleError) as caught:
        load_role(write(tmp_path, GOOD + extra))
    assert "a role cannot set" in caught.value.message
    assert reason in caught.value.message


def test_a_file_is_called_like_its_role(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match=r"poet.*other\.toml"):
        load_role(write(tmp_path, GOOD, "other.toml"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "poet.toml"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(RoleError, match="not UTF-8"):
        load_role(path)


def test_thinking_needs_tokens_of_its_own() -> None:
    fields = {"name": "a", "title": "A", "summary": "A.", "tier": "mind", "prompt": "p"}
    quiet = Role.model_validate(fields)
    assert quiet.num_predict == quiet.budget.answer_tokens
    loud = Role.model_validate({**fields, "think": True})
    assert loud.num_predict == loud.budget.answer_tokens + loud.budget.think_tokens


def test_only_an_adapter_makes_a_model_of_its_own_needed() -> None:
    fields = {"name": "a", "title": "A", "summary": "A.", "tier": "mind", "prompt": "p"}
    assert Role.model_validate(fields).adapter_model == ""
    assert Role.model_validate({**fields, "adapter": "x.gguf"}).adapter_model == "mh-a"


@given(st.text(max_size=120))
def test_no_content_ends_in_anything_but_a_role_or_a_role_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "poet.toml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(RoleError) as caught:
        load_role(path)
    assert str(path) in caught.value.message
