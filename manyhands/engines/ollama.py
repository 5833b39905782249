"""The Ollama engine: its native API, with the rules that keep roles from reloading models.

What each request carries, and why, stands in `ollama_bodies`; `/v1` carries none of it, so it is
not used.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from manyhands.engines.clocks import Clocks
from manyhands.engines.contracts import (
    ChatRequest,
    Deadlines,
    Delta,
    Message,
    ModelInfo,
    Progress,
    Reply,
    Resident,
)
from manyhands.engines.ollama_bodies import (
    chat_body,
    embed_body,
    load_body,
    load_to_embed_body,
    unload_body,
)
from manyhands.engines.ollama_stream import count_of, read_progress, read_reply
from manyhands.engines.ollama_wire import Wire
from manyhands.engines.whole import ChatStreams
from manyhands.errors import EngineError, MalformedLine

__all__ = ["OllamaEngine"]


class OllamaEngine(ChatStreams):
    """One Ollama server.

    Args:
        url: scheme, host and port.
        deadlines: the clocks of calls that bring none of their own.
        transport: for tests: an `httpx` transport in place of the network.
    """

    cut_hint = "Update the server; it ignores `truncate: false`."

    def __init__(
        self,
        url: str,
        *,
        deadlines: Deadlines | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._deadlines = deadlines or Deadlines()
        self._wire = Wire(self.url, self._deadlines, transport)

    async def aclose(self) -> None:
        await self._wire.aclose()

    # --- generating --------------------------------------------------------------------------

    @asynccontextmanager
    async def _parts(
        self, request: ChatRequest, clocks: Clocks
    ) -> AsyncIterator[AsyncGenerator[Delta | Reply]]:
        model, num_ctx = request.model, request.num_ctx
        async with self._wire.stream(
            "/api/chat", chat_body(request), model=model, num_ctx=num_ctx, clocks=clocks
        ) as chunks:
            yield read_reply(chunks, clocks=clocks, host=self.url, model=model)

    async def embed(
        self,
        model: str,
        texts: list[str],
        *,
        num_ctx: int,
        options: Mapping[str, Any] | None = None,
    ) -> list[list[float]]:
        """One vector for each text; a text that is too long is refused, never cut.

        Args:
            options: the tier's runner options.
        """
        body = embed_body(model, texts, num_ctx=num_ctx, options=options)
        found = await self._wire.call(
            "POST", "/api/embed", body, model=model, limit=(self._deadlines.total_s, "total")
        )
        vectors = found.get("embeddings")
        if not isinstance(vectors, list) or len(vectors) != len(texts):
            raise MalformedLine(
                f"{model!r} gave {len(vectors) if isinstance(vectors, list) else 'no'} vectors "
                f"for {len(texts)} texts.",
                host=self.url,
                model=model,
            )
        return [[float(value) for value in vector] for vector in vectors]

    # --- loading -----------------------------------------------------------------------------

    async def load(
        self,
        model: str,
        *,
        num_ctx: int,
        keep_alive: str | int = -1,
        options: Mapping[str, Any] | None = None,
    ) -> float:
        """Load a model with the tier's options; the seconds that it took.

        Giving up on this call aborts the load on the server: let the owner of the models do it.
        """
        body = load_body(model, num_ctx=num_ctx, keep_alive=keep_alive, options=options)
        started = time.monotonic()  # the server's own answer to a load tells no duration
        await self._wire.call("POST", "/api/generate", body, model=model, limit=self._load_limit())
        return time.monotonic() - started

    async def load_to_embed(
        self,
        model: str,
        *,
        num_ctx: int,
        keep_alive: str | int = -1,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Load a model that only embeds, as `load` does others."""
        body = load_to_embed_body(model, num_ctx=num_ctx, keep_alive=keep_alive, options=options)
        await self._wire.call("POST", "/api/embed", body, model=model, limit=self._load_limit())

    async def unload(self, model: str) -> None:
        body = unload_body(model)
        await self._wire.call("POST", "/api/generate", body, model=model, limit=self._load_limit())

    def _load_limit(self) -> tuple[float, str]:
        return self._deadlines.load_s, "load"

    # --- administration ----------------------------------------------------------------------

    async def version(self) -> str:
        return str((await self._ask("GET", "/api/version")).get("version", ""))

    async def scripted(self) -> bool:
        """Whether the server says that its models only play (`manyhands rehearsal serve`)."""
        try:
            return (await self._ask("GET", "/api/rehearsal")).get("scripted") is True
        except EngineError:
            return False  # Ollama knows no such path

    async def tags(self) -> list[str]:
        """Names of the models that the server has."""
        return [str(item.get("name", "")) for item in await self._listed("/api/tags")]

    async def sizes(self) -> dict[str, int]:
        """Bytes of the weights of each model that the server has."""
        listed = await self._listed("/api/tags")
        return {str(item.get("name", "")): count_of(item, "size") for item in listed}

    async def ps(self) -> list[Resident]:
        """Loaded models; of several roles on one base only the first is named."""
        return [
            Resident(
                name=str(item.get("name", "")),
                size=count_of(item, "size"),
                size_vram=count_of(item, "size_vram"),
                context_length=count_of(item, "context_length"),
                expires_at=str(item.get("expires_at", "")),
            )
            for item in await self._listed("/api/ps")
        ]

    async def show(self, model: str) -> ModelInfo:
        found = await self._ask("POST", "/api/show", {"model": model}, model=model)
        return ModelInfo(
            capabilities=tuple(found.get("capabilities") or ()),
            modelfile=str(found.get("modelfile", "")),
            system=str(found.get("system", "")),
            parameters=str(found.get("parameters", "")),
            details=found.get("details") or {},
            info=found.get("model_info") or {},
            messages=tuple(
                Message(role=item["role"], content=item["content"])
                for item in found.get("messages") or ()
            ),
        )

    async def pull(self, model: str) -> AsyncGenerator[Progress]:
        """Download a model; the server goes on where a former pull was stopped.

        Iterate within `contextlib.aclosing`: closing stops the download at once.
        """
        async with aclosing(self._steps("/api/pull", {"model": model}, model)) as steps:
            async for step in steps:
                yield step

    async def create(self, name: str, spec: Mapping[str, Any]) -> AsyncGenerator[Progress]:
        """Create a model `from` a present one; iterate within `contextlib.aclosing`.

        Raises:
            ModelMissing: the base is absent; the server itself would begin to download it.
        """
        base = str(spec.get("from", ""))
        if base:
            await self.show(base)
        body = {**spec, "model": name}
        async with aclosing(self._steps("/api/create", body, name)) as steps:
            async for step in steps:
                yield step

    async def copy(self, source: str, destination: str) -> None:
        body = {"source": source, "destination": destination}
        await self._ask("POST", "/api/copy", body, model=source)

    async def delete(self, model: str) -> None:
        await self._ask("DELETE", "/api/delete", {"model": model}, model=model)

    async def _steps(self, path: str, body: dict[str, Any], model: str) -> AsyncGenerator[Progress]:
        async with self._wire.stream(path, {**body, "stream": True}, model=model) as chunks:
            steps = read_progress(chunks, what=path, host=self.url, model=model)
            async with aclosing(steps):
                async for step in steps:
                    yield step

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, model: str = ""
    ) -> dict[str, Any]:
        """A call that needs no model to run, so the gap clock is patient enough for it."""
        limit = (self._deadlines.gap_s, "gap")
        return await self._wire.call(method, path, body, model=model, limit=limit)

    async def _listed(self, path: str) -> list[dict[str, Any]]:
        found = (await self._ask("GET", path)).get("models") or []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise MalformedLine(
                f"{self.url}{path} answered with something that is no list of models.",
                hint="Is this an Ollama server?",
                host=self.url,
            )
        return found
