"""What a tool gives back: structured, readable, and never longer than a client can take."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent
from pydantic import BaseModel, ConfigDict, Field

from manyhands.clean import clean
from manyhands.hands.contracts import Artifact, Evidence, EvidenceKind, HandName, HandResult
from manyhands.jobs.records import JobRecord, JobState, QuestionKind
from manyhands.journal.private import make_private_folder, new_private_file
from manyhands.mind.answer import Answer
from manyhands.remote.hands import ids_of
from manyhands_mcp.limits import cut_middle

__all__ = ["Outcome", "Reply", "artifact_uri", "of_answer", "of_hand", "tool_result"]

#: A picture beyond this comes by link only.
_MOST_IMAGE = 1_000_000

ReadArtifact = Callable[[str], bytes]


class Reply(BaseModel):
    """The structured content of every tool.

    `status` is verified, refuted, unverified, cannot or failed for finished work; running,
    needs_input, cancelled or cut for a job that has no result; ok otherwise. Fields that do not
    apply are left out.
    """

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    status: str
    summary: str
    value: str = ""
    evidence: list[str] = Field(default_factory=list)
    open_points: list[str] = Field(default_factory=list)
    links: list[str] = Field(default_factory=list)
    job_id: str = ""
    run_id: str = ""
    conversation_id: str = ""
    phase: str = ""
    elapsed_s: float = 0.0
    eta_s: float = 0.0
    question: str = ""
    simulated: bool = False


class Outcome(BaseModel):
    """The result of a finished job, as the job store keeps it; nothing is cut here."""

    model_config = ConfigDict(frozen=True)

    status: str
    summary: str
    value: str = ""
    evidence: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    run_id: str = ""
    conversation_id: str = ""
    question: str = ""
    simulated: bool = False
    #: The whole `HandResult` of one hand as JSON, for a mind on another machine.
    hand: dict[str, Any] = Field(default_factory=dict)
    #: What the principal may read beside `artifacts`: files of other attempts, cases to rerun.
    more_artifacts: tuple[str, ...] = ()


def artifact_uri(artifact_id: str) -> str:
    return f"manyhands://artifacts/{artifact_id.removeprefix('sha256:')}"


def of_hand(run_id: str, result: HandResult, *, simulated: bool) -> Outcome:
    """The outcome of one hand call."""
    value = result.value
    if result.hand is HandName.VISUALIZE:
        value = ""  # the picture is the value; its facts stand in the evidence
    return Outcome(
        status=result.status,
        summary=result.summary,
        value=value,
        evidence=tuple(_line(check) for check in result.evidence),
        open_points=result.open_points,
        artifacts=result.artifacts,
        run_id=run_id,
        simulated=simulated,
        hand=result.model_dump(mode="json"),
        more_artifacts=tuple(ids_of(result)),
    )


def of_answer(answer: Answer) -> Outcome:
    """The outcome of a question to the mind."""
    steps = [
        f"step {step.id} ({step.hand}): {step.result.status}. {step.result.summary}"
        for step in answer.steps
    ]
    first = answer.text.strip().split("\n", 1)[0]
    return Outcome(
        status=answer.status,
        summary=first[:200],
        value=answer.text,
        evidence=(*steps, *(_line(check) for check in answer.evidence)),
        open_points=answer.open_points,
        artifacts=answer.artifacts,
        run_id=answer.run_id,
        conversation_id=answer.conversation_id,
        question=answer.question_back,
        simulated=answer.simulated,
    )


def _line(check: Evidence) -> str:
    if check.kind is EvidenceKind.OPINION:
        return f"{check.name} (no check): {check.evidence}"
    said = {True: "passed", False: "failed", None: "undecided"}[check.passed]
    kind = "" if check.independent else ", not independent"
    where = f", isolation {check.isolation}" if check.isolation else ""
    return f"{said} {check.name} ({check.kind}{kind}{where}): {check.evidence}"


def tool_result(
    record: JobRecord,
    elapsed_s: float,
    *,
    tokens: int,
    read: ReadArtifact | None = None,
    charts: Path | None = None,
) -> CallToolResult:
    """How a job stands, as a client's model reads it.

    Args:
        read: the content of an artifact, for pictures.
        charts: folder that pictures are also written to.
    """
    if record.state is JobState.DONE:
        return _finished(record, Outcome.model_validate(record.result), tokens, read, charts)
    reply = Reply(
        status=record.state,
        summary="",
        job_id=record.id,
        run_id=record.run_id,
        phase=record.phase,
        elapsed_s=round(elapsed_s, 1),
    )
    job = f'`job` with job_id "{record.id}"'
    match record.state:
        case JobState.RUNNING:
            left = f", about {record.eta_s:.0f} s to go" if record.eta_s else ""
            reply.eta_s = round(record.eta_s or 0.0, 1)
            reply.summary = (
                f"Still working ({elapsed_s:.0f} s{left}): {record.phase or 'begins'}. "
                f"Call {job} to wait on; do not call this tool again."
            )
        case JobState.NEEDS_INPUT if record.question is not None:
            reply.question = record.question.text
            reply.summary = (
                f'Ask the user, then call {job}, action "answer" and their words in text: '
                f"{record.question.text}"
                if record.question.kind is QuestionKind.QUESTION
                else f"A person must approve this in the client's own dialog, which {job} and "
                f'action "wait" opens again: {record.question.text}'
            )
        case JobState.CUT:
            reply.summary = (
                f"Cut: the server ended before `{record.kind}` was done, and there is no result. "
                f"Call `{record.kind}` again with the same arguments to run it anew."
            )
        case JobState.CANCELLED:
            reply.summary = "Cancelled; nothing is running."
        case _:
            reply.status = JobState.FAILED
            reply.summary = f"Failed: {record.error}"
    return _packed(reply, [reply.summary], tokens, failed=reply.status == JobState.FAILED)


def _finished(
    record: JobRecord,
    outcome: Outcome,
    tokens: int,
    read: ReadArtifact | None,
    charts: Path | None,
) -> CallToolResult:
    links = [artifact_uri(item.id) for item in outcome.artifacts]
    reply = Reply(
        status=outcome.status,
        summary=outcome.summary,
        value=outcome.value,
        evidence=list(outcome.evidence),
        open_points=list(outcome.open_points),
        links=links,
        job_id=record.id,
        run_id=outcome.run_id,
        conversation_id=outcome.conversation_id,
        question=outcome.question,
        simulated=outcome.simulated,
    )
    head = f"{outcome.status}: {outcome.summary}"
    lines = [f"{head} (simulated models)" if outcome.simulated else head]
    if outcome.value and outcome.value.strip() != outcome.summary.strip():
        lines.append(outcome.value)
    lines.extend(f"- {line}" for line in outcome.evidence)
    lines.extend(f"- open: {point}" for point in outcome.open_points)
    more: list[ContentBlock] = []
    for item, uri in zip(outcome.artifacts, links, strict=True):
        if item.media_type == "image/png" and read is not None and item.size <= _MOST_IMAGE:
            content = read(item.id)
            data = base64.b64encode(content).decode("ascii")
            more.append(ImageContent(type="image", data=data, mime_type=item.media_type))
            if charts is not None:
                lines.append(f"- file: {_saved(charts, item, content)}")
        more.append(
            ResourceLink(
                type="resource_link",
                uri=uri,
                name=item.name,
                mime_type=item.media_type,
                size=item.size,
            )
        )
    return _packed(reply, lines, tokens, more=more)


def _packed(
    reply: Reply,
    lines: Sequence[str],
    tokens: int,
    *,
    failed: bool = False,
    more: Sequence[ContentBlock] = (),
) -> CallToolResult:
    whole = f"manyhands://jobs/{reply.job_id}"
    reply.summary, reply.value = clean(reply.summary), clean(reply.value)
    reply.evidence = [clean(line) for line in reply.evidence]
    reply.open_points = [clean(point) for point in reply.open_points]
    text, cut = cut_middle(clean("\n".join(lines)), tokens, whole)
    if cut:
        room = tokens // 2
        reply.value, _ = cut_middle(reply.value, room, whole)
        evidence, _ = cut_middle("\n".join(reply.evidence), room // 2, whole)
        reply.evidence = evidence.split("\n") if evidence else []
        points, _ = cut_middle("\n".join(reply.open_points), room // 4, whole)
        reply.open_points = points.split("\n") if points else []
        reply.links = [whole, *reply.links]
    structured: dict[str, Any] = reply.model_dump(mode="json", exclude_defaults=True)
    return CallToolResult(
        content=[TextContent(type="text", text=text), *more],
        structured_content=structured,
        is_error=failed,
    )


def _saved(folder: Path, item: Artifact, content: bytes) -> Path:
    path = folder / f"{item.id.removeprefix('sha256:')[:16]}.png"
    if not path.exists():
        make_private_folder(folder)
        with new_private_file(path) as file:
            file.write(content)
    return path
