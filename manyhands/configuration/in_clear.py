"""Which settings send a secret over the network without encryption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from manyhands.configuration.hosts import is_here

if TYPE_CHECKING:
    from manyhands.configuration.model import Settings

__all__ = ["sent_in_clear"]


def sent_in_clear(settings: Settings, env: Mapping[str, str]) -> list[str]:
    """A sentence for each setting whose token, key or headers go to another machine over `http`."""
    return [
        f"{key} ({_origin(url)}) is plain http: {what} can be read and changed on the way"
        for key, url, what in _secrets(settings, env)
        if _in_clear(url)
    ]


def _secrets(settings: Settings, env: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Setting, its address, and what goes there."""
    hands = settings.hands
    if hands.server and env.get(hands.token_env):
        yield "hands.server", hands.server, f"the token in {hands.token_env} and every table"
    for name, host in settings.hosts.items():
        if host.api_key_env and env.get(host.api_key_env):
            yield f"hosts.{name}.url", host.url, f"the key in {host.api_key_env} and every prompt"
    for name, server in settings.mcpServers.items():
        if server.url and server.headers and not server.disabled:
            headers = ", ".join(server.headers)
            yield f"mcpServers.{name}.url", server.url, f"its headers ({headers}) and every call"


def _origin(url: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _in_clear(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False  # told where it is used
    return parts.scheme == "http" and not is_here(url)
