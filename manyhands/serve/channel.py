"""Speaking to the owner of the models: one call, or a stream of lines, over loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
import httpx

from manyhands.engines.direct import DirectTransport
from manyhands.errors import ManyhandsError
from manyhands.serve.place import Owner
from manyhands.serve.wire import fault_of

__all__ = ["Channel", "OwnerGone"]

#: An owner answers within milliseconds; what takes longer than this is no owner any more.
_ANSWER_S = 15.0


class OwnerGone(ManyhandsError):
    """The owner does not answer: it ended, or another process got its port."""


class Channel:
    """A connection to one owner; an async context manager."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._client = httpx.AsyncClient(
            transport=DirectTransport(),
            base_url=owner.url,
            headers={"authorization": f"Bearer {owner.token}"},
            timeout=_ANSWER_S,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def call(
        self, method: str, path: str, body: Any = None, *, limit_s: float = _ANSWER_S
    ) -> dict[str, Any]:
        """One call; the answer's JSON.

        Raises:
            OwnerGone: nobody answers, or somebody who does not know the token.
            ManyhandsError: what the owner answered.
        """
        try:
            with anyio.fail_after(limit_s):
                answer = await self._client.request(method, path, json=body)
        except (httpx.HTTPError, TimeoutError) as error:
            raise OwnerGone(f"The owner of the models does not answer: {error}.") from error
        return self._read(answer.status_code, answer.content)

    @asynccontextmanager
    async def lines(self, path: str, body: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The lines of an answer as they come; leaving closes the connection at once.

        Raises:
            OwnerGone: nobody answers; the connection broke.
            ManyhandsError: what the owner answered.
        """
        try:
            async with AsyncExitStack() as stack:
                with anyio.fail_after(_ANSWER_S):
                    answer = await stack.enter_async_context(
                        self._client.stream("POST", path, json=body)
                    )
                    if answer.status_code != 200:
                        self._read(answer.status_code, await answer.aread())
                yield _lines(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            raise OwnerGone(f"The owner of the models is gone: {error}.") from error

    def _read(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict) or status in (401, 421):
            raise OwnerGone(f"{self.owner.url} is not the owner of the models any more.")
        fault = found.get("error")
        if status != 200 and isinstance(fault, Mapping):
            raise fault_of(dict(fault))
        return found


async def _lines(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    rest = b""
    async for chunk in answer.aiter_raw():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            try:
                found = json.loads(line)
            except ValueError as error:
                raise OwnerGone("Another process answers at the owner's address.") from error
            if isinstance(found, dict):
                yield found
