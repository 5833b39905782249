"""What `manyhands doctor` looks at: each finding with its next command."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from manyhands.cli.findings import Finding, Mark
from manyhands.cli.health_here import database, environment, memory, sandbox
from manyhands.configuration.in_clear import sent_in_clear
from manyhands.configuration.model import bare_name
from manyhands.engines.contracts import ChatRequest, Deadlines, Engine, Message, ModelInfo
from manyhands.errors import (
    EngineError,
    ManyhandsError,
    Unreachable,
)
from manyhands.jobs.store import JOBS_FILE
from manyhands.roles.build import RoleState, role_status
from manyhands.settings import HostKind, Settings, Tier, TierSettings

if TYPE_CHECKING:
    from manyhands.engines.ollama import OllamaEngine
    from manyhands.roles.loader import FoundRole
    from manyhands.roles.server import RoleServer

__all__ = ["OLDEST_SERVER", "examine", "pull_command"]

#: Older servers are not refused: the rules of our engine were read and tried on newer ones.
OLDEST_SERVER = (0, 17, 1)
#: 28 x 28 white pixels: a server that speaks as OpenAI does tells only by trying whether it sees.
_WHITE_SQUARE = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcAQAAAABaduI5AAAA"
    "D0lEQVR42mP4DwQMg4MAAIOub5EhxpvmAAAAAElFTkSuQmCC"
)


def pull_command(model: str, url: str) -> str:
    """The command line that downloads a model to a host."""
    from manyhands.configuration.hosts import DEFAULT_URL

    return (
        f"ollama pull {model}" if url == DEFAULT_URL else f"OLLAMA_HOST={url} ollama pull {model}"
    )


async def examine(
    settings: Settings,
    found: Mapping[str, FoundRole],
    engines: Mapping[str, OllamaEngine],
    *,
    probe: bool = False,
) -> AsyncIterator[Finding]:
    """Look at everything that a question needs, without changing anything.

    Args:
        engines: host name -> engine, for each host of kind `ollama`.
        probe: ask the mind for one token, which loads it if it is not loaded.
    """
    for told in sent_in_clear(settings, os.environ):
        yield Finding("network", Mark.WARNING, told, "use https, or a tunnel to the other machine")
    for name, host in settings.hosts.items():
        tiers = {key: spec for key, spec in settings.tiers.items() if name in spec.hosts}
        if not tiers:
            yield Finding("server", Mark.OK, f"{name} at {host.url}: no tier uses it")
        elif host.kind is HostKind.OPENAI:
            async for one in _compatible(settings, name, tiers, probe=probe):
                yield one
        else:
            async for one in _server(settings, name, tiers, engines[name], found, probe=probe):
                yield one
    yield await sandbox(settings)
    yield await environment(settings)
    yield database("journal", settings.journal.path)
    for topic, path in (
        ("jobs", settings.journal.path.with_name(JOBS_FILE)),
        ("routing", settings.routing.path),
    ):
        if path.exists():
            yield database(topic, path)
    if settings.memory.enabled:
        yield memory(settings.memory)


async def _server(
    settings: Settings,
    name: str,
    tiers: Mapping[str, TierSettings],
    engine: OllamaEngine,
    found: Mapping[str, FoundRole],
    *,
    probe: bool,
) -> AsyncIterator[Finding]:
    url = settings.hosts[name].url
    try:
        version = await engine.version()
        present = {bare_name(model) for model in await engine.tags()}
    except Unreachable as error:
        yield Finding(
            "server",
            Mark.PROBLEM,
            f"{name}: {error.message}",
            f"ollama serve   (or set the address: MANYHANDS_HOSTS__{name.upper()}__URL)",
        )
        return
    except EngineError as error:
        yield Finding("server", Mark.PROBLEM, f"{name} at {url}: {error.message}", error.hint)
        return
    yield _version(name, url, version)
    for tier, spec in tiers.items():
        if bare_name(spec.model) in present:
            async for one in _capable(engine, tier, spec):
                yield one
        else:
            yield Finding(
                "model",
                Mark.PROBLEM,
                f"tier {tier}: {spec.model} is not on host {name}",
                pull_command(spec.model, url),
            )
    mind = tiers.get(Tier.MIND)
    if mind is not None and bare_name(mind.model) in present:
        yield await _answers(engine, mind, probe=probe)
    async for one in _roles(settings, name, engine, found):
        yield one


def _version(name: str, url: str, version: str) -> Finding:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers and numbers < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        return Finding(
            "server",
            Mark.WARNING,
            f"{name} at {url}: Ollama {version} is older than {oldest}",
            "update Ollama: https://ollama.com/download",
        )
    return Finding("server", Mark.OK, f"{name} at {url}: Ollama {version}")


async def _capable(engine: Engine, tier: str, spec: TierSettings) -> AsyncIterator[Finding]:
    """What the server says the model can do, against what the settings expect of the tier."""
    try:
        info = await engine.show(spec.model)
    except EngineError as error:
        yield Finding("model", Mark.PROBLEM, f"tier {tier}: {error.message}", error.hint)
        return
    able = ", ".join(info.capabilities) or "nothing declared"
    troubles = list(_lacks(tier, spec, info))
    yield _judged(f"tier {tier}: {spec.model} ({able})", troubles)


def _judged(subject: str, troubles: Sequence[tuple[Mark, str, str]]) -> Finding:
    """One finding for a model; the worst trouble decides its mark."""
    if not troubles:
        return Finding("model", Mark.OK, subject)
    mark = Mark.PROBLEM if any(one[0] is Mark.PROBLEM for one in troubles) else Mark.WARNING
    told = "; ".join(text for _, text, _ in troubles)
    return Finding("model", mark, f"{subject}: {told}", "; ".join(step for _, _, step in troubles))


def _lacks(tier: str, spec: TierSettings, info: ModelInfo) -> Iterator[tuple[Mark, str, str]]:
    able = set(info.capabilities)
    if tier == Tier.EMBED:
        if "embedding" not in able:
            yield Mark.PROBLEM, "it cannot embed", f"set another model: tiers.{tier}.model"
        return
    if tier == Tier.VISION and "vision" not in able:
        yield Mark.PROBLEM, "it cannot see pictures", f"set another model: tiers.{tier}.model"
    if tier == Tier.VISION and not spec.think and "thinking" in able:
        yield Mark.WARNING, "it thinks unless told not to", f"set tiers.{tier}.think = true"
    if spec.think and "thinking" not in able:
        yield Mark.PROBLEM, "it cannot think", f"set tiers.{tier}.think = false"
    if tier == Tier.MIND and not spec.think and "thinking" in able:
        yield Mark.WARNING, "it can think, unused", f"set tiers.{tier}.think = true"
    if tier == Tier.MIND and "tools" not in able:
        yield Mark.WARNING, "it declares no tools", "needed only for tools of other MCP servers"
    longest = _context_length(info)
    if longest and spec.num_ctx > longest:
        yield (
            Mark.PROBLEM,
            f"num_ctx {spec.num_ctx} is more than the {longest} it was trained for",
            f"set tiers.{tier}.num_ctx = {longest}",
        )


def _context_length(info: ModelInfo) -> int:
    architecture = info.info.get("general.architecture", "")
    length = info.info.get(f"{architecture}.context_length", 0)
    return length if isinstance(length, int) else 0


async def _answers(engine: Engine, mind: TierSettings, *, probe: bool) -> Finding:
    """A real generation: a server with a stuck scheduler still answers everything else."""
    windows = {bare_name(one.name): one.context_length for one in await engine.ps()}
    window = windows.get(bare_name(mind.model))
    if window and window != mind.num_ctx:
        return Finding(
            "server",
            Mark.WARNING,
            f"{mind.model} is loaded with num_ctx {window} by another program, not "
            f"{mind.num_ctx}: each change between them reloads it",
            f"set the other program to {mind.num_ctx}, or tiers.mind.num_ctx = {window}",
        )
    if not probe and window is None:
        return Finding(
            "server",
            Mark.OK,
            f"{mind.model} is not loaded, so no token was asked for (--probe asks for one)",
        )
    limits = Deadlines(load_s=20, first_token_s=20, gap_s=20, total_s=30)
    return await _one_token(engine, mind.model, mind, None if probe else limits)


async def _one_token(
    engine: Engine,
    model: str,
    spec: TierSettings,
    deadlines: Deadlines | None,
    images: tuple[str, ...] = (),
) -> Finding:
    request = ChatRequest(
        model=model,
        messages=(Message(role="user", content="Say ok.", images=images),),
        num_ctx=spec.num_ctx,
        think=False if spec.think else None,
        num_predict=1,
        deadlines=deadlines,
    )
    try:
        await engine.chat(request, whole=False)
    except EngineError as error:
        return Finding(
            "server",
            Mark.PROBLEM,
            f"{model} does not answer: {error.message}",
            error.hint or f"ollama stop {model}",
        )
    return Finding("server", Mark.OK, f"{model} answers")


async def _roles(
    settings: Settings, host: str, server: RoleServer, found: Mapping[str, FoundRole]
) -> AsyncIterator[Finding]:
    try:
        states = await role_status(found, settings, server, host)
    except ManyhandsError as error:
        yield Finding("roles", Mark.PROBLEM, error.message, error.hint)
        return
    named: dict[RoleState, list[str]] = {}
    for one in states:
        named.setdefault(one.state, []).append(one.role)
    if current := named.get(RoleState.CURRENT):
        yield Finding("roles", Mark.OK, f"on {host}: {', '.join(current)}")
    for state, text, step in (
        (RoleState.ABSENT, "not built", "manyhands roles build"),
        (RoleState.DIFFERS, "built from an older file", "manyhands roles build"),
        (RoleState.NO_BASE, "cannot be built before their base is there", "manyhands setup"),
    ):
        names = named.get(state, [])
        needed = [name for name in names if found[name].role.adapter]
        if names:
            mark = Mark.PROBLEM if needed else Mark.WARNING
            yield Finding("roles", mark, f"on {host}, {text}: {', '.join(names)}", step)


async def _compatible(
    settings: Settings, name: str, tiers: Mapping[str, TierSettings], *, probe: bool
) -> AsyncIterator[Finding]:
    """A server that speaks as OpenAI does: whether it answers, and serves what the tiers want."""
    from manyhands.engines.opening import open_engine

    host = settings.hosts[name]
    try:
        engine = open_engine(host, settings.deadlines.for_engine())
    except ManyhandsError as error:
        yield Finding("server", Mark.PROBLEM, f"{name}: {error.message}", error.hint)
        return
    try:
        served = await engine.tags()
        yield Finding("server", Mark.OK, f"{name} at {host.url}: {await engine.version()}")
        for tier, spec in tiers.items():
            model = host.models.get(spec.model, spec.model)
            if model not in served:
                yield Finding(
                    "model",
                    Mark.PROBLEM,
                    f"tier {tier}: {name} serves no {model!r}, only: {', '.join(served)}",
                    f"start it with that name, or say so in hosts.{name}.models",
                )
                continue
            yield _window(tier, spec, model, await engine.show(model))
            if probe and tier != Tier.EMBED:
                shown = (_WHITE_SQUARE,) if tier == Tier.VISION else ()
                yield await _one_token(engine, model, spec, None, shown)
    except EngineError as error:
        step = error.hint or f"start it, or set MANYHANDS_HOSTS__{name.upper()}__URL"
        yield Finding("server", Mark.PROBLEM, f"{name}: {error.message}", step)
    finally:
        await engine.aclose()


def _window(tier: str, spec: TierSettings, model: str, info: ModelInfo) -> Finding:
    """Its window, where the server tells it, against what the tier wants."""
    longest = info.details.get("max_model_len")
    if isinstance(longest, int) and spec.num_ctx > longest:
        return Finding(
            "model",
            Mark.PROBLEM,
            f"tier {tier}: {model} is served with a window of {longest}, the tier wants "
            f"{spec.num_ctx}",
            f"set tiers.{tier}.num_ctx = {longest}, or start the server with a larger one",
        )
    return Finding("model", Mark.OK, f"tier {tier}: {model} is served")
