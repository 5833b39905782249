"""What memory found, for the eye and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhands.memory import Hit
    from manyhands.memory.rows import Row

__all__ = ["day_of", "hit_as_json", "line_of", "show_hit"]

_LINE = 100


def show_hit(hit: Hit) -> None:
    from rich.console import Console

    from manyhands.trace.lines import counted
    from manyhands.trace.terminal import plain

    console = Console(highlight=False)
    old = f" · superseded by {hit.superseded_by}" if hit.superseded_by else ""
    copies = f" · and {counted(len(hit.copies), 'copy')}" if hit.copies else ""
    console.print(plain(f"{hit.score:.3f}  {hit.id}", "bold"), soft_wrap=True)
    told = " · ".join(
        part
        for part in (hit.kind, str(hit.trust), hit.speaker, day_of(hit.time), hit.context)
        if part
    )
    console.print(plain(f"    {told}{old}{copies}", "dim"), soft_wrap=True)
    lines = hit.text.strip().splitlines()
    more = f"  (+{counted(len(lines) - 4, 'line')})" if len(lines) > 4 else ""
    for line in lines[:4]:
        console.print(plain(f"    {line[:160]}"), soft_wrap=True)
    if more:
        console.print(plain(f"   {more}", "dim"))


def line_of(row: Row) -> str:
    """A memory in one line: id, when, kind, who vouches for it, and how it begins."""
    item = row.item
    old = f" · superseded by {row.superseded_by}" if row.superseded_by else ""
    when = day_of(row.added if item.time is None else item.time)
    flat = " ".join(item.text.split())
    short = flat if len(flat) <= _LINE else f"{flat[: _LINE - 1]}…"
    return f"{item.id}  {when}  {item.kind} · {item.trust}{old}  {short}"


def hit_as_json(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id, "score": hit.score, "text": hit.text, "kind": hit.kind, "scope": hit.scope,
        "source": hit.source, "context": hit.context, "time": hit.time, "speaker": hit.speaker,
        "trust": hit.trust, "parts": dict(hit.parts), "handle": hit.handle,
        "superseded_by": hit.superseded_by, "copies": list(hit.copies), "meta": dict(hit.meta),
    }  # fmt: skip


def day_of(time: float | None) -> str:
    from datetime import datetime

    if time is None:
        return ""
    try:
        return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return f"{time:g} s"
