"""On PYTHONPATH of a process and all it starts: what it may reach and what is not installed.

`GUARD_LOG` names a file that gets every address that is asked for; one that is not of this machine
raises. `GUARD_WITHOUT` names modules that are as if they were not installed, separated by commas.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_LOG = os.environ.get("GUARD_LOG", "")
_WITHOUT = frozenset(filter(None, os.environ.get("GUARD_WITHOUT", "").split(",")))


def _is_local(host: object) -> bool:
    if host in (None, "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else host.decode()).is_loopback
    except (ValueError, AttributeError):
        return False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a socket of this machine's file system
        host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    with open(_LOG, "a") as log:  # noqa: PTH123 - nothing but what is there already
        log.write(f"{event} {host}\n")
    if not _is_local(host):
        raise PermissionError(f"{event} reaches for {host!r}, which is not this machine")


class _Without:
    """A finder that does not find some modules."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in _WITHOUT:
            return None
        found: ModuleSpec | None = self._finder.find_spec(name, path, target)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


if _LOG:
    sys.addaudithook(_watch)
if _WITHOUT:
    sys.meta_path[:] = [_Without(finder) for finder in sys.meta_path]
