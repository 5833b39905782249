"""Cells of a notebook as text for a prompt: those around one cell, within a budget of tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyhands.mind.condense import estimate_tokens
from manyhands.redaction import redact
from manyhands_jupyter.context.outputs import Ran, plain

__all__ = [
    "Cell",
    "cells_of",
    "cells_text",
    "cut",
    "keep_in",
    "notebook_path",
    "of_run",
    "read_notebook",
]

_MOST_FILE = 64 * 1024 * 1024
#: Of what is left, at most this share goes to one neighbour, so that several are seen.
_NEIGHBOUR = 0.5

Keep = Callable[[bytes], str]
"""Keeps a picture as a file and gives its path."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell with its outputs as text.

    Attributes:
        kind: `code`, `markdown` or `raw`.
        error: what it raised, with its traceback.
        live: the outputs come from the running kernel, not from the file.
    """

    id: str
    kind: str
    source: str
    output: str = ""
    error: str = ""
    pictures: tuple[bytes, ...] = ()
    number: int = 0
    live: bool = False


def of_run(ran: Ran) -> Cell:
    """A cell as it was executed in this kernel."""
    return Cell(
        id=ran.cell_id or str(ran.number),
        kind="code",
        source=ran.source,
        output=ran.output,
        error=ran.traceback or ran.error,
        pictures=tuple(ran.pictures),
        number=ran.number,
        live=True,
    )


def cells_of(notebook: Mapping[str, Any]) -> list[Cell]:
    """The cells of a notebook in nbformat 4; anything unreadable in them is left out."""
    found = []
    for place, raw in enumerate(notebook.get("cells") or []):
        if not isinstance(raw, dict):
            continue
        output, error, pictures = _outputs(raw.get("outputs") or [])
        found.append(
            Cell(
                id=str(raw.get("id") or place),
                kind=str(raw.get("cell_type") or "raw"),
                source=_joined(raw.get("source")),
                output=output,
                error=error,
                pictures=pictures,
                number=raw.get("execution_count") or 0,
            )
        )
    return found


def _outputs(outputs: Iterable[Any]) -> tuple[str, str, tuple[bytes, ...]]:
    texts, error, pictures = [], "", []
    for one in outputs:
        kind = one.get("output_type") if isinstance(one, dict) else None
        if kind == "stream":
            texts.append(_joined(one.get("text")))
        elif kind == "error":
            error = plain("\n".join(one.get("traceback") or []))
            error = error or f"{one.get('ename')}: {one.get('evalue')}"
        elif kind in ("display_data", "execute_result"):
            data = one.get("data") or {}
            texts.append(_joined(data.get("text/plain")))
            if "image/png" in data:
                try:
                    pictures.append(base64.b64decode(_joined(data["image/png"])))
                except ValueError:
                    continue
    return plain("\n".join(filter(None, texts))).strip(), error, tuple(pictures)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(str(one) for one in value)
    return value if isinstance(value, str) else ""


def notebook_path(namespace: Mapping[str, Any]) -> Path | None:
    """Where the notebook of this kernel lies, if its server or editor says so."""
    said = namespace.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
    path = Path(str(said))
    return path if path.suffix == ".ipynb" and path.is_file() else None


def read_notebook(path: Path) -> list[Cell]:
    """The cells as last saved; empty when the file cannot be read. It is never written."""
    try:
        if path.stat().st_size > _MOST_FILE:
            return []
        return cells_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return []


def cells_text(
    cells: Sequence[Cell], at: int, budget_tokens: int, keep: Keep | None = None
) -> tuple[str, int]:
    """The cell at `at` and as many around it as fit, in their order; and how many were left out.

    The cell itself gets up to two thirds of the budget; then the cells before it, the nearest
    first, and one after it. What is too long keeps its head and tail.

    Args:
        keep: keeps pictures as files; without it they are only counted.
    """
    if not cells:
        return "", 0
    texts: dict[int, str] = {}
    left = budget_tokens
    own = cut(_told(cells[at], keep), int(left * 2 / 3))
    texts[at] = own
    left -= estimate_tokens(own)
    order = [at - 1, at - 2, at + 1, *range(at - 3, -1, -1), *range(at + 2, len(cells))]
    dropped = 0
    for place in order:
        if not 0 <= place < len(cells):
            continue
        if not cells[place].source.strip() and not cells[place].output:
            continue
        room = int(left * _NEIGHBOUR)
        if room < 30:
            dropped += 1
            continue
        text = cut(_told(cells[place], keep), room)
        texts[place] = text
        left -= estimate_tokens(text)
    return "\n\n".join(texts[place] for place in sorted(texts)), dropped


def _told(cell: Cell, keep: Keep | None) -> str:
    number = f" [{cell.number}]" if cell.number else ""
    lines = [f"{cell.kind} cell{number}:", cell.source.rstrip()]
    if cell.output:
        lines += ["its output" + ("" if cell.live else ", as saved") + ":", cell.output]
    if cell.error:
        lines += ["it raised:", cell.error]
    for picture in cell.pictures:
        where = f" in {keep(picture)}" if keep is not None else ""
        lines.append(f"[a picture, {len(picture) // 1000 + 1} kB{where}]")
    return redact("\n".join(lines))


def cut(text: str, budget_tokens: int) -> str:
    """Head and tail of a text, the tail longer: errors and results stand at the end."""
    if estimate_tokens(text) <= budget_tokens:
        return text
    room = max(0, int(budget_tokens * 3.2) - 40)
    head, tail = int(room * 0.4), room - int(room * 0.4)
    data = text.encode("utf-8")  # the estimate counts bytes
    start = data[:head].decode("utf-8", errors="ignore")
    end = data[len(data) - tail :].decode("utf-8", errors="ignore") if tail else ""
    return f"{start}\n[… {len(text) - len(start) - len(end):,} characters …]\n{end}"


def keep_in(folder: Path) -> Keep:
    """Keeps pictures in a folder, each once, named by its content."""

    def keep(content: bytes) -> str:
        path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.png"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return str(path)

    return keep
