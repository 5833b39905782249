"""The figures that the pages tell of the tools are those of today's tools."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import serve_http
from manyhands_mcp.server import build_server
from mcp import Client

ROOT = Path(__file__).parents[2]


@pytest.mark.anyio
async def test_the_size_of_the_schemas_is_told_as_it_is(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        tools = (await client.list_tools()).tools
    told = [
        {"name": one.name, "description": one.description, "inputSchema": one.input_schema}
        for one in tools
    ]
    outputs = [one.output_schema for one in tools]
    sizes = [
        len(json.dumps(part, separators=(",", ":"), ensure_ascii=False)) // 4
        for part in (told, outputs)
    ]
    readme = re.search(r"about ([\d,]+) tokens of schema", (ROOT / "README.md").read_text())
    page = re.search(
        r"tools together: about ([\d,]+) tokens.*?about ([\d,]+)\.",
        (ROOT / "docs" / "mcp.md").read_text(),
        re.DOTALL,
    )
    assert readme is not None
    assert page is not None
    assert readme[1] == page[1] == f"{sizes[0]:,}"
    assert page[2] == f"{sizes[1]:,}"


@pytest.mark.anyio
async def test_a_server_for_other_machines_says_what_goes_in_clear_and_by_which_names(
    door_on: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with door_on() as door, anyio.create_task_group() as tasks:
        rules = GuardRules("t" * 64, hosts=("gpu-box",))

        async def serve() -> None:
            await serve_http(
                door.mind, rules, host="0.0.0.0", port=0, token_file=tmp_path / "token"
            )

        tasks.start_soon(serve)
        told = ""
        with anyio.fail_after(60):
            while "allow-host" not in told:
                await anyio.sleep(0.05)
                told += capsys.readouterr().err
        tasks.cancel_scope.cancel()
    assert "in clear" in told
    assert "gpu-box" in told
