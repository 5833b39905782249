"""A script in TOML plays the machine and the models that it declares; a wrong one says where."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from manyhands.cli.commands.rehearsal import command
from manyhands.engines.contracts import ChatRequest, Message
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import InputError, RunnerCrashed
from manyhands.rehearsal.profile import ZERO
from manyhands.rehearsal.script import Fault
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.rehearsal.written import Script, read_script

SCRIPT = """
[machine]
vram_gb = 48
load_gb_s = 3
clock_scale = 0.0

[[model]]
name = "qwen3:30b-a3b"
size_gb = 18.6

[[model.reply]]
when = "how (many|much)"
number = 1
say = "Let me count."

[[model.reply]]
when = "how (many|much)"
thinking = "Six times seven."
say = "42"

[[model.reply]]
system = "strict"
say = "No."

[[model.reply]]
when = "compute"
calls = [{name = "math", arguments = {expression = "6*7"}}]

[[model.reply]]
when = "crash"
fault = "runner_crash"

[[model]]
name = "embedder"
capabilities = ["embedding"]
dimensions = 8
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "play.toml"
    path.write_text(SCRIPT)
    return read_script(path)


def asked(text: str, system: str = "") -> ChatRequest:
    messages = [Message(role="system", content=system)] if system else []
    messages.append(Message(role="user", content=text))
    return ChatRequest("qwen3:30b-a3b", tuple(messages), num_ctx=4096)


@pytest.mark.anyio
async def test_the_first_rule_that_fits_answers(script: Script) -> None:
    async with RehearsalServer(script.models, script.machine) as server:
        engine = OllamaEngine(server.url)
        first = await engine.chat(asked("How many?"))
        second = await engine.chat(asked("How many?"))
        third = await engine.chat(asked("Really?", system="You are strict."))
        called = await engine.chat(asked("Compute it."))
        none = await engine.chat(asked("Something else."))
        with pytest.raises(RunnerCrashed):
            await engine.chat(asked("Crash, please."))
        (vector,) = await engine.embed("embedder", ["text"], num_ctx=4096)
        await engine.aclose()
        loads = server.loads
    assert (first.content, second.content, second.thinking) == (
        "Let me count.",
        "42",
        "Six times seven.",
    )
    assert third.content == "No."
    assert [(one.name, one.arguments) for one in called.tool_calls] == [
        ("math", {"expression": "6*7"})
    ]
    assert none.content == "No rule of the script answers 'Something else.'."
    assert len(vector) == 8
    assert [(one.model, round(one.seconds, 1)) for one in loads] == [
        ("qwen3:30b-a3b", 6.2),
        ("embedder:latest", 0.0),
    ]


@pytest.mark.anyio
async def test_a_rule_may_ask_for_pictures(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    path.write_text(
        '[[model]]\nname = "qwen3:30b-a3b"\ncapabilities = ["completion", "vision"]\n'
        '[[model.reply]]\nimages = 1\nsay = "A chart."\n[[model.reply]]\nsay = "No picture."\n'
    )
    script = read_script(path)
    async with RehearsalServer(script.models, script.machine) as server:
        engine = OllamaEngine(server.url)
        without = await engine.chat(asked("Look."))
        shown = Message(role="user", content="Look.", images=("/9j/AAAA",))
        one = await engine.chat(ChatRequest("qwen3:30b-a3b", (shown,), num_ctx=4096))
        await engine.aclose()
    assert (without.content, one.content) == ("No picture.", "A chart.")


def test_without_a_machine_nothing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    path.write_text('[[model]]\nname = "m"\n')
    machine = read_script(path).machine
    assert (machine.load_s(10**12), machine.decode_s(10**6)) == (ZERO.load_s(1), ZERO.decode_s(1))


def test_every_fault_can_be_scripted(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    rules = "".join(f'[[model.reply]]\nwhen = "{one}"\nfault = "{one}"\n' for one in Fault)
    path.write_text(f'[[model]]\nname = "m"\n{rules}')
    assert len(read_script(path).models) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "cannot be read"),
        ("", "model: Field required"),
        ("model = []", "model: Tuple should have at least 1 item"),
        ("[[model]]\nsize_gb = 3", "model 1, name: Field required"),
        ('[[model]]\nname = ""', "model 1, name: String should have at least 1 character"),
        ('[[model]]\nname = "m"\nsize_gb = "big"', "model 1, size_gb: "),
        ('[[model]]\nname = "m"\ncolour = 1', "model 1, colour: Extra inputs"),
        ('[[model]]\nname = "m"\n[[model.reply]]\nfault = "x"', "model 1, reply 1, fault: "),
        ('[[model]]\nname = "m"\n[[model.reply]]\nwhen = "("', "'(' is no regular expression"),
        ('[[model]]\nname = "m"\n[machine]\nvram_gb = -1', "machine, vram_gb: "),
    ],
)
def test_a_script_that_is_wrong_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "play.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_script(path)
    assert complaint in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint == "See docs/rehearsal.md."


def test_a_script_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_script(path)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    path.write_text(SCRIPT)
    with running_server([]) as server:
        port = server.url.rpartition(":")[2]
        done = CliRunner().invoke(command, ["serve", str(path), "--port", port])
    assert isinstance(done.exception, InputError)
    assert "--port 0" in done.exception.hint


@pytest.mark.anyio
async def test_the_command_serves_until_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "play.toml"
    path.write_text(SCRIPT)
    program = "from manyhands.cli.commands.rehearsal import command; command()"
    arguments = [sys.executable, "-c", program, "serve", str(path), "--port", "0"]
    with anyio.fail_after(60):
        async with await anyio.open_process(arguments, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            line = (await process.stdout.receive()).decode()
            url = line.partition(" at ")[2].partition(";")[0]
            engine = OllamaEngine(url)
            assert "qwen3:30b-a3b" in await engine.tags()
            await engine.aclose()
            process.send_signal(signal.SIGINT)
            rest = b"".join([part async for part in process.stdout]).decode()
            assert await process.wait() == 0
    assert rest == "Ended.\n"
