"""Ollama's endpoints that change which models there are: create, pull, copy, delete, blobs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manyhands.rehearsal.answering import Refusal
from manyhands.rehearsal.script import ReplyFn, ScriptedModel, echo
from manyhands.rehearsal.store import Store, StoredModel, full_name, valid_name
from manyhands.rehearsal.uploads import played
from manyhands.rehearsal.weights.scripted import script_in
from manyhands.web.listener import NDJSON, Connection, HttpRequest, dumped

if TYPE_CHECKING:
    from manyhands.rehearsal.server import Exchange

__all__ = ["Changes"]

#: What `embedding_weights` makes.
_DIMENSIONS = 256
_REGISTRY = "https://registry.ollama.ai/v2/library"


class Changes:
    """The endpoints that change a store.

    Attributes:
        upload_reply: what models say that are made from an uploaded file.
        upload_change: makes what scripted weights say into something else.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.upload_reply: ReplyFn = echo
        self.upload_change: Callable[[ReplyFn], ReplyFn] = lambda reply: reply

    async def create(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        name, base_name = str(body.get("model") or ""), str(body.get("from") or "")
        if not valid_name(name):
            raise Refusal(400, "invalid model name")
        fault, steps = self._made(name, base_name, body)
        if body.get("stream", True):
            await connection.begin(NDJSON)
            for status in steps:
                await connection.chunk(dumped({"status": status}))
            if fault is not None:
                await connection.chunk(dumped({"error": fault.message}))
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
            (digest,) = list(files.values())[:1]
            base = self._uploaded(full_name(name).partition(":")[0], str(digest))
            self._store.add(StoredModel(name=full_name(name), base=base))
            layer = f"creating new layer {StoredModel(name, base).blob}"
            middle = ["parsing GGUF", "verifying conversion", layer]
            return None, [*middle, "writing manifest", "success"]
        if not base_name:
            raise Refusal(400, "neither 'from' or 'files' was specified", "application/json")
        base_model = self._store.find(base_name)
        if base_model is None:
            return Refusal(500, _no_host(base_name)), []
        made = self._store.derive(base_model, name, body)
        self._store.add(made)
        steps = ["parsing GGUF"] if adapters else []
        steps.append(f"using existing layer {made.blob}")
        steps += [f"using existing layer {digest}" for digest in adapters.values()]
        for key in ("system", "template", "license", "parameters", "messages"):
            if body.get(key):
                digest = hashlib.sha256(json.dumps(body[key]).encode()).hexdigest()
                steps.append(f"creating new layer sha256:{digest}")
        return None, [*steps, "writing manifest", "success"]

    def _uploaded(self, name: str, digest: str) -> ScriptedModel:
        """A model from an uploaded file: scripted weights bring their script, others bring none."""
        data = self._store.blobs.get(digest, b"")
        lines = script_in(data)
        if lines is None:
            return ScriptedModel(name=name, reply=self.upload_reply)
        if not lines:
            return ScriptedModel(
                name=name, size=len(data), capabilities=("embedding",), dimensions=_DIMENSIONS
            )
        return ScriptedModel(name=name, size=len(data), reply=self.upload_change(played(lines)))

    async def pull(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        model = self._store.find(str(body.get("model") or ""))
        await connection.begin(NDJSON)
        await connection.chunk(dumped({"status": "pulling manifest"}))
        if model is None:
            await connection.chunk(dumped({"error": _no_host(str(body.get("model")))}))
            await connection.end()
            return
        for part in range(5):
            line = {
                "status": f"pulling {model.blob[7:19]}",
                "digest": model.blob,
                "total": model.base.size,
                "completed": math.ceil(model.base.size * part / 4),
            }
            await connection.chunk(dumped(line))
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            await connection.chunk(dumped({"status": status}))
        await connection.end()

    async def copy(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        source = self._store.find(str(body.get("source") or ""))
        if source is None:
            raise Refusal(404, f'model "{body.get("source")}" not found')
        self._store.add(self._store.derive(source, str(body.get("destination")), {}))
        await connection.whole(200, "", b"")

    async def delete(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        name = str(body.get("model") or "")
        if self._store.find(name) is None:
            raise Refusal(404, f"model '{name}' not found")
        self._store.remove(name)
        await connection.whole(200, "", b"")

    async def blob(self, request: HttpRequest, connection: Connection) -> None:
        digest = request.path.rsplit("/", 1)[-1]
        if request.method == "HEAD":
            status = 200 if digest in self._store.blobs else 404
            kind = "" if status == 200 else "application/json; charset=utf-8"
            await connection.whole(status, kind, b"", head_only=True)
            return
        actual = f"sha256:{hashlib.sha256(request.body).hexdigest()}"
        if actual != digest:
            message = f'digest mismatch, expected "{digest}", got "{actual}"'
            await connection.json({"error": message}, 400)
            return
        known = digest in self._store.blobs
        self._store.blobs[digest] = request.body
        await connection.whole(200 if known else 201, "", b"")


def _no_host(name: str) -> str:
    """What a server without a network says when it would download a model."""
    model, _, tag = name.partition(":")
    url = f"{_REGISTRY}/{model}/manifests/{tag or 'latest'}"
    return f'pull model manifest: Get "{url}": dial tcp: lookup registry.ollama.ai: no such host'
