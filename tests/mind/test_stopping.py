"""Stop ends generation on the server within a second, wherever the run is, and can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from manyhands.journal.records import RunState
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings

ROLES = load_roles()
BY_PROMPT = {role.prompt: name for name, role in ROLES.items()}
STEP = {
    "id": "d",
    "hand": "math",
    "task": "t",
    "kind": "derivative",
    "given": {"f": "x**2", "var": "x"},
}
TEXTS = {
    "framer": json.dumps({"goal": "g", "route": "plan", "steps": [STEP]}),
    "mathematician": "```\n2*x\n```",
    "editor": "It is 2*x.",
}
LONG = "word " * 2000


@pytest.mark.anyio
@pytest.mark.parametrize("slow", ["framer", "mathematician", "editor"])
async def test_leaving_ends_the_generation_at_once_and_the_run_goes_on_later(
    tmp_path: Path, settings_in: Callable[[Path], Settings], slow: str
) -> None:
    stopped = False

    def reply(request: ScriptedRequest) -> Reply:
        role = BY_PROMPT[str(request.messages[0]["content"])]
        if role == slow and not stopped:
            return Reply(LONG, pace_s=0.02)
        return Reply(TEXTS[role])

    settings = settings_in(tmp_path)
    models = [ScriptedModel(name=tier.model, reply=reply) for tier in settings.tiers.values()]
    with running_server(models) as server:
        there = settings.model_copy(update={"hosts": {"local": HostSettings(url=server.url)}})
        mind = Mind(there, roles=ROLES, simulated=True)
        run_id = ""
        with anyio.fail_after(60):
            async with aclosing(mind.stream("Differentiate.")) as items:
                async for item in items:
                    run_id = item.run_id  # type: ignore[union-attr]
                    if item.body.kind in ("generating", "answer_delta"):  # type: ignore[union-attr]
                        break
                left = time.monotonic()
            exchange = server.requests[-1]
            while exchange.ended is None:  # noqa: ASYNC110  the server has a loop of its own
                await anyio.sleep(0.005)
        assert exchange.cancelled
        assert exchange.tokens < 2000
        assert exchange.ended - left < 1.0
        with mind.journal() as journal:
            assert journal.run(run_id).state is RunState.STOPPED
        stopped = True
        answer = None
        async with aclosing(mind.resume(run_id)) as items:
            async for item in items:
                answer = item
        assert answer.text == "It is 2*x."  # type: ignore[union-attr]
