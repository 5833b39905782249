"""How long `import manyhands` and `manyhands --help` take, beside `python -c pass`, in one run.

Each is started as a process of its own, in turns, and the median is taken; the first start of each
is left out, as it may write byte code.

    uv run python benchmarks/startup.py [--starts 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

GOAL_S = 0.3
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import manyhands": ["-c", "import manyhands"],
    "manyhands --help": ["-m", "manyhands", "--help"],
}


def started(arguments: list[str]) -> float:
    """Seconds from the start of a process to its end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def measure(starts: int) -> dict[str, float]:
    """Median seconds of each command."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(starts + 1):
        for name, arguments in COMMANDS.items():
            took = started(arguments)
            if number:
                seconds[name].append(took)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    medians = measure(given.starts)
    bare = medians["python -c pass"]
    if given.json:
        print(json.dumps(medians, indent=1))
    else:
        for name, seconds in medians.items():
            print(f"{name:<17} {seconds:.3f} s   {seconds / bare:.1f} x python -c pass")
    met = all(seconds <= GOAL_S for seconds in medians.values())
    print(f"goal: {GOAL_S} s each: {'met' if met else 'missed'}", file=sys.stderr)
    sys.exit(not met)


if __name__ == "__main__":
    main()
