"""The four hands on another machine: its `manyhands mcp --http`, with the same contracts.

Each step is a job there. What comes back is the whole result with its attempts and evidence, and
the artifacts are kept here under the same ids, so that a run reads the same wherever it was done.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import ValidationError

from manyhands.checks.tables import Table, names_a_file, names_tables
from manyhands.errors import EngineError
from manyhands.hands.cases import Keep, cases_of, keep_case, tables_named
from manyhands.hands.contracts import (
    Artifact,
    Attempt,
    EvidenceKind,
    HandName,
    HandRequest,
    HandResult,
)
from manyhands.hands.places import Emit
from manyhands.hands.work import Source
from manyhands.journal.events import AttemptDone, AttemptStarted, CheckDone, Note, NoteReason
from manyhands.remote.connect import connected_http

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

__all__ = ["META", "RemoteHands", "ids_of"]

#: Key of what a mind tells a hands server beside the tool's arguments, in the request's `_meta`:
#: the step's `id`, `notes` of earlier steps, and `names` of the tables in `data`.
META = "manyhands/step"
_WAIT_S = 45.0
#: Our own limit on one call; the server answers sooner.
_READ_S = 75.0
_CANCEL_S = 3.0
_MOST_TABLE = 2_000_000
_PART = 100_000
_MORE = re.compile(r"\n\[… [\d,]+ more; offset=(\d+) …\]$")


class RemoteHands:
    """Has steps worked on by a hands server.

    Args:
        url: of its endpoint.
        token: its bearer token; empty sends none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def work(
        self,
        request: HandRequest,
        *,
        step: str,
        sources: Mapping[str, Source],
        notes: str,
        emit: Emit,
        keep: Keep,
    ) -> HandResult:
        """Have one request answered there.

        Leaving early (a cancelled task) cancels the job there as well.

        Args:
            notes: results of earlier steps that this one needs.
            keep: stores an artifact of the result here.

        Raises:
            EngineError: the server cannot be reached or did not finish the job.
        """
        names = list(getattr(request, "data", ()))
        tables = [_table(sources[name]) for name in names]
        fields = request.model_dump(mode="json", exclude_defaults=True, exclude={"hand", "data"})
        if tables:
            fields["data"] = tables
        meta = {META: {"id": step, "notes": notes, "names": names}}

        async def progress(done: float, total: float | None, message: str | None) -> None:
            del done, total
            if message:
                await emit(Note(reason=NoteReason.REMOTE, text=message, step=step))

        async with connected_http(self.url, self._headers, "The hands server") as client:
            job_id = await self._begin(client, str(request.hand), fields, meta)
            try:
                await self._finish(client, job_id, progress)
            except anyio.get_cancelled_exc_class():
                await self._cancel(job_id)
                raise
            result = await self._result(client, job_id, request.hand)
            for artifact in result_files(result):
                content = await self._fetch(client, artifact)
                await keep(artifact.name, artifact.media_type, content)
            result = await self._with_cases(client, result, sources, names, keep)
        for attempt in result.attempts:
            await _tell(step, attempt, emit)
        return result

    async def _begin(
        self, client: Client, hand: str, fields: dict[str, Any], meta: dict[str, Any]
    ) -> str:
        """Start the job; it is not waited for, so that its id is known before anything else."""
        reply = await client.call_tool(
            hand,
            fields,
            read_timeout_seconds=_READ_S,
            meta=meta,  # type: ignore[arg-type]
        )
        told = reply.structured_content or {}
        if not told.get("job_id"):
            raise self._fault(_text(reply) or "it named no job")
        return str(told["job_id"])

    async def _finish(self, client: Client, job_id: str, progress: Any) -> None:
        while True:
            reply = await client.call_tool(
                "job",
                {"job_id": job_id, "wait_s": _WAIT_S},
                read_timeout_seconds=_READ_S,
                progress_callback=progress,
            )
            status = str((reply.structured_content or {}).get("status", ""))
            if status == "running":
                continue
            if reply.is_error or status in ("", "cut", "cancelled", "needs_input"):
                raise self._fault(_text(reply) or status)
            return

    async def _cancel(self, job_id: str) -> None:
        """End the job there, over a connection of its own: the first is cancelled with us."""
        with anyio.move_on_after(_CANCEL_S, shield=True), suppress(EngineError):
            async with connected_http(self.url, self._headers, "The hands server") as client:
                await client.call_tool("job", {"job_id": job_id, "action": "cancel"})

    async def _result(self, client: Client, job_id: str, hand: HandName) -> HandResult:
        read = await client.read_resource(f"manyhands://jobs/{job_id}")
        text = getattr(read.contents[0], "text", "") if read.contents else ""
        try:
            result = HandResult.model_validate(json.loads(text)["result"]["hand"])
        except (ValueError, LookupError, TypeError, ValidationError) as error:
            raise self._fault("its result cannot be read; is it the same version?") from error
        if result.hand is not hand:
            raise self._fault(f"it answered for {result.hand}, not {hand}")
        return result

    async def _with_cases(
        self,
        client: Client,
        result: HandResult,
        sources: Mapping[str, Source],
        names: Sequence[str],
        keep: Keep,
    ) -> HandResult:
        """The result with its cases kept here, and made to read the data where they lie here.

        A case holds all that a check was run on, so that it can be run again.
        """
        attempts = []
        for attempt in result.attempts:
            checks = []
            for check in attempt.checks:
                detail = dict(check.detail)
                detail.pop("tables", None)
                for key, case_id in cases_of(check):
                    case = Artifact(
                        id=case_id, name=f"{key}.json", media_type="application/json", size=0
                    )
                    own = sources[names[0]].table if names else None
                    told = self._on_our_data(await self._fetch(client, case), own)
                    kept = await keep_case(told, case.name, keep)
                    detail |= {key: kept.pop("rerun"), **kept}
                checks.append(check.model_copy(update={"detail": detail}))
            attempts.append(attempt.model_copy(update={"checks": tuple(checks)}))
        return result.model_copy(update={"attempts": tuple(attempts)})

    def _on_our_data(self, content: bytes, own: Table | None) -> dict[str, Any]:
        """A case of theirs with our table in it; no file of this machine that they name is."""
        try:
            case = json.loads(content)
        except ValueError:
            case = None
        if not isinstance(case, dict):
            raise self._fault("a case of its checks cannot be read")
        if own is not None:
            return case | dict.fromkeys(names_tables(case), own.as_case())
        if any(names_a_file(case[field]) for field in names_tables(case)):
            raise self._fault("a case of its checks names a file, though it was given no data")
        return case

    async def _fetch(self, client: Client, artifact: Artifact) -> bytes:
        """The content of an artifact there, which must be what its id says."""
        uri = f"manyhands://artifacts/{artifact.id.removeprefix('sha256:')}"
        content, offset = b"", 0
        while True:
            read = await client.read_resource(f"{uri}?offset={offset}&limit={_PART}")
            (found,) = read.contents
            if not hasattr(found, "text"):
                content = base64.b64decode(found.blob)
                break
            more = _MORE.search(found.text)
            content += found.text[: more.start() if more else None].encode("utf-8")
            if more is None:
                break
            offset = int(more.group(1))
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != artifact.id:
            raise self._fault(f"artifact {artifact.id[:23]}… is not what its id says")
        return content

    def _fault(self, why: str) -> EngineError:
        return EngineError(f"The hands server at {self.url}: {why}", host=self.url)


def ids_of(result: HandResult) -> list[str]:
    """Every artifact that a result names: its attempts' files, cases to rerun and their tables."""
    found = [artifact.id for artifact in result_files(result)]
    for check in (check for attempt in result.attempts for check in attempt.checks):
        found += [*(case for _, case in cases_of(check)), *tables_named(check)]
    return found


def result_files(result: HandResult) -> list[Artifact]:
    """The files of all attempts, each once."""
    found = {item.id: item for attempt in result.attempts for item in attempt.artifacts}
    return list(found.values())


def _table(source: Source) -> str:
    raw = source.host_path.read_bytes()
    if len(raw) > _MOST_TABLE:
        raise EngineError(
            f"Data {source.name!r} has {len(raw):,} bytes; a hands server takes {_MOST_TABLE:,}.",
            hint="Aggregate it first, or work without hands.server.",
        )
    return raw.decode("utf-8-sig")


async def _tell(step: str, attempt: Attempt, emit: Emit) -> None:
    """Write into this run's journal what was tried there."""
    await emit(
        AttemptStarted(
            step=step,
            number=attempt.number,
            role=attempt.role,
            tier=attempt.tier,
            model=attempt.model,
            why="on the hands server",
        )
    )
    for check in attempt.checks:
        await emit(
            CheckDone(
                step=step,
                attempt=attempt.number,
                name=check.name,
                passed=check.passed,
                evidence=check.evidence,
                seconds=check.seconds,
                opinion=check.kind is EvidenceKind.OPINION,
            )
        )
    await emit(AttemptDone(step=step, attempt=attempt.model_dump(mode="json")))


def _text(reply: CallToolResult) -> str:
    return " ".join(block.text for block in reply.content if block.type == "text")[:500]
