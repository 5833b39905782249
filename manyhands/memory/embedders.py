"""Embedders: Ollama, any server with OpenAI's `/v1/embeddings`, and which one the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from manyhands.configuration.model import HostKind, HostSettings, Settings, Tier, TierSettings
from manyhands.engines.hosts import HostBoard, passes_on
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import (
    ContextOverflow,
    EngineError,
    MalformedLine,
    RequestRefused,
    ServerFault,
    SettingsError,
    Unreachable,
)
from manyhands.memory.embedding import Embedder

__all__ = ["EmbedderOnHosts", "OllamaEmbedder", "OpenAIEmbedder", "embedder_from"]

#: Characters below which a text that is refused as too long is not halved again.
_SHORTEST = 64


class OllamaEmbedder:
    """A model on an Ollama server, kept on the CPU so that it never evicts the mind.

    Args:
        options: the runner's options, `num_gpu` among them; the same in every call, so that none
            loads the model anew.
    """

    def __init__(
        self,
        engine: OllamaEngine,
        model: str,
        *,
        num_ctx: int = 2048,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self._engine = engine
        self._num_ctx = num_ctx
        self._options = {"num_gpu": 0} if options is None else dict(options)
        self._loaded = False

    def with_model(self, model: str) -> OllamaEmbedder:
        """The same server with another model: the one that served before."""
        return OllamaEmbedder(self._engine, model, num_ctx=self._num_ctx, options=self._options)

    async def embed(self, texts: list[str]) -> list[list[float]]:
        """Raises `EngineError` and its kinds. A text beyond the window is halved until it fits."""
        if not self._loaded:
            await self._engine.load_to_embed(
                self.model, num_ctx=self._num_ctx, keep_alive=-1, options=self._options
            )
            self._loaded = True
        try:
            return await self._engine.embed(
                self.model, texts, num_ctx=self._num_ctx, options=self._options
            )
        except (ContextOverflow, RequestRefused):
            if len(texts) == 1 and len(texts[0]) <= _SHORTEST:
                raise
        found: list[list[float]] = []
        for text in texts:
            shorter = text if len(texts) > 1 else text[: len(text) // 2]
            found += await self.embed([shorter])
        return found

    async def aclose(self) -> None:
        await self._engine.aclose()


class OpenAIEmbedder:
    """A model behind OpenAI's `/v1/embeddings`: vLLM, SGLang, llama-server and others.

    Args:
        url: of the server, with or without `/v1`.
        transport: for tests, in place of the network.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base = url.rstrip("/")
        self.url = base if base.endswith("/v1") else f"{base}/v1"
        self.model = model
        self._key = api_key
        self._transport = transport
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(
            headers=headers, transport=transport, timeout=httpx.Timeout(120, connect=5)
        )

    def with_model(self, model: str) -> OpenAIEmbedder:
        """The same server with another model."""
        return OpenAIEmbedder(self.url, model, api_key=self._key, transport=self._transport)

    async def embed(self, texts: list[str]) -> list[list[float]]:
        """Raises `EngineError` and its kinds."""
        where = {"host": self.url, "model": self.model}
        try:
            reply = await self._client.post(
                f"{self.url}/embeddings", json={"model": self.model, "input": texts}
            )
        except httpx.HTTPError as error:
            raise Unreachable(
                f"The embedding server at {self.url!r} does not answer: {error!r}.",
                hint="Start it, or set memory.embedder.",
                **where,
            ) from error
        if reply.status_code >= 500:
            raise ServerFault(f"{self.url!r} says {reply.status_code}: {reply.text[:200]}", **where)
        if reply.status_code >= 400:
            raise RequestRefused(
                f"{self.url!r} refuses ({reply.status_code}): {reply.text[:200]}", **where
            )
        return _vectors(reply, len(texts), where)

    async def aclose(self) -> None:
        await self._client.aclose()


def _vectors(reply: httpx.Response, expected: int, where: Mapping[str, str]) -> list[list[float]]:
    try:
        rows: Sequence[Any] = reply.json()["data"]
        ordered = sorted(rows, key=lambda row: int(row["index"]))
        found = [[float(number) for number in row["embedding"]] for row in ordered]
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedLine(
            f"{where['host']!r} sent no embeddings: {reply.text[:200]!r}.", **where
        ) from error
    if len(found) != expected:
        raise MalformedLine(
            f"{where['host']!r} sent {len(found)} vectors for {expected} texts.", **where
        )
    return found


class EmbedderOnHosts:
    """One model on several hosts: the first that answers serves, the preferred one first.

    Args:
        servers: host name -> the model there, in the order of preference; at least one.
    """

    def __init__(self, servers: Mapping[str, OllamaEmbedder | OpenAIEmbedder]) -> None:
        self._servers = dict(servers)
        self._board = HostBoard(dict.fromkeys(self._servers, 1))
        self.model = next(iter(self._servers.values())).model

    def with_model(self, model: str) -> EmbedderOnHosts:
        """The same hosts with another model."""
        return EmbedderOnHosts({name: one.with_model(model) for name, one in self._servers.items()})

    async def embed(self, texts: list[str]) -> list[list[float]]:
        """Raises `EngineError` and its kinds: the last host's, when none answers."""
        names = list(self._servers)
        # One that failed and has rested is asked again in its turn: it may be back.
        may = {*self._board.order(names, self.model, {}), *self._board.due(names)}
        for name in (order := sorted(names, key=lambda name: name not in may)):
            try:
                found = await self._servers[name].embed(texts)
            except EngineError as error:
                self._board.failed(name, self.model, error)
                if name == order[-1] or not passes_on(error):
                    raise
            else:
                self._board.answered(name)
                return found
        raise AssertionError("a host either answers or fails")

    async def aclose(self) -> None:
        for one in self._servers.values():
            await one.aclose()


def embedder_from(settings: Settings) -> Embedder | None:
    """The embedder that the settings name; None when they name none.

    Raises:
        SettingsError: the tier `embed` or its host is not there.
    """
    named = settings.memory.embedder
    if named == "none":
        return None
    tier = settings.tiers.get(Tier.EMBED)
    if tier is None:
        raise SettingsError(
            "memory.embedder needs the tier `embed`, which is not set.",
            hint="Set tiers.embed.model, or memory.embedder = 'none'.",
        )
    if named != "tier":
        return OpenAIEmbedder(named, tier.model)
    servers = {name: _on_host(settings, settings.hosts[name], tier) for name in tier.hosts}
    return EmbedderOnHosts(servers) if len(servers) > 1 else servers[tier.host]


def _on_host(
    settings: Settings, host: HostSettings, tier: TierSettings
) -> OllamaEmbedder | OpenAIEmbedder:
    if host.kind is not HostKind.OLLAMA:
        key = os.environ.get(host.api_key_env, "") if host.api_key_env else ""
        return OpenAIEmbedder(host.url, tier.model, api_key=key)
    options = tier.runner_options()
    options.pop("num_ctx")
    return OllamaEmbedder(
        OllamaEngine(host.url, deadlines=settings.deadlines.for_engine()),
        tier.model,
        num_ctx=tier.num_ctx,
        options=options,
    )
