"""What a question's notebook looks like to the mind: the active cell first, within a budget."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from manyhands.mind.condense import estimate_tokens
from manyhands.redaction import redact

__all__ = ["BUDGET_TOKENS", "Cell", "cells_text", "middle", "notebook_context"]

#: Tokens of everything that is told of a notebook.
BUDGET_TOKENS = 1_500
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
#: Characters of one source and of one output; the active cell gets twice as much.
_PART = 1_200
#: Characters of an output that are looked at; a tab sends no more.
_OUTPUT = 20_000
#: A cell of which fewer tokens would be left is left out.
_LEAST_TOKENS = 100

Cell = Mapping[str, Any]


def notebook_context(told: Mapping[str, Any], budget_tokens: int = BUDGET_TOKENS) -> dict[str, str]:
    """Label -> text of the notebook that a tab has told of; empty when none is open."""
    cells: Sequence[Cell] = told.get("cells") or ()
    if not cells:
        return {}
    active = told.get("activeIndex", -1)
    nearest = sorted(cells, key=lambda cell: _rank(cell, active))
    head = f"{told.get('path')}, {told.get('count')} cells, kernel {told.get('kernel') or 'none'}"
    kept: dict[int, str] = {}
    left = budget_tokens - estimate_tokens(head)
    for cell in nearest:
        text = _cell_text(cell, active=cell["index"] == active)
        cost = estimate_tokens(text)
        if cost > left:
            if left < _LEAST_TOKENS:
                continue
            while (cost := estimate_tokens(text)) > left:
                text = middle(text, len(text) * 2 // 3)
        kept[cell["index"]] = text
        left -= cost
    return {"notebook": "\n\n".join([head, *(kept[index] for index in sorted(kept))])}


def cells_text(cells: Sequence[Cell], budget_tokens: int = BUDGET_TOKENS) -> str:
    """Cells that were attached to a question, each with its live outputs."""
    texts = [_cell_text(cell, active=False) for cell in cells]
    room = 3 * budget_tokens // max(1, len(texts))
    return "\n\n".join(middle(text, room) for text in texts)


def _rank(cell: Cell, active: int) -> tuple[int, int]:
    """The active cell, then cells that failed, then by distance, the ones above first."""
    distance = cell["index"] - active
    if distance == 0:
        return (0, 0)
    failed = any(item["type"] == "error" for item in cell["outputs"])
    return (1 if failed else 2, 2 * abs(distance) + (distance > 0))


def _cell_text(cell: Cell, *, active: bool) -> str:
    count = cell.get("executionCount")
    number = f" [{count}]" if count else ""
    name = "The active cell" if active else "Cell"
    room = 2 * _PART if active else _PART
    lines = [
        f"{name}, {cell['index'] + 1}. in the notebook, {cell['cellType']}{number}:",
        # A list of secrets whose name was cut off could not be recognised any more.
        middle(redact(cell["source"]), room),
    ]
    for item in cell["outputs"]:
        text = redact(_ANSI.sub("", middle(str(item.get("text") or ""), _OUTPUT)))
        if item["type"] == "error":
            lines += [f"It failed: {item.get('name')}: {item.get('value')}", _tail(text, room)]
        elif item["type"] == "stream":
            lines += [f"It printed ({item.get('name')}):", middle(text, room)]
        else:
            kinds = ", ".join(kind for kind in item.get("mimeTypes", ()) if kind != "text/plain")
            lines += [f"It showed{f' ({kinds})' if kinds else ''}:", middle(text, room)]
    return "\n".join(lines)


def _tail(text: str, limit: int) -> str:
    """The end of a traceback says most; its first line says what it is."""
    return text if len(text) <= limit else f"…{text[-limit:]}"


def middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
