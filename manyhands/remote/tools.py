"""Tools of other MCP servers, as further steps of a plan.

Everything that such a server says is text from outside: names, descriptions and results are shown
to the mind fenced as data, and whether a call may happen is decided by the settings and a person,
never by a server's own hints.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from manyhands.broker.contracts import Rule
from manyhands.errors import EngineError, InputError, ManyhandsError
from manyhands.remote.connect import connected_http, need_mcp, told
from manyhands.settings import McpServerSettings, ToolRule

if TYPE_CHECKING:
    from mcp import Client

__all__ = ["OutsideTool", "OutsideTools"]

_LIST_S = 10.0
_MOST_TOOLS = 40
_MOST_DESCRIPTION = 300
#: Characters of one result; the mind reads it in parts, as any long result.
_MOST_RESULT = 200_000
#: How long a server's list is taken for what it offers.
_FRESH_S = 600.0

#: A process asks each server once for its list and not with every question.
_LISTS: dict[str, tuple[float, list[OutsideTool]]] = {}


@dataclass(frozen=True, slots=True)
class OutsideTool:
    """A tool of another server.

    Attributes:
        name: `server/tool`.
        arguments: name -> type, as its schema gives them.
        required: names that a call must hold.
    """

    name: str
    description: str
    arguments: Mapping[str, str]
    required: tuple[str, ...]

    @property
    def line(self) -> str:
        told = ", ".join(
            f"{name}{'' if name in self.required else '?'}: {kind}"
            for name, kind in self.arguments.items()
        )
        return f"{self.name}({told}): {self.description}"


class OutsideTools:
    """The servers of the settings and what they offer; nothing is started before it is needed.

    Args:
        folder: where a server is started; the process's own when None.
        other: the rule for tools without one of their own; `never` goes before any.
    """

    def __init__(
        self,
        servers: Mapping[str, McpServerSettings],
        folder: Path | None = None,
        other: Rule = Rule.ASK,
    ) -> None:
        self._other = other
        self._folder = folder
        self._servers = {name: one for name, one in servers.items() if not one.disabled}
        self.tools: dict[str, OutsideTool] = {}

    async def look(self) -> list[str]:
        """Find out what the servers offer; gives a line for each that does not answer."""
        faults: list[str] = []

        async def one(name: str) -> None:
            try:
                found = await self._list(name)
            except ManyhandsError as error:
                faults.append(str(error))
            else:
                self.tools.update({tool.name: tool for tool in found})

        async with anyio.create_task_group() as tasks:
            for name in self._servers:
                tasks.start_soon(one, name)
        self.tools = dict(sorted(self.tools.items()))
        return faults

    def rules(self) -> dict[str, Rule]:
        """What the settings say about each tool, for the broker."""
        return {f"mcp:{name}": self._meant(name) for name in self.tools}

    def _meant(self, name: str) -> Rule:
        meant = {ToolRule.ASK: Rule.ASK, ToolRule.ALWAYS: Rule.TRUSTED, ToolRule.NEVER: Rule.NEVER}
        own = self._rule(name)
        if self._other is Rule.NEVER or own is None:
            return self._other
        return meant[own]

    def free(self, name: str) -> bool:
        """Whether the user has set that this tool is never asked about."""
        return self._other is not Rule.NEVER and self._rule(name) is ToolRule.ALWAYS

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool; gives its text.

        Raises:
            EngineError: the server cannot be reached, or the tool reports an error.
        """
        server, _, tool = name.partition("/")
        settings = self._servers[server]
        with anyio.move_on_after(settings.timeout_s) as limit:
            async with self._connected(server) as client:
                reply = await client.call_tool(
                    tool, dict(arguments), read_timeout_seconds=settings.timeout_s
                )
        if limit.cancelled_caught:
            raise EngineError(
                f"{name} did not answer within {settings.timeout_s:.0f} s.",
                hint=f"mcpServers.{server}.timeout_s changes the limit.",
            )
        parts = [
            block.text if block.type == "text" else f"[{block.type}, not shown]"
            for block in reply.content
        ]
        text = "\n".join(parts)
        if len(text) > _MOST_RESULT:
            left = len(text) - _MOST_RESULT
            text = f"{text[:_MOST_RESULT]}\n[… {left:,} characters left out …]"
        if reply.is_error:
            raise EngineError(f"{name} reports an error: {text[:500]}")
        return text

    def _rule(self, name: str) -> ToolRule | None:
        """What `approve` says about a tool; None where it says nothing."""
        server, _, tool = name.partition("/")
        return self._servers[server].approve.get(tool)

    async def _list(self, server: str) -> list[OutsideTool]:
        settings = self._servers[server]
        key = f"{server} {self._folder} {settings.model_dump_json()}"
        at, known = _LISTS.get(key, (0.0, []))
        if at and time.monotonic() - at < _FRESH_S:
            return known
        found: list[OutsideTool] = []
        with anyio.move_on_after(_LIST_S) as limit:
            async with self._connected(server) as client:
                for tool in (await client.list_tools()).tools[:_MOST_TOOLS]:
                    if not settings.tools or tool.name in settings.tools:
                        found.append(_outside(server, tool))
        if limit.cancelled_caught:
            raise EngineError(
                f"MCP server {server!r} did not list its tools within {_LIST_S:.0f} s.",
                hint=f"Start it by hand, or set mcpServers.{server}.disabled = true.",
            )
        _LISTS[key] = time.monotonic(), found
        return found

    @asynccontextmanager
    async def _connected(self, server: str) -> AsyncIterator[Client]:
        settings = self._servers[server]
        what = f"MCP server {server!r}"
        if settings.url:
            headers = {name: _filled(value, what) for name, value in settings.headers.items()}
            async with connected_http(_filled(settings.url, what), headers, what) as client:
                yield client
            return
        need_mcp(what)
        from mcp import Client, StdioServerParameters

        parameters = StdioServerParameters(
            command=_filled(settings.command, what),
            args=[_filled(one, what) for one in settings.args],
            env={name: _filled(value, what) for name, value in settings.env.items()} or None,
            cwd=self._folder,
        )
        async with told(f"{what} ({settings.command})", server), Client(parameters) as client:
            yield client


def _outside(server: str, tool: Any) -> OutsideTool:
    schema = tool.input_schema if isinstance(tool.input_schema, dict) else {}
    properties = schema.get("properties")
    fields = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    return OutsideTool(
        name=f"{server}/{tool.name}"[:200],
        description=" ".join((tool.description or "").split())[:_MOST_DESCRIPTION],
        arguments={
            str(name)[:60]: str(one.get("type", "any")) if isinstance(one, dict) else "any"
            for name, one in list(fields.items())[:30]
        },
        required=tuple(str(one) for one in required) if isinstance(required, list) else (),
    )


def _filled(text: str, what: str) -> str:
    """`${NAME}` and `${env:NAME}` as the environment has it, so that no secret is in a file."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise InputError(f"{what} needs the variable {name}.", hint=f"Set {name}.")
        return os.environ[name]

    return re.sub(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}", value, text)
