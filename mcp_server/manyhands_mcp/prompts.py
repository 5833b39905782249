"""Prompts for people, one per role that answers them, and completion of names and ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from manyhands.roles.model import Role
from manyhands_mcp.caller import LOCAL
from manyhands_mcp.door import Door

__all__ = ["add_prompts"]

#: Roles that work on what other roles wrote; a person has nothing to ask them.
_INNER = frozenset({"chair", "councillor", "editor", "framer", "tester"})
_MOST = 50


def add_prompts(server: MCPServer, door: Door) -> None:
    """Register a prompt per role, and the completion of arguments."""
    for name in sorted(set(door.mind.roles) - _INNER):
        role = door.mind.roles[name]
        server.add_prompt(Prompt.from_function(_asking(role), name=name, description=role.summary))

    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: Any, context: Any
    ) -> Completion | None:
        del context
        values = _values(door, ref, argument.name)
        found = [value for value in values if value.startswith(argument.value)]
        return Completion(values=found[:_MOST], total=len(found), has_more=len(found) > _MOST)

    register: Callable[[Any], Any] = server.completion()  # type: ignore[no-untyped-call]
    register(complete)


def _asking(role: Role) -> Callable[[str], str]:
    """The prompt that has a client's model hand a person's question to a role."""
    if role.hand is not None:
        how = f"Call the tool `{role.hand}` of manyhands with this task"
    else:
        how = f'Call the tool `ask_mind` of manyhands with role "{role.name}" and this question'

    def prompt(question: str) -> str:
        return (
            f"{how}. If it returns status running, call `job` with its job_id until it is done. "
            "Then give the result with its status, what was checked, and what stayed open.\n\n"
            f"{question}"
        )

    return prompt


def _values(
    door: Door, ref: PromptReference | ResourceTemplateReference, argument: str
) -> list[str]:
    """What may be put in: ids only of the local user's own jobs.

    A completion request does not say on whose behalf it comes, so nothing of another principal is
    ever offered: over HTTP, ids are known to who was given them.
    """
    if isinstance(ref, PromptReference):
        return sorted(door.mind.roles) if argument == "role" else []
    if ref.uri.startswith("manyhands://roles/"):
        return sorted(door.mind.roles)
    if not door.local_only:
        return []
    if ref.uri.startswith("manyhands://jobs/"):
        return [record.id for record in door.jobs.store.recent(LOCAL)]
    if ref.uri.startswith("manyhands://runs/"):
        return [record.run_id for record in door.jobs.store.recent(LOCAL) if record.run_id]
    if ref.uri.startswith("manyhands://artifacts/"):
        ids = door.jobs.store.artifacts_of(LOCAL)
        return [one.removeprefix("sha256:") for one in ids]
    return []
