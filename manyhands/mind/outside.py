"""A step that calls a tool of another MCP server: asked about, written down, and only then done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from manyhands.broker.contracts import Effect, EffectState, Origin
from manyhands.hands.contracts import HandName, HandResult, Status, ToolRequest
from manyhands.hands.places import Emit
from manyhands.hands.work import fenced
from manyhands.journal.events import Note, NoteReason
from manyhands.mind.tools import Toolbox
from manyhands.remote.tools import OutsideTools

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["call_outside", "outside_tools"]


async def outside_tools(settings: Settings, folder: Path | None, emit: Emit) -> OutsideTools | None:
    """The tools of other MCP servers; a server that does not answer is told and left out."""
    if not settings.mcpServers:
        return None
    outside = OutsideTools(settings.mcpServers, folder, settings.approvals.other)
    for fault in await outside.look():
        await emit(Note(reason=NoteReason.REMOTE, text=fault))
    return outside if outside.tools else None


async def call_outside(box: Toolbox, request: ToolRequest) -> HandResult:
    """Call the tool if the settings or a person let it happen; its text is fenced as data."""
    outside = box.outside
    if outside is None or request.tool not in outside.tools:
        return _nothing(Status.FAILED, f"There is no tool {request.tool!r} now.")
    shown = json.dumps(request.arguments, ensure_ascii=False, indent=1, sort_keys=True)
    effect = Effect(
        f"mcp:{request.tool}",
        dict(request.arguments),
        f"call {request.tool} of another MCP server",
        shown,
    )

    async def act() -> JsonValue:
        return await outside.call(request.tool, request.arguments)

    # The tool's own description is text from outside, so an approval is for these arguments alone.
    origins = () if outside.free(request.tool) else (Origin.OUTSIDE,)
    outcome = await box.broker.perform(effect, origins, act)
    if outcome.state is not EffectState.DONE:
        status = Status.FAILED if outcome.state is EffectState.FAILED else Status.CANNOT
        return _nothing(status, f"{request.tool}: {outcome.detail}")
    text = str(outcome.result)
    return HandResult(
        hand=HandName.TOOL,
        status=Status.UNVERIFIED,
        summary=f"{request.tool} answered with {len(text):,} characters; nothing checks them.",
        value=fenced(f"answer of {request.tool}", text),
    )


def _nothing(status: Status, why: str) -> HandResult:
    return HandResult(hand=HandName.TOOL, status=status, summary=why)
