"""Records `manyhands demo` in a real terminal and writes two pictures into docs/images.

    uv run python docs/record_demo.py

`demo.svg` is all that the command really printed, run in a pseudo-terminal; only its run id, its
seconds and paths differ from one time to the next. `demo-short.svg`, for the first screen of the
README, leaves lines out, and says where and how many.
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

COLUMNS = 108
OUT = Path(__file__).parent / "images"

#: What the short picture leaves out: from a line that holds the first text to the second's.
LEFT_OUT = (("▸ speed", "▸ steady"), ("✓ rates · blind_tests", "run run_"))


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


def shortened(text: str) -> str:
    """The recording without its middle parts; each is counted where it stood."""
    lines = text.split("\n")
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    for begins, ends in LEFT_OUT:
        first = next(at for at, line in enumerate(plain) if begins in line)
        last = next(at for at, line in enumerate(plain) if at > first and ends in line)
        plain[first:last] = [""]
        lines[first:last] = [f"\x1b[2m    [{last - first} lines left out of this picture]\x1b[0m"]
    return "\n".join(lines)


def draw(text: str, name: str) -> None:
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text("$ uv run manyhands demo", style="bold"))
    console.print(Text.from_ansi(text))
    (OUT / name).write_text(console.export_svg(title="manyhands demo"), encoding="utf-8")


def main() -> None:
    OUT.mkdir(exist_ok=True)
    text = last_state(recorded())
    draw(text, "demo.svg")
    draw(shortened(text), "demo-short.svg")


if __name__ == "__main__":
    main()
