"""Ollama's endpoints over a store of scripted models."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from manyhands.rehearsal.answering import (
    Refusal,
    count_tokens,
    fit_messages,
    prompt_of,
    refusal_of,
    speak,
)
from manyhands.rehearsal.breaking import break_it
from manyhands.rehearsal.embedding import embed_text
from manyhands.rehearsal.http import Connection, HttpRequest
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.runners import Runners
from manyhands.rehearsal.script import ReplyFn, ScriptedModel, ScriptedRequest, echo
from manyhands.rehearsal.store import Store, StoredModel, full_name, now, show_body, valid_name

if TYPE_CHECKING:
    from manyhands.rehearsal.answering import Spoken
    from manyhands.rehearsal.server import Exchange

__all__ = ["Api"]

_NDJSON = "application/x-ndjson"
_VERSION = "0.33.0"
#: A load of resident weights was measured at about a millisecond.
_RESIDENT_NS = 1_000_000
_REGISTRY = "https://registry.ollama.ai/v2/library"

Handler = Callable[[dict[str, Any], Connection, "Exchange"], Awaitable[None]]


class Api:
    """One server's state and its endpoints."""

    def __init__(self, models: tuple[ScriptedModel, ...], profile: Profile) -> None:
        self._profile = profile
        self.store = Store(models)
        self.runners = Runners(profile)
        self.upload_reply: ReplyFn = echo
        self._calls: dict[str, int] = {}
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/api/version"): self._version,
            ("GET", "/api/tags"): self._tags,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._chat,
            ("POST", "/api/generate"): self._generate,
            ("POST", "/api/embed"): self._embed,
            ("POST", "/api/create"): self._create,
            ("POST", "/api/pull"): self._pull,
            ("POST", "/api/copy"): self._copy,
            ("DELETE", "/api/delete"): self._delete,
        }

    async def answer(
        self, request: HttpRequest, connection: Connection, exchange: Exchange
    ) -> None:
        """Serve one request."""
        if request.path.startswith("/api/blobs/"):
            await self._blob(request, connection)
            return
        if request.path == "/" and request.method in ("GET", "HEAD"):
            await connection.whole(200, "text/plain; charset=utf-8", b"Ollama is running")
            return
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            known = any(path == request.path for _, path in self._routes)
            status, text = (405, "405 method not allowed") if known else (404, "404 page not found")
            await connection.whole(status, "text/plain", text.encode())
            return
        try:
            body = json.loads(request.body) if request.body else {}
        except ValueError as error:
            await connection.json({"error": str(error)}, 400)
            return
        exchange.body = body
        if request.method == "POST" and not request.body:
            await connection.json({"error": "missing request body"}, 400)
            return
        try:
            await handler(body, connection, exchange)
        except Refusal as refusal:
            await connection.json({"error": refusal.message}, refusal.status, refusal.kind)

    # --- looking -----------------------------------------------------------------------------

    async def _version(self, _: dict[str, Any], connection: Connection, __: Exchange) -> None:
        await connection.json({"version": _VERSION})

    async def _tags(self, _: dict[str, Any], connection: Connection, __: Exchange) -> None:
        listed = []
        for model in self.store.all():
            # Of a model with a GGUF template `tags` knows less than `show` does.
            embeds = "embedding" in model.base.capabilities
            listed.append(
                {
                    "name": model.name,
                    "model": model.name,
                    "modified_at": model.modified,
                    "size": model.base.size,
                    "digest": model.digest,
                    "details": model.details(tagged=True),
                    "capabilities": ["embedding"] if embeds else ["completion"],
                }
            )
        await connection.json({"models": listed})

    async def _ps(self, _: dict[str, Any], connection: Connection, __: Exchange) -> None:
        listed = []
        for runner, expires, window in self.runners.listed():
            model = self.store.find(runner.model)
            if model is None:
                continue
            listed.append(
                {
                    "name": model.name,
                    "model": model.name,
                    "size": runner.size,
                    "digest": model.digest,
                    "details": {**model.details(), "parent_model": ""},
                    "expires_at": expires,
                    "size_vram": runner.size,
                    "context_length": window,
                }
            )
        await connection.json({"models": listed})

    async def _show(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        name = str(body.get("model") or body.get("name") or "")
        model = self.store.find(name)
        if model is None:
            raise Refusal(404, f"model '{full_name(name)}' not found")
        await connection.json(show_body(model))

    # --- answering ---------------------------------------------------------------------------

    def _wanted(self, body: dict[str, Any], missing: str = "model '{name}' not found") -> Any:
        name = str(body.get("model") or "")
        if not name:
            raise Refusal(400, "model is required")
        model = self.store.find(name)
        if model is None:
            raise Refusal(404, missing.format(name=name))
        return model

    async def _generate(
        self, body: dict[str, Any], connection: Connection, exchange: Exchange
    ) -> None:
        """Only what loads and unloads: an empty prompt."""
        model: StoredModel = self._wanted(body)
        if body.get("prompt"):
            messages = [{"role": "user", "content": body["prompt"]}]
            await self._chat({**body, "messages": messages}, connection, exchange)
            return
        unload = "keep_alive" in body and body["keep_alive"] == 0
        if unload:
            await self.runners.unload(model)
        else:
            async with self.runners.use(model, body):
                pass
        await connection.json(
            {
                "model": body["model"],
                "created_at": now(),
                "response": "",
                "done": True,
                "done_reason": "unload" if unload else "load",
            }
        )

    async def _chat(self, body: dict[str, Any], connection: Connection, exchange: Exchange) -> None:
        model: StoredModel = self._wanted(body)
        name = str(body["model"])
        refused = refusal_of(model, name, body)
        if refused is not None:
            raise refused
        if body.get("_debug_render_only"):
            rendered = prompt_of(model, body.get("messages") or [])
            await connection.json(
                {
                    "model": name,
                    "created_at": now(),
                    "message": {"role": "", "content": ""},
                    "done": False,
                    "_debug_info": {"rendered_template": rendered},
                }
            )
            return
        started = time.monotonic()
        async with self.runners.use(model, body) as (runner, load_s):
            num_ctx = int(dict(runner.key.options)["num_ctx"])
            messages, tokens = fit_messages(model, body, num_ctx)
            self._calls[model.base.name] = self._calls.get(model.base.name, 0) + 1
            request = ScriptedRequest(
                model=name,
                messages=messages,
                number=self._calls[model.base.name],
                format=body.get("format"),
                tools=body.get("tools") or [],
                think=body.get("think"),
                options={**model.parameters, **(body.get("options") or {})},
            )
            spoken = speak(model, request, num_ctx - tokens)
            await self._pause(self._profile.prefill_s(tokens))
            timing = self._timing(started, load_s, tokens, spoken)
            lines = _lines(name, spoken, timing)
            if spoken.reply.fault is not None:
                await break_it(spoken.reply.fault, [_dumped(line) for line in lines], connection)
            elif body.get("stream", True):
                await self._stream(lines, spoken, connection, exchange)
            else:
                await self._pause(self._profile.decode_s(spoken.tokens))
                await connection.json(_joined(lines, body))

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds * self._profile.clock_scale)

    def _timing(self, started: float, load_s: float, tokens: int, spoken: Spoken) -> dict[str, int]:
        prompt_s = self._profile.prefill_s(tokens)
        eval_s = self._profile.decode_s(spoken.tokens)
        spent = time.monotonic() - started
        return {
            "total_duration": int((spent + load_s + prompt_s + eval_s) * 1e9) + _RESIDENT_NS,
            "load_duration": int(load_s * 1e9) or _RESIDENT_NS,
            "prompt_eval_count": tokens,
            "prompt_eval_duration": int(prompt_s * 1e9) or 1000,
            "eval_count": spoken.tokens,
            "eval_duration": int(eval_s * 1e9) or 1000,
        }

    async def _stream(
        self,
        lines: list[dict[str, Any]],
        spoken: Spoken,
        connection: Connection,
        exchange: Exchange,
    ) -> None:
        await connection.begin(_NDJSON)
        pause = self._profile.decode_s(1) + spoken.reply.pace_s
        for line in lines[:-1]:
            await self._pause(pause)
            await connection.chunk(_dumped(line))
            exchange.tokens += 1
        await connection.chunk(_dumped(lines[-1]))
        await connection.end()

    async def _embed(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        model: StoredModel = self._wanted(body, 'model "{name}" not found, try pulling it first')
        if "embedding" not in model.base.capabilities:
            message = "This server does not support embeddings. Start it with `--embeddings`"
            raise Refusal(501, message)
        given = body.get("input", [])
        texts = [given] if isinstance(given, str) else list(given)
        if not texts:
            async with self.runners.use(model, body):
                await connection.json({"model": body["model"], "embeddings": []})
            return
        started = time.monotonic()
        async with self.runners.use(model, body) as (_runner, load_s):
            vectors = [
                embed_text(text, model.base.dimensions, body.get("dimensions")) for text in texts
            ]
            load_ns = int(load_s * 1e9) or _RESIDENT_NS
            await connection.json(
                {
                    "model": body["model"],
                    "embeddings": vectors,
                    "total_duration": int((time.monotonic() - started) * 1e9) + load_ns,
                    "load_duration": load_ns,
                    "prompt_eval_count": sum(count_tokens(text) for text in texts),
                }
            )

    # --- changing ----------------------------------------------------------------------------

    async def _create(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        name, base_name = str(body.get("model") or ""), str(body.get("from") or "")
        if not valid_name(name):
            raise Refusal(400, "invalid model name")
        fault, steps = self._made(name, base_name, body)
        if body.get("stream", True):
            await connection.begin(_NDJSON)
            for status in steps:
                await connection.chunk(_dumped({"status": status}))
            if fault is not None:
                await connection.chunk(_dumped({"error": fault.message}))
            await connection.end()
        elif fault is not None:
            await connection.json({"error": fault.message}, fault.status, "application/json")
        else:
            await connection.json({"status": "success"}, 200, "application/json")

    def _made(
        self, name: str, base_name: str, body: dict[str, Any]
    ) -> tuple[Refusal | None, list[str]]:
        """Make the model; the steps that the server tells, or why it cannot."""
        template = str(body.get("template") or "")
        if template.count("{{") != template.count("}}"):
            return Refusal(400, "template error: template: :1: unclosed action"), []
        files, adapters = body.get("files") or {}, body.get("adapters") or {}
        if files:
            base = ScriptedModel(name=full_name(name).partition(":")[0], reply=self.upload_reply)
            self.store.add(StoredModel(name=full_name(name), base=base))
            layer = f"creating new layer {StoredModel(name, base).blob}"
            middle = ["parsing GGUF", "verifying conversion", layer]
            return None, [*middle, "writing manifest", "success"]
        if not base_name:
            raise Refusal(400, "neither 'from' or 'files' was specified", "application/json")
        base_model = self.store.find(base_name)
        if base_model is None:
            return Refusal(500, _no_host(base_name)), []
        made = self.store.derive(base_model, name, body)
        self.store.add(made)
        steps = ["parsing GGUF"] if adapters else []
        steps.append(f"using existing layer {made.blob}")
        steps += [f"using existing layer {digest}" for digest in adapters.values()]
        for key in ("system", "template", "license", "parameters", "messages"):
            if body.get(key):
                digest = hashlib.sha256(json.dumps(body[key]).encode()).hexdigest()
                steps.append(f"creating new layer sha256:{digest}")
        return None, [*steps, "writing manifest", "success"]

    async def _pull(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        model = self.store.find(str(body.get("model") or ""))
        await connection.begin(_NDJSON)
        await connection.chunk(_dumped({"status": "pulling manifest"}))
        if model is None:
            await connection.chunk(_dumped({"error": _no_host(str(body.get("model")))}))
            await connection.end()
            return
        for part in range(5):
            line = {
                "status": f"pulling {model.blob[7:19]}",
                "digest": model.blob,
                "total": model.base.size,
                "completed": math.ceil(model.base.size * part / 4),
            }
            await connection.chunk(_dumped(line))
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            await connection.chunk(_dumped({"status": status}))
        await connection.end()

    async def _copy(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        source = self.store.find(str(body.get("source") or ""))
        if source is None:
            raise Refusal(404, f'model "{body.get("source")}" not found')
        self.store.add(self.store.derive(source, str(body.get("destination")), {}))
        await connection.whole(200, "", b"")

    async def _delete(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        name = str(body.get("model") or "")
        if self.store.find(name) is None:
            raise Refusal(404, f"model '{name}' not found")
        self.store.remove(name)
        await connection.whole(200, "", b"")

    async def _blob(self, request: HttpRequest, connection: Connection) -> None:
        digest = request.path.rsplit("/", 1)[-1]
        if request.method == "HEAD":
            status = 200 if digest in self.store.blobs else 404
            kind = "" if status == 200 else "application/json; charset=utf-8"
            await connection.whole(status, kind, b"", head_only=True)
            return
        actual = f"sha256:{hashlib.sha256(request.body).hexdigest()}"
        if actual != digest:
            message = f'digest mismatch, expected "{digest}", got "{actual}"'
            await connection.json({"error": message}, 400)
            return
        known = digest in self.store.blobs
        self.store.blobs[digest] = request.body
        await connection.whole(200 if known else 201, "", b"")


def _no_host(name: str) -> str:
    """What a server without a network says when it would download a model."""
    model, _, tag = name.partition(":")
    url = f"{_REGISTRY}/{model}/manifests/{tag or 'latest'}"
    return f'pull model manifest: Get "{url}": dial tcp: lookup registry.ollama.ai: no such host'


def _dumped(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(name: str, spoken: Spoken, timing: dict[str, int]) -> list[dict[str, Any]]:
    """The lines of a streamed answer; tool calls stand in the last one."""

    def line(message: dict[str, Any], **rest: Any) -> dict[str, Any]:
        shown = {"role": "assistant", **message}
        return {"model": name, "created_at": now(), "message": shown, "done": False, **rest}

    lines = [line({"content": "", "thinking": piece}) for piece in spoken.thinking]
    lines += [line({"content": piece}) for piece in spoken.content]
    calls = spoken.tool_calls()
    last: dict[str, Any] = {"content": "", **({"tool_calls": calls} if calls else {})}
    lines.append(line(last, **{"done": True, "done_reason": spoken.done_reason, **timing}))
    return lines


def _joined(lines: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a call that does not stream."""
    last = lines[-1]
    pieces = [line["message"]["content"] for line in lines]
    thinking = "".join(line["message"].get("thinking", "") for line in lines)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(pieces)}
    if thinking:
        message["thinking"] = thinking
    if "tool_calls" in last["message"]:
        message["tool_calls"] = last["message"]["tool_calls"]
    joined = {**last, "message": message}
    if body.get("logprobs"):
        top = int(body.get("top_logprobs") or 0)
        joined["logprobs"] = [_logprob(piece, top) for piece in pieces if piece]
    return joined


def _logprob(piece: str, top: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"token": piece, "logprob": 0, "bytes": list(piece.encode())}
    if top:
        # What comes second to a scripted token is nothing: an empty token, without bytes.
        others = [{"token": "", "logprob": -84.7} for _ in range(top - 1)]
        entry["top_logprobs"] = [dict(entry), *others]
    return entry
