"""Records `manyhands demo` in a real terminal of 100 columns and writes docs/images/demo.svg.

    uv run python docs/record_demo.py

The recording is what the command really printed, run in a pseudo-terminal; only its run id and
paths differ from one time to the next.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 100
OUT = Path(__file__).parent / "images" / "demo.svg"


def recorded() -> str:
    """Everything that the demo wrote to its terminal."""
    main, side = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
        env |= {"MANYHANDS_JOURNAL__PATH": f"{folder}/journal.db"}
        process = subprocess.Popen(
            [sys.executable, "-m", "manyhands", "demo", "--out", "demo"],
            stdout=side,
            stderr=side,
            cwd=folder,
            env=env,
        )
        os.close(side)
        said = bytearray()
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        process.wait()
        return said.decode("utf-8").replace(os.path.realpath(folder), "~").replace(folder, "~")


def last_state(text: str) -> str:
    """The lines as they stand at the end: what a live line overwrote is gone."""
    lines: list[str] = []
    for piece in text.replace("\r\n", "\n").split("\n"):
        ups = len(re.findall(r"\x1b\[1A", piece))
        del lines[len(lines) - ups :]
        kept = re.split(r"\r|\x1b\[2K|\x1b\[1A", piece)[-1]
        lines.append(re.sub(r"\x1b\[\?25[lh]", "", kept))
    return "\n".join(lines)


def main() -> None:
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text("$ uv run manyhands demo", style="bold"))
    console.print(Text.from_ansi(last_state(recorded())))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(console.export_svg(title="manyhands demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
