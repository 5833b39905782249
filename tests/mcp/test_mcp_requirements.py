"""What the protocol's security pages ask of a server, one named test for each; there are forty."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from manyhands_mcp.door import open_door
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http, serve_http
from manyhands_mcp.replies import clean
from manyhands_mcp.server import build_server
from manyhands_mcp.token import read_token
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult

from manyhands.errors import InputError, SettingsError
from manyhands.jobs.records import QuestionKind
from manyhands.jobs.runner import Jobs
from manyhands.jobs.store import KEPT_S, JobStore
from manyhands.mind.mind import Mind
from manyhands.settings import ApprovalRule

TOKEN = "0123456789abcdef" * 4
MODERN = "2026-07-28"
Ask = Callable[..., Any]


@pytest.fixture
def web(door_on: Any) -> Any:
    """A server, and `ask(method, body, **headers)` on it; None leaves a header out."""

    @asynccontextmanager
    async def opened(**rules: Any) -> AsyncIterator[Ask]:
        async with (
            door_on() as door,
            running_http(door, GuardRules(TOKEN, **rules)) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        ):

            async def ask(
                body: Any = None, method: str = "POST", path: str = "/mcp", **headers: Any
            ) -> httpx.Response:
                named = {key.replace("_", "-"): value for key, value in headers.items()}
                whole = {
                    "authorization": f"Bearer {TOKEN}",
                    "content-type": "application/json",
                    "accept": "application/json, text/event-stream",
                    **named,
                }
                content = body if isinstance(body, bytes) else json.dumps(body or listing())
                return await client.request(
                    method,
                    path,
                    content=content,
                    headers={key: value for key, value in whole.items() if value is not None},
                )

            yield ask

    return opened


def modern(method: str, **params: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def listing() -> dict[str, Any]:
    return modern("tools/list")


LIST = {"mcp_protocol_version": MODERN, "mcp_method": "tools/list"}


async def status(ask: Ask, **headers: Any) -> int:
    return int((await ask(**{**LIST, **headers})).status_code)


# --- Origin and Host ---------------------------------------------------------------------------


@pytest.mark.anyio
async def test_01_a_foreign_origin_is_403(web: Any) -> None:
    async with web() as ask:
        assert await status(ask, origin="http://evil.example") == 403


@pytest.mark.anyio
async def test_02_an_opaque_origin_is_403(web: Any) -> None:
    async with web() as ask:
        assert await status(ask, origin="null") == 403


@pytest.mark.anyio
@pytest.mark.parametrize("origin", ["http://localhost.evil.example", "http://127.0.0.1@evil.ex"])
async def test_03_an_origin_that_only_looks_like_loopback_is_403(web: Any, origin: str) -> None:
    async with web() as ask:
        assert await status(ask, origin=origin) == 403


@pytest.mark.anyio
async def test_04_a_page_of_this_machine_and_a_listed_one_may_call(web: Any) -> None:
    async with web(origins=("https://lab.example",)) as ask:
        assert await status(ask, origin="http://localhost:8888") == 200
        assert await status(ask, origin="https://lab.example") == 200
        assert await status(ask, origin="https://lab.example.evil.example") == 403


@pytest.mark.anyio
async def test_05_a_foreign_host_name_is_421(web: Any) -> None:
    async with web() as ask:
        assert await status(ask, host="evil.example") == 421
        assert await status(ask, host="evil.example:80") == 421


def test_06_host_and_origin_are_checked_whatever_address_is_bound() -> None:
    rules = GuardRules(TOKEN, hosts=("gpu-box",), public_url="https://mcp.lab.example/mcp")
    assert rules.allows_host("gpu-box:8765")
    assert rules.allows_host("mcp.lab.example")
    assert rules.allows_host("[::1]:8765")
    for host in ("", "evil.example", "gpu-box.evil.example", "0.0.0.0", "gpu-box@evil.example"):
        assert not rules.allows_host(host)


@pytest.mark.anyio
async def test_07_no_answer_lets_another_origin_read_it(web: Any) -> None:
    async with web() as ask:
        for headers in ({}, {"origin": "http://evil.example"}, {"origin": "http://localhost"}):
            answer = await ask(**LIST, **headers)
            assert not [name for name in answer.headers if name.startswith("access-control")]


# --- the token ---------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_08_no_request_without_a_token(web: Any) -> None:
    async with web() as ask:
        for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT", "HEAD"):
            for path in ("/mcp", "/", "/mcp/../mcp", "/.well-known/oauth-protected-resource/mcp"):
                answer = await ask(method=method, path=path, authorization=None)
                assert answer.status_code == 401, (method, path)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer é"],
)
async def test_09_no_request_with_a_wrong_token(web: Any, header: str) -> None:
    async with web() as ask:
        assert await status(ask, authorization=header.encode()) == 401


@pytest.mark.anyio
async def test_10_a_token_in_the_address_is_not_taken(web: Any) -> None:
    async with web() as ask:
        answer = await ask(path=f"/mcp?access_token={TOKEN}", authorization=None, **LIST)
        assert answer.status_code == 401


def test_11_the_token_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    token = read_token(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(token)) == 32
    assert read_token(path) == token
    assert read_token(tmp_path / "other") != token


def test_12_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    read_token(path)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_token(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(SettingsError):
        read_token(link)


@pytest.mark.anyio
async def test_13_the_token_is_nowhere_but_in_its_file(
    door_on: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with door_on() as door, running_http(door, GuardRules(TOKEN)) as port:
        headers = {
            "authorization": f"Bearer {TOKEN}",
            **{k.replace("_", "-"): v for k, v in LIST.items()},
        }
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as web:
            body = modern("tools/call", name="ask_mind", arguments={"question": "hi"})
            answer = await web.post(
                "/mcp", json=body, headers={"mcp-method": "tools/call", "mcp-name": "ask_mind",
                "accept": "application/json, text/event-stream"},
            )  # fmt: skip
            assert answer.status_code == 200
            assert TOKEN not in answer.text
    said = capfd.readouterr()
    assert TOKEN not in said.out + said.err
    assert TOKEN.encode() not in _all_bytes(tmp_path)


def _all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.anyio
async def test_14_a_public_url_is_told_with_its_metadata(web: Any) -> None:
    async with web(public_url="https://mcp.lab.example/mcp") as ask:
        answer = await ask(authorization=None, **LIST)
        assert answer.status_code == 401
        found = re.search(
            r'resource_metadata="https://mcp\.lab\.example(.+)"', answer.headers["www-authenticate"]
        )
        assert found is not None
        told = await ask(method="GET", path=found.group(1), authorization=None)
        assert told.json()["resource"] == "https://mcp.lab.example/mcp"


# --- bodies and headers ------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_15_only_json_is_taken(web: Any, kind: str | None) -> None:
    async with web() as ask:
        assert await status(ask, content_type=kind) == 415


@pytest.mark.anyio
async def test_16_a_body_over_the_limit_is_413(web: Any) -> None:
    async with web(most_body=1_000) as ask:
        assert (await ask(b"x" * 1_001, **LIST)).status_code == 413


@pytest.mark.anyio
async def test_17_a_body_that_grows_over_the_limit_is_413(door_on: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    async with door_on() as door, running_http(door, GuardRules(TOKEN, most_body=1_000)) as port:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json",
                   "accept": "application/json, text/event-stream"}  # fmt: skip
        async with httpx.AsyncClient(headers=headers) as client:
            url = f"http://127.0.0.1:{port}/mcp"
            assert (await client.post(url, content=endless())).status_code == 413


@pytest.mark.anyio
async def test_18_a_method_header_unlike_the_body_is_400(web: Any) -> None:
    async with web() as ask:
        answer = await ask(mcp_protocol_version=MODERN, mcp_method="tools/call")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.anyio
async def test_19_a_name_header_unlike_the_body_is_400(web: Any) -> None:
    async with web() as ask:
        body = modern("tools/call", name="recall", arguments={"query": "x"})
        head = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call"}
        answer = await ask(body, **head, mcp_name="remember")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
        assert (await ask(body, **head, mcp_name="recall")).status_code == 200


@pytest.mark.anyio
async def test_20_a_version_header_unlike_the_body_is_400(web: Any) -> None:
    async with web() as ask:
        body = listing()
        body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2025-11-25"
        answer = await ask(body, **LIST)
        assert answer.status_code == 400, answer.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"7", b"\xff\xfe", b'{"jsonrpc":"2.0"}', b"[" * 9_000]
)
async def test_21_malformed_json_rpc_is_an_error_and_no_crash(web: Any, raw: bytes) -> None:
    async with web() as ask:
        answer = await ask(raw, **LIST)
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text
        assert await status(ask) == 200


@pytest.mark.anyio
async def test_22_a_session_id_is_no_identity(web: Any) -> None:
    begin = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"},
        },
    }
    plain = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    async with web() as ask:
        session = (await ask(begin)).headers["mcp-session-id"]
        assert (await ask(plain, mcp_session_id=session, authorization=None)).status_code == 401
        assert (await ask(plain, mcp_session_id="guessed")).status_code == 404


# --- the state of a question -------------------------------------------------------------------


@asynccontextmanager
async def asking_client(door: Any) -> AsyncIterator[tuple[Any, str, dict[str, Any]]]:
    """A modern client that handles questions itself, with one sealed state in its hands."""

    async def unused(context: Any, params: Any) -> ElicitResult:
        raise AssertionError

    async with Client(
        build_server(door), mode=MODERN, elicitation_callback=unused
    ) as client:  # its session does not answer for us
        arguments = {"text": "CO2 rises."}
        first = await client.session.call_tool("remember", arguments, allow_input_required=True)
        assert first.request_state
        yield client, first.request_state, arguments


def yes() -> dict[str, Any]:
    return {"answer": ElicitResult(action="accept", content={"answer": True})}


@pytest.mark.anyio
async def test_23_a_request_state_does_not_show_what_it_holds(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (_, state, _):
        job = door.jobs.live("local")[0]
        assert job.question is not None
        assert job.id not in state
        assert job.question.id not in state


@pytest.mark.anyio
@pytest.mark.parametrize("at", [0, 10, -1])
async def test_24_a_request_state_that_was_changed_is_refused(door_on: Any, at: int) -> None:
    async with door_on() as door, asking_client(door) as (client, state, arguments):
        letters = list(state)
        letters[at] = "A" if letters[at] != "A" else "B"
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember", arguments, input_responses=yes(), request_state="".join(letters)
            )
        assert door.jobs.live("local")[0].question is not None


@pytest.mark.anyio
async def test_25_a_request_state_made_up_by_a_client_is_refused(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, _, arguments):
        job = door.jobs.live("local")[0]
        assert job.question is not None
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember",
                arguments,
                input_responses=yes(),
                request_state=f"{job.id} {job.question.id} approval",
            )


@pytest.mark.anyio
async def test_26_a_request_state_is_good_for_its_own_call_only(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, state, _):
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "remember",
                {"text": "Something else."},
                input_responses=yes(),
                request_state=state,
            )


@pytest.mark.anyio
async def test_27_a_request_state_answers_once(door_on: Any) -> None:
    async with door_on() as door, asking_client(door) as (client, state, arguments):
        for _ in range(2):
            got = await client.session.call_tool(
                "remember", arguments, input_responses=yes(), request_state=state
            )
            assert "user's word" in (got.structured_content or {})["summary"]
        assert len(door.jobs.store.recent("local")) == 1


# --- handles and whose they are ----------------------------------------------------------------


@pytest.mark.anyio
async def test_28_to_hold_a_job_id_is_not_to_own_the_job(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        mine = (await client.call_tool("ask_mind", {"question": "hi"})).structured_content or {}
        door.principal_of = lambda request: "http:other"
        for action in ("wait", "fetch", "cancel", "answer"):
            got = await client.call_tool("job", {"job_id": mine["job_id"], "action": action})
            assert got.is_error
            assert "There is no job" in got.content[0].text
        with pytest.raises(MCPError):
            await client.read_resource(f"manyhands://jobs/{mine['job_id']}")


@pytest.mark.anyio
async def test_29_runs_and_artifacts_are_read_by_their_owner_only(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        mine = (await client.call_tool("ask_mind", {"question": "hi"})).structured_content or {}
        artifact = door.journal.keep(mine["run_id"], "a.txt", "text/plain", b"secret")
        uris = (f"manyhands://runs/{mine['run_id']}", f"manyhands://artifacts/{artifact[7:]}")
        for uri in uris:
            await client.read_resource(uri)
        door.principal_of = lambda request: "http:other"
        for uri in uris:
            with pytest.raises(MCPError):
                await client.read_resource(uri)


@pytest.mark.anyio
async def test_30_handles_are_random_and_expire(tmp_path: Path) -> None:
    now = [1_000_000.0]
    store = JobStore.open(tmp_path / "handles.db", lambda: now[0])

    async def work(live: Any) -> dict[str, Any]:
        return {}

    async with Jobs(store) as jobs:
        ids = {jobs.start("p", "k", {"n": n}, work).id for n in range(100)}
        for one in ids:
            await jobs.wait(one, "p", 5)
        assert len({one[4:10] for one in ids}) == 100  # already the beginnings differ
        now[0] += KEPT_S + 1
        for one in ids:
            with pytest.raises(InputError):
                jobs.get(one, "p")
    store.close()


# --- tools -------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_31_no_schema_refers_to_the_network(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for tool in (await client.list_tools()).tools:
            assert "$ref" not in json.dumps([tool.input_schema, tool.output_schema])


@pytest.mark.anyio
async def test_32_the_list_of_tools_is_always_the_same(door_on: Any) -> None:
    async with door_on() as door:
        lists = []
        for _ in range(2):
            async with Client(build_server(door)) as client:
                tools = (await client.list_tools()).tools
                lists.append([tool.model_dump_json() for tool in tools])
        assert lists[0] == lists[1]


@pytest.mark.anyio
async def test_33_permission_is_checked_in_the_call(settings: Any) -> None:
    approvals = settings.approvals.model_copy(update={"remember": ApprovalRule.NEVER})
    mind = Mind(settings.model_copy(update={"approvals": approvals}))
    async with open_door(mind) as door, Client(build_server(door)) as client:
        got = await client.call_tool("remember", {"text": "x"})
        assert got.is_error
        assert not settings.memory.path.exists()


@pytest.mark.anyio
async def test_34_an_effect_asked_for_twice_happens_once(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for _ in range(3):
            assert not (await client.call_tool("remember", {"text": "CO2 rises."})).is_error
        found = (await client.call_tool("recall", {"query": "CO2"})).structured_content or {}
        assert found["value"].count("CO2 rises.") == 1


@pytest.mark.anyio
async def test_35_inputs_are_validated_and_not_repeated_in_the_error(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for bad in (
            {},
            {"task": None},
            {"task": ["sk-secret"]},
            {"task": "x", "entry_point": "é;"},
        ):
            got = await client.call_tool("code", bad)
            assert got.is_error
            assert "sk-secret" not in got.content[0].text
        with pytest.raises(MCPError):
            await client.read_resource("manyhands://artifacts/" + "../" * 50 + "etc/passwd")


def test_36_outputs_hold_nothing_that_a_terminal_or_a_model_obeys_unseen() -> None:
    hidden = "\x1b[2Jred\u202egnp.exe\u2069\U000e0041\u200bx\x07\r"
    assert clean(hidden) == "[2Jredgnp.exex"
    assert clean("naïve\n\ttext 数学 🙂") == "naïve\n\ttext 数学 🙂"


@pytest.mark.anyio
async def test_37_calls_are_bounded_and_written_down(tmp_path: Path) -> None:
    store = JobStore.open(tmp_path / "audit.db")

    async def endless(live: Any) -> dict[str, Any]:
        return {"said": await live.ask(QuestionKind.QUESTION, "?")}

    async with Jobs(store, most_open=5) as jobs:
        for number in range(5):
            jobs.start("p", "code", {"task": f"t{number}"}, endless)
        with pytest.raises(InputError, match="open already"):
            jobs.start("p", "code", {"task": "one more"}, endless)
        told = store.recent("p")
        assert {record.arguments["task"] for record in told} == {f"t{n}" for n in range(5)}
        assert all(record.created > 0 and record.principal == "p" for record in told)
    store.close()


# --- how it is started -------------------------------------------------------------------------


def test_38_stdout_carries_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "recall", "arguments": {"query": "x"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "nothing"}},
    ]  # fmt: skip
    (tmp_path / "settings.toml").touch()
    with subprocess.Popen(
        [sys.executable, "-m", "manyhands", "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "MANYHANDS_CONFIG": str(tmp_path / "settings.toml"),
            "MANYHANDS_JOURNAL__PATH": str(tmp_path / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(tmp_path / "memory.db"),
        },
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(b"not json\n")
        for message in messages:
            server.stdin.write(json.dumps(message).encode() + b"\n")
        server.stdin.flush()
        seen: set[int] = set()
        lines = []
        while not {1, 2, 3} <= seen:
            line = server.stdout.readline()
            assert line, "the server ended"
            lines.append(json.loads(line))
            seen.add(lines[-1].get("id"))
        server.stdin.close()
        rest = server.stdout.read()
        assert server.wait(20) == 0
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert rest == b""


def test_39_it_binds_to_this_machine_unless_told_otherwise() -> None:
    import inspect

    for starter in (serve_http, running_http):
        assert inspect.signature(starter).parameters["host"].default == "127.0.0.1"


def test_40_installing_shows_the_exact_command(tmp_path: Path) -> None:
    from manyhands_mcp.install import CLIENTS, snippet

    for name in CLIENTS:
        told = snippet(name, ["/opt/bin/manyhands", "mcp"])
        assert "/opt/bin/manyhands" in told, name
        assert "mcp" in told


def test_there_are_forty() -> None:
    names = [name for name in globals() if re.fullmatch(r"test_\d\d_.+", name)]
    assert sorted(int(name[5:7]) for name in names) == list(range(1, 41))
