"""The guard in front of the HTTP transport: every request passes it before anything reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyhands.web.guard import allows_host, allows_origin, has_token

__all__ = ["MOST_BODY", "Guard", "GuardRules"]

#: Bytes of a request's body.
MOST_BODY = 4 * 1024 * 1024
_MOST_HEADERS = 32 * 1024


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What a request must be like.

    Attributes:
        token: the bearer token that every request must carry.
        hosts: host names that may stand in `Host`, without a port; loopback names always may.
        origins: origins that a browser's request may come from; loopback ones never need listing.
        public_url: where clients reach the server from outside; "" when they do not.
        path: of the endpoint.
    """

    token: str
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    public_url: str = ""
    path: str = "/mcp"
    most_body: int = MOST_BODY
    authorization_servers: Sequence[str] = field(default=())

    def allows_host(self, host: str) -> bool:
        """Whether a `Host` header names this server: against DNS rebinding."""
        public = (urlsplit(self.public_url).hostname or "",) if self.public_url else ()
        return allows_host(host, (*self.hosts, *public))

    def allows_origin(self, origin: str) -> bool:
        """Whether a page may call: only one of this machine, or a listed one."""
        return allows_origin(origin, self.origins)

    @property
    def metadata_path(self) -> str:
        return f"/.well-known/oauth-protected-resource{self.path}"


class Guard:
    """ASGI middleware: Host, Origin, token, media type and size, in this order.

    The checks stay on for any host that is bound. A request that passes carries its principal in
    `scope["manyhands.principal"]`: a hash of the token, never the token itself.
    """

    def __init__(self, app: ASGIApp, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules
        digest = hashlib.sha256(rules.token.encode()).hexdigest()
        self._principal = f"http:{digest[:32]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        rules = self._rules
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

        def single(name: str) -> str:
            values = headers.get(name, [])
            return values[0] if len(values) == 1 else ""

        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MOST_HEADERS:
            await _refuse(send, 431, "The headers are too large.")
        elif not rules.allows_host(single("host")):
            await _refuse(send, 421, "This server does not go by that host name.")
        elif "origin" in headers and not rules.allows_origin(single("origin")):
            await _refuse(send, 403, "This origin may not call.")
        elif scope["path"] == rules.metadata_path and rules.public_url:
            await self._metadata(scope, send)
        elif not self._authorized(single("authorization")):
            await _refuse(send, 401, "A bearer token is needed.", self._challenge())
        elif scope["method"] == "POST" and not _is_json(single("content-type")):
            await _refuse(send, 415, "Only application/json is taken.")
        elif not _small(headers.get("content-length", []), rules.most_body):
            await self._too_large(send)
        else:
            scope["manyhands.principal"] = self._principal
            await self._pass(scope, receive, send)

    def _authorized(self, header: str) -> bool:
        return has_token(header, self._rules.token)

    def _challenge(self) -> dict[str, str]:
        rules = self._rules
        if not rules.public_url:
            return {"www-authenticate": "Bearer"}
        base = rules.public_url.rstrip("/").removesuffix(rules.path)
        return {"www-authenticate": f'Bearer resource_metadata="{base}{rules.metadata_path}"'}

    async def _metadata(self, scope: Scope, send: Send) -> None:
        """RFC 9728: what a client needs to know to get a token."""
        if scope["method"] != "GET":
            await _refuse(send, 405, "GET only.", {"allow": "GET"})
            return
        told = {
            "resource": self._rules.public_url,
            "resource_name": "manyhands",
            "bearer_methods_supported": ["header"],
            "authorization_servers": list(self._rules.authorization_servers),
        }
        await _send(send, 200, {key: value for key, value in told.items() if value}, {})

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """On to the server with the whole body, once that is known to be small enough."""
        body = bytearray()
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._rules.most_body:
                await self._too_large(send)
                return
        given = scope["method"] != "POST"

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    async def _too_large(self, send: Send) -> None:
        await _refuse(send, 413, f"A request has at most {self._rules.most_body:,} bytes.")


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().casefold() == "application/json"


def _small(lengths: Sequence[str], most: int) -> bool:
    if not lengths:
        return True
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= most


async def _refuse(
    send: Send, status: int, message: str, headers: dict[str, str] | None = None
) -> None:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": message}}
    await _send(send, status, body, headers or {})


async def _send(send: Send, status: int, body: object, headers: dict[str, str]) -> None:
    content = json.dumps(body).encode()
    told = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(key.encode(), value.encode("latin-1")) for key, value in told.items()],
        }
    )
    await send({"type": "http.response.body", "body": content})
