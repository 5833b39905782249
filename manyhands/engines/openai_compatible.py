"""The engine for servers that speak as OpenAI does: vLLM, SGLang, llama-server, LiteLLM, Ray.

They keep their models loaded, so loading and unloading do nothing here. The package `openai` makes
the requests; the stream is read by our own reader, which takes no cut answer for a whole one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, cast

import anyio
import httpx

from manyhands.engines.clocks import Clocks, within
from manyhands.engines.contracts import (
    ChatRequest,
    Deadlines,
    Delta,
    ModelInfo,
    Reply,
    Resident,
)
from manyhands.engines.direct import DirectTransport
from manyhands.engines.openai_bodies import chat_parameters
from manyhands.engines.openai_faults import compatible_fault
from manyhands.engines.openai_stream import read_events
from manyhands.engines.whole import ChatStreams
from manyhands.errors import (
    EngineError,
    MalformedLine,
    MissingExtra,
    ModelMissing,
    StreamCut,
    Unreachable,
)
from manyhands.settings import JsonMode

__all__ = ["OpenAICompatibleEngine", "base_url"]

#: Seconds before the second and the third attempt to connect; three in all.
_RETRY_AFTER_S = (0.05, 0.2)


def base_url(url: str) -> str:
    """The address of a server with the `/v1` that its calls stand under."""
    url = url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


class OpenAICompatibleEngine(ChatStreams):
    """One server.

    Args:
        url: scheme, host and port, with or without `/v1`.
        api_key: sent as a bearer token; empty for a server that asks for none.
        json_mode: how the server is told to hold an answer to a JSON schema.
        deadlines: the clocks of calls that bring none of their own.
        transport: for tests: an `httpx` transport in place of the network.

    Raises:
        MissingExtra: the package `openai` is not installed.
    """

    cut_hint = "Start the server with a larger window."

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        json_mode: JsonMode = JsonMode.SCHEMA,
        deadlines: Deadlines | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise MissingExtra(
                f"The host {url} speaks as OpenAI does, which needs the package 'openai'.",
                hint="pip install '.[farm]' in the clone",
            ) from None
        self.url = url.rstrip("/")
        self._json_mode = json_mode
        self._deadlines = deadlines or Deadlines()
        self._http = httpx.AsyncClient(
            transport=transport or DirectTransport(),
            timeout=httpx.Timeout(None, connect=self._deadlines.connect_s),
            headers={"Accept-Encoding": "identity"},
            trust_env=False,  # a proxy from the environment would see every prompt
        )
        self._client = openai.AsyncOpenAI(
            base_url=base_url(url),
            api_key=api_key or "none",
            # From the environment of a user of OpenAI these would reach a server of another's.
            organization="",
            project="",
            max_retries=0,
            timeout=cast("Any", self._http.timeout),
            http_client=cast("Any", self._http),
        )

    async def aclose(self) -> None:
        await self._client.close()

    # --- generating --------------------------------------------------------------------------

    @asynccontextmanager
    async def _parts(
        self, request: ChatRequest, clocks: Clocks
    ) -> AsyncIterator[AsyncGenerator[Delta | Reply]]:
        model = request.model
        parameters = chat_parameters(request, self._json_mode)
        with self._faults(model, request.num_ctx):
            with clocks.running():
                manager, response = await self._begin(parameters)
            try:
                chunks = cast("AsyncGenerator[bytes]", response.http_response.aiter_raw())
                async with aclosing(self._told(chunks, model)) as told:
                    yield read_events(told, clocks=clocks, host=self.url, model=model)
            finally:
                with anyio.CancelScope(shield=True):
                    await manager.__aexit__(None, None, None)

    async def _begin(self, parameters: dict[str, Any]) -> tuple[Any, Any]:
        """Send a request; only what certainly did not reach a model is sent again."""
        import openai

        create = self._client.chat.completions.with_streaming_response.create
        for wait_s in (*_RETRY_AFTER_S, None):
            manager = create(**parameters)
            try:
                return manager, await manager.__aenter__()
            except openai.APIConnectionError as error:
                if wait_s is None or not isinstance(error.__cause__, httpx.ConnectError):
                    raise
                await anyio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _told(self, chunks: AsyncGenerator[bytes], model: str) -> AsyncGenerator[bytes]:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        except httpx.HTTPError as error:
            raise self._broken(error, model) from error

    async def embed(
        self,
        model: str,
        texts: list[str],
        *,
        num_ctx: int,  # noqa: ARG002 - the server has one window
        options: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> list[list[float]]:
        """One vector for each text."""
        limit = (self._deadlines.total_s, "total")
        with within(*limit, host=self.url, model=model), self._faults(model):
            found = await self._client.embeddings.create(
                model=model, input=texts, encoding_format="float"
            )
        ordered = sorted(found.data, key=lambda one: one.index)
        if len(ordered) != len(texts):
            raise MalformedLine(
                f"{model!r} gave {len(ordered)} vectors for {len(texts)} texts.",
                host=self.url,
                model=model,
            )
        return [[float(value) for value in one.embedding] for one in ordered]

    # --- loading: such a server's models stay loaded ------------------------------------------

    async def load(
        self,
        model: str,  # noqa: ARG002
        *,
        num_ctx: int,  # noqa: ARG002
        keep_alive: str | int = -1,  # noqa: ARG002
        options: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> float:
        """Nothing: 0 seconds."""
        return 0.0

    async def unload(self, model: str) -> None:
        """Nothing."""

    async def ps(self) -> list[Resident]:
        """Nothing is told of memory."""
        return []

    # --- administration -----------------------------------------------------------------------

    async def version(self) -> str:
        """Who owns the served models by the server's own word: `vllm`, `sglang`, `llamacpp`."""
        return next((str(item.get("owned_by", "")) for item in await self._models()), "")

    async def tags(self) -> list[str]:
        """Names of the models that it serves."""
        return [item["id"] for item in await self._models()]

    async def show(self, model: str) -> ModelInfo:
        """What the list of models says of one; vLLM and SGLang tell `max_model_len`."""
        for item in await self._models():
            if item["id"] == model:
                return ModelInfo(
                    capabilities=("completion",),
                    modelfile="",
                    system="",
                    parameters="",
                    details=item,
                    info={},
                )
        raise ModelMissing(
            f"{self.url} does not serve {model!r}.",
            hint=f"It serves: {', '.join(await self.tags()) or 'nothing'}.",
            host=self.url,
            model=model,
        )

    async def _models(self) -> list[dict[str, Any]]:
        limit = (self._deadlines.gap_s, "gap")
        with within(*limit, host=self.url, model=""), self._faults(""):
            found = await self._client.models.with_raw_response.list()
            text = found.text
        try:
            listed = found.http_response.json()["data"]
        except (ValueError, KeyError, TypeError):
            listed = None
        if not isinstance(listed, list) or not all(
            isinstance(item, dict) and isinstance(item.get("id"), str) for item in listed
        ):
            raise MalformedLine(
                f"{self.url} answered with something that is no list of models: {text[:80]!r}.",
                hint="Does it speak as OpenAI does, under /v1?",
                host=self.url,
            )
        return listed

    # --- faults -------------------------------------------------------------------------------

    @contextmanager
    def _faults(self, model: str, num_ctx: int = 0) -> Iterator[None]:
        """Turn what the package raises into our own errors."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise compatible_fault(
                error.status_code,
                error.response.text,
                host=self.url,
                model=model,
                num_ctx=num_ctx,
            ) from error
        except openai.APIConnectionError as error:
            raise self._broken(error.__cause__ or error, model) from error
        except openai.OpenAIError as error:
            raise MalformedLine(
                f"{self.url} answered what the package 'openai' cannot read: {error}.",
                hint="Does it speak as OpenAI does, under /v1?",
                host=self.url,
                model=model,
            ) from error

    def _broken(self, error: BaseException, model: str) -> EngineError:
        where = {"host": self.url, "model": model}
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(
                f"Nobody answers at {self.url}.",
                hint="Start that server, or correct its url (`manyhands doctor`).",
                **where,
            )
        what = f" in the answer of {model!r}" if model else ""
        return StreamCut(
            f"The connection to {self.url} broke{what}: {type(error).__name__} {error}".rstrip(" .")
            + ".",
            hint="Ask again; if it repeats, look at the server's log.",
            **where,
        )
