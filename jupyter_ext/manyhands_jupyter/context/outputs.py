"""What the cells of this kernel printed, showed and raised, kept while they run."""

from __future__ import annotations

import base64
import re
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Ran", "Recorder", "plain", "time_limit"]

_CELLS = 60
#: Characters of a cell's output that are kept of each end.
_END = 8_000
_PICTURES = 4
_MOST_PICTURE = 4_000_000
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")

Done = Callable[["Ran", float], None]
"""Told about an execution that has ended, and the seconds that it took."""


def plain(text: str) -> str:
    """Text without colour codes, and of lines that were overwritten only the last state."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in lines)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the main thread, as the kernel's Stop does, when the time is over."""
    over = threading.Event()

    def watch() -> None:
        if not over.wait(seconds):
            ident = threading.main_thread().ident
            if ident is not None:
                signal.pthread_kill(ident, signal.SIGINT)

    thread = threading.Thread(target=watch, name="manyhands-limit", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


@dataclass(slots=True)
class Ran:
    """One execution of a cell.

    Attributes:
        number: the execution count.
        error: class and message of what it raised; empty when it did not.
        traceback: the same in full, without colours.
        pictures: PNG contents.
    """

    cell_id: str
    source: str
    number: int = 0
    error: str = ""
    traceback: str = ""
    pictures: list[bytes] = field(default_factory=list)
    finished: bool = False
    _head: str = ""
    _tail: str = ""
    _dropped: int = 0

    def write(self, text: str) -> None:
        room = _END - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        if text:
            whole = self._tail + text
            self._dropped += max(0, len(whole) - _END)
            self._tail = whole[-_END:]

    @property
    def output(self) -> str:
        """What it printed and showed as text, with a mark where the middle is left out."""
        gap = f"\n[… {self._dropped:,} characters left out …]\n" if self._dropped else ""
        return plain(f"{self._head}{gap}{self._tail}").strip()


class Recorder:
    """Listens to one shell from `begin` to `end`.

    Streams are read where they are written, since IPython keeps them only for cells without
    `await`; nothing is changed in what the user sees.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._cells: OrderedDict[str, Ran] = OrderedDict()
        self._writes: list[tuple[Any, Any, Any]] = []
        self._limits: dict[str, tuple[float, Done]] = {}
        self._running: tuple[float, AbstractContextManager[None] | None] = (0.0, None)

    def begin(self) -> None:
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)
        publisher = self._shell.display_pub
        if hasattr(publisher, "register_hook"):
            publisher.register_hook(self._shown)

    def end(self) -> None:
        for name, listener in (("pre_run_cell", self._before), ("post_run_cell", self._after)):
            if listener in self._shell.events.callbacks[name]:
                self._shell.events.unregister(name, listener)
        self._leave_streams()
        publisher = self._shell.display_pub
        if hasattr(publisher, "unregister_hook"):
            publisher.unregister_hook(self._shown)

    def limit(self, cell_id: str, seconds: float, done: Done) -> Callable[[], None]:
        """Interrupt the executions of a cell after `seconds`, and tell `done` of their ends.

        Gives back what ends that.
        """
        self._limits[cell_id] = (seconds, done)
        return lambda: self._limits.pop(cell_id, None) and None

    def cells(self) -> list[Ran]:
        """Executions so far, the oldest first; the one that is going on is the last."""
        return list(self._cells.values())

    def now(self) -> str:
        """The cell that runs: its id in the notebook, or the number of its execution."""
        return self.here() or str(self._shell.execution_count)

    def here(self) -> str:
        """The id of the notebook's cell that runs; empty where the front end names none."""
        get_parent = getattr(self._shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else {}
        metadata = parent.get("metadata") or {} if isinstance(parent, dict) else {}
        return str(metadata.get("cellId") or "")

    def last_error(self) -> Ran | None:
        """The newest execution that raised something."""
        return next((ran for ran in reversed(self.cells()) if ran.error), None)

    def last_output(self) -> Ran | None:
        """The newest finished execution that gave something to look at."""
        found = (ran for ran in reversed(self.cells()) if ran.finished)
        return next((ran for ran in found if ran.output or ran.pictures or ran.error), None)

    # --- listening -----------------------------------------------------------------------------

    def _key(self) -> str:
        get_parent = getattr(self._shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else {}
        header = parent.get("header") or {} if isinstance(parent, dict) else {}
        return str(header.get("msg_id") or self._shell.execution_count)

    def _before(self, info: Any) -> None:
        if info.silent:
            return
        ran = Ran(self.here(), info.raw_cell or "")
        self._cells[self._key()] = ran
        while len(self._cells) > _CELLS:
            self._cells.popitem(last=False)
        # Anew for each cell: IPython swaps `write` around a cell and puts its own back after.
        self._leave_streams()
        for stream in (sys.stdout, sys.stderr):
            self._listen(stream)
        limit = self._limits.get(ran.cell_id)
        guard = time_limit(limit[0]) if limit is not None else None
        self._running = (time.monotonic(), guard)
        if guard is not None:
            guard.__enter__()

    def _after(self, result: Any) -> None:
        self._leave_streams()
        (begun, guard), self._running = self._running, (0.0, None)
        if guard is not None:
            guard.__exit__(None, None, None)
        ran = self._cells.get(self._key())
        if ran is None or result is None or result.info.silent:
            return
        ran.number = result.execution_count or 0
        fault = result.error_before_exec or result.error_in_exec
        if fault is not None:
            ran.error = f"{type(fault).__name__}: {fault}"
            ran.traceback = self._traceback(result.execution_count, fault)
        elif result.result is not None:
            ran.write(self._result_text(result))
        ran.finished = True
        if ran.cell_id in self._limits:
            self._limits[ran.cell_id][1](ran, time.monotonic() - begun)

    def _traceback(self, number: int | None, fault: BaseException) -> str:
        kept = getattr(self._shell.history_manager, "exceptions", {}).get(number)
        if kept and kept.get("traceback"):
            return plain("\n".join(kept["traceback"]))
        return "".join(traceback.format_exception(fault))

    def _result_text(self, result: Any) -> str:
        outputs = getattr(self._shell.history_manager, "outputs", {})
        for output in reversed(outputs.get(result.execution_count) or []):
            if output.output_type == "execute_result":
                self._pictures(output.bundle)
                return f"{output.bundle.get('text/plain', '')}\n"
        return ""

    def _leave_streams(self) -> None:
        for stream, ours, write in reversed(self._writes):
            if stream.write is ours:
                stream.write = write
        self._writes.clear()

    def _listen(self, stream: Any) -> None:
        write = stream.write

        def listened(text: str) -> Any:
            ran = self._cells.get(self._key())
            if ran is not None and isinstance(text, str):
                ran.write(text)
            return write(text)

        try:
            stream.write = listened
        except AttributeError:  # a stream that does not let itself be listened to
            return
        self._writes.append((stream, listened, write))

    def _shown(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("msg_type") in ("display_data", "update_display_data"):
            data = message["content"].get("data", {})
            ran = self._cells.get(self._key())
            if ran is not None and message["msg_type"] == "display_data":
                self._pictures(data)
                ran.write(f"{data.get('text/plain', '')}\n")
        return message

    def _pictures(self, bundle: dict[str, Any]) -> None:
        ran = self._cells.get(self._key())
        encoded = bundle.get("image/png")
        if ran is None or encoded is None or len(ran.pictures) >= _PICTURES:
            return
        content = encoded if isinstance(encoded, bytes) else None
        if content is None and len(encoded) <= _MOST_PICTURE * 4 // 3:
            content = base64.b64decode(encoded)
        if content and len(content) <= _MOST_PICTURE:
            ran.pictures.append(content)
