"""The notebook door: how soon a cell shows something, how soon Stop works, what the server pays.

    uv run python benchmarks/jupyter.py [--only chat|cells|page] [--json] [...]

Models and their speeds are scripted; kernels, JupyterLab, browser and chat file are real. What is
measured how, stands in `jupyter_cells.py` and `jupyter_chat.py`. Times of one run are comparable
with each other; on a busy machine all of them are longer.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from jupyter_cells import kernel_figures, page_figures
from jupyter_chat import GOAL_BLOCKED_MS, GOAL_RATIO, GOAL_STOP_MS, chat_figures, print_chat

GOALS_MS = {
    "load_ext": 300.0,
    "kernel: %mind": 100.0,
    "page: %mind": 100.0,
    "kernel: Stop": GOAL_STOP_MS,
    "page: Stop": GOAL_STOP_MS,
    "schema, idle": 50.0,
    "schema, a cell waits": 50.0,
    "schema, a cell computes": 50.0,
}


def print_times(found: dict[str, list[float]]) -> None:
    print(f"\n{'milliseconds':26}{'median':>8}{'longest':>9}{'of':>4}{'goal':>7}")
    for what, took in found.items():
        goal = f"{GOALS_MS[what]:>7.0f}" if what in GOALS_MS else ""
        median = statistics.median(took)
        print(f"{what:26}{median:>8.1f}{max(took):>9.1f}{len(took):>4}{goal}")


def missed(times: dict[str, list[float]], chat: dict[str, Any]) -> list[str]:
    """Goals that this run did not reach, by the median."""
    late = [
        f"{what}: {statistics.median(took):.0f} ms instead of {GOALS_MS[what]:.0f}"
        for what, took in times.items()
        if what in GOALS_MS and statistics.median(took) > GOALS_MS[what]
    ]
    if chat:
        if chat["work_s_ratio"] < GOAL_RATIO:
            late.append(f"loop blocked only {chat['work_s_ratio']:.0f} times less")
        if chat["manyhands"]["longest_ms"] > GOAL_BLOCKED_MS:
            late.append(f"loop blocked for {chat['manyhands']['longest_ms']:.0f} ms at once")
        if statistics.median(chat["stop_ms"]) > GOAL_STOP_MS:
            late.append("Stop in the chat")
    return late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("chat", "cells", "page"))
    parser.add_argument("--starts", type=int, default=5, help="kernels that load the extension")
    parser.add_argument("--repeats", type=int, default=10, help="questions and readings")
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--pace", type=float, default=200.0, help="scripted tokens a second")
    parser.add_argument("--history", type=int, default=200, help="messages in the chat before")
    parser.add_argument("--stops", type=int, default=10, help="stops in the chat")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    chat: dict[str, Any] = {}
    if options.only in (None, "cells"):
        times |= kernel_figures(options)
    if options.only in (None, "page"):
        times |= page_figures(options)
    if options.only in (None, "chat"):
        chat = chat_figures(options)
    if options.json:
        print(json.dumps({"milliseconds": times, "chat": chat}, indent=2))
        return
    if chat:
        print_chat(chat, options)
    if times:
        print_times(times)
    for one in missed(times, chat):
        print(f"missed: {one}")


if __name__ == "__main__":
    main()
