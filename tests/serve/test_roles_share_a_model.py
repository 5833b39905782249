"""Roles on one base switch without a reload; what would reload it is refused when it is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers_commands import own_environment
from helpers_serve import CARD, MODELS

from manyhands.engines.contracts import ChatRequest, Message, Progress
from manyhands.engines.ollama import OllamaEngine
from manyhands.rehearsal.server import RehearsalServer
from manyhands.roles.build import build_roles
from manyhands.roles.loader import FoundRole, find_roles
from manyhands.settings import HostSettings, Settings

pytestmark = pytest.mark.anyio

_NUM_CTX = 8192


async def quiet(_: str, __: Progress) -> None:
    """The build's progress is not looked at here."""


async def test_ten_switches_between_three_roles_load_nothing() -> None:
    async with RehearsalServer(MODELS, CARD) as server:
        tiers = {name: {"model": name, "num_ctx": _NUM_CTX} for name in ("mind", "expert", "heavy")}
        settings = Settings(hosts={"local": HostSettings(url=server.url)}, tiers=tiers)
        found: dict[str, FoundRole] = {
            name: one for name, one in find_roles().items() if name in ("scientist", "skeptic")
        }
        engine = OllamaEngine(server.url)
        await build_roles(found, settings, engine, "local", quiet)
        await engine.load("mind", num_ctx=_NUM_CTX)
        loads = []
        for name in ("mh-scientist", "mh-skeptic", "mind", "mh-scientist", "mh-skeptic") * 2:
            reply = await engine.chat(
                ChatRequest(model=name, messages=(Message("user", "hi"),), num_ctx=_NUM_CTX)
            )
            loads.append(reply.usage.load_s)  # the server's own load_duration
        reloaded = await engine.chat(
            ChatRequest(model="mh-skeptic", messages=(Message("user", "hi"),), num_ctx=4096)
        )
        await engine.aclose()
    assert max(loads) < 0.01
    assert reloaded.usage.load_s > 1  # the other window costs a whole load: this can fail
    assert len(server.loads) == 2


def test_a_role_with_its_own_window_is_refused_at_build_time_with_the_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.toml").touch()
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "poet.toml").write_text(
        'name = "poet"\ntitle = "Poet"\nsummary = "Writes."\ntier = "mind"\nnum_ctx = 2048\n'
        'prompt = "You write."\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "manyhands", "roles", "build", "poet"],
        capture_output=True,
        text=True,
        env=own_environment(tmp_path),
        timeout=60,
    )
    assert done.returncode == 2
    assert "num_ctx" in done.stderr
    assert "reload the weights" in done.stderr
    assert "tiers" in done.stderr
