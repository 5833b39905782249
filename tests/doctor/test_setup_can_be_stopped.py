"""`manyhands setup` stopped at a download says how to go on; a failed download builds nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from click.testing import CliRunner
from rich.console import Console

from manyhands.cli.commands.setup import command
from manyhands.cli.making import download
from manyhands.configuration.template import config_text
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import EngineError, InputError, SettingsError
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer
from manyhands.settings import Profile

pytestmark = pytest.mark.anyio

PROGRAM = "from manyhands.cli.commands.setup import command; command()"


def settings_for(url: str, folder: Path) -> Path:
    path = folder / "config.toml"
    path.write_text(f'profile = "tiny"\n[hosts.local]\nurl = "{url}"\n')
    return path


async def test_ctrl_c_in_a_download_ends_it_and_says_how_to_go_on(tmp_path: Path) -> None:
    pulling, gone = anyio.Event(), anyio.Event()

    async def answer(stream: SocketStream) -> None:
        """A server without models, whose download tells one line and then nothing."""
        async with stream:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += await stream.receive()
            if b" /api/tags " in asked:
                body = json.dumps({"models": []}).encode()
                head = (
                    f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                await stream.send(head.encode() + body)
                return
            line = b'{"status":"pulling abc","total":10,"completed":1}\n'
            await stream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + line)
            pulling.set()
            try:
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                gone.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    path = settings_for(f"http://127.0.0.1:{port}", tmp_path)
    environment = {**os.environ, "MANYHANDS_CONFIG": str(path)}
    with anyio.fail_after(60):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            async with await anyio.open_process(
                [sys.executable, "-c", PROGRAM, "--yes"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as process:
                await pulling.wait()
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                said = b"".join([part async for part in process.stderr]).decode()
                assert await process.wait() == 130
            await gone.wait()
            tasks.cancel_scope.cancel()
    assert "To go on: manyhands setup" in said
    assert "Traceback" not in said


async def test_a_download_that_fails_names_the_model_and_builds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RehearsalServer(models=[ScriptedModel("qwen3:4b")]) as server:
        monkeypatch.setenv("MANYHANDS_CONFIG", str(settings_for(server.url, tmp_path)))
        done = await anyio.to_thread.run_sync(CliRunner().invoke, command, ["--yes"])
        asked = [one.path for one in server.requests]
    assert isinstance(done.exception, EngineError)
    assert "qwen3:1.7b" in str(done.exception)
    assert "/api/create" not in asked


async def test_nothing_is_downloaded_without_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RehearsalServer(models=[ScriptedModel("qwen3:4b")]) as server:
        monkeypatch.setenv("MANYHANDS_CONFIG", str(settings_for(server.url, tmp_path)))
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(command, [], input="n\n"))
        asked = [one.path for one in server.requests]
    assert isinstance(done.exception, InputError)
    assert "qwen3:1.7b" in done.stdout
    assert "/api/pull" not in asked


@pytest.mark.parametrize("said", ["n\n", ""])
async def test_settings_that_setup_would_write_are_not_there_after_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    async with RehearsalServer(models=[ScriptedModel("qwen3:4b")]) as server:
        monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        args = ["--profile", "tiny"]
        done = await anyio.to_thread.run_sync(lambda: CliRunner().invoke(command, args, input=said))
    assert done.exit_code != 0
    assert "Written" not in done.stdout
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.parametrize("more", [[], ["--yes"]])
async def test_no_settings_are_written_where_no_server_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    async with RehearsalServer(models=[]) as gone:
        monkeypatch.setenv("OLLAMA_HOST", gone.url)
    monkeypatch.setenv("MANYHANDS_CONFIG", str(tmp_path / "config.toml"))
    args = ["--profile", "tiny", *more]
    done = await anyio.to_thread.run_sync(CliRunner().invoke, command, args)
    assert isinstance(done.exception, EngineError)
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.parametrize("untouched", [False, True])
async def test_settings_are_written_after_the_yes_and_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched: bool
) -> None:
    path = tmp_path / "config.toml"
    if untouched:  # as `config init` left them, for another profile
        path.write_text(config_text(Profile.FULL), encoding="utf-8")
    async with RehearsalServer(models=[ScriptedModel("qwen3:4b")]) as server:
        monkeypatch.setenv("MANYHANDS_CONFIG", str(path))
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        args = ["--profile", "tiny"]
        done = await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(command, args, input="y\n")
        )
    assert isinstance(done.exception, EngineError)  # this server has no such model to download
    assert f"Written: {path}" in done.stdout
    assert 'profile = "tiny"' in path.read_text(encoding="utf-8")


async def test_settings_of_another_profile_that_were_changed_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    mine = f"{config_text(Profile.FULL)}[budgets]\nsteps = 3\n"
    path.write_text(mine, encoding="utf-8")
    monkeypatch.setenv("MANYHANDS_CONFIG", str(path))
    done = await anyio.to_thread.run_sync(
        CliRunner().invoke, command, ["--profile", "tiny", "--yes"]
    )
    assert isinstance(done.exception, SettingsError)
    assert path.read_text(encoding="utf-8") == mine


async def test_a_download_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    async with RehearsalServer(models=[ScriptedModel("qwen3:4b")]) as server:
        engine = OllamaEngine(server.url)
        await download(engine, "qwen3:4b", Console(stderr=True))
        await engine.aclose()
    assert "Downloaded: qwen3:4b" in capsys.readouterr().out
