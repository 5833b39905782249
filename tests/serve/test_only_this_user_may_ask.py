"""The owner answers this user's doors alone: address, origin, token, and a private file."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest

from manyhands.configuration.sections import ServeSettings
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import RehearsalServer
from manyhands.serve.channel import Channel, OwnerGone
from manyhands.serve.client import Leases
from manyhands.serve.owning import serving
from manyhands.serve.place import Owner, OwnerLock, read_owner, write_owner
from manyhands.serve.service import Call, Route, ServeRoom, Service
from manyhands.serve.wire import Want
from manyhands.web.listener import Connection, HttpRequest, Listener

pytestmark = pytest.mark.anyio


@pytest.fixture
def serve(tmp_path: Path) -> ServeSettings:
    return ServeSettings(folder=tmp_path / "run", times=tmp_path / "loads.db")


async def shout(call: Call) -> None:
    await call.json({"said": call.names["word"].upper()})


@pytest.fixture
async def owner(serve: ServeSettings) -> AsyncIterator[Owner]:
    room = ServeRoom("echo", [Route("GET", "/v1/echo/{word}", shout)], status=lambda: {"open": 2})
    lock = OwnerLock(serve.folder)
    assert lock.acquire()
    async with serving(serve, "test", [room]) as (_, owner):
        yield owner
    lock.release()


async def ask(
    owner: Owner, path: str = "/v1/status", method: str = "GET", **headers: str
) -> httpx.Response:
    sent = {"authorization": f"Bearer {owner.token}", **headers}
    async with httpx.AsyncClient(base_url=owner.url, trust_env=False) as client:
        return await client.request(
            method, path, headers={key.replace("_", "-"): value for key, value in sent.items()}
        )


async def test_a_door_with_the_token_is_answered(owner: Owner) -> None:
    answer = await ask(owner)
    assert answer.status_code == 200
    assert answer.json()["door"] == "test"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:80"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_everybody_else_is_refused(
    owner: Owner, headers: dict[str, str], status: int
) -> None:
    assert (await ask(owner, **headers)).status_code == status


async def test_a_form_that_a_page_can_send_is_refused(owner: Owner) -> None:
    answer = await ask(owner, "/v1/stop", "POST", content_type="text/plain")
    assert answer.status_code == 415


async def test_wrong_paths_methods_and_bodies_are_told(owner: Owner) -> None:
    assert (await ask(owner, "/v1/nothing")).status_code == 404
    assert (await ask(owner, "/v1/stop")).status_code == 405
    async with Channel(owner) as channel:
        with pytest.raises(Exception, match="want"):
            await channel.call("POST", "/v1/leases", {"priority": 1})


async def test_the_file_is_private_and_one_that_is_not_is_not_trusted(
    owner: Owner, serve: ServeSettings
) -> None:
    file = serve.folder / "serve.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_owner(serve.folder) == owner
    file.chmod(0o644)
    assert read_owner(serve.folder) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", "not json", '{"url": "http://evil.example"}'])
async def test_a_damaged_file_is_no_owner(serve: ServeSettings, text: str) -> None:
    serve.folder.mkdir()
    file = serve.folder / "serve.json"
    file.write_text(text)
    file.chmod(0o600)
    assert read_owner(serve.folder) is None


async def test_an_owner_elsewhere_is_never_given_the_token(serve: ServeSettings) -> None:
    serve.folder.mkdir()
    write_owner(serve.folder, Owner("http://10.0.0.1:80", "t", 1, "serve", "0"))
    assert read_owner(serve.folder) is None


async def test_a_port_that_somebody_else_took_is_no_owner(owner: Owner) -> None:
    stranger = Owner(owner.url, "another token", owner.pid, "serve", owner.version)
    async with Channel(stranger) as channel:
        with pytest.raises(OwnerGone):
            await channel.call("GET", "/v1/status")


async def test_another_room_adds_routes_and_its_status(owner: Owner) -> None:
    async with Channel(owner) as channel:
        assert await channel.call("GET", "/v1/echo/hello") == {"said": "HELLO"}
        assert (await channel.call("GET", "/v1/status"))["rooms"] == {"echo": {"open": 2}}


async def test_a_room_with_work_keeps_an_idle_owner(serve: ServeSettings) -> None:
    busy = True
    room = ServeRoom("jobs", [], busy=lambda: busy)
    async with Service("t", "test", "0", serve.times, [room]) as service:
        assert service.idle_s == 0
        busy = False
        assert service.idle_s > 0


async def test_the_service_takes_the_part_from_a_door_which_goes_on_with_it(
    tmp_path: Path,
) -> None:
    serve = ServeSettings(folder=tmp_path / "run", times=tmp_path / "loads.db")
    models = [ScriptedModel("one"), ScriptedModel("other")]
    async with RehearsalServer(models) as server, Leases(serve, door="a door") as leases:
        wants = [
            Want(host=server.url, model=name, options={"num_ctx": 4096}, vram=1)
            for name in ("one", "other")
        ]
        await leases.ready(wants[0])
        before = read_owner(serve.folder)
        assert before is not None
        assert before.door == "a door"
        command = [sys.executable, "-m", "manyhands", "serve"]
        async with await anyio.open_process(command, env=environment(tmp_path)) as process:
            with anyio.fail_after(60):
                while (now := read_owner(serve.folder)) is None or now.door != "serve":  # noqa: ASYNC110
                    await anyio.sleep(0.02)
                await leases.ready(wants[1])
            assert (await leases.status())["pid"] == process.pid == now.pid
            process.terminate()
            assert await process.wait() == 0
        with anyio.fail_after(60):
            await leases.ready(wants[0])  # the door takes the part again
        assert (await leases.status())["pid"] == before.pid


def environment(folder: Path) -> dict[str, str]:
    (folder / "config.toml").touch()
    return {
        "MANYHANDS_CONFIG": str(folder / "config.toml"),
        "MANYHANDS_SERVE__FOLDER": str(folder / "run"),
        "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
    }


def manyhands(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manyhands", "serve", *args],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=60,
    )


def test_the_command_says_who_owns_the_models_and_ends_it(tmp_path: Path) -> None:
    assert "Nobody owns" in manyhands(tmp_path, "status").stdout
    assert "Nobody owns" in manyhands(tmp_path, "stop").stdout
    ended = manyhands(tmp_path, "--idle", "0.1")
    assert ended.returncode == 0, ended.stderr
    assert "Owns the models of this machine" in ended.stdout
    lock = OwnerLock(tmp_path / "run")
    assert lock.acquire()
    write_owner(tmp_path / "run", Owner("http://127.0.0.1:1", "t", 1, "serve", "0"))
    refused = manyhands(tmp_path)
    lock.release()
    assert refused.returncode == 2
    assert "runs already (pid 1)" in refused.stderr


async def raw(owner: Owner, sent: bytes) -> bytes:
    """What comes back until the owner closes the connection."""
    port = int(owner.url.rpartition(":")[2])
    got = b""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(20):
            try:
                await stream.send(sent)
                while True:
                    got += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return got


@pytest.mark.parametrize(
    ("host", "token", "status"), [("evil", False, 421), ("localhost", True, 413)]
)
async def test_a_body_is_not_read_before_its_head_is_admitted(
    owner: Owner, host: str, token: bool, status: int
) -> None:
    head = f"POST /v1/leases HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000000\r\n"
    if token:
        head += f"Authorization: Bearer {owner.token}\r\nContent-Type: application/json\r\n"
    # Not one byte of the body follows: who waits for it does not answer.
    assert (await raw(owner, f"{head}\r\n".encode())).startswith(f"HTTP/1.1 {status}".encode())


async def test_a_head_without_end_is_dropped_and_nobody_else_notices(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    assert await raw(owner, b"GET / HTTP/1.1\r\nX: " + b"x" * (3 << 20)) == b""
    assert (await ask(owner)).status_code == 200
    assert "never retrieved" not in caplog.text


async def test_another_server_at_the_owners_address_is_no_owner() -> None:
    async def babbles(request: HttpRequest, connection: Connection) -> None:
        await connection.begin()
        await connection.chunk(b"hello, who is there?\n")
        await connection.end()

    listener = Listener(babbles)
    host, port = await listener.open("127.0.0.1", 0)
    try:
        async with Channel(Owner(f"http://{host}:{port}", "t", 1, "serve", "1")) as channel:

            async def read() -> None:
                async with channel.lines("/v1/leases", {}) as lines:
                    async for _ in lines:
                        pass

            with pytest.raises(OwnerGone):
                await read()
    finally:
        await listener.aclose()
