"""What tests of the mind share: asking scripted models, and frames to answer with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import Reply, ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import HostKind, HostSettings, Settings

ROLES = load_roles()
BY_PROMPT = {role.prompt: name for name, role in ROLES.items()}
Says = Callable[[str, str], str | Reply]


@dataclass
class Seen:
    """An answer with the events before it and every prompt that reached a model, by role."""

    answer: Answer | None = None
    bodies: list[Any] = field(default_factory=list)
    prompts: list[tuple[str, str]] = field(default_factory=list)

    def kinds(self, kind: type) -> list[Any]:
        return [body for body in self.bodies if isinstance(body, kind)]


def role_of(request: ScriptedRequest) -> str:
    return BY_PROMPT.get(str(request.messages[0]["content"]), "?")


def math_step(name: str, f: str, **more: Any) -> dict[str, Any]:
    given = {"f": f, "var": "x"}
    return {"id": name, "hand": "math", "task": f, "kind": "derivative", "given": given, **more}


def plan(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"goal": "g", "route": "plan", "steps": steps, **more})


async def ask(
    settings: Settings, says: Says, question: str = "Work it out.", **options: Any
) -> Seen:
    """Ask a mind whose models say what `says` gives for a role and its prompt."""
    seen = Seen()

    def reply(request: ScriptedRequest) -> str | Reply:
        seen.prompts.append((role_of(request), request.last))
        return says(role_of(request), request.last)

    with scripted_tiers(settings, reply) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        async for item in mind.stream(question, **options):
            if isinstance(item, Answer):
                seen.answer = item
            else:
                seen.bodies.append(item.body)
    return seen


def on_hosts(settings: Settings, *urls: str, kind: HostKind = HostKind.OLLAMA) -> Settings:
    """The settings with every tier on all of these hosts, the first preferred."""
    hosts = {f"host{at}": HostSettings(url=url, kind=kind) for at, url in enumerate(urls)}
    tiers = {
        name: spec.model_copy(update={"hosts": tuple(hosts)})
        for name, spec in settings.tiers.items()
    }
    return settings.model_copy(update={"hosts": {**settings.hosts, **hosts}, "tiers": tiers})
