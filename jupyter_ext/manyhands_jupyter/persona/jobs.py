"""What the chat lets a mind do, each a coroutine for the minds' thread."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import EngineError, InputError
from manyhands.hands.contracts import HandName
from manyhands.journal.events import Event, RunFinished, RunStarted
from manyhands.journal.records import RunState
from manyhands.journal.store import Journal
from manyhands.memory.opening import open_memory, project_of
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.mind.single import plan_step, work_one
from manyhands.redaction import redact
from manyhands.settings import Settings
from manyhands.trace.lines import counted, title_of
from manyhands.trace.tree import Tree, tree_of
from manyhands_jupyter.persona.markdown import fenced
from manyhands_jupyter.persona.telling import answer_text, passed_text
from manyhands_jupyter.persona.turn import Job, Show, Told

__all__ = [
    "ask", "forget", "hand", "how_it_ended", "remember", "resume", "runs", "seen", "status",
    "window",
]  # fmt: skip

#: How many runs are listed, and the characters of each one's question.
_RUNS = 15
_QUESTION = 120
_RESUMABLE = (RunState.CUT, RunState.STOPPED, RunState.FAILED)


async def _told(stream: AsyncGenerator[Event | Answer], show: Show) -> Told:
    answer: Answer | None = None
    async with aclosing(stream) as items:
        async for item in items:
            if isinstance(item, Answer):
                answer = item
            else:
                show(item)
    assert answer is not None
    return Told(answer_text(answer), answer.conversation_id)


def ask(question: str, conversation_id: str, **options: Any) -> Job:
    """Ask the mind; `options` go to `Mind.stream`.

    A conversation that the journal does not know (it was erased, or is another one) is left and
    a new one begun: the question is answered either way.
    """

    async def job(mind: Mind, show: Show) -> Told:
        with mind.journal() as journal:
            known = _known(journal, conversation_id)
        stream = mind.stream(question, conversation_id=known, **options)
        return await _told(stream, show)

    return job


def _known(journal: Journal, conversation_id: str) -> str:
    try:
        return journal.conversation(conversation_id).id if conversation_id else ""
    except InputError:
        return ""


def resume(conversation_id: str) -> Job:
    """Go on with the conversation's last run that did not end."""

    async def job(mind: Mind, show: Show) -> Told:
        with mind.journal() as journal:
            runs = journal.conversation(conversation_id).runs if conversation_id else ()
        open_runs = [run for run in runs if run.state in _RESUMABLE]
        if not open_runs:
            raise InputError("No run of this chat was stopped, cut or failed.", hint="Ask anew.")
        run = open_runs[-1]
        with mind.journal() as journal:
            before = journal.events(run.id)
        for event in before:
            if not isinstance(event.body, RunFinished):  # it goes on
                show(event)

        def show_new(event: Event) -> None:
            if event.seq > before[-1].seq or not event.durable:
                show(event)

        return await _told(mind.resume(run.id), show_new)

    return job


def hand(name: str, task: str, data: Mapping[str, Path]) -> Job:
    """One checked step by one hand; the job fails when there is no such hand or it lacks data."""

    async def job(mind: Mind, show: Show) -> Told:
        hands = ", ".join(HandName)
        if name not in list(HandName):
            raise InputError(f"There is no hand {name!r}.", hint=f"Hands: {hands}.")
        if not task:
            raise InputError(f"The {name} hand has no task.", hint=f"/hand {name} WHAT TO DO")
        if name in (HandName.VISUALIZE, HandName.VERIFY) and len(data) != 1:
            raise InputError(
                f"The {name} hand works on exactly one table; {len(data)} are attached.",
                hint="Attach one .csv or .json file to the message.",
            )
        step = plan_step(HandName(name), {"task": task, "data": list(data)})
        _, result = await work_one(mind, step, data, show, "jupyter")
        parts = [result.summary]
        if result.value and result.value != result.summary:
            parts.append(fenced(result.value[:4_000]))
        told = f"**{result.status}** · {passed_text(result.evidence)}"
        parts.append(told + (" · scripted models" if mind.simulated else ""))
        parts.extend(f"- open: {point}" for point in result.open_points[:5])
        return Told("\n\n".join(parts))

    return job


async def remember(settings: Settings, text: str, folder: Path) -> str:
    """Keep a fact on the user's word; what was done, in words."""
    if not text:
        raise InputError("There is nothing to remember.", hint="/remember WHAT")
    if not settings.memory.enabled:
        raise InputError("Memory is switched off.", hint="Set memory.enabled = true.")
    kept = redact(text)
    name = f"fact-{hashlib.blake2b(kept.encode(), digest_size=5).hexdigest()}"
    async with open_memory(settings, scope=project_of(folder)) as memory:
        written = await memory.add(
            {"id": name, "kind": "fact", "text": kept, "source": "said in the chat"}
        )
    superseded = "".join(f"\n- it supersedes `memory:{other}`" for other in written.superseded)
    return f"Remembered as `memory:{name}`.{superseded}"


async def forget(settings: Settings, what: str, folder: Path) -> str:
    """Forget a memory by its id, or list what the words could mean."""
    if not what:
        raise InputError("Forget what?", hint="/forget memory:ID, or words to look for")
    scope = project_of(folder)
    async with open_memory(settings, scope=scope, words_only=True) as memory:
        if what.startswith("memory:"):
            name = await memory.whole_id(what)
            done = await memory.forget([name], journal=settings.journal.path)
            if done.unknown:
                raise InputError(f"There is no memory {name!r}.", hint="/forget WORDS finds it.")
            return (
                f"Forgotten: {counted(done.items, 'memory')}, and what "
                f"{counted(len(done.runs), 'run')} had of it."
            )
        hits = await memory.recall(what, k=5, scope=[scope, ""])
    if not hits:
        return "Nothing about that is remembered here."
    lines = [f"- `/forget {hit.handle}`: {' '.join(hit.text.split())[:200]}" for hit in hits]
    return "\n".join(["Which one?", *lines])


def seen(settings: Settings, conversation_id: str) -> str:
    """What the last run of the conversation was given, word for word."""
    with Journal.open(settings.journal.path) as journal:
        known = _known(journal, conversation_id)
        runs = journal.conversation(known).runs if known else ()
        first = journal.events(runs[-1].id)[0].body if runs else None
    if not isinstance(first, RunStarted):
        return "Nothing was asked in this conversation yet."
    if not first.context and not first.data:
        return "The last question sent nothing of your notebook and no data."
    parts = [f"**{label}**\n\n{fenced(text, 'text')}" for label, text in first.context.items()]
    parts.extend(f"**data** `{name}`: {path}" for name, path in first.data.items())
    return "\n\n".join(parts)


def runs(settings: Settings) -> str:
    """The latest runs of every door, the newest first."""
    with Journal.open(settings.journal.path) as journal:
        latest = journal.runs(_RUNS)
    if not latest:
        return "Nothing was asked at any door yet."
    lines = [
        f"- `{run.id}` ({run.door}) **{run.status or run.state}**: {_line(run.question)}"
        for run in latest
    ]
    return "\n".join([*lines, "", "`manyhands runs show ID` tells all of one."])


def _line(text: str) -> str:
    flat = title_of(text)
    return flat if len(flat) <= _QUESTION else f"{flat[: _QUESTION - 1]}…"


async def status(settings: Settings) -> str:
    """What runs now at every door, and what is loaded on every host."""
    with Journal.open(settings.journal.path) as journal:
        running = [run for run in journal.runs(50) if run.state is RunState.RUNNING]
    lines = [f"- `{run.id}` ({run.door}): {_line(run.question)}" for run in running]
    parts = ["\n".join(["**Running**", *lines]) if lines else "Nothing runs now."]
    for name, host in settings.hosts.items():
        engine = OllamaEngine(host.url)
        try:
            loaded = await engine.ps()
            models = [
                f"- {item.name}: {item.size / 1e9:.0f} GB, window {item.context_length}"
                for item in loaded
            ]
            parts.append("\n".join([f"**Loaded on {name}**", *(models or ["- nothing"])]))
        except EngineError as error:
            parts.append(f"**{name}**: {error}")
        finally:
            await engine.aclose()
    return "\n\n".join(parts)


async def window(settings: Settings, tier: str) -> int:
    """Tokens that fit into the loaded model's window, as its server tells it; else as it is set."""
    spec = settings.tiers[tier]
    engine = OllamaEngine(settings.hosts[spec.host].url)
    try:
        loaded = {item.name: item.context_length for item in await engine.ps()}
    except EngineError:
        loaded = {}
    finally:
        await engine.aclose()
    return loaded.get(spec.model) or loaded.get(f"{spec.model}:latest") or spec.num_ctx


def how_it_ended(settings: Settings, run_id: str) -> Tree | None:
    """The tree of a run that goes on no more; None while it still does, or is not known."""
    with Journal.open(settings.journal.path) as journal:
        try:
            record = journal.run(run_id)
        except InputError:
            return Tree(run_id=run_id, state=RunState.CUT)
        if record.state is RunState.RUNNING:
            return None
        tree = tree_of(journal.events(record.id))
    tree.state = str(record.state)
    return tree
