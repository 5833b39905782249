"""Making the roles' models on a server: only what differs, never from a base that is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from manyhands.configuration.model import Settings, bare_name
from manyhands.engines.contracts import Progress
from manyhands.errors import RoleError
from manyhands.roles.loader import FoundRole
from manyhands.roles.model import model_name
from manyhands.roles.modelfile import Modelfile
from manyhands.roles.render import render
from manyhands.roles.server import Held, RoleServer, differences
from manyhands.roles.upload import upload

__all__ = ["Built", "RoleState", "RoleStatus", "Tell", "build_roles", "role_status"]

Tell = Callable[[str, Progress], Awaitable[None]]


class RoleState(StrEnum):
    """A role's model on a server, compared with the role's file."""

    CURRENT = "current"
    DIFFERS = "differs"
    ABSENT = "absent"
    NO_BASE = "no base"


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """The state of one role on a server; `differences` says in words what is not as it should."""

    role: str
    model: str
    base: str
    state: RoleState
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did.

    Attributes:
        made: roles that were made anew.
        current: roles that were as they should be.
        lacking: roles whose base the server has not.
    """

    made: tuple[str, ...]
    current: tuple[str, ...]
    lacking: tuple[RoleStatus, ...]


def _wanted(found: FoundRole, settings: Settings) -> tuple[Modelfile, str]:
    """The role's Modelfile, its adapter found, and the adapter's digest."""
    role = found.role
    tier = settings.tier(role.tier)
    if not role.adapter:
        return render(role, tier), ""
    file = Path(role.adapter).expanduser()
    file = file if file.is_absolute() else found.path.parent / file
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise RoleError(
            f"{found.path}: the adapter {file} cannot be read: {error.strerror}.",
            hint="Correct `adapter`, or remove it.",
        ) from None
    return render(role, tier, file), f"sha256:{digest}"


async def role_status(
    found: Mapping[str, FoundRole], settings: Settings, server: RoleServer, host: str
) -> list[RoleStatus]:
    """Compare roles with what a server holds.

    Args:
        host: the name in the settings of the host that `server` is; roles whose tier it does
            not serve are left out.
    """
    present = {bare_name(name) for name in await server.tags()}
    bases: dict[str, Held] = {}
    result = []
    for name, one in found.items():
        tier = settings.tiers.get(one.role.tier)
        if tier is None or host not in tier.hosts:
            continue
        wanted, digest = _wanted(one, settings)
        base, model = bare_name(wanted.base), model_name(name)
        told: tuple[str, ...] = ()
        if base not in present:
            state = RoleState.NO_BASE
        elif model not in present:
            state = RoleState.ABSENT
        else:
            if base not in bases:
                bases[base] = Held.from_info(await server.show(wanted.base))
            held = Held.from_info(await server.show(model))
            told = tuple(differences(wanted, held, bases[base], digest))
            state = RoleState.DIFFERS if told else RoleState.CURRENT
        result.append(RoleStatus(name, model, wanted.base, state, told))
    return result


async def build_roles(
    found: Mapping[str, FoundRole],
    settings: Settings,
    server: RoleServer,
    host: str,
    tell: Tell,
) -> Built:
    """Make the models of roles that are absent or differ; safe to repeat.

    A role whose base is not on the server is left out: the server would download it unasked.

    Args:
        tell: told the role's name and each line of the server's report.

    Raises:
        RoleError: a Modelfile or an adapter cannot be used.
    """
    states = await role_status(found, settings, server, host)
    made = []
    for one in states:
        if one.state in (RoleState.CURRENT, RoleState.NO_BASE):
            continue
        wanted, digest = _wanted(found[one.role], settings)
        spec = create_spec(wanted)
        if wanted.adapter:
            spec["adapters"] = {
                Path(wanted.adapter).name: await upload(server.url, Path(wanted.adapter), digest)
            }
        async with aclosing(server.create(one.model, spec)) as lines:
            async for line in lines:
                await tell(one.role, line)
        made.append(one.role)

    def in_state(state: RoleState) -> tuple[RoleStatus, ...]:
        return tuple(one for one in states if one.state is state)

    current = tuple(one.role for one in in_state(RoleState.CURRENT))
    return Built(tuple(made), current, in_state(RoleState.NO_BASE))


def create_spec(wanted: Modelfile) -> dict[str, Any]:
    """The body of /api/create for a Modelfile, without its adapter."""
    spec: dict[str, Any] = {
        "from": wanted.base,
        "system": wanted.system,
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in wanted.parameters.items()
        },
    }
    if wanted.messages:
        spec["messages"] = [{"role": role, "content": text} for role, text in wanted.messages]
    return spec
