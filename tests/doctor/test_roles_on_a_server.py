"""Building, comparing and looking after roles on a server that keeps Ollama's rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from manyhands.cli.commands.doctor import command as doctor
from manyhands.cli.commands.roles import command as roles
from manyhands.cli.commands.setup import command as setup
from manyhands.engines.contracts import Progress
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import ModelMissing, RoleError
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer
from manyhands.roles.build import RoleState, build_roles, role_status
from manyhands.roles.loader import find_roles
from manyhands.settings import Settings, load_settings

pytestmark = pytest.mark.anyio

MODELS = ("qwen3:1.7b", "qwen3:4b")
EMBEDDER = ScriptedModel(
    "embeddinggemma:300m", capabilities=("embedding",), dimensions=8, context_length=2048
)


@pytest.fixture
async def server() -> AsyncIterator[RehearsalServer]:
    """Everything that the profile `tiny` names."""
    models = [*(ScriptedModel(name) for name in MODELS), EMBEDDER]
    async with RehearsalServer(models=models) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: RehearsalServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder whose settings point to the server."""
    (tmp_path / "config.toml").write_text(
        f'profile = "tiny"\n[hosts.local]\nurl = "{server.url}"\n'
        f'[journal]\npath = "{tmp_path}/journal.db"\n[memory]\npath = "{tmp_path}/memory.db"\n'
    )
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path


async def run(command: Any, *args: str) -> Result:
    return await anyio.to_thread.run_sync(CliRunner().invoke, command, list(args))


async def build(settings: Settings, url: str, lines: list[str] | None = None) -> Sequence[str]:
    async def tell(role: str, line: Progress) -> None:
        if lines is not None:
            lines.append(f"{role}: {line.status}")

    engine = OllamaEngine(url)
    try:
        return (await build_roles(find_roles(), settings, engine, "local", tell)).made
    finally:
        await engine.aclose()


async def states(settings: Settings, url: str) -> dict[str, RoleState]:
    engine = OllamaEngine(url)
    try:
        found = await role_status(find_roles(), settings, engine, "local")
    finally:
        await engine.aclose()
    return {one.role: one.state for one in found}


async def test_building_makes_every_role_and_a_second_time_nothing(
    home: Path, server: RehearsalServer
) -> None:
    settings = load_settings()
    lines: list[str] = []
    wanted = set(find_roles()) - {"reviewer"}  # whose tier, vision, no profile has
    assert set(await states(settings, server.url)) == wanted
    assert set(await build(settings, server.url, lines)) == wanted
    assert "coder: success" in lines
    assert set((await states(settings, server.url)).values()) == {RoleState.CURRENT}
    assert await build(settings, server.url) == ()


async def test_a_changed_role_alone_is_made_anew(home: Path, server: RehearsalServer) -> None:
    settings = load_settings()
    await build(settings, server.url)
    assert (await run(roles, "new", "editor", "--like", "editor")).exit_code == 0
    mine = home / "roles" / "editor.toml"
    mine.write_text(mine.read_text().replace("temperature = 0.3", "temperature = 0.4"))
    assert (await states(settings, server.url))["editor"] is RoleState.DIFFERS
    told = await run(roles, "diff", "editor")
    assert told.exit_code == 1
    assert "temperature: 0.3 instead of 0.4" in told.output
    assert await build(settings, server.url) == ("editor",)


async def test_another_window_for_the_tier_makes_its_roles_anew(
    home: Path, server: RehearsalServer
) -> None:
    await build(load_settings(), server.url)
    wider = load_settings(
        env={
            "MANYHANDS_CONFIG": str(home / "config.toml"),
            "MANYHANDS_TIERS__MIND__NUM_CTX": "4096",
        }
    )
    made = await build(wider, server.url)
    assert set(made) == {name for name, one in find_roles().items() if one.role.tier == "mind"}


async def test_a_missing_base_is_named_and_never_created_from(
    home: Path, server: RehearsalServer
) -> None:
    (home / "config.toml").write_text(
        (home / "config.toml").read_text() + '[tiers.mind]\nmodel = "qwen3:1.7bb"\n'
    )
    done = await run(roles, "build")
    assert isinstance(done.exception, ModelMissing)
    assert done.exception.hint.endswith("ollama pull qwen3:1.7bb")
    assert "framer" in done.exception.message
    found = await states(load_settings(), server.url)
    of_mind = {name for name, one in find_roles().items() if one.role.tier == "mind"}
    assert {name for name, state in found.items() if state is RoleState.NO_BASE} == of_mind
    assert {found[name] for name in found.keys() - of_mind} == {RoleState.CURRENT}
    engine = OllamaEngine(server.url)
    assert not {f"mh-{name}:latest" for name in of_mind} & set(await engine.tags())
    await engine.aclose()


async def test_an_adapter_is_sent_once_and_belongs_to_the_role(
    home: Path, server: RehearsalServer
) -> None:
    await run(roles, "new", "poet", "--like", "editor")
    (home / "roles" / "poet.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    mine = home / "roles" / "poet.toml"
    mine.write_text(
        mine.read_text().replace('tier = "mind"', 'tier = "mind"\nadapter = "poet.gguf"')
    )
    settings = load_settings()
    assert "poet" in await build(settings, server.url)
    assert await build(settings, server.url) == ()
    engine = OllamaEngine(server.url)
    shown = await engine.show("mh-poet")
    await engine.aclose()
    digest = hashlib.sha256((home / "roles" / "poet.gguf").read_bytes()).hexdigest()
    assert f"sha256-{digest}" in shown.modelfile


async def test_an_adapter_that_is_not_there_is_named(home: Path, server: RehearsalServer) -> None:
    await run(roles, "new", "poet", "--like", "editor")
    mine = home / "roles" / "poet.toml"
    mine.write_text(mine.read_text().replace('tier = "mind"', 'tier = "mind"\nadapter = "no.gguf"'))
    with pytest.raises(RoleError, match=r"no\.gguf"):
        await build(load_settings(), server.url)


async def test_a_modelfile_changed_by_hand_is_refused_with_the_reason(
    home: Path, server: RehearsalServer
) -> None:
    assert (await run(roles, "render")).exit_code == 0
    assert (await run(roles, "build", "editor")).exit_code == 0
    path = home / "Modelfile" / "editor.Modelfile"
    path.write_text(path.read_text().replace("PARAMETER num_ctx 8192", "PARAMETER num_ctx 4096"))
    done = await run(roles, "build", "editor")
    assert isinstance(done.exception, RoleError)
    assert "num_ctx is 4096, but tier mind has 8192" in done.exception.message
    assert (await run(roles, "render", "--check")).exit_code == 1
    assert (await run(roles, "render")).exit_code == 0
    path.write_text(path.read_text().replace("You are the editor", "You are a pirate"))
    done = await run(roles, "build", "editor")
    assert isinstance(done.exception, RoleError)
    assert "differs from its role" in done.exception.message


async def test_setup_makes_all_ready_and_doctor_agrees(home: Path) -> None:
    before = await run(doctor, "--json")
    notes = [one for one in json.loads(before.stdout)["findings"] if one["topic"] == "roles"]
    assert [one["next"] for one in notes] == ["manyhands roles build"]
    first = await run(setup, "--yes")
    assert first.exit_code == 0, first.exception
    assert "Built on local" in first.stdout
    again = await run(setup, "--yes")
    assert "Built on local" not in again.stdout
    assert "Up to date on local" in again.stdout
    after = await run(doctor, "--json", "--probe")
    found = json.loads(after.stdout)["findings"]
    assert {one["mark"] for one in found if one["topic"] in ("server", "model", "roles")} == {"ok"}
    assert any("qwen3:1.7b answers" in one["text"] for one in found)


async def test_doctor_gives_the_exact_pull_command(home: Path, server: RehearsalServer) -> None:
    (home / "config.toml").write_text(
        (home / "config.toml").read_text() + '[tiers.heavy]\nmodel = "qwen3:400b"\n'
    )
    done = await run(doctor, "--json")
    assert done.exit_code == 1
    (missing,) = [one for one in json.loads(done.stdout)["findings"] if "qwen3:400b" in one["text"]]
    assert missing["next"] == f"OLLAMA_HOST={server.url} ollama pull qwen3:400b"


@pytest.mark.parametrize(
    ("capabilities", "mark", "said"),
    [
        (("completion", "tools"), "problem", "it cannot think"),
        (("completion", "thinking"), "warning", "it declares no tools"),
    ],
)
async def test_doctor_compares_what_the_mind_can_do(
    home: Path, capabilities: tuple[str, ...], mark: str, said: str
) -> None:
    models = [ScriptedModel("qwen3:1.7b", capabilities=capabilities), ScriptedModel("qwen3:4b")]
    async with RehearsalServer(models=[*models, EMBEDDER]) as other:
        text = (home / "config.toml").read_text().splitlines()
        text[2] = f'url = "{other.url}"'
        (home / "config.toml").write_text("\n".join(text))
        done = await run(doctor, "--json")
    (model,) = [one for one in json.loads(done.stdout)["findings"] if said in one["text"]]
    assert model["mark"] == mark


@pytest.mark.parametrize(
    ("able", "mark", "said"),
    [
        (("completion", "vision"), "ok", "tier vision: sees (completion, vision)"),
        (("completion",), "problem", "it cannot see pictures"),
        (("completion", "vision", "thinking"), "warning", "it thinks unless told not to"),
    ],
)
async def test_doctor_says_whether_the_vision_model_sees(
    home: Path, server: RehearsalServer, able: tuple[str, ...], mark: str, said: str
) -> None:
    models = [*(ScriptedModel(name) for name in MODELS), ScriptedModel("sees", capabilities=able)]
    async with RehearsalServer(models=[*models, EMBEDDER]) as other:
        text = (home / "config.toml").read_text().replace(server.url, other.url)
        (home / "config.toml").write_text(f'{text}[tiers.vision]\nmodel = "sees"\n')
        done = await run(doctor, "--json")
        findings = json.loads(done.stdout)["findings"]
        (model,) = [one for one in findings if one["text"].startswith("tier vision")]
        assert (model["mark"], said in model["text"]) == (mark, True)
        following = {
            "ok": "",
            "problem": "set another model: tiers.vision.model",
            "warning": "set tiers.vision.think = true",
        }
        assert model["next"] == following[mark]
        (roles_,) = [one for one in findings if "not built: " in one["text"]]
        assert "reviewer" in roles_["text"]


async def test_doctor_tells_a_window_longer_than_the_model(home: Path) -> None:
    models = [ScriptedModel("qwen3:1.7b", context_length=4096), ScriptedModel("qwen3:4b")]
    async with RehearsalServer(models=[*models, EMBEDDER]) as other:
        text = (home / "config.toml").read_text().splitlines()
        text[2] = f'url = "{other.url}"'
        (home / "config.toml").write_text("\n".join(text))
        done = await run(doctor, "--json")
    assert "set tiers.mind.num_ctx = 4096" in done.stdout


async def test_doctor_notices_that_another_program_loaded_the_mind_otherwise(
    home: Path, server: RehearsalServer
) -> None:
    engine = OllamaEngine(server.url)
    await engine.load("qwen3:1.7b", num_ctx=2048)
    await engine.aclose()
    done = await run(doctor, "--json")
    assert "is loaded with num_ctx 2048 by another program, not 8192" in done.stdout
