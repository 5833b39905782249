"""Looking at what a question is about: the sender's open notebook, and what they attached."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from jupyterlab_chat.models import Message, NotebookAttachment

from manyhands.errors import InputError
from manyhands.redaction import redact, redact_value
from manyhands_jupyter.persona.cells_text import Cell, cells_text, middle, notebook_context
from manyhands_jupyter.persona.companions import notebook_commands
from manyhands_jupyter.server.tabs import Tabs

__all__ = ["Around", "Attached", "around", "attached"]

#: Characters of an attached text file.
_FILE = 8_000
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")
#: How long a tab may take to tell of its notebook; the question then goes on without.
_LOOK_S = 2.0
#: Characters of a cell as Jupyter AI's commands tell it.
_CELL = 4_800


@dataclass(frozen=True, slots=True)
class Attached:
    """What was attached to a message: tables as data, everything else as context."""

    data: dict[str, Path]
    context: dict[str, str]


@dataclass(frozen=True, slots=True)
class Around:
    """The notebook that the sender has open.

    Attributes:
        kernel_id: of its kernel; empty where there is none or the sender may not use it.
    """

    context: dict[str, str]
    kernel_id: str = ""


async def around(message: Message, tabs: Tabs) -> Around:
    """The notebook that the sender has open, as their browser shows it; empty when there is none.

    Our own lab extension is asked first; where it is switched off, the commands of Jupyter AI.
    """
    tab = tabs.of(message.sender)
    if tab is None:
        return Around(await _around_by_commands(message))
    try:
        told = await tab.ask("look", {}, _LOOK_S)
    except InputError:
        return Around({})
    if not isinstance(told, dict):
        return Around({})
    kernel_id = str(told.get("kernelId") or "") if tab.sees_kernels else ""
    # Looking for secrets in 20,000 characters of each output takes too long for the server's loop.
    return Around(await anyio.to_thread.run_sync(notebook_context, told), kernel_id)


async def _around_by_commands(message: Message) -> dict[str, str]:
    tools = notebook_commands()
    if tools is None:
        return {}
    token = tools.target_client_id.set((message.metadata or {}).get("web_client_id"))
    try:
        with anyio.fail_after(_LOOK_S):
            told = await tools.execute_command("jupyterlab-ai-commands:get-notebook-info", {})
            book = told.get("result") or {}
            cell_id = book.get("activeCellId")
            if not cell_id:
                return {}
            cell = await tools.execute_command(
                "jupyterlab-ai-commands:get-cell-info", {"cellId": cell_id}
            )
    except (TimeoutError, RuntimeError, OSError):
        return {}
    finally:
        tools.target_client_id.reset(token)
    result = await anyio.to_thread.run_sync(redact_value, cell.get("result") or {})
    text = json.dumps(result, ensure_ascii=False, indent=1)
    return {"notebook": f"{book.get('path', '')}, the active cell:\n{middle(text, _CELL)}"}


async def attached(persona: Any, message: Message, tabs: Tabs) -> Attached:
    """What the message's attachments hold: cells as they are in the browser now, tables, texts."""
    data: dict[str, Path] = {}
    context: dict[str, str] = {}
    known = persona.chat.get_attachments()
    root = persona.parent.root_dir
    for attachment_id in message.attachments or ():
        item = known.get(attachment_id)
        if item is None:
            continue
        path = await anyio.to_thread.run_sync(_inside, root, item.value)
        if isinstance(item, NotebookAttachment) and item.cells:
            ids = [cell.id for cell in item.cells]
            context[f"cells of {item.value}"] = await _cells(message, tabs, item.value, path, ids)
        elif path.suffix.lower() in _TABLES:
            data[_name_of(path)] = path
        else:
            context[item.value] = await anyio.to_thread.run_sync(_text_of, path)
    return Attached(data, context)


async def _cells(message: Message, tabs: Tabs, name: str, path: Path, ids: list[str]) -> str:
    tab = tabs.of(message.sender)
    if tab is not None:
        try:
            told = await tab.ask("cells", {"path": name, "ids": ids}, _LOOK_S)
            if told:
                return await anyio.to_thread.run_sync(cells_text, told)
        except InputError:
            pass
    return await anyio.to_thread.run_sync(lambda: cells_text(_cells_on_disk(path, ids)))


def _cells_on_disk(path: Path, ids: list[str]) -> list[Cell]:
    """The attached cells out of the saved file, for a notebook that is not open."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", [])
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from None
    return [
        {
            "index": index,
            "cellType": cell.get("cell_type", "code"),
            "source": _joined(cell.get("source", "")),
            "executionCount": cell.get("execution_count"),
            "outputs": [_output(item) for item in cell.get("outputs", ())],
        }
        for index, cell in enumerate(cells)
        if cell.get("id") in ids
    ]


def _output(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(item.get("output_type"))
    if kind == "error":
        text = "\n".join(item.get("traceback", ()))
        return {"type": kind, "name": item.get("ename"), "value": item.get("evalue"), "text": text}
    data = item.get("data", {})
    text = item.get("text", data.get("text/plain", ""))
    return {
        "type": kind,
        "name": item.get("name", ""),
        "mimeTypes": list(data),
        "text": _joined(text),
    }


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _inside(root: str, value: str) -> Path:
    folder = Path(root).resolve()
    path = (folder / value).resolve()
    if not path.is_relative_to(folder):
        raise InputError(f"{value!r} lies outside the server's folder.")
    if not path.is_file():
        raise InputError(f"{value!r} is no file (any more).", hint="Attach it again.")
    return path


def _name_of(path: Path) -> str:
    name = re.sub(r"\W+", "_", path.stem)
    return f"table_{name}" if not name or name[0].isdigit() else name


def _text_of(path: Path) -> str:
    if path.suffix.lower() in _PICTURES:
        return f"A picture of {path.stat().st_size} bytes; its content was not sent."
    try:
        with path.open("rb") as file:
            start = file.read(4 * _FILE)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from None
    if b"\0" in start:
        return "A binary file; its content was not sent."
    return middle(redact(start.decode("utf-8", errors="replace")), _FILE)
