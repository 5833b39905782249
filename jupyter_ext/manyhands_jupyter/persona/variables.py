"""The variables of the kernel behind a question's notebook, read in a subshell while cells run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from jupyter_client.asynchronous.client import AsyncKernelClient

from manyhands_jupyter.context.gather import mentions, names_in
from manyhands_jupyter.context.remote import RemoteVariables, open_remote
from manyhands_jupyter.context.variables import describe

__all__ = ["BUDGET_TOKENS", "Variables", "variables"]

#: Tokens for what is told of variables.
BUDGET_TOKENS = 450
#: Bytes of a mentioned table up to which it is handed over as data.
_TABLE = 5_000_000
#: A kernel that does not answer within this is left out of the question.
_LOOK_S = 2.0
_TABLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Variables:
    """What a question gets of a kernel.

    Attributes:
        question: with `@df` and `{df}` as plain names.
        context: label -> text.
        data: name -> rows, of the tables that the question mentions.
    """

    question: str
    context: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


async def variables(connection: Mapping[str, Any], question: str) -> Variables:
    """Look at a kernel; without an answer of it the question goes on alone.

    Args:
        connection: as in a kernel's connection file.
    """
    client = AsyncKernelClient()
    client.load_connection_info(dict(connection))
    client.start_channels(iopub=False, stdin=False, hb=False)
    try:
        async with open_remote(client, seconds=_LOOK_S) as remote:
            return await _told(remote, question)
    except TimeoutError:
        return Variables(question)
    finally:
        client.stop_channels()


async def _told(remote: RemoteVariables, question: str) -> Variables:
    looked = await remote.read(first=names_in(question), seconds=_LOOK_S)
    text, named = mentions(question, {one.name: one for one in looked})
    described = describe(looked, BUDGET_TOKENS, named)
    context = {"variables of the notebook": described.text} if described.text else {}
    data: dict[str, Any] = {}
    for name in named:
        with anyio.move_on_after(_TABLE_S):
            told = await remote.table(name, _TABLE, seconds=_TABLE_S)
            if "rows" in told:
                data[name] = told["rows"]
            elif "bytes" in told:
                size = f"{told['bytes'] / 1e6:.0f} MB, {_TABLE / 1e6:.0f} fit"
                context[f"`{name}`"] = f"Too large to hand over as data ({size}): only its schema."
    return Variables(text, context, data)
