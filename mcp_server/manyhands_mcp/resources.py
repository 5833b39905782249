"""What can be read: artifacts, runs, jobs, roles and the state of the house."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from manyhands import __version__
from manyhands.errors import InputError, ManyhandsError
from manyhands.jobs.records import JobRecord
from manyhands_mcp.caller import LOCAL
from manyhands_mcp.door import Door

__all__ = ["ARTIFACTS", "add_resources", "with_media_type"]

ARTIFACTS = "manyhands://artifacts/"
_HEX = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,80}")
#: The most characters of one read; the rest is read from the next offset.
_MOST = 100_000
_PROBE_S = 2.0

Ctx = Context[Any, Any]


def add_resources(server: MCPServer, door: Door) -> None:
    """Register the resources; each is read only by the principal that owns it."""

    @server.resource(
        "manyhands://artifacts/{id}{?offset,limit}",
        name="artifact",
        description="A full output by its id; offset and limit in characters, for text",
    )
    async def artifact(ctx: Ctx, id: str, offset: int = 0, limit: int = _MOST) -> str | bytes:
        media_type, content = _artifact(door, door.principal(ctx), id)
        if not _is_text(media_type):
            return content
        if offset < 0 or limit < 1:
            raise ResourceError("offset is at least 0 and limit at least 1.")
        text = content.decode("utf-8", errors="replace")
        end = offset + min(limit, _MOST)
        rest = len(text) - end
        return text[offset:end] + (f"\n[… {rest:,} more; offset={end} …]" if rest > 0 else "")

    @server.resource(
        "manyhands://runs/{id}",
        name="run",
        description="A run of the mind or a hand, as a readable trace",
        mime_type="text/plain",
    )
    async def run(ctx: Ctx, id: str) -> str:
        return _run(door, door.principal(ctx), id)

    @server.resource(
        "manyhands://jobs/{id}",
        name="job",
        description="A job with its whole result; can be subscribed to",
        mime_type="application/json",
    )
    async def job(ctx: Ctx, id: str) -> str:
        if not _WORD.fullmatch(id):
            raise ResourceNotFoundError("No such job.")
        try:
            record = await door.jobs.now(id, door.principal(ctx))
        except InputError as error:
            raise ResourceNotFoundError(str(error)) from error
        return json.dumps(job_json(record), ensure_ascii=False, indent=1)

    @server.resource(
        "manyhands://roles/{name}",
        name="role",
        description="A role: what it is for, its prompt and its settings",
        mime_type="application/json",
    )
    async def role(name: str) -> str:
        found = door.mind.roles.get(name)
        if found is None:
            raise ResourceNotFoundError(
                f"There is no role {name[:60]!r}. Roles: {', '.join(sorted(door.mind.roles))}."
            )
        return found.model_dump_json(indent=1, exclude_defaults=True)

    @server.resource(
        "manyhands://status",
        name="status",
        description="Hosts, models and limits; asks the hosts when it is read",
        mime_type="application/json",
    )
    async def status() -> str:
        return json.dumps(await _status(door), ensure_ascii=False, indent=1)


def with_media_type(door: Door, uri: str, read: ReadResourceContents) -> ReadResourceContents:
    """An artifact's own media type: a template has one for all that it reads."""
    found = re.match(re.escape(ARTIFACTS) + r"([0-9a-f]{64})", uri)
    if found is None:
        return read
    media_type = door.journal.artifact(f"sha256:{found.group(1)}")[1]
    return ReadResourceContents(content=read.content, mime_type=media_type, meta=read.meta)


def job_json(record: JobRecord) -> dict[str, Any]:
    """A job as its owner may see it; fields that are empty are left out."""
    question = record.question
    told = {
        "job_id": record.id,
        "tool": record.kind,
        "state": str(record.state),
        "arguments": record.arguments,
        "created": record.created,
        "finished": record.finished,
        "run_id": record.run_id,
        "phase": record.phase,
        "eta_s": record.eta_s,
        "error": record.error,
        "question": question.text if question is not None else "",
        "result": record.result,
    }
    return {name: value for name, value in told.items() if value not in ("", None, {})}


def _artifact(door: Door, principal: str, artifact_id: str) -> tuple[str, bytes]:
    if not _HEX.fullmatch(artifact_id):
        raise ResourceNotFoundError("An artifact's id is 64 hexadecimal digits.")
    whole = f"sha256:{artifact_id}"
    if principal != LOCAL and not door.jobs.store.owns_artifact(principal, whole):
        raise ResourceNotFoundError(f"No artifact {artifact_id[:16]}….")
    try:
        _, media_type, content = door.journal.artifact(whole)
    except InputError as error:
        raise ResourceNotFoundError(str(error)) from error
    return media_type, content


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type.endswith(("json", "+xml"))


def _run(door: Door, principal: str, run_id: str) -> str:
    from manyhands.trace.lines import line_of

    unknown = ResourceNotFoundError("No such run.")
    if not _WORD.fullmatch(run_id):
        raise unknown
    if principal != LOCAL and not door.jobs.store.owns_run(principal, run_id):
        raise unknown
    try:
        record = door.journal.run(run_id)
        events = door.journal.events(record.id)
    except ManyhandsError as error:
        raise unknown from error
    lines = [f"{record.id}: {record.state}{f', {record.status}' if record.status else ''}"]
    for event in events:
        line = line_of(event.body)
        if line is not None:
            lines.append(f"{'  ' * line.depth}{line.mark} {line.text}")
    if record.answer:
        lines.extend(("", record.answer))
    return "\n".join(lines)[:_MOST]


async def _status(door: Door) -> dict[str, Any]:
    import httpx

    hosts: dict[str, Any] = {}
    async with httpx.AsyncClient(timeout=_PROBE_S, trust_env=False) as client:
        for name, host in door.settings.hosts.items():
            path = "/api/version" if host.kind == "ollama" else "/v1/models"
            try:
                answer = await client.get(host.url.rstrip("/") + path)
                said = "answers" if answer.is_success else f"answers with {answer.status_code}"
            except httpx.HTTPError as error:
                said = f"does not answer ({type(error).__name__}); `manyhands doctor` helps"
            hosts[name] = {"url": host.url, "kind": str(host.kind), "state": said}
    return {
        "version": __version__,
        "simulated": door.mind.simulated,
        "hosts": hosts,
        "tiers": {name: tier.model for name, tier in door.settings.tiers.items()},
        "sandbox": str(door.settings.sandbox.backend),
        "wait_s": {"known clients": door.limits.known_s, "others": door.limits.unknown_s},
        "data_folders": [str(folder) for folder in door.tables.folders],
    }
