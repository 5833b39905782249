"""The Ollama engine: its native API, with the rules that keep roles from reloading models.

Every chat and load sends the tier's `num_ctx`, `truncate: false` and `shift: false`; `keep_alive`
is sent in load and unload calls only, since in a chat it can hang the server's scheduler
(ollama#17408). `/v1` carries none of these, so it is not used.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import stamina

from manyhands.engines.contracts import (
    ChatRequest,
    Deadlines,
    Delta,
    DoneReason,
    Message,
    ModelInfo,
    Progress,
    Reply,
    Resident,
)
from manyhands.engines.ollama_faults import fault_of
from manyhands.engines.ollama_stream import read_reply
from manyhands.errors import (
    AnswerTruncated,
    ContextOverflow,
    DeadlineExceeded,
    EngineError,
    MalformedLine,
    ModelMissing,
    StreamCut,
    Unreachable,
)

__all__ = ["OllamaEngine"]

#: Below this share of our own (upper-leaning) estimate a prompt was evidently cut.
_CUT_SHARE = 0.25
_SMALL_PROMPT = 512


class OllamaEngine:
    """One Ollama server.

    Args:
        url: scheme, host and port.
        deadlines: the clocks of calls that bring none of their own.
        transport: for tests: an `httpx` transport in place of the network.
    """

    def __init__(
        self,
        url: str,
        *,
        deadlines: Deadlines | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._deadlines = deadlines or Deadlines()
        self._client = httpx.AsyncClient(
            base_url=self.url,
            timeout=httpx.Timeout(None, connect=self._deadlines.connect_s),
            transport=transport,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            trust_env=False,  # a proxy from the environment would see every prompt
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    # --- generating --------------------------------------------------------------------------

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta | Reply]:
        """The answer piece by piece; the `Reply` comes last and once.

        Leaving the iteration closes the connection at once, which stops the generation.

        Raises:
            EngineError: see `manyhands.errors`; nothing is retried after a token was seen.
        """
        deadlines = request.deadlines or self._deadlines
        response = await self._post_stream("/api/chat", _chat_body(request), request, deadlines)
        try:
            async with aclosing(_raw(response, self.url, request.model)) as chunks:
                parts = read_reply(chunks, deadlines=deadlines, host=self.url, model=request.model)
                async with aclosing(parts):
                    async for part in parts:
                        if isinstance(part, Reply):
                            self._mind_the_prompt(request, part)
                        yield part
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def chat(self, request: ChatRequest, *, whole: bool = True) -> Reply:
        """The whole answer.

        Raises:
            AnswerTruncated: the model reached its token limit and `whole` is wanted.
        """
        async with aclosing(self.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, Reply):
                    if whole and part.done_reason is DoneReason.LENGTH:
                        raise AnswerTruncated(
                            f"{request.model!r} stopped at its limit of "
                            f"{part.usage.completion_tokens} tokens.",
                            partial=part.content,
                            host=self.url,
                            model=request.model,
                            hint="Raise the role's budget, or ask for less.",
                        )
                    return part
        raise StreamCut("The stream ended without a reply.", host=self.url, model=request.model)

    async def embed(self, model: str, texts: list[str], *, num_ctx: int) -> list[list[float]]:
        """One vector for each text; a text that is too long is refused, never cut."""
        body = {
            "model": model,
            "input": texts,
            "truncate": False,
            "options": {"num_ctx": num_ctx},
        }
        found = await self._call("POST", "/api/embed", body, model=model)
        vectors = found.get("embeddings")
        if not isinstance(vectors, list) or len(vectors) != len(texts):
            raise MalformedLine(
                f"{model!r} gave {len(vectors) if isinstance(vectors, list) else 'no'} vectors "
                f"for {len(texts)} texts.",
                host=self.url,
                model=model,
            )
        return [[float(value) for value in vector] for vector in vectors]

    def _mind_the_prompt(self, request: ChatRequest, reply: Reply) -> None:
        """Fail loudly when the server counted far fewer tokens than were sent."""
        estimate, counted = request.estimate_tokens, reply.usage.prompt_tokens
        if estimate and estimate > _SMALL_PROMPT and 0 < counted < estimate * _CUT_SHARE:
            raise ContextOverflow(
                f"{request.model!r} read {counted} tokens of a prompt of about {estimate}: "
                "the server cut it.",
                prompt_tokens=estimate,
                num_ctx=request.num_ctx,
                hint="Update the server; it ignores `truncate: false`.",
                host=self.url,
                model=request.model,
            )

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

        Giving up on this call aborts the load on the server: let a `ModelKeeper` own it.
        """
        body = {
            "model": model,
            "stream": False,
            "keep_alive": keep_alive,
            "truncate": False,
            "shift": False,
            "options": {**(options or {}), "num_ctx": num_ctx},
        }
        started = time.monotonic()  # the server's own answer to a load tells no duration
        with self._within(self._deadlines.load_s, "load", model):
            await self._call("POST", "/api/generate", body, model=model)
        return time.monotonic() - started

    async def unload(self, model: str) -> None:
        body = {"model": model, "keep_alive": 0, "stream": False}
        await self._call("POST", "/api/generate", body, model=model)

    # --- administration ----------------------------------------------------------------------

    async def version(self) -> str:
        return str((await self._call("GET", "/api/version"))["version"])

    async def tags(self) -> list[str]:
        """Names of the models that the server has."""
        found = await self._call("GET", "/api/tags")
        return [str(item["name"]) for item in found.get("models") or []]

    async def ps(self) -> list[Resident]:
        """Loaded models; of several roles on one base only the first is named."""
        found = await self._call("GET", "/api/ps")
        return [
            Resident(
                name=str(item.get("name", "")),
                size=int(item.get("size", 0)),
                size_vram=int(item.get("size_vram", 0)),
                context_length=int(item.get("context_length", 0)),
                expires_at=str(item.get("expires_at", "")),
            )
            for item in found.get("models") or []
        ]

    async def show(self, model: str) -> ModelInfo:
        found = await self._call("POST", "/api/show", {"model": model}, model=model)
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

    def pull(self, model: str) -> AsyncIterator[Progress]:
        """Download a model; the server goes on where a former pull was stopped."""
        return self._progress("/api/pull", {"model": model, "stream": True}, model)

    async def create(self, name: str, spec: Mapping[str, Any]) -> AsyncIterator[Progress]:
        """Create a model `from` a present one.

        Raises:
            ModelMissing: the base is absent; the server itself would begin to download it.
        """
        base = str(spec.get("from", ""))
        if base:
            await self.show(base)
        body = {**spec, "model": name, "stream": True}
        async for step in self._progress("/api/create", body, name):
            yield step

    async def copy(self, source: str, destination: str) -> None:
        body = {"source": source, "destination": destination}
        await self._call("POST", "/api/copy", body, model=source)

    async def delete(self, model: str) -> None:
        await self._call("DELETE", "/api/delete", {"model": model}, model=model)

    async def _progress(
        self, path: str, body: dict[str, Any], model: str
    ) -> AsyncIterator[Progress]:
        last = ""
        try:
            async with self._client.stream("POST", path, json=body) as response:
                if response.status_code >= 400:
                    text = (await response.aread()).decode("utf-8", "replace")
                    raise fault_of(response.status_code, text, host=self.url, model=model)
                async for line in response.aiter_lines():
                    if not line.strip():
                        continue
                    part = json.loads(line)
                    if "error" in part:
                        raise _administration_fault(line, self.url, model)
                    last = str(part.get("status", ""))
                    yield Progress(
                        last, int(part.get("completed") or 0), int(part.get("total") or 0)
                    )
        except httpx.HTTPError as error:
            raise self._transport_fault(error, model) from error
        except ValueError as error:
            raise MalformedLine(str(error), host=self.url, model=model) from error
        if last != "success":
            raise StreamCut(
                f"{path} for {model!r} stopped after {last!r}.",
                hint="Run it again; what is there already is kept.",
                host=self.url,
                model=model,
            )

    # --- transport ---------------------------------------------------------------------------

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, model: str = ""
    ) -> dict[str, Any]:
        """One request with one JSON answer."""
        response = await self._send(self._client.build_request(method, path, json=body), model)
        try:
            with self._within(self._deadlines.total_s, "total", model):
                text = (await response.aread()).decode("utf-8", "replace")
        except httpx.HTTPError as error:
            raise self._transport_fault(error, model) from error
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        if response.status_code >= 400:
            raise fault_of(response.status_code, text, host=self.url, model=model)
        if not text.strip():
            return {}
        try:
            found = json.loads(text, strict=False)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise MalformedLine(
                f"{self.url}{path} answered something that is no JSON object: {text[:80]!r}.",
                hint="Is this an Ollama server?",
                host=self.url,
                model=model,
            )
        return found

    async def _post_stream(
        self, path: str, body: dict[str, Any], request: ChatRequest, deadlines: Deadlines
    ) -> httpx.Response:
        built = self._client.build_request("POST", path, json=body)
        with self._within(deadlines.first_token_s, "first_token", request.model):
            response = await self._send(built, request.model)
        if response.status_code >= 400:
            try:
                with self._within(deadlines.gap_s, "gap", request.model):
                    text = (await response.aread()).decode("utf-8", "replace")
            except httpx.HTTPError as error:
                raise self._transport_fault(error, request.model) from error
            finally:
                await response.aclose()
            raise fault_of(
                response.status_code,
                text,
                host=self.url,
                model=request.model,
                num_ctx=request.num_ctx,
            )
        return response

    async def _send(self, request: httpx.Request, model: str) -> httpx.Response:
        """Send a request; only what certainly did not reach a model is sent again."""
        async for attempt in stamina.retry_context(
            on=(httpx.ConnectError, httpx.ConnectTimeout),
            attempts=3,
            timeout=self._deadlines.connect_s * 2,
            wait_initial=0.05,
            wait_max=0.5,
        ):
            with attempt:
                try:
                    return await self._client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if attempt.num >= 3:
                        break
                    raise
                except httpx.HTTPError as error:
                    raise self._transport_fault(error, model) from error
        raise Unreachable(
            f"Nobody answers at {self.url}.",
            hint="Start it with `ollama serve`, or set hosts.local.url (`manyhands doctor`).",
            host=self.url,
            model=model,
        )

    def _transport_fault(self, error: httpx.HTTPError, model: str) -> EngineError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(
                f"Nobody answers at {self.url}.",
                hint="Start it with `ollama serve`, or set hosts.local.url.",
                host=self.url,
                model=model,
            )
        return StreamCut(
            f"The connection to {self.url} broke: {type(error).__name__} {error}".rstrip(),
            hint="Ask again; if it repeats, look at the server's log.",
            host=self.url,
            model=model,
        )

    def _within(self, seconds: float, clock: str, model: str) -> _Within:
        return _Within(seconds, clock, self.url, model)


class _Within:
    """A deadline that raises our own error, naming its clock."""

    def __init__(self, seconds: float, clock: str, host: str, model: str) -> None:
        self._seconds = seconds
        self._clock = clock
        self._host = host
        self._model = model
        self._scope = anyio.move_on_after(seconds)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        swallowed = self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:
            raise DeadlineExceeded(
                f"{self._host} did not answer for {self._model!r} within {self._seconds:g} s.",
                clock=self._clock,
                hint=f"Raise deadlines.{self._clock}_s if the server is only slow.",
                host=self._host,
                model=self._model,
            )
        return swallowed


async def _raw(response: httpx.Response, host: str, model: str) -> AsyncGenerator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        raise StreamCut(
            f"The connection to {host} broke in the answer of {model!r}: {type(error).__name__}.",
            hint="Ask again; if it repeats, look at the server's log.",
            host=host,
            model=model,
        ) from error


def _chat_body(request: ChatRequest) -> dict[str, Any]:
    options: dict[str, Any] = {**request.sampling, "num_ctx": request.num_ctx}
    if request.num_predict is not None:
        options["num_predict"] = request.num_predict
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": options,
    }
    if request.format is not None:
        body["format"] = request.format
    if request.think is not None:
        body["think"] = request.think
    # With `format` the grammar wins and no call is ever made, so tools are not sent along.
    if request.tools and request.format is None:
        body["tools"] = list(request.tools)
    return body


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        body["thinking"] = message.thinking
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_name:
        body["tool_name"] = message.tool_name
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    if message.images:
        body["images"] = list(message.images)
    return body


def _administration_fault(line: str, host: str, model: str) -> EngineError:
    fault = fault_of(200, line, host=host, model=model)
    if "file does not exist" in fault.message:
        return ModelMissing(
            f"The registry has no model {model!r}.",
            hint="Check the name on ollama.com/library.",
            host=host,
            model=model,
        )
    return fault
