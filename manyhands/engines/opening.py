"""From a host's settings to its engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from manyhands.engines.contracts import Deadlines, Engine
from manyhands.errors import SettingsError
from manyhands.settings import HostKind

if TYPE_CHECKING:
    from manyhands.settings import HostSettings

__all__ = ["host_key", "open_engine"]


def host_key(host: HostSettings) -> str:
    """The key of a host out of the variable that its settings name; empty when they name none.

    Raises:
        SettingsError: they name one that is not set.
    """
    if not host.api_key_env:
        return ""
    key = os.environ.get(host.api_key_env, "").strip()
    if not key:
        raise SettingsError(
            f"The key of {host.url} should stand in the variable {host.api_key_env!r}, which is "
            "not set.",
            hint=f"export {host.api_key_env}=…, or remove api_key_env from that host.",
        )
    return key


def open_engine(host: HostSettings, deadlines: Deadlines) -> Engine:
    """The engine for a host; the caller closes it.

    Raises:
        MissingExtra: the host needs a package that is not installed.
        SettingsError: the host's key is not there.
    """
    if host.kind is HostKind.OLLAMA:
        from manyhands.engines.ollama import OllamaEngine

        return OllamaEngine(host.url, deadlines=deadlines)
    from manyhands.engines.openai_compatible import OpenAICompatibleEngine

    return OpenAICompatibleEngine(
        host.url, api_key=host_key(host), json_mode=host.json_mode, deadlines=deadlines
    )
