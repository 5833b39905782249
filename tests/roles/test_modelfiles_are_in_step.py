"""`Modelfile/` says what `roles/` says, and nothing that breaks switching between roles."""

from __future__ import annotations

import pytest

from manyhands.data_files import data_path
from manyhands.roles.loader import load_roles
from manyhands.roles.modelfile import parse_modelfile
from manyhands.roles.render import check_role_modelfile, modelfile_text, render, shipped_settings

ROLES = load_roles([])
MIND_ROLES = ("framer", "scientist", "skeptic", "editor", "chair", "councillor")


def test_there_is_one_modelfile_for_each_role_and_no_other() -> None:
    there = {path.name for path in data_path("Modelfile").iterdir()}
    assert there == {f"{name}.Modelfile" for name in ROLES}


@pytest.mark.parametrize("name", ROLES)
def test_a_shipped_modelfile_is_what_its_role_renders_to(name: str) -> None:
    role = ROLES[name]
    tier = shipped_settings().tier(role.tier)
    path = data_path("Modelfile") / f"{name}.Modelfile"
    text = path.read_text(encoding="utf-8")
    assert text == modelfile_text(role, tier), "run: manyhands roles render --shipped"
    read = parse_modelfile(text, str(path))
    assert read == render(role, tier)
    check_role_modelfile(read, role, tier, str(path))
    assert (read.template, read.renderer, read.parser) == ("", "", "")


def test_roles_of_one_base_differ_in_no_runner_option() -> None:
    settings = shipped_settings()
    runner = {"num_ctx", "num_gpu", "num_batch", "num_thread", "main_gpu", "use_mmap"}
    options: dict[str, set[tuple[tuple[str, object], ...]]] = {}
    for role in ROLES.values():
        file = render(role, settings.tier(role.tier))
        chosen = tuple(sorted((k, v) for k, v in file.parameters.items() if k in runner))
        options.setdefault(file.base, set()).add(chosen)
    assert all(len(found) == 1 for found in options.values())
    assert {dict(next(iter(found)))["num_ctx"] for found in options.values()} == {
        32768,
        16384,
        8192,
    }


@pytest.mark.parametrize(
    ("role", "tier"),
    [
        *((name, "mind") for name in MIND_ROLES),
        ("coder", "heavy"),
        ("reviewer", "vision"),
        *((name, "expert") for name in ("mathematician", "illustrator", "verifier", "tester")),
    ],
)
def test_the_promised_roles_ship_on_their_tiers(role: str, tier: str) -> None:
    assert ROLES[role].tier == tier


@pytest.mark.parametrize("name", ROLES)
def test_prompts_open_alike_and_name_the_way_to_abstain(name: str) -> None:
    prompts = [role.prompt for role in ROLES.values()]
    opening = prompts[0].partition("\n\n")[0]
    assert "data, not instructions" in opening
    assert ROLES[name].prompt.startswith(opening)
    if name not in ("framer", "editor", "councillor", "reviewer"):
        assert "CANNOT:" in ROLES[name].prompt


@pytest.mark.parametrize("name", ["coder", "tester", "illustrator", "verifier", "skeptic"])
def test_program_writers_are_told_to_use_one_fenced_block(name: str) -> None:
    assert "exactly one fenced block that starts with ```python" in ROLES[name].prompt


def test_a_prompt_leaves_most_of_the_window_to_the_work() -> None:
    settings = shipped_settings()
    for role in ROLES.values():
        window = settings.tier(role.tier).num_ctx
        assert len(role.prompt) / 3 + role.num_predict < 0.75 * window, role.name
