"""A run of the chat is seen at the command line and over MCP; theirs are seen in the chat."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_sidebar import frame, open_chat
from manyhands_mcp.door import open_door
from manyhands_mcp.server import build_server
from mcp import Client

from manyhands.mind.mind import Mind

pytestmark = pytest.mark.anyio


async def command(*arguments: str) -> str:
    ended = await anyio.run_process([sys.executable, "-m", "manyhands", *arguments], env=os.environ)
    return ended.stdout.decode()


async def test_a_run_is_seen_at_every_door(play: Any, tmp_path: Path) -> None:
    with play(lambda request: frame(route="direct", answer="ok")):
        async with open_chat(tmp_path) as chat:
            assert "Nothing was asked at any door" in await chat.say("/runs")
            await chat.say("Asked in the chat?")
            run_id = chat.told["run_id"]
            assert "Asked in the chat?" in await command("runs", "list", "--json")
            async with (
                open_door(Mind(door="mcp"), folders=(tmp_path,)) as door,
                Client(build_server(door)) as client,
            ):
                read = await client.read_resource(f"manyhands://runs/{run_id}")
                assert "Asked in the chat?" in str(read.contents[0].text)  # type: ignore[union-attr]
                await client.call_tool("ask_mind", {"question": "Asked over MCP?"})
            await command("ask", "Asked at the command line?")
            told = await chat.say("/runs")
    listed = [line.split("**: ")[-1] for line in told.splitlines() if line.startswith("- ")]
    assert listed == ["Asked at the command line?", "Asked over MCP?", "Asked in the chat?"]
    assert [door for door in ("(cli)", "(mcp)", "(jupyter)") if door in told] == [
        "(cli)",
        "(mcp)",
        "(jupyter)",
    ]
