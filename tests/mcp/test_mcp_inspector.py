"""The Inspector as an outside client: another protocol library, another language."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers_mcp import PROMPTS, role_of
from helpers_outside import INSPECTOR, installed, node
from manyhands_mcp.guard import GuardRules
from manyhands_mcp.http import running_http
from test_mcp_tools import doubling

from manyhands.cli.demo_models import say
from manyhands.settings import Settings

TOKEN = "0123456789abcdef" * 4
TABLE = "x,y\n1,2\n2,4\n3,6\n"

pytestmark = [pytest.mark.anyio, pytest.mark.slow, installed]


class Inspector:
    """Runs the Inspector's command line against one server."""

    def __init__(self, home: Path, *target: str) -> None:
        self._home, self._target = home, target

    async def run(self, *options: str) -> tuple[int, Any, str]:
        """Exit status (0 fine, 5 a tool's error, 6 a schema's), the result, standard error."""
        done = await node(
            INSPECTOR, "--cli", *self._target, *options, "--format", "json", "-q", home=self._home
        )
        said = json.loads(done.stdout) if done.stdout.strip() else {}
        return done.returncode, said.get("result", said), done.stderr

    async def call(self, tool: str, *options: str, **arguments: Any) -> Any:
        status, said, told = await self.run(
            "--method", "tools/call", "--tool-name", tool,
            "--tool-args-json", json.dumps(arguments), *options,
        )  # fmt: skip
        assert status == 0, (tool, said, told)
        got = said["structuredContent"]
        if got["status"] == "running":  # a busy machine takes longer than an unknown client waits
            return await self.call("job", job_id=got["job_id"])
        return got


def reply(request: Any) -> str:
    """Code and its tests for a coder and a tester, a program for a judge; else the demo's words."""
    role = role_of(request)
    if role in ("coder", "tester"):
        return doubling(request)
    if role.startswith("verif"):
        return "```python\ndef claim(df):\n    return bool(df['y'].sum() == 12)\n```\n"
    return say(request, PROMPTS)


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    """With the user's memory at the tokens' disposal, so that its tools can be called."""
    own = settings_in(tmp_path)
    return own.model_copy(update={"memory": own.memory.model_copy(update={"over_http": True})})


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_every_tool_resource_and_prompt_from_outside_over_http(
    door_on: Any, tmp_path: Path, era: str
) -> None:
    async with door_on(reply) as door, running_http(door, GuardRules(TOKEN)) as port:
        header = f"Authorization: Bearer {TOKEN}"
        inspector = Inspector(
            tmp_path, f"http://127.0.0.1:{port}/mcp", "--header", header, "--protocol-era", era
        )
        status, listed, told = await inspector.run("--method", "tools/list", "--strict")
        assert status == 0, told
        names = [tool["name"] for tool in listed["tools"]]
        got = {
            "code": await inspector.call("code", task="Double a number."),
            "math": await inspector.call(
                "math", task="The slope", kind="derivative", given={"f": "t**2", "var": "t"}
            ),
            "visualize": await inspector.call(
                "visualize", task="y over x", data=[TABLE], x="x", y="y"
            ),
            "verify": await inspector.call("verify", claim="The sum of y is 12", data=[TABLE]),
            "ask_mind": await inspector.call("ask_mind", question="hello"),
            "remember": await inspector.call("remember", text="CO2 rises by 2 ppm a year"),
            "recall": await inspector.call("recall", query="CO2"),
        }
        got["job"] = await inspector.call("job", job_id=got["code"]["job_id"], action="fetch")
        assert sorted(got) == sorted(names)
        assert got["code"]["status"] == got["job"]["status"] == "verified"
        assert "CO2 rises" in got["recall"]["value"]
        finished = {"verified", "refuted", "unverified", "cannot", "ok"}
        assert {one["status"] for one in got.values()} <= finished, got

        for uri in (
            "manyhands://status",
            "manyhands://roles/coder",
            f"manyhands://runs/{got['code']['run_id']}",
            f"manyhands://jobs/{got['code']['job_id']}",
            got["code"]["links"][0],
        ):
            status, said, told = await inspector.run("--method", "resources/read", "--uri", uri)
            assert status == 0, (uri, told)
            assert said["contents"][0]["uri"] == uri
        status, said, told = await inspector.run(
            "--method", "prompts/get", "--prompt-name", "coder", "--prompt-args", "question=Sort"
        )
        assert status == 0, told
        assert "Sort" in said["messages"][0]["content"]["text"]

        status, said, told = await inspector.run(
            "--method", "tools/call", "--tool-name", "recall", "--tool-args-json",
            '{"query": "CO2"}', "--load", "--load-requests", "100", "--load-concurrency", "10",
        )  # fmt: skip
        assert status == 0, told
        assert (said["ok"], said["errors"], said["toolErrors"]) == (100, 0, 0), said
        # A wrong call is a tool's error (5), which a model can read, and not a broken one.
        status, said, _ = await inspector.run("--method", "tools/call", "--tool-name", "math")
        assert status == 5
        assert "`task`" in said["content"][0]["text"]


async def test_the_installed_command_answers_over_standard_input(
    settings: Any, tmp_path: Path
) -> None:
    settings_file = settings.journal.path.parent / "settings.toml"
    inspector = Inspector(
        tmp_path, sys.executable, "-m", "manyhands", "mcp", "-e",
        f"MANYHANDS_CONFIG={settings_file}",
        "-e", f"MANYHANDS_JOURNAL__PATH={settings.journal.path}",
        "-e", f"MANYHANDS_MEMORY__PATH={settings.memory.path}",
    )  # fmt: skip
    status, listed, told = await inspector.run("--method", "tools/list", "--strict")
    assert status == 0, told
    assert len(listed["tools"]) == 8
    assert (await inspector.call("recall", query="anything"))["status"] == "ok"
