"""Models that answer garbage are never sold as right: no run of them ends `verified`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyhands.hands.contracts import Status
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
BY_PROMPT = {role.prompt: name for name, role in ROLES.items()}
_TEXT = """
the of rise carbon x y t 1 2 0 3.7 table return def claim True False None assert check df value
pass import print lambda ( ) [ ] { } : = == + - * / , . ` ``` # ∫ \\frac sin(x) verified supported
passed ok figure ax.plot plt.show() candidate data
"""
WORDS = _TEXT.split()


@dataclass
class Garbage:
    """One seeded way of talking nonsense; every call of a model gets other nonsense."""

    seed: int
    style: str
    plan: bool
    calls: int = 0

    def reply(self, request: ScriptedRequest) -> str:
        self.calls += 1
        rng = Random(f"{self.seed}-{self.calls}")
        system = next((m["content"] for m in request.messages if m["role"] == "system"), "")
        if self.plan and BY_PROMPT.get(str(system)) == "framer":
            return json.dumps(_plan(rng))
        return self._noise(rng)

    def _noise(self, rng: Random) -> str:
        words = [rng.choice(WORDS) for _ in range(rng.randint(0, 60))]
        if self.style == "words":
            return " ".join(words)
        if self.style == "json":
            return json.dumps(_value(rng, 3))
        if self.style == "fenced words":
            return "```python\n" + " ".join(words) + "\n```"
        # A program that runs, and says nothing about the task.
        constant = rng.choice(["True", "1", "0", "None", "[]", "{}", "'ok'"])
        names = ("claim", "check", "work", "solve")
        bodies = "\n".join(f"def {name}(*values):\n    return {constant}" for name in names)
        return f"```python\n{bodies}\nassert True\n```"


def _value(rng: Random, depth: int) -> Any:
    kind = rng.randint(0, 6 if depth else 4)
    if kind < 2:
        return rng.choice(WORDS)
    if kind == 2:
        return rng.choice([True, False, None])
    if kind < 5:
        return rng.uniform(-10, 10)
    names = ["goal", "route", "answer", "status", "verified", "steps", "hand", *WORDS[:6]]
    if kind == 5:
        return [_value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {rng.choice(names): _value(rng, depth - 1) for _ in range(rng.randint(0, 5))}


def _plan(rng: Random) -> dict[str, Any]:
    """A frame that can be followed, with a step of a random hand about nothing."""
    noise = " ".join(rng.choice(WORDS) for _ in range(8))
    step: dict[str, Any] = {
        "code": {"entry_point": rng.choice(["work", "solve"]), "data": rng.choice([[], ["d"]])},
        "math": {
            "kind": rng.choice(["derivative", "antiderivative", "identity", "limit", "sum"]),
            "given": rng.choice(
                [{"f": "sin(x)*x", "var": "x"}, {"lhs": noise}, {}, {"term": "1/k", "var": "k"}]
            ),
        },
        "visualize": {"data": ["d"], "chart": "line", "x": "a", "y": "b", "agg": "none"},
        "verify": {"data": ["d"]},
    }
    hand = rng.choice(sorted(step))
    return {
        "goal": noise or "x",
        "route": "plan",
        "steps": [{"id": "s", "hand": hand, "task": noise, **step[hand]}],
    }


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, settings_in: Callable[[Path], Settings]
) -> Iterator[tuple[Mind, list[Garbage], Path]]:
    folder = tmp_path_factory.mktemp("garbage")
    data = folder / "d.csv"
    data.write_text("a,b\n1,2\n2,4.5\n3,5\n4,9\n")
    current: list[Garbage] = []
    with scripted_tiers(
        settings_in(folder), lambda request: current[-1].reply(request)
    ) as rehearsed:
        yield Mind(rehearsed, roles=ROLES, door="test", simulated=True), current, data


@given(
    seed=st.integers(0, 2**32),
    style=st.sampled_from(["words", "json", "fenced words", "idle programs"]),
    plan=st.booleans(),
)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_garbage_ends_verified(
    stage: tuple[Mind, list[Garbage], Path], seed: int, style: str, plan: bool
) -> None:
    mind, current, data = stage
    current.append(Garbage(seed, style, plan))

    async def ask() -> Status:
        with anyio.fail_after(120):
            answer = await mind.ask("Is b twice a?", data={"d": data})
        assert all(step.result.status is not Status.VERIFIED for step in answer.steps), answer.steps
        return answer.status

    assert anyio.run(ask) is not Status.VERIFIED
