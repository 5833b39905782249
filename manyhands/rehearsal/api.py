"""Ollama's endpoints over a store of scripted models."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from manyhands.rehearsal.answering import Refusal
from manyhands.rehearsal.answers import Answers
from manyhands.rehearsal.changes import Changes
from manyhands.rehearsal.compatible import Compatible
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.runners import Runners
from manyhands.rehearsal.script import ReplyFn, ScriptedModel
from manyhands.rehearsal.store import Store, full_name, show_body
from manyhands.web.listener import Connection, HttpRequest

if TYPE_CHECKING:
    from manyhands.rehearsal.server import Exchange

__all__ = ["Api"]

_VERSION = "0.33.0"

Handler = Callable[[dict[str, Any], Connection, "Exchange"], Awaitable[None]]


class Api:
    """One server's state and its endpoints.

    Args:
        announced: says to who asks that its models are scripted, which Ollama has no word for.
    """

    def __init__(
        self, models: tuple[ScriptedModel, ...], profile: Profile, *, announced: bool = False
    ) -> None:
        self.store = Store(models)
        self.runners = Runners(profile)
        self._changes = Changes(self.store)
        answers = Answers(self.store, self.runners, profile)
        compatible = Compatible(self.store, profile)
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/api/version"): self._version,
            ("GET", "/api/tags"): self._tags,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): answers.chat,
            ("POST", "/api/generate"): answers.generate,
            ("POST", "/api/embed"): answers.embed,
            ("POST", "/api/create"): self._changes.create,
            ("POST", "/api/pull"): self._changes.pull,
            ("POST", "/api/copy"): self._changes.copy,
            ("DELETE", "/api/delete"): self._changes.delete,
            ("GET", "/v1/models"): compatible.models,
            ("POST", "/v1/chat/completions"): compatible.chat,
            ("POST", "/v1/embeddings"): compatible.embed,
        }
        if announced:
            self._routes["GET", "/api/rehearsal"] = self._rehearsal

    def script_for_uploads(self, reply: ReplyFn) -> None:
        """What models say that are created from an uploaded file, which carries no script."""
        self._changes.upload_reply = reply

    def change_uploads(self, change: Callable[[ReplyFn], ReplyFn]) -> None:
        """Make what uploaded scripted weights say into something else."""
        self._changes.upload_change = change

    async def answer(
        self, request: HttpRequest, connection: Connection, exchange: Exchange
    ) -> None:
        """Serve one request."""
        if request.path.startswith("/api/blobs/"):
            await self._changes.blob(request, connection)
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

    async def _rehearsal(self, _: dict[str, Any], connection: Connection, __: Exchange) -> None:
        await connection.json({"scripted": True})

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
                    "size": model.base.size,
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
