"""Which requests may pass to a server on this machine: its name, the page that calls, the token."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

__all__ = ["allows_host", "allows_origin", "has_token"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def allows_host(host: str, others: Sequence[str] = ()) -> bool:
    """Whether a `Host` header names this machine, or one of `others`: against DNS rebinding."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    known = (*_LOOPBACK, *others)
    return bool(name) and name.casefold() in {one.casefold() for one in known}


def allows_origin(origin: str, others: Sequence[str] = ()) -> bool:
    """Whether a page may call: only one of this machine, or one of `others`."""
    if origin in others:
        return True
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or parts.path or not parts.hostname:
        return False
    return parts.hostname in ("127.0.0.1", "localhost", "::1")


def has_token(authorization: str, token: str) -> bool:
    """Whether an `Authorization` header carries the bearer token; compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    same = secrets.compare_digest(given.strip().encode(), token.encode())
    return scheme.casefold() == "bearer" and same
