"""One question, end to end, against scripted models; the programs and checks are real."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pandas
import pytest

from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.data_files import data_path
from manyhands.errors import InputError, Unreachable
from manyhands.hands.contracts import Status
from manyhands.journal.events import RunStarted, StepDone
from manyhands.journal.records import RunState
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}
CO2 = data_path("examples") / f"{DATA}.csv"


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


Say = Callable[..., object]


async def ask(
    settings: Settings, reply: Say, question: str = QUESTION, **options: object
) -> Answer:
    with scripted_tiers(settings, reply) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        return await mind.ask(question, **options)  # type: ignore[arg-type]


def frame(**fields: object) -> str:
    return json.dumps({"goal": "g", **fields})


@pytest.mark.anyio
async def test_the_demo_catches_a_bug_and_ends_verified(settings: Settings) -> None:
    answer = await ask(settings, lambda r: say(r, PROMPTS), data={DATA: CO2})
    assert answer.status is Status.VERIFIED, answer.open_points
    code = next(step for step in answer.steps if step.id == "rates").result
    assert code.accepted == 2
    assert code.attempts[0].failed_checks
    assert not code.attempts[1].failed_checks
    assert {str(claim.status) for claim in answer.claims} == {"verified", "refuted"}
    assert answer.figure is not None
    assert "ppm per year" in answer.text


@pytest.mark.anyio
async def test_small_talk_takes_one_call_and_is_not_verified(settings: Settings) -> None:
    answer = await ask(settings, lambda r: frame(route="direct", answer="Hello."), "hi")
    assert (answer.text, answer.status, answer.usage.calls) == ("Hello.", Status.UNVERIFIED, 1)


@pytest.mark.anyio
async def test_the_mind_may_ask_back(settings: Settings) -> None:
    answer = await ask(settings, lambda r: frame(route="ask", question="Which file?"), "plot it")
    assert answer.question_back == "Which file?"
    with Mind(settings, roles=ROLES).journal() as journal:
        assert journal.run(answer.run_id).state is RunState.ASKED


@pytest.mark.anyio
async def test_a_plan_that_cannot_be_followed_goes_back_once(settings: Settings) -> None:
    def reply(request: object) -> str:
        text = str(request.messages[-1]["content"])  # type: ignore[attr-defined]
        if "cannot be followed" in text:
            return frame(route="direct", answer="then directly")
        return frame(route="plan", steps=[{"id": "a", "hand": "code", "task": "t", "data": ["z"]}])

    answer = await ask(settings, reply, "what?")
    assert answer.text == "then directly"


@pytest.mark.anyio
async def test_a_conversation_goes_on_with_what_was_said(settings: Settings) -> None:
    seen: list[str] = []

    def reply(request: object) -> str:
        seen.append(str(request.messages[-1]["content"]))  # type: ignore[attr-defined]
        return frame(route="direct", answer="My name is Mind.")

    first = await ask(settings, reply, "Who are you?")
    second = await ask(settings, reply, "Say it again", conversation_id=first.conversation_id)
    assert second.conversation_id == first.conversation_id
    assert "Who are you?" in seen[1]
    assert "My name is Mind." in seen[1]


@pytest.mark.anyio
async def test_a_number_from_nowhere_costs_the_status(settings: Settings) -> None:
    def reply(request: object) -> str:
        text = say(request, PROMPTS)  # type: ignore[arg-type]
        return text + " It is 987.65 now." if "accelerating: a parabola" in text else text

    answer = await ask(settings, reply, data={DATA: CO2})
    assert answer.status is Status.UNVERIFIED
    assert any("987.65" in point for point in answer.open_points)


@pytest.mark.anyio
async def test_a_run_whose_data_changed_is_not_resumed(settings: Settings, tmp_path: Path) -> None:
    table = tmp_path / "co2.csv"
    table.write_bytes(CO2.read_bytes())
    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        stream = mind.stream(QUESTION, data={DATA: table})
        first = await anext(stream)
        assert not isinstance(first, Answer)
        await stream.aclose()
        table.write_bytes(CO2.read_bytes() + b"2030-01-01,500\n")
        with pytest.raises(InputError, match="have changed since") as refused:
            await anext(mind.resume(first.run_id))
        for content in (CO2.read_bytes(), table.read_bytes()):
            assert hashlib.sha256(content).hexdigest() in str(refused.value)
        table.write_bytes(CO2.read_bytes())
        going_on = mind.resume(first.run_id)
        await anext(going_on)
        await going_on.aclose()


@pytest.mark.anyio
async def test_a_run_on_tables_that_are_no_csv_leaves_none_and_is_resumed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, made = pandas.read_csv(CO2), tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    frame.to_parquet(tmp_path / "co2.parquet")
    frame.to_json(tmp_path / "more.json")
    files = {DATA: tmp_path / "co2.parquet", "more": tmp_path / "more.json"}
    data = {**files, "frame": frame, "rows": frame.head().to_dict("records")}

    def tables() -> list[str]:
        return sorted(path.name for path in made.rglob("*.csv"))

    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        stream = mind.stream(QUESTION, data=data)
        first = await anext(stream)
        assert not isinstance(first, Answer)
        assert isinstance(first.body, RunStarted)
        told = {name: first.body.data[name] for name in files}
        assert told == {name: str(path) for name, path in files.items()}
        assert tables() == sorted(f"{name}.csv" for name in data)
        await stream.aclose()
        assert tables() == []
        (*_, answer) = [item async for item in mind.resume(first.run_id)]
    assert isinstance(answer, Answer)
    assert answer.status is Status.VERIFIED
    assert tables() == []


@pytest.mark.anyio
async def test_a_stopped_run_is_resumed_without_repeating_a_step(settings: Settings) -> None:
    calls: list[str] = []

    def reply(request: object) -> str:
        system = request.messages[0]["content"]  # type: ignore[attr-defined]
        calls.append(next((name for name, text in PROMPTS.items() if text == system), "?"))
        return say(request, PROMPTS)  # type: ignore[arg-type]

    with scripted_tiers(settings, reply) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        run_id = ""
        stream = mind.stream(QUESTION, data={DATA: CO2})
        async for item in stream:
            assert not isinstance(item, Answer)
            run_id = item.run_id
            if isinstance(item.body, StepDone) and item.body.step == "rates":
                break
        await stream.aclose()
        with mind.journal() as journal:
            assert journal.run(run_id).state is RunState.STOPPED
        assert calls.count("coder") == 2
        answer = None
        async for item in mind.resume(run_id):
            answer = item
        assert isinstance(answer, Answer)
        assert answer.status is Status.VERIFIED, answer.open_points
        assert calls.count("coder") == 2
        assert calls.count("framer") == 1


@pytest.mark.anyio
async def test_a_server_that_is_gone_is_named_and_the_run_ends_in_the_journal(
    settings: Settings,
) -> None:
    with scripted_tiers(settings, lambda r: "x") as rehearsed:
        pass
    mind = Mind(rehearsed, roles=ROLES, door="test")
    with anyio.fail_after(60), pytest.raises(Unreachable):
        await mind.ask("anything?")
    with mind.journal() as journal:
        (run,) = journal.runs()
        assert run.state is RunState.FAILED


@pytest.mark.anyio
@pytest.mark.parametrize("question", ["", "   \n"])
async def test_an_empty_question_is_refused(settings: Settings, question: str) -> None:
    with pytest.raises(InputError, match="empty"):
        await Mind(settings, roles=ROLES).ask(question)
