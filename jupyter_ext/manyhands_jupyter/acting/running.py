"""Running a proposed cell in the user's kernel: after approval, within a limit, outputs kept."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manyhands_jupyter.context.outputs import Ran, plain, time_limit

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CellOutcome", "outcome_of", "run_here"]


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What a run of a cell in the user's kernel gave.

    Attributes:
        ran: whether it was run at all; `why` says why not.
        error: class and message of what it raised.
        pictures: PNG contents.
    """

    ran: bool
    ok: bool = False
    output: str = ""
    error: str = ""
    traceback: str = ""
    pictures: tuple[bytes, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    why: str = ""

    def summary(self) -> str:
        """One line for a person."""
        if not self.ran:
            return f"not run: {self.why}"
        end = f" in {self.seconds:.1f} s"
        return f"ran without error{end}" if self.ok else f"failed{end}: {self.error}"


def outcome_of(ran: Ran, seconds: float, limit_s: float) -> CellOutcome:
    """From what was recorded; an interrupt at the limit says so."""
    error = ran.error
    if error.startswith("KeyboardInterrupt"):
        limited = f"stopped at your limit of {limit_s:g} s (%mind limit SECONDS changes it)"
        error = limited if seconds >= limit_s else "interrupted"
    return CellOutcome(
        ran=True,
        ok=not error,
        output=ran.output,
        error=error,
        traceback=ran.traceback,
        pictures=tuple(ran.pictures),
        seconds=seconds,
    )


def run_here(shell: InteractiveShell, source: str, limit_s: float) -> CellOutcome:
    """Run source as a cell of this kernel, in its main thread, and keep what it shows."""
    from IPython.utils.capture import capture_output

    begun = time.monotonic()
    try:
        with time_limit(limit_s), capture_output() as captured:
            result = shell.run_cell(source, store_history=True)
    except KeyboardInterrupt:
        # The limit came between the cell's end and ours: the cell is done.
        return CellOutcome(ran=True, error="interrupted", seconds=time.monotonic() - begun)
    seconds = time.monotonic() - begun
    fault = result.error_before_exec or result.error_in_exec
    ran = Ran("", source)
    ran.write(captured.stdout + captured.stderr)
    for shown in captured.outputs:
        ran.write(f"{shown.data.get('text/plain', '')}\n")
        _keep_picture(ran, shown.data)
    if fault is not None:
        ran.error = f"{type(fault).__name__}: {fault}"
        ran.traceback = plain(captured.stdout)[-4_000:]
    return outcome_of(ran, seconds, limit_s)


def _keep_picture(ran: Ran, data: dict[str, Any]) -> None:
    encoded = data.get("image/png")
    if isinstance(encoded, bytes):
        ran.pictures.append(encoded)
    elif isinstance(encoded, str):
        ran.pictures.append(base64.b64decode(encoded))
