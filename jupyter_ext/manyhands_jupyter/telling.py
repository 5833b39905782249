"""What `%mind status`, `runs`, `see`, `roles` and `memory` say, as lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from manyhands.errors import EngineError, InputError, ManyhandsError
from manyhands.journal.events import RunStarted
from manyhands.journal.records import RunRecord
from manyhands.journal.store import Journal
from manyhands.mind.condense import estimate_tokens
from manyhands.trace.lines import title_of

if TYPE_CHECKING:
    from manyhands.settings import Settings
    from manyhands_jupyter.session import Session

__all__ = [
    "loaded_models",
    "memory_lines",
    "memory_summary",
    "open_jobs",
    "recalled_lines",
    "role_lines",
    "run_lines",
    "seen_lines",
    "status_lines",
    "trace_text",
]

T = TypeVar("T")
_ASK_S = 3.0


def wait_for(session: Session, work: Coroutine[Any, Any, T]) -> T:
    """Do something that waits in the mind's thread, and wait for it in this one.

    Raises:
        InputError: the kernel was interrupted; the work is stopped then.
    """
    begun = session.workshop.begin(lambda _: work)
    try:
        return begun.wait()
    except KeyboardInterrupt:
        begun.stop()
        raise InputError("Stopped.") from None


def status_lines(session: Session) -> list[str]:
    """What runs now, in this kernel and elsewhere, and what is loaded."""
    settings = session.settings
    lines = []
    if session.rehearsal is not None:
        lines.append(f"The models are scripted by {session.rehearsal.script}.")
    working = len(session.workshop.working())
    lines.append(f"this kernel: {working} at work" if working else "this kernel: nothing runs")
    lines += [f"job {job}" for job in open_jobs(settings)]
    with Journal.open(settings.journal.path) as journal:
        for run in journal.runs(50):
            if run.state == "running":
                lines.append(f"run {run.id} ({run.door}): {title_of(run.question)[:80]}")
    lines.append(f"conversation: {session.conversation_id or 'a new one'}")
    lines.append(session.acting.told())
    lines.append(f"limit of a proposed cell: {session.acting.limit_s:g} s")
    lines += wait_for(session, loaded_models(settings))
    return lines


def open_jobs(settings: Settings) -> list[str]:
    """Jobs of this user that go on, whichever door began them."""
    from manyhands.jobs.store import JobStore

    store = JobStore.open(settings.journal.path.parent / "jobs.db")
    try:
        now = store.clock()
        return [
            f"{job.id[:12]} · {job.kind}: {job.state} for {now - job.created:.0f} s"
            for job in store.recent("local")
            if job.state.open
        ]
    finally:
        store.close()


async def loaded_models(settings: Settings) -> list[str]:
    """For each Ollama host what it has in memory, and which tiers' models it lacks."""
    from manyhands.engines.ollama import OllamaEngine
    from manyhands.settings import HostKind

    lines = []
    for name, host in settings.hosts.items():
        tiers = {key: spec for key, spec in settings.tiers.items() if name in spec.hosts}
        if host.kind is not HostKind.OLLAMA or not tiers:
            continue
        engine = OllamaEngine(host.url, deadlines=settings.deadlines.for_engine())
        try:
            async with asyncio.timeout(_ASK_S):
                loaded = await engine.ps()
            for one in loaded:
                lines.append(
                    f"{name}: {one.name} is loaded, {one.size / 1e9:.1f} GB, "
                    f"{one.size_vram / 1e9:.1f} GB of it on the GPU"
                )
            if not loaded:
                lines.append(f"{name} at {host.url}: answers, nothing is loaded")
        except (EngineError, TimeoutError):
            lines.append(f"{name} at {host.url}: does not answer; `manyhands doctor` helps")
        finally:
            await engine.aclose()
    return lines


def run_lines(session: Session, most: int) -> list[str]:
    """The newest runs of every door."""
    with Journal.open(session.settings.journal.path) as journal:
        runs = journal.runs(most)
    return [_run_line(run) for run in runs] or ["Nothing was asked yet."]


def _run_line(run: RunRecord) -> str:
    when = time.strftime("%m-%d %H:%M", time.localtime(run.started))
    state = f"{run.state}, {run.status}" if run.status else str(run.state)
    return f"{run.id}  {when}  {run.door:<8}  {state:<22}  {title_of(run.question)[:70]}"


def _run(session: Session, journal: Journal, run_id: str) -> RunRecord:
    if run_id:
        return journal.run(run_id)
    if session.reply is not None:
        return journal.run(session.reply.run_id)
    newest = next((run for run in journal.runs(50) if run.door == "notebook"), None)
    if newest is None:
        raise InputError("No notebook has asked anything yet.", hint="Ask first, or name a run.")
    return newest


def seen_lines(session: Session, run_id: str) -> list[str]:
    """What was sent with a question, as the journal has it: after redaction, word for word."""
    with Journal.open(session.settings.journal.path) as journal:
        run = _run(session, journal, run_id)
        first = journal.events(run.id)[0].body
    if not isinstance(first, RunStarted):
        raise InputError(f"Run {run.id} was erased.", hint="Nothing of it is kept.")
    tokens = sum(estimate_tokens(text) for text in first.context.values())
    lines = [f"run {run.id} · question: {first.question}"]
    lines += [f"data {name!r}: {_origin(name, where)}" for name, where in first.data.items()]
    if not first.context:
        return [*lines, "Nothing of the notebook was sent with it."]
    lines.append(f"from the notebook, about {tokens} tokens, secrets removed:")
    for label, text in first.context.items():
        lines += ["", f"--- {label}", text]
    return lines


def _origin(name: str, where: str) -> str:
    """A file of the user's by its path; the text of a variable lies in the journal."""
    return f"the variable, as {name}.csv" if where.startswith("sha256:") else where


def trace_text(session: Session, run_id: str) -> str:
    """A run as a tree, read from the journal: of any door, also after a restart."""
    from manyhands.trace.tree import text_of, tree_of

    with Journal.open(session.settings.journal.path) as journal:
        run = _run(session, journal, run_id)
        tree = tree_of(journal.events(run.id))
    answer = f"\n\n{tree.answer}" if tree.answer else ""
    return f"{text_of(tree)}{answer}"


def role_lines(name: str) -> list[str]:
    """All roles with what they are for, or one of them in full."""
    from manyhands.roles.loader import broken_roles, find_roles, no_role

    roles = {key: found.role for key, found in find_roles().items()}
    if not name:
        lines = [f"{key:<14} {role.tier:<7} {role.summary}" for key, role in roles.items()]
        return lines + [f"{key:<14} left out: {error}" for key, error in broken_roles().items()]
    if name not in roles:
        raise no_role(name, roles)
    role = roles[name]
    return [f"{name}: {role.summary}", f"tier {role.tier}", "", role.prompt]


def memory_lines(session: Session, words: str) -> list[str]:
    """What memory has, or what it gives for some words."""
    try:
        if not words:
            return [wait_for(session, memory_summary(session.settings))]
        return wait_for(session, recalled_lines(session.settings, words))
    except ManyhandsError as error:
        raise InputError(str(error)) from error


async def memory_summary(settings: Settings) -> str:
    """How much is remembered, in one line."""
    from manyhands.memory.opening import open_memory

    if not settings.memory.enabled:
        return "Memory is switched off; set memory.enabled = true."
    if not settings.memory.path.exists():
        return "Nothing is remembered yet."
    async with open_memory(settings, words_only=True, read_only=True) as memory:
        stats = await memory.stats()
    kinds = ", ".join(f"{count} {kind}" for kind, count in stats["kinds"].items())
    return f"memory {settings.memory.path}: {kinds or 'empty'}; searched by {stats['searched by']}"


async def recalled_lines(settings: Settings, words: str) -> list[str]:
    """What is remembered for some words, of this project and of none."""
    from manyhands.memory.opening import open_memory, project_of
    from manyhands.redaction import redact

    if not settings.memory.enabled or not settings.memory.path.exists():
        return [await memory_summary(settings)]
    here = project_of(Path.cwd())
    async with open_memory(settings, scope=here) as memory:
        hits = await memory.recall(words, k=8, scope=[here, ""])
        notices = list(memory.notices)
    lines = [
        f"[{hit.handle} · {hit.kind} · {hit.trust}{f' · {hit.source}' if hit.source else ''}] "
        f"{redact(' '.join(hit.text.split()))[:300]}"
        for hit in hits
    ]
    nothing = (
        "Nothing about that is remembered here. `%mind memory search --everywhere` looks further."
    )
    return [*(lines or [nothing]), *notices]
