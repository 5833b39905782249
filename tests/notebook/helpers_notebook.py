"""A real kernel with the scripted models, and cells run in it as a notebook runs them."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

__all__ = ["Notebook", "Shown", "environment", "running_kernel", "script"]


def environment(folder: Path, url: str = "") -> dict[str, str]:
    """The variables of a user who has nothing but this folder."""
    (folder / "settings.toml").touch()
    ours = ("MANYHANDS_", "OLLAMA_", "OTEL_", "JPY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "MANYHANDS_CONFIG": str(folder / "settings.toml"),
        "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
        "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
        "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        "IPYTHONDIR": str(folder / "ipython"),
        **({"OLLAMA_HOST": url} if url else {}),
    }


@dataclass
class Shown:
    """What one execution sent."""

    text: str = ""
    error: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    comms: list[dict[str, Any]] = field(default_factory=list)
    panel: dict[str, Any] = field(default_factory=dict)
    comm_id: str = ""
    seconds: float = 0.0

    @property
    def all_text(self) -> str:
        shown = [one.get("text/plain", "") for one in (*self.displays, *self.updates)]
        return "\n".join([self.text, *shown, self.error])


class Notebook:
    """Cells of one kernel; what background work shows after a cell is found by its message."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self._cells: dict[str, Shown] = {}
        self._panels: dict[str, Shown] = {}
        self.manager: Any = None

    def send(
        self, code: str, *, cell_id: str = "", stdin: bool = False, metadata: Mapping[str, Any] = {}
    ) -> str:
        message = self.client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": stdin,
                "stop_on_error": True,
            },
            metadata={"cellId": cell_id, **metadata} if cell_id else dict(metadata),
        )
        self.client.shell_channel.send(message)
        sent = str(message["header"]["msg_id"])
        self._cells[sent] = Shown()
        return sent

    def wait(self, sent: str, *, seconds: float = 60.0) -> Shown:
        """Until the cell's execution is over."""
        begun = time.perf_counter()
        shown = self._cells[sent]
        while True:
            message = self._take(begun + seconds - time.perf_counter())
            if message is None:
                raise TimeoutError(f"the cell did not end: {shown.all_text[-2000:]}")
            if (
                message["msg_type"] == "status"
                and message["parent_header"].get("msg_id") == sent
                and message["content"]["execution_state"] == "idle"
            ):
                shown.seconds = time.perf_counter() - begun
                return shown

    def until(self, sent: str, words: str, *, seconds: float = 60.0) -> Shown:
        """Until some output of the cell, also after its end, contains `words`."""
        end = time.perf_counter() + seconds
        shown = self._cells[sent]
        while words not in shown.all_text and words not in str(shown.panel):
            if self._take(end - time.perf_counter()) is None:
                raise TimeoutError(f"no {words!r} in {shown.all_text[-2000:]!r}")
        return shown

    def run(self, code: str, *, seconds: float = 60.0, **how: Any) -> Shown:
        return self.wait(self.send(code, **how), seconds=seconds)

    def click(self, shown: Shown, **message: Any) -> None:
        """What the page sends when something in a panel is clicked."""
        data = {"method": "custom", "content": message}
        sent = self.client.session.msg("comm_msg", {"comm_id": shown.comm_id, "data": data})
        self.client.shell_channel.send(sent)

    def value(self, expression: str) -> str:
        """The text of an expression's value, printed by the kernel."""
        shown = self.run(f"print(({expression}))")
        assert not shown.error, shown.error
        return shown.text.strip()

    def _take(self, seconds: float) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
        content = message["content"]
        # What a panel tells after a click has the click for its parent.
        shown = self._panels.get(str(content.get("comm_id"))) or self._cells.get(
            message["parent_header"].get("msg_id", "")
        )
        if shown is None:
            return message
        match message["msg_type"]:
            case "stream":
                shown.text += content["text"]
            case "error":
                shown.error = "\n".join(content["traceback"]) or content["evalue"]
            case "display_data" | "execute_result":
                shown.displays.append(content["data"])
            case "update_display_data":
                shown.updates.append(content["data"])
            case "comm_open" | "comm_msg":
                state = content["data"].get("state", {})
                shown.comms.append(content)
                shown.panel.update({k: v for k, v in state.items() if not k.startswith("_")})
                if message["msg_type"] == "comm_open" and "tree" in state:
                    shown.comm_id = content["comm_id"]
                    self._panels[shown.comm_id] = shown
        return message


@contextmanager
def running_kernel(folder: Path, url: str = "", **more: str) -> Iterator[Notebook]:
    """A kernel in `folder`, ended and cleaned up at the end."""
    manager, client = start_new_kernel(
        kernel_name="python3",
        env={**environment(folder, url), **more},
        cwd=str(folder),
        startup_timeout=60,
    )
    notebook = Notebook(client)
    notebook.manager = manager
    try:
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def script() -> Path:
    """What the models of these tests say."""
    return Path(__file__).with_name("script.toml")
