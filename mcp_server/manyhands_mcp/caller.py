"""On whose behalf a call works and where, and whether two processes would do the same with it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyhands import __version__
from manyhands.checks.sandbox.environment import OVERRIDE
from manyhands.roles.model import Role
from manyhands.settings import Settings
from manyhands_mcp.tables import Tables

__all__ = ["LOCAL", "Caller", "house_digest"]

#: Whoever started the server over stdio, or in the same process: the user of this machine.
LOCAL = "local"
#: What decides how long a door waits and who owns the models, not what a job does.
_OF_THE_DOOR: Mapping[str, Any] = {
    "serve": True,
    "budgets": {"wait_s", "wait_unknown_client_s"},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a tool, and from where.

    Attributes:
        principal: jobs, runs, artifacts and conversations are bound to it.
        tables: finds what `data` names.
        folder: where the server was started: its project's memory is used.
        person: whether a person can be asked.
        memory: whether the user's memory may be read and written.
    """

    principal: str
    tables: Tables
    folder: Path
    person: bool
    memory: bool


def house_digest(settings: Settings, roles: Mapping[str, Role]) -> str:
    """SHA-256 over all that decides how a job is worked on: settings, roles, named variables.

    A process with the same digest does the same with a call. What only this door needs (how long
    it waits, where the owner of the models is found) is left out.
    """
    dumped = settings.model_dump(mode="json", exclude=dict(_OF_THE_DOOR))
    stores = (settings.journal.path, settings.memory.path, settings.routing.path)
    text = json.dumps(
        {
            "version": __version__,
            "settings": dumped,
            # A relative path is another file in another folder.
            "stores": [str(path.absolute()) for path in stores],
            "roles": {name: role.model_dump(mode="json") for name, role in roles.items()},
            "variables": _variables(settings),
        },
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _variables(settings: Settings) -> dict[str, str | None]:
    """The environment as far as the settings refer to it."""
    names = {OVERRIDE, settings.hands.token_env, settings.memory.key_env}
    names |= {host.api_key_env for host in settings.hosts.values()}
    for server in settings.mcpServers.values():
        names |= set(re.findall(r"\$\{(?:env:)?(\w+)\}", server.model_dump_json()))
    return {name: os.environ.get(name) for name in sorted(names) if name}
