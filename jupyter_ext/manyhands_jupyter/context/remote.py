"""The variables of another process's kernel, also while it runs a cell: through a subshell."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import anyio

from manyhands_jupyter.context.variables import Variable, variables_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jupyter_client.asynchronous.client import AsyncKernelClient

__all__ = ["RemoteVariables", "open_remote"]


class RemoteVariables:
    """Reads variables over a client of its own; nothing of the user's history is touched.

    Attributes:
        subshell: id of the subshell that answers while a cell runs; empty where the kernel has
            none (ipykernel before 7): reading then waits for the running cell.
    """

    def __init__(self, client: AsyncKernelClient, subshell: str) -> None:
        self._client = client
        self.subshell = subshell

    async def read(
        self, names: Sequence[str] = (), *, first: Sequence[str] = (), seconds: float = 5.0
    ) -> list[Variable]:
        """Look at the variables: those in `first`, then the others, newest first.

        Returns an empty list for a kernel of another language.

        Raises:
            TimeoutError: the kernel did not answer within `seconds`.
        """
        call = f"look(globals_, {tuple(names)!r}, {tuple(first)!r})"
        told = await self._ask("looking", call, seconds)
        return variables_of(told or ())

    async def table(self, name: str, most: int, *, seconds: float = 5.0) -> dict[str, Any]:
        """A table as `handing.hand_over` tells it; empty for a kernel of another language.

        Raises:
            TimeoutError: the kernel did not answer within `seconds`.
        """
        call = f"hand_over(globals_[{name!r}], {most})"
        told = await self._ask("handing", call, seconds)
        return told if isinstance(told, dict) else {}

    async def _ask(self, module: str, call: str, seconds: float) -> Any:
        """The value of a call of a module of ours that is run in the kernel."""
        package = resources.files("manyhands_jupyter.context")
        text = package.joinpath(f"{module}.py").read_text(encoding="utf-8")
        program = f"{text}\n\nimport json\nresult_ = json.dumps({call})"
        expression = (
            f"(lambda own: (exec({program!r}, own), own['result_'])[1])"
            "({'__name__': 'manyhands_look', 'globals_': globals()})"
        )
        message = self._client.session.msg(
            "execute_request",
            {
                "code": "",
                "silent": True,
                "store_history": False,
                "user_expressions": {"seen": expression},
                "allow_stdin": False,
                "stop_on_error": False,
            },
        )
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self._client.shell_channel.send(message)
        with anyio.fail_after(seconds):
            while True:
                reply = await self._client.get_shell_msg()
                if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                    break
        seen = reply["content"].get("user_expressions", {}).get("seen", {})
        text = seen.get("data", {}).get("text/plain", "")
        return json.loads(ast.literal_eval(text)) if text else None


@asynccontextmanager
async def open_remote(
    client: AsyncKernelClient, *, seconds: float = 5.0
) -> AsyncIterator[RemoteVariables]:
    """A reader on a kernel, with its subshell, which is given back at the end.

    Args:
        client: with started channels, and used for nothing else meanwhile.

    Raises:
        TimeoutError: the kernel did not answer within `seconds`.
    """
    subshell = ""
    with anyio.fail_after(seconds):
        reply = await _control(client, "create_subshell_request")
    subshell = str(reply["content"].get("subshell_id") or "")
    try:
        yield RemoteVariables(client, subshell)
    finally:
        if subshell:
            with anyio.move_on_after(seconds, shield=True):
                await _control(client, "delete_subshell_request", {"subshell_id": subshell})


async def _control(
    client: AsyncKernelClient, kind: str, content: dict[str, Any] | None = None
) -> dict[str, Any]:
    message = client.session.msg(kind, content or {})
    client.control_channel.send(message)
    while True:
        reply: dict[str, Any] = await client.get_control_msg()
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply
