"""Reading a machine's memory: GPUs through NVML, nvidia-smi, rocm-smi or Metal, and its own RAM.

The programs are run at the edge (`this_machine`); what they print is read by pure functions.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Card", "Machine", "metal_card", "nvidia_cards", "rocm_cards", "this_machine"]

_MIB = 1024 * 1024
_PATIENCE_S = 10.0
_NVIDIA = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,memory.used",
    "--format=csv,noheader,nounits",
)
_ROCM = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json")


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU; bytes. `used` is what all programs hold now, 0 where that is not told."""

    name: str
    total: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """Its GPUs and RAM in bytes; `source` says who told the GPUs, `none` when nobody did."""

    cards: tuple[Card, ...]
    ram: int
    source: str

    @property
    def vram(self) -> int:
        """Of all GPUs together; llama.cpp and Ollama spread a model over several."""
        return sum(card.total for card in self.cards)


def nvidia_cards(text: str) -> tuple[Card, ...]:
    """From `nvidia-smi --query-gpu=name,memory.total,memory.used --format=csv,noheader,nounits`.

    Lines that are no GPU are passed over: a broken driver writes sentences to the same place, and a
    GPU with shared memory (GB10, Jetson) writes `[N/A]`.
    """
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3 and parts[1].isdigit():
            used = int(parts[2]) if parts[2].isdigit() else 0
            found.append(Card(parts[0], int(parts[1]) * _MIB, used * _MIB))
    return tuple(found)


def rocm_cards(text: str) -> tuple[Card, ...]:
    """From `rocm-smi --showproductname --showmeminfo vram --json`."""
    start = text.find("{")  # warnings may stand before the object
    try:
        told = json.loads(text[start:]) if start >= 0 else {}
    except ValueError:
        return ()
    found = []
    for key, card in sorted(told.items()) if isinstance(told, dict) else ():
        if not key.startswith("card") or not isinstance(card, dict):
            continue
        total = str(card.get("VRAM Total Memory (B)", ""))
        used = str(card.get("VRAM Total Used Memory (B)", "0"))
        name = card.get("Card Series") or card.get("Card series") or card.get("Card SKU") or key
        if total.isdigit():
            found.append(Card(str(name), int(total), int(used) if used.isdigit() else 0))
    return tuple(found)


def metal_card(memory: str, wired_limit: str) -> tuple[Card, ...]:
    """From `sysctl -n hw.memsize` and `sysctl -n iogpu.wired_limit_mb`.

    Where no limit is set macOS lets the GPU have about two thirds of the memory of a machine with
    at most 36 GB, three quarters of a larger one (`recommendedMaxWorkingSetSize`).
    """
    if not memory.strip().isdigit():
        return ()
    total = int(memory)
    limit = wired_limit.strip()
    if limit.isdigit() and int(limit):
        return (Card("Apple GPU", min(total, int(limit) * _MIB)),)
    share = 0.75 if total > 36 * 1024**3 else 2 / 3
    return (Card("Apple GPU", int(total * share)),)


def _ran(command: Sequence[str]) -> str:
    """What a program prints; empty when it is absent, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _nvml_cards() -> tuple[Card, ...]:
    """Through NVML where the package `nvidia-ml-py` is installed."""
    try:
        import pynvml  # type: ignore[import-not-found]

        pynvml.nvmlInit()
    except Exception:  # absent, or there is no driver: its errors have no common base with ours
        return ()
    found = []
    try:
        for at in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(at)
            memory: Any = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = pynvml.nvmlDeviceGetName(handle)
            shown = name.decode() if isinstance(name, bytes) else str(name)
            found.append(Card(shown, int(memory.total), int(memory.used)))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
    return tuple(found)


def this_machine(run: Callable[[Sequence[str]], str] = _ran) -> Machine:
    """The machine that this program runs on.

    Args:
        run: runs a program and gives what it prints.
    """
    if sys.platform == "darwin":
        memory = run(("sysctl", "-n", "hw.memsize"))
        cards = metal_card(memory, run(("sysctl", "-n", "iogpu.wired_limit_mb")))
        return Machine(cards, int(memory) if memory.strip().isdigit() else 0, "metal")
    ram = _linux_ram()
    for source, found in (
        ("nvml", _nvml_cards),
        ("nvidia-smi", lambda: nvidia_cards(run(_NVIDIA))),
        ("rocm-smi", lambda: rocm_cards(run(_ROCM))),
    ):
        cards = found()
        if cards:
            return Machine(cards, ram, source)
    return Machine((), ram, "none")


def _linux_ram() -> int:
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
