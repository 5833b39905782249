"""Six hand calls on a card that holds one model: planned ahead they cost few loads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from manyhands.hands.contracts import HandName, Status
from manyhands.mind.mind import Mind
from manyhands.mind.single import plan_step, work_one
from manyhands.rehearsal.profile import CARD_48
from manyhands.rehearsal.script import ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings, Tier

pytestmark = pytest.mark.anyio

GB = 1000**3
SIZES = {"mind": 19 * GB, "expert": 43 * GB, "heavy": 142 * GB, "embed": GB}
#: A simulated second of loading takes a millisecond.
CARD = replace(CARD_48, clock_scale=0.001, prefill_tok_s=0.0, decode_tok_s=0.0)
#: The blind tests are written by the model that writes the code, so that each hand call needs one
#: model.
ROLES = {
    name: role.model_copy(update={"tier": Tier.HEAVY}) if name == "tester" else role
    for name, role in load_roles().items()
}
PROMPTS = {role.prompt: name for name, role in ROLES.items()}
STEPS = [
    step
    for n in (2, 3, 4)
    for step in (
        {
            "id": f"slope{n}",
            "hand": "math",
            "task": f"differentiate x**{n}",
            "kind": "derivative",
            "given": {"f": f"x**{n}", "var": "x"},
        },
        {
            "id": f"times{n}",
            "hand": "code",
            "task": f"Return the argument times {n}.",
            "entry_point": f"times{n}",
        },
    )
]


def say(request: ScriptedRequest) -> str:
    role, text = PROMPTS.get(request.system, ""), request.last
    if role == "framer":
        if "What comes next" in text:
            return json.dumps({"goal": "g", "route": "direct", "answer": "The next step."})
        return json.dumps({"goal": "six results", "route": "plan", "steps": STEPS})
    if role == "mathematician":
        n = int(re.search(r"x\*\*(\d)", text)[1])  # type: ignore[index]
        return f"```\n{n}*x**{n - 1}\n```"
    if role in ("coder", "tester"):
        n = int(re.search(r"times (\d)", text)[1])  # type: ignore[index]
        if role == "coder":
            return f"```python\ndef times{n}(x):\n    return {n} * x\n```"
        return f"```python\nassert times{n}(2) == {2 * n}\nassert times{n}(0) == 0\n```"
    return "The slopes are 2*x, 3*x**2 and 4*x**3; times2, times3 and times4 are written."


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


def server_of(settings: Settings) -> RehearsalServer:
    models = [
        ScriptedModel(tier.model, reply=say, size=SIZES[name])
        for name, tier in settings.tiers.items()
    ]
    return RehearsalServer(models, CARD)


def mind_at(url: str, settings: Settings) -> Mind:
    hosts = {"local": HostSettings(url=url, vram_gb=48)}
    memory = settings.memory.model_copy(update={"enabled": False})
    here = settings.model_copy(update={"hosts": hosts, "memory": memory})
    return Mind(here, roles=ROLES, door="test", simulated=True)


async def test_six_calls_cost_at_most_five_loads_planned_and_thirteen_step_by_step(
    settings: Settings,
) -> None:
    async with server_of(settings) as server:
        answer = await mind_at(server.url, settings).ask("Work out all six.")
        assert answer.status is Status.VERIFIED, answer.open_points
        assert len(answer.steps) == 6
        planned = len(server.loads)
        assert planned <= 5
        assert answer.usage.loads == planned
    async with server_of(settings) as server:
        mind = mind_at(server.url, settings)
        await mind.ask("What comes next?", hands=False)
        for fields in STEPS:
            step = plan_step(HandName(str(fields["hand"])), fields)
            _, result = await work_one(mind, step, {}, lambda _: None, "test")
            assert result.status is Status.VERIFIED
            await mind.ask("What comes next?", hands=False)
        assert len(server.loads) == 13
    assert planned == 4  # the mind, each hand's model once, and the mind again
