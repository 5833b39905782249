"""What the MCP door adds to a call, against a tool of the bare SDK that does nothing.

    python benchmarks/mcp.py [--calls 300] [--json FILE]

Both servers run the same way in the same run: in memory, over stdio, over HTTP. Ours does what
every call of a hand does (validation, a job with its row in SQLite, waiting, the structured
reply) around work that does nothing. Calls of the two alternate, so that load on the machine
meets both. Schema sizes are printed too; with the npm package `gpt-tokenizer` at hand
(`--tokenizer FOLDER`, where `npm install gpt-tokenizer` was run) they are counted in o200k_base,
without it they are estimated at 4 characters per token and marked so.
"""

# ruff: noqa: E402

from __future__ import annotations

import sys
from pathlib import Path

# This file's own name must not be taken for the SDK's.
sys.path[:] = [one for one in sys.path if Path(one or ".").resolve() != Path(__file__).parent]

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from manyhands_mcp.door import Ctx, Door, open_door
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from manyhands_mcp.server import build_server
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from manyhands.mind.mind import Mind
from manyhands.settings import load_settings

TOKEN = "0123456789abcdef" * 4
GOAL_MS = 2.0
GOAL_TOKENS = 1_200


def bare() -> MCPServer:
    """The SDK alone."""
    server = MCPServer("bare", log_level="CRITICAL")

    @server.tool()
    async def noop(text: str) -> dict[str, str]:
        """Do nothing."""
        return {"status": "ok", "summary": text}

    return server


def ours(door: Door) -> MCPServer:
    """The product's server, with one more tool whose work does nothing."""
    server = build_server(door)

    @server.tool(structured_output=False)
    async def noop(ctx: Ctx, text: str) -> Any:
        """Do nothing, as a job."""

        async def work(_: Any) -> dict[str, Any]:
            return {"status": "ok", "summary": text}

        return await door.call(ctx, "noop", {"text": text}, work)

    return server


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    with tempfile.TemporaryDirectory(prefix="manyhands-bench-") as name:
        folder = Path(name)
        (folder / "settings.toml").touch()
        settings = load_settings(
            path=folder / "settings.toml",
            env={
                "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
                "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
                "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
            },
        )
        async with open_door(Mind(settings)) as door:
            yield door


@asynccontextmanager
async def in_memory() -> AsyncIterator[tuple[Client, Client]]:
    async with a_door() as door, Client(bare()) as base, Client(ours(door)) as mine:
        yield base, mine


@asynccontextmanager
async def over_stdio() -> AsyncIterator[tuple[Client, Client]]:
    def server(which: str) -> StdioServerParameters:
        return StdioServerParameters(command=sys.executable, args=[__file__, "--serve", which])

    async with Client(server("bare")) as base, Client(server("ours")) as mine:
        yield base, mine


@asynccontextmanager
async def over_http() -> AsyncIterator[tuple[Client, Client]]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--serve", "http"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ports = process.stdout.readline().split()
            async with httpx.AsyncClient(headers=headers, timeout=30) as web:
                urls = [f"http://127.0.0.1:{port}/mcp" for port in ports]
                async with (
                    Client(streamable_http_client(urls[0], http_client=web)) as base,
                    Client(streamable_http_client(urls[1], http_client=web)) as mine,
                ):
                    yield base, mine
        finally:
            process.terminate()


async def serve(which: str) -> None:
    if which == "bare":
        await bare().run_stdio_async()
        return
    async with a_door() as door:
        if which == "ours":
            await ours(door).run_stdio_async()
            return
        async with (
            running_http(door, GuardRules(TOKEN), build=lambda _: bare()) as base,
            running_http(door, GuardRules(TOKEN), build=ours) as mine,
        ):
            print(base, mine, flush=True)
            await asyncio.Event().wait()


async def measure(base: Client, mine: Client, calls: int) -> dict[str, float]:
    """Milliseconds of the two, and the median of the differences of neighbouring calls."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(calls + 10):
        for which, client in enumerate((base, mine)):
            begun = time.perf_counter()
            result = await client.call_tool("noop", {"text": f"n{number}"})
            took = (time.perf_counter() - begun) * 1e3
            assert not result.is_error, result
            if number >= 10:
                times[which].append(took)
    added = [one - other for one, other in zip(times[1], times[0], strict=True)]
    return {
        "bare_ms": statistics.median(times[0]),
        "ours_ms": statistics.median(times[1]),
        "added_ms": statistics.median(added),
        "added_p95_ms": sorted(added)[int(0.95 * len(added))],
    }


async def schema_tokens(tokenizer: Path | None) -> tuple[dict[str, int], str]:
    """Tokens of names, descriptions and input schemas, and of the output schemas apart."""
    async with a_door() as door, Client(build_server(door)) as client:
        tools = (await client.list_tools()).tools
    compact: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False}
    texts = {
        "names, descriptions, input schemas": json.dumps(
            [
                {"name": t.name, "description": t.description, "inputSchema": t.input_schema}
                for t in tools
            ],
            **compact,
        ),
        "output schemas": json.dumps([tool.output_schema for tool in tools], **compact),
    }
    if tokenizer is None:
        return {name: len(text) // 4 for name, text in texts.items()}, "estimated, 4 characters"
    program = (
        'const {encode} = require("gpt-tokenizer/encoding/o200k_base");'
        'const t = JSON.parse(require("fs").readFileSync(0));'
        "console.log(JSON.stringify(Object.fromEntries("
        "Object.entries(t).map(([k, v]) => [k, encode(v).length]))))"
    )
    counted = await asyncio.to_thread(
        subprocess.run,
        ["node", "-e", program],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        cwd=tokenizer,
        check=True,
    )
    return json.loads(counted.stdout), "o200k_base"


async def play(calls: int, tokenizer: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "calls": calls,
    }
    ways = {"in memory": in_memory, "stdio": over_stdio, "HTTP": over_http}
    print(f"{'':12}{'bare SDK':>12}{'manyhands':>12}{'added':>10}{'p95':>10}")
    for name, opened in ways.items():
        async with opened() as (base, mine):
            told = await measure(base, mine, calls)
        found[name] = told
        verdict = "" if told["added_ms"] <= GOAL_MS else f"  over the goal of {GOAL_MS} ms"
        print(
            f"{name:12}{told['bare_ms']:9.2f} ms{told['ours_ms']:9.2f} ms"
            f"{told['added_ms']:7.2f} ms{told['added_p95_ms']:7.2f} ms{verdict}"
        )
    tokens, counter = await schema_tokens(tokenizer)
    found["tokens"], found["counter"] = tokens, counter
    for name, count in tokens.items():
        print(f"{name}: {count:,} tokens ({counter})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", choices=("bare", "ours", "http"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    found = asyncio.run(play(options.calls, options.tokenizer))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
