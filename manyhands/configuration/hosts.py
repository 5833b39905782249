"""Reading the address of a model server in the forms in which people and Ollama write it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["DEFAULT_URL", "host_url", "is_here", "is_loopback"]

DEFAULT_URL = "http://127.0.0.1:11434"
_DEFAULT_PORT = {"http": 11434, "https": 443}


def host_url(text: str) -> str:
    """A whole URL from `host`, `host:port`, `:port`, `port` or a URL.

    A server that listens on every address (`0.0.0.0`, `::`) is reached over the loopback.
    Without a scheme it is http and the port is Ollama's 11434; `https` without a port means 443,
    and a URL that says `http://` without a port means 80, as Ollama's own client reads it.

    Raises:
        ValueError: it is no address; the message says what was expected.
    """
    cleaned = text.strip().strip("\"'").strip()
    if not cleaned:
        return DEFAULT_URL
    written_scheme, sep, rest = cleaned.partition("://")
    scheme = written_scheme.lower() if sep else "http"
    if not sep:
        rest = cleaned
        if rest.isdigit():
            rest = f":{rest}"
        elif rest.count(":") > 1 and not rest.startswith("["):
            rest = f"[{rest}]"
    if scheme not in _DEFAULT_PORT:
        raise ValueError(f"{text!r} has the scheme {scheme!r}; allowed: http, https")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError:
        raise ValueError(f"{text!r} is no address such as {DEFAULT_URL}") from None
    if parts.username or parts.password:
        raise ValueError(
            "an address must not hold a password; name the key's variable in api_key_env"
        )
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    if port is None:
        port = 80 if sep and scheme == "http" else _DEFAULT_PORT[scheme]
    if (sep and not parts.hostname) or any(character.isspace() for character in parts.netloc):
        raise ValueError(f"{text!r} is no address such as {DEFAULT_URL}")
    host = _reachable(parts.hostname or "127.0.0.1")
    path = parts.path.rstrip("/")
    return f"{scheme}://{host}:{port}{path}"


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host


def is_here(url: str) -> bool:
    """Whether an address leads to this machine; an address that cannot be read does not."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine, seen from itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761
