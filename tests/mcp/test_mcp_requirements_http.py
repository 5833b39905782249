"""What the protocol's security pages ask of a server over HTTP: the first 22 of the forty."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers_requirements import LIST, MODERN, TOKEN, listing, modern, status
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from manyhands_mcp.token import read_token

from manyhands.errors import SettingsError

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
