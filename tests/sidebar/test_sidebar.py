"""The persona at its chat: commands, conversations, approvals, faults, and who is contacted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers_sidebar import Chat, frame, open_chat, paced, role_of
from manyhands_jupyter.persona.commands import COMMANDS, Name, read
from manyhands_jupyter.server.desk import desk

from manyhands.broker.contracts import Choice
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Fault, Reply

pytestmark = pytest.mark.anyio


def direct(request: Any) -> str:
    asked = request.last.rpartition("Question:")[2]
    return frame(route="direct", answer=f"Heard: {' '.join(asked.split())[:60]}")


def test_a_slash_that_is_no_command_is_a_question() -> None:
    assert read("/usr/bin/python is missing").name is Name.ASK
    said = read("  /Council which one? ")
    assert (said.name, said.rest) == (Name.COUNCIL, "which one?")
    assert read("/frobnicate x").name is Name.UNKNOWN
    assert {read(f"/{name} x").name for name in COMMANDS} == set(COMMANDS)


async def test_each_command_answers_in_words_and_a_wrong_one_helps(
    play: Any, tmp_path: Path
) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            assert "**framer**" in await chat.say("/roles")
            assert "Nothing runs now" in await chat.say("/status")
            assert "Nothing was asked" in await chat.say("/seen")
            assert "no `/frobnicate` here" in await chat.say("/frobnicate now")
            assert "No run of this chat" in await chat.say("/resume")
            assert "There is no hand 'knit'" in await chat.say("/hand knit a sock")
            assert "exactly one table; 0 are attached" in await chat.say("/verify it rises")
            assert "The question is empty" in await chat.say("   ")
            assert "Nothing goes on here" in await chat.say("/stop")
            assert "What failed" not in chat.last.body
            assert {item.name for item in chat.persona.get_slash_commands()} == {
                f"/{name}" for name in COMMANDS
            }


async def test_a_fact_is_remembered_found_and_forgotten(play: Any, tmp_path: Path) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            kept = await chat.say("/remember The station is at 3397 m.")
            handle = kept.split("`")[1]
            assert handle in await chat.say("/forget station")
            assert "Forgotten: 1" in await chat.say(f"/forget {handle}")
            assert "Nothing about that" in await chat.say("/forget station")


async def test_one_hand_is_called_by_itself(play: Any, tmp_path: Path) -> None:
    def reply(request: Any) -> str:
        return "```\n42\n```" if role_of(request) == "mathematician" else direct(request)

    with play(reply):
        async with open_chat(tmp_path) as chat:
            said = await chat.say("/hand math six times seven")
            assert "42" in said
            assert [step["hand"] for step in chat.told["steps"]] == ["math"]
            assert "Nothing was asked" in await chat.say("/seen")  # not of the conversation


async def test_a_chat_is_one_conversation_until_a_new_one_is_begun(
    play: Any, tmp_path: Path
) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            await chat.say("first")
            one = chat.told["conversation_id"]
            await chat.say("second")
            assert chat.told["conversation_id"] == one
            await chat.say("/new")
            await chat.say("third")
            assert chat.told["conversation_id"] != one
        async with open_chat(tmp_path) as again:  # the server was restarted
            await again.say("fourth")
            assert again.told["conversation_id"] == chat.told["conversation_id"]
        journal = Mind().journal()
        with journal:
            questions = [run.question for run in journal.runs()]
            assert [run.door for run in journal.runs()] == ["jupyter"] * 4
        assert questions == ["fourth", "third", "second", "first"]


async def test_an_erased_journal_does_not_silence_a_chat(play: Any, tmp_path: Path) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            await chat.say("first")
            for ending in ("", "-wal", "-shm"):
                Path(f"{tmp_path}/journal.db{ending}").unlink(missing_ok=True)  # noqa: ASYNC240
            said, _, closing = (await chat.say("second")).partition("\n\n")
            assert said == "Heard: second"
            assert closing == "**unverified** · answered directly: nothing was run or checked"


async def test_models_and_roles_are_picked_for_the_next_question(play: Any, tmp_path: Path) -> None:
    with play(direct) as server:
        async with open_chat(tmp_path) as chat:
            await chat.say("/help")
            options = {
                item.id: item.name for item in chat.persona.get_model_configuration().options
            }
            settings = {item.id for item in chat.persona.get_setting_configurations()}
            assert settings == {"role", "hands", "notebook"}
            other = next(name for name in options if name != "mind")
            chosen = chat.persona.get_model_configuration()
            chosen.current = other
            chat.persona.report_model_configuration(chosen)
            await chat.say("Who are you?")
            asked = [item.body["model"] for item in server.requests if item.path == "/api/chat"]
            assert asked[-1] == options[other]
            usage = chat.persona.get_usage()
            window = Mind().settings.tiers[other].num_ctx
            assert usage.context_size == window
            assert 0 < usage.context_tokens < window


async def _answered(chat: Chat, text: str, choice: Choice) -> str:
    """Ask, and answer the question that comes up."""
    saying = asyncio.create_task(chat.say(text))
    while not desk().approvals.open():
        assert not saying.done(), chat.last.body
        await asyncio.sleep(0.01)
    (waiting,) = desk().approvals.open()
    assert desk().approvals.answer(waiting.id, choice)
    assert not desk().approvals.answer(waiting.id, choice)  # good for one answer
    return await saying


async def test_what_was_allowed_for_the_session_is_not_asked_again(
    play: Any, tmp_path: Path
) -> None:
    def reply(request: Any) -> str:
        match role_of(request):
            case "framer":
                name = request.last.rpartition("Question:")[2].partition("called ")[2].split()[0]
                step = {"id": "f", "hand": "code", "task": "Nothing.", "entry_point": "f"}
                effect = {"tool": "save_file", "step": "f", "path": f"{name}.py"}
                return frame(route="plan", steps=[step], effects=[effect])
            case "tester":
                return "```python\ndef check(candidate):\n    assert candidate() is None\n```"
            case "coder":
                return "```python\ndef f():\n    return None\n```"
            case _:
                return "It is there."

    with play(reply):
        async with open_chat(tmp_path) as chat:
            chat.persona.simulated = True  # nothing is recalled, so all text is the user's own
            said = await _answered(chat, "make the file called one", Choice.NO)
            assert "`save_file` denied" in said
            assert "lab extension" not in said
            said = await _answered(chat, "make the file called two", Choice.SESSION)
            assert "`save_file` done" in said
            assert "`save_file` done" in await chat.say("make the file called three")
    assert sorted(path.name for path in tmp_path.glob("*.py")) == ["three.py", "two.py"]  # noqa: ASYNC240


async def test_a_rating_is_kept_with_the_run_and_shown_with_its_answer(
    play: Any, tmp_path: Path
) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            await chat.say("hello?")
            run_id = chat.told["run_id"]
            for open_one in desk().chats:
                open_one.rated("another", True, "")
            assert chat.told["rating"] == ""
            for open_one in desk().chats:
                open_one.rated(run_id, False, "too short")
            assert (chat.told["rating"], chat.told["reason"]) == ("bad", "too short")
            assert chat.last.body.splitlines()[0] == "Heard: hello?"
        assert chat.persona not in desk().chats


async def test_stop_reaches_the_model_at_once_and_a_stopped_run_goes_on(
    play: Any, tmp_path: Path
) -> None:
    slow = {"pace": 0.02}
    with play(lambda request: paced("at last", slow["pace"])) as server:
        async with open_chat(tmp_path) as chat:
            saying = asyncio.create_task(chat.say("take your time"))
            while not (server.requests and server.requests[-1].tokens > 5):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await chat.persona.cancel_response()
            assert "Stopped." in await saying
            async with asyncio.timeout(20):
                while server.requests[-1].ended is None:  # noqa: ASYNC110 - in another thread
                    await asyncio.sleep(0.005)
            assert server.requests[-1].cancelled
            assert chat.told["state"] == "stopped"
            slow["pace"] = 0.0
            assert (await chat.say("/resume")).splitlines()[0] == "at last"


@pytest.mark.parametrize(
    "fault", [Fault.RESET_MID_STREAM, Fault.HTTP_500, Fault.GARBAGE_LINE, Fault.OUT_OF_MEMORY]
)
async def test_a_model_server_that_fails_is_told_and_the_next_question_works(
    play: Any, tmp_path: Path, fault: Fault
) -> None:
    broken = {"fault": fault}

    def reply(request: Any) -> Reply:
        return Reply(frame(route="direct", answer="fine now"), fault=broken.pop("fault", None))

    with play(reply):
        async with open_chat(tmp_path) as chat:
            said = await chat.say("hello?")
            if "fine now" not in said:  # a fault that was retried needs no word
                assert said.startswith("**That did not work.**")
                assert "Traceback" not in said
            broken.clear()
            assert "fine now" in await chat.say("and now?")


async def test_no_model_server_at_all_is_said_in_words(
    play: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with play(direct):
        monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
        async with open_chat(tmp_path) as chat:
            said = await chat.say("hello?")
            assert "127.0.0.1:9" in said
            assert "Traceback" not in said
            assert "127.0.0.1:9" in await chat.say("/status")


async def test_wrong_settings_are_said_in_words_and_mended_without_a_restart(
    play: Any, tmp_path: Path
) -> None:
    with play(direct):
        async with open_chat(tmp_path) as chat:
            await chat.say("hello?")
            (tmp_path / "config.toml").write_text("[budgets]\ntokens = 'many'\n")
            assert "budgets.tokens" in await chat.say("and now?")
            (tmp_path / "config.toml").write_text("")
            assert "Heard" in await chat.say("and again?")


async def test_only_the_loopback_is_contacted(play: Any, tmp_path: Path) -> None:
    contacted: list[object] = []
    listening = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "socket.connect" and isinstance(arguments[1], tuple):
            contacted.append(arguments[1][0])

    sys.addaudithook(hook)
    try:
        with play(lambda r: "```\n42\n```" if role_of(r) == "mathematician" else direct(r)):
            async with open_chat(tmp_path) as chat:
                await chat.say("hello?")
                await chat.say("/hand math six times seven")
                await chat.say("/status")
    finally:
        listening = False
    assert contacted
    assert set(contacted) <= {"127.0.0.1", "::1", "localhost"}
