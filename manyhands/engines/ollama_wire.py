"""One server's HTTP connections: sending, retrying what is safe, closing at once when left."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import anyio
import httpx

from manyhands.engines.clocks import Clocks, within
from manyhands.engines.contracts import Deadlines
from manyhands.engines.direct import DirectTransport
from manyhands.engines.ollama_faults import fault_of
from manyhands.errors import EngineError, MalformedLine, StreamCut, Unreachable

__all__ = ["Wire"]

#: Seconds before the second and the third attempt to connect; three in all.
_RETRY_AFTER_S = (0.05, 0.2)


class Wire:
    """HTTP to one server.

    Args:
        transport: in place of `DirectTransport`.
    """

    def __init__(
        self, url: str, deadlines: Deadlines, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(None, connect=deadlines.connect_s),
            transport=transport or DirectTransport(),
            headers={"Accept-Encoding": "identity"},
            trust_env=False,  # a proxy from the environment would see every prompt
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        model: str = "",
        limit: tuple[float, str],
    ) -> dict[str, Any]:
        """One request with one JSON object as its answer, `{}` for an empty one.

        Args:
            limit: seconds for the whole call, and the name of that clock.
        """
        with within(*limit, host=self.url, model=model):
            async with self._sent(method, path, body, model) as response:
                try:
                    text = (await response.aread()).decode("utf-8", "replace")
                except httpx.HTTPError as error:
                    raise self._fault(error, model) from error
        if response.status_code >= 400:
            raise fault_of(response.status_code, text, host=self.url, model=model)
        if not text.strip():
            return {}
        try:
            found = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise MalformedLine(
                f"{self.url}{path} answered something that is no JSON object: {text[:80]!r}.",
                hint="Is this an Ollama server?",
                host=self.url,
                model=model,
            )
        return found

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        body: dict[str, Any],
        *,
        model: str,
        num_ctx: int = 0,
        clocks: Clocks | None = None,
    ) -> AsyncIterator[AsyncGenerator[bytes]]:
        """The body of a streamed answer as it comes in; leaving closes the connection at once.

        Args:
            clocks: hold the wait for the answer's first byte; what is read later is the
                caller's to watch.
        """
        async with self._sent("POST", path, body, model, clocks) as response:
            if response.status_code >= 400:
                raise await self._refusal(response, model, num_ctx, clocks)
            async with aclosing(self._chunks(response, model)) as chunks:
                yield chunks

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        model: str,
        clocks: Clocks | None = None,
    ) -> AsyncIterator[httpx.Response]:
        request = self._client.build_request(method, path, json=body)
        if clocks is None:
            response = await self._send(request, model)
        else:
            with clocks.running():
                response = await self._send(request, model)
        try:
            yield response
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _send(self, request: httpx.Request, model: str) -> httpx.Response:
        """Send a request; only what certainly did not reach a model is sent again."""
        for wait_s in (*_RETRY_AFTER_S, None):
            try:
                return await self._client.send(request, stream=True)
            except httpx.ConnectError as error:
                if wait_s is None:
                    raise self._fault(error, model) from error
                await anyio.sleep(wait_s)
            except httpx.HTTPError as error:
                raise self._fault(error, model) from error
        raise AssertionError("the last attempt returns or raises")

    async def _refusal(
        self, response: httpx.Response, model: str, num_ctx: int, clocks: Clocks | None
    ) -> EngineError:
        try:
            if clocks is None:
                body = await response.aread()
            else:
                with clocks.running():
                    body = await response.aread()
        except httpx.HTTPError as error:
            return self._fault(error, model)
        text = body.decode("utf-8", "replace")
        return fault_of(response.status_code, text, host=self.url, model=model, num_ctx=num_ctx)

    async def _chunks(self, response: httpx.Response, model: str) -> AsyncGenerator[bytes]:
        try:
            raw = cast("AsyncGenerator[bytes]", response.aiter_raw())
            async with aclosing(raw) as chunks:
                async for chunk in chunks:
                    yield chunk
        except httpx.HTTPError as error:
            raise self._fault(error, model) from error

    def _fault(self, error: httpx.HTTPError, model: str) -> EngineError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(
                f"Nobody answers at {self.url}.",
                hint="Start it with `ollama serve`, or set hosts.local.url (`manyhands doctor`).",
                host=self.url,
                model=model,
            )
        where = f" in the answer of {model!r}" if model else ""
        return StreamCut(
            f"The connection to {self.url} broke{where}: {type(error).__name__} {error}".rstrip(
                " ."
            )
            + ".",
            hint="Ask again; if it repeats, look at the server's log.",
            host=self.url,
            model=model,
        )
