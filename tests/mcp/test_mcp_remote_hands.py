"""The mind's hands on another machine: the same plan, in process and over MCP, gives the same."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_mcp import PROMPTS, ROLES, http_principal, role_of
from manyhands_mcp.door import Door
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from mcp.server import MCPServer

from manyhands.cli.demo_models import say
from manyhands.hands.contracts import (
    Attempt,
    Evidence,
    EvidenceKind,
    HandName,
    HandResult,
    Status,
)
from manyhands.hands.registry import HANDS
from manyhands.journal.events import Event
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.mind.single import plan_step, work_one
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.settings import HandsSettings, Settings, TierSettings

pytestmark = pytest.mark.anyio
TOKEN = "0123456789abcdef" * 4
TABLE = "x,y\n1,2\n2,4\n3,6\n"
PLAN = {
    "goal": "All four hands once",
    "route": "plan",
    "steps": [
        {
            "id": "slope", "hand": "math", "task": "The slope of the parabola",
            "kind": "derivative", "given": {"f": "a + b*t + c*t**2", "var": "t"},
        },
        {"id": "twice", "hand": "code", "task": "Double a number.", "needs": ["slope"]},
        {
            "id": "chart", "hand": "visualize", "task": "y over x", "data": ["points"],
            "x": "x", "y": "y",
        },
        {"id": "claim", "hand": "verify", "task": "The sum of y is 12", "data": ["points"]},
    ],
}  # fmt: skip


def speak(request: Any) -> str:
    """The same words wherever they are asked for; a verifier that knows the data's name."""
    match role_of(request):
        case "framer":
            return json.dumps(PLAN)
        case "coder":
            return "```python\ndef solve(n):\n    return n * 2\n```\n"
        case "tester":
            return "```python\ndef check(candidate):\n    assert candidate(3) == 6\n```\n"
        case "illustrator":
            return (
                "```python\nimport matplotlib.pyplot as plt, pandas as pd\n"
                "df = pd.read_csv('points.csv')\nfig, ax = plt.subplots()\n"
                "ax.plot(df['x'], df['y'])\nax.set_xlabel('x')\nax.set_ylabel('y')\n```\n"
            )
        case "verifier" | "skeptic":
            return "```python\ndef claim(df):\n    return bool(df['y'].sum() == 12)\n```\n"
        case "editor" | "chair":
            return "Done."
        case _:
            return say(request, PROMPTS)


def comparable(result: HandResult) -> dict[str, Any]:
    """Everything but the seconds."""
    told = result.model_dump(mode="json")
    for attempt in told["attempts"]:
        attempt["seconds"] = 0
        attempt["spend"] = {**attempt["spend"], "load_s": 0, "model_s": 0, "loads": 0}
        for check in attempt["checks"]:
            check["seconds"] = 0
            check["detail"].pop("seconds", None)
    return dict(told)


async def ask(mind: Mind, table: Path) -> tuple[Answer, list[Event]]:
    events: list[Event] = []
    answers: list[Answer] = []
    async with aclosing(mind.stream("All four?", data={"points": table})) as stream:
        async for item in stream:
            if isinstance(item, Answer):
                answers.append(item)
            else:
                events.append(item)
    return answers[0], events


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    """Both machines have a vision model."""
    usual = settings_in(tmp_path)
    vision = TierSettings(model="qwen2.5vl:7b", num_ctx=8192)
    return usual.model_copy(update={"tiers": {**usual.tiers, "vision": vision}})


@pytest.fixture
def far(settings: Settings, tmp_path: Path, monkeypatch: Any) -> Callable[[int], Settings]:
    """The settings of a machine whose hands are at a port, with a journal of its own."""
    monkeypatch.setenv("HANDS_SERVER_TOKEN", TOKEN)

    def at(port: int) -> Settings:
        journal = settings.journal.model_copy(update={"path": tmp_path / "near" / "journal.db"})
        hands = HandsSettings(server=f"http://127.0.0.1:{port}/mcp")
        return settings.model_copy(update={"hands": hands, "journal": journal})

    return at


async def test_one_plan_in_process_and_over_mcp_gives_equal_results(
    door_on: Any, far: Callable[[int], Settings], tmp_path: Path
) -> None:
    table = tmp_path / "points.csv"
    table.write_text(TABLE)
    async with door_on(speak) as door, running_http(door, GuardRules(TOKEN)) as port:
        here, _ = await ask(Mind(door.settings, roles=ROLES, simulated=True), table)
        asked: list[str] = []

        def only_the_mind(request: Any) -> str:
            asked.append(role_of(request))
            return speak(request)

        with scripted_tiers(far(port), only_the_mind) as near:
            mind = Mind(near, roles=ROLES, simulated=True)
            there, events = await ask(mind, table)

    assert {step.hand for step in here.steps} == set(HANDS)
    assert {step.result.status for step in here.steps} == {Status.VERIFIED}
    assert [step.id for step in there.steps] == [step.id for step in here.steps]
    for one, other in zip(here.steps, there.steps, strict=True):
        assert comparable(one.result) == comparable(other.result)
    assert (there.status, there.text) == (here.status, here.text)
    assert not set(asked) & {"coder", "tester", "verifier", "mathematician", "reviewer"}
    assert [one.name for one in there.evidence if one.kind is EvidenceKind.OPINION] == ["reviewed"]
    # What was made there can be read here, under the same id, and its way is in this journal.
    picture = next(item for item in there.artifacts if item.media_type == "image/png")
    with mind.journal() as journal:
        assert journal.artifact(picture.id)[2].startswith(b"\x89PNG")
    kinds = [event.body.kind for event in events]
    assert kinds.count("attempt_done") == sum(len(s.result.attempts) for s in here.steps)


async def test_a_hands_server_that_is_not_there_is_named_and_the_run_ends_honestly(
    far: Callable[[int], Settings], tmp_path: Path
) -> None:
    table = tmp_path / "points.csv"
    table.write_text(TABLE)
    with scripted_tiers(far(1), speak) as near:
        answer, _ = await ask(Mind(near, roles=ROLES, simulated=True), table)
    assert {step.result.status for step in answer.steps} <= {Status.FAILED, Status.CANNOT}
    assert "hands server at http://127.0.0.1:1/mcp" in answer.steps[0].result.summary
    assert answer.status is not Status.VERIFIED


async def test_a_wrong_token_is_told(
    door_on: Any, far: Callable[[int], Settings], tmp_path: Path, monkeypatch: Any
) -> None:
    table = tmp_path / "points.csv"
    table.write_text(TABLE)
    monkeypatch.setenv("HANDS_SERVER_TOKEN", "f" * 64)
    async with door_on(speak) as door, running_http(door, GuardRules(TOKEN)) as port:
        with scripted_tiers(far(port), speak) as near:
            answer, _ = await ask(Mind(near, roles=ROLES, simulated=True), table)
    assert "token" in answer.steps[0].result.summary


async def test_stopping_the_mind_stops_the_job_on_the_other_machine(
    door_on: Any, far: Callable[[int], Settings], tmp_path: Path
) -> None:
    table = tmp_path / "points.csv"
    table.write_text(TABLE)
    working, let = threading.Event(), threading.Event()

    def slow(request: Any) -> str:
        working.set()
        let.wait(60)
        return speak(request)

    try:
        async with door_on(slow) as door, running_http(door, GuardRules(TOKEN)) as port:
            with scripted_tiers(far(port), speak) as near:
                mind = Mind(near, roles=ROLES, simulated=True)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(ask, mind, table)
                    with anyio.fail_after(30):
                        await anyio.to_thread.run_sync(working.wait, 30)
                    tasks.cancel_scope.cancel()
                (job,) = (
                    r for r in door.jobs.store.recent(http_principal(TOKEN)) if r.kind == "math"
                )
                assert job.state == "cancelled"
            let.set()
    finally:
        let.set()


def told_by(case: dict[str, Any]) -> Callable[[Door], MCPServer]:
    """A hands server that answers each claim at once, by a check of `case`."""
    content = json.dumps(case).encode()
    case_id = hashlib.sha256(content).hexdigest()
    check = Evidence(
        name="claim", passed=True, evidence="so", detail={"rerun": f"sha256:{case_id}"}
    )
    attempt = Attempt(number=1, role="verifier", tier="expert", model="m", checks=(check,))
    result = HandResult(
        hand=HandName.VERIFY, status=Status.VERIFIED, summary="so", attempts=(attempt,), accepted=1
    )

    def build(_: Door) -> MCPServer:
        server = MCPServer("hands", log_level="CRITICAL")

        @server.tool()
        def verify(claim: str = "", subject: str = "") -> dict[str, str]:
            return {"job_id": "j"}

        @server.tool()
        def job(job_id: str) -> dict[str, str]:
            return {"status": "done"}

        @server.resource("manyhands://jobs/{name}")
        def answer(name: str) -> str:
            return json.dumps({"result": {"hand": result.model_dump(mode="json")}})

        @server.resource("manyhands://artifacts/{name}{?offset,limit}")
        def artifact(name: str, offset: int = 0, limit: int = 0) -> str:
            return content.decode()

        return server

    return build


@pytest.mark.parametrize("own", [True, False])
async def test_no_file_that_a_hands_server_names_gets_into_a_case_here(
    door_on: Any, far: Callable[[int], Settings], tmp_path: Path, own: bool
) -> None:
    secret, table = tmp_path / "secret.csv", tmp_path / "points.csv"
    secret.write_text("a\n42\n")
    table.write_text(TABLE)
    case = {"kind": "program", "code": "print(open('data.csv').read())", "data": str(secret)}
    given: dict[str, Any] = {"data": ["points"]} if own else {"subject": "print(1)\n"}
    step = plan_step(HandName.VERIFY, {"task": "y is 12", **given})
    async with (
        door_on(speak) as door,
        running_http(door, GuardRules(TOKEN), build=told_by(case)) as port,
    ):
        with scripted_tiers(far(port), speak) as near:
            mind = Mind(near, roles=ROLES, simulated=True)
            data = {"points": table} if own else {}
            _, result = await work_one(mind, step, data, lambda _: None, "test")
    if not own:
        assert result.status is Status.FAILED
        assert "names a file, though it was given no data" in result.summary
        return
    (check,) = result.evidence
    with mind.journal() as journal:
        kept = json.loads(journal.artifact(str(check.detail["rerun"]))[2])
    assert kept["data"]["path"] == str(table)
