"""What a frame wants done outside the run, made into effects for the broker."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from difflib import unified_diff
from pathlib import Path, PurePosixPath

import anyio
from pydantic import JsonValue

from manyhands.broker.contracts import Effect, Origin, Outcome
from manyhands.errors import InputError
from manyhands.mind.answer import EffectTold, StepReport
from manyhands.mind.frame import EffectTool, WantedEffect
from manyhands.mind.tools import Toolbox

__all__ = ["perform_effects", "target_path"]

#: Characters of a file that are shown to the person who is asked; its hash stands for the rest.
_SHOWN = 4_000


def target_path(folder: Path, wanted: str) -> Path:
    """Where a file would be written: inside `folder`, whatever the wanted path says.

    Raises:
        InputError: the path is absolute, climbs out, passes a link, or names a hidden file.
    """
    pure = PurePosixPath(wanted.replace("\\", "/"))
    bad = not wanted.strip() or pure.is_absolute() or ":" in wanted or "\0" in wanted
    if bad or any(part == ".." or part.startswith(".") for part in pure.parts):
        raise InputError(
            f"The path {wanted!r} is not a plain relative path.",
            hint="A file can be saved only inside the folder where the question was asked.",
        )
    path = folder
    for part in pure.parts:
        path = path / part
        if path.is_symlink():
            raise InputError(f"{str(path)!r} is a link.", hint="Name a path without links.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder.", hint="Name a file in it.")
    return path


async def perform_effects(
    wanted: Sequence[WantedEffect],
    reports: Sequence[StepReport],
    toolbox: Toolbox,
    folder: str,
    origins: Collection[Origin],
) -> list[EffectTold]:
    """Put each wanted effect to the broker; nothing happens that it did not let happen."""
    by_id = {report.id: report for report in reports}
    told: list[EffectTold] = []
    for one in wanted:
        try:
            if one.tool is EffectTool.REMEMBER:
                effect, act = _remember(one, toolbox)
            else:
                saving = await _save(one, by_id, toolbox, folder)
                if isinstance(saving, EffectTold):
                    told.append(saving)
                    continue
                effect, act = saving
        except InputError as error:
            told.append(
                EffectTold(
                    tool=one.tool, summary=one.path or one.text, state="refused", detail=str(error)
                )
            )
            continue
        outcome: Outcome = await toolbox.broker.perform(effect, origins, act)
        told.append(
            EffectTold(
                tool=one.tool, summary=effect.summary, state=outcome.state, detail=outcome.detail
            )
        )
    return told


Act = Callable[[], Awaitable[JsonValue]]


def _remember(one: WantedEffect, toolbox: Toolbox) -> tuple[Effect, Act]:
    text, remember = one.text.strip(), toolbox.remember
    if not text:
        raise InputError("There is nothing to remember.", hint="Say what.")
    if remember is None:
        raise InputError(
            "This run remembers nothing: memory.enabled is false, or its models only play "
            "(rehearsal, replay)."
        )
    write = remember

    async def act() -> JsonValue:
        return await write(text)

    return Effect("remember", {"text": text}, f"remember: {text[:120]}"), act


async def _save(
    one: WantedEffect, by_id: dict[str, StepReport], toolbox: Toolbox, folder: str
) -> tuple[Effect, Act] | EffectTold:
    if not folder:
        raise InputError("This door saves no files.", hint="Ask at the command line.")
    report = by_id.get(one.step)
    artifacts = report.result.artifacts if report is not None else ()
    if not artifacts:
        raise InputError(
            f"Step {one.step!r} made no file.", hint=f"Steps: {', '.join(by_id) or 'none'}."
        )
    artifact = next((item for item in artifacts if item.media_type == "image/png"), artifacts[0])
    path = target_path(Path(folder), one.path or artifact.name)
    content = await toolbox.open(artifact.id)
    old = path.read_bytes() if path.exists() else None
    before = hashlib.sha256(old).hexdigest() if old is not None else None
    if before is not None and f"sha256:{before}" == artifact.id:
        # Also what a crash left behind: the same content in its place needs no effect.
        return EffectTold(
            tool=one.tool, summary=f"write {path}", state="done", detail="it is there already"
        )
    effect = Effect(
        "save_file",
        {"path": str(path), "content": artifact.id, "replaces": before},
        f"{'replace' if before else 'write'} {path} ({artifact.size} bytes)",
        preview=_preview(artifact.media_type, content, old),
    )

    async def act() -> JsonValue:
        now = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
        if now != before:
            raise InputError(f"{path} changed while it was asked about.", hint="Ask again.")
        await anyio.to_thread.run_sync(_write_whole, path, content)
        return str(path)

    return effect, act


def _preview(media_type: str, content: bytes, old: bytes | None) -> str:
    """The text that would be written, or its difference from what is there; as much as fits."""
    try:
        new, before = content.decode(), (old or b"").decode()
    except UnicodeDecodeError:
        return f"({media_type}: no text to show)"
    if old is not None:
        lines = unified_diff(before.splitlines(), new.splitlines(), "now", "then", lineterm="")
        new = "\n".join(lines)
    left = len(new) - _SHOWN
    return new if left <= 0 else f"{new[:_SHOWN]}\n… and {left:,} characters more"


def _write_whole(path: Path, content: bytes) -> None:
    """The whole file or nothing: written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
