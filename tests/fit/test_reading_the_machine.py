"""GPU memory is read from what the vendors' programs print, and nonsense is passed over."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from manyhands.engines.fit.machine import (
    Card,
    metal_card,
    nvidia_cards,
    rocm_cards,
    this_machine,
)

MIB = 1024 * 1024
GIB = 1024 * MIB


def test_nvidia_smi_names_each_gpu() -> None:
    text = "NVIDIA GeForce RTX 4090, 24564, 311\nNVIDIA H100 80GB HBM3, 81559, 0\n"
    assert nvidia_cards(text) == (
        Card("NVIDIA GeForce RTX 4090", 24564 * MIB, 311 * MIB),
        Card("NVIDIA H100 80GB HBM3", 81559 * MIB, 0),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        "No devices were found\n",
        "NVIDIA GB10, [N/A], [N/A]\n",
    ],
)
def test_what_is_no_gpu_is_none(text: str) -> None:
    assert nvidia_cards(text) == ()


def test_a_name_may_hold_commas_and_a_used_size_may_be_missing() -> None:
    assert nvidia_cards("Card, rev 2, 1000, [N/A]") == (Card("Card, rev 2", 1000 * MIB, 0),)


def test_rocm_smi_names_each_card() -> None:
    told = {
        "card0": {
            "Card Series": "AMD Instinct MI300X",
            "VRAM Total Memory (B)": "206141652992",
            "VRAM Total Used Memory (B)": "301989888",
        },
        "card1": {"Card SKU": "W7900", "VRAM Total Memory (B)": "48301604864"},
        "system": {"Driver version": "6.8.5"},
    }
    text = "WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps(told)
    assert rocm_cards(text) == (
        Card("AMD Instinct MI300X", 206141652992, 301989888),
        Card("W7900", 48301604864, 0),
    )
    assert rocm_cards("") == rocm_cards("{broken") == rocm_cards("[]") == ()


def test_macos_lends_the_gpu_a_share_or_the_limit_that_was_set() -> None:
    assert metal_card(f"{32 * GIB}\n", "0\n")[0].total == int(32 * GIB * 2 / 3)
    assert metal_card(f"{64 * GIB}\n", "")[0].total == 48 * GIB
    assert metal_card(f"{64 * GIB}\n", "57344\n")[0].total == 56 * GIB
    assert metal_card("", "") == ()


def test_the_first_program_that_tells_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    asked = []

    def run(command: Sequence[str]) -> str:
        asked.append(command[0])
        return "Tesla T4, 15360, 0\n" if command[0] == "nvidia-smi" else ""

    machine = this_machine(run)
    assert (machine.source, machine.vram) == ("nvidia-smi", 15360 * MIB)
    assert asked == ["nvidia-smi"]
    nothing = this_machine(lambda _: "")
    assert (nothing.source, nothing.cards, nothing.vram) == ("none", (), 0)
    assert nothing.ram > 0
    monkeypatch.setattr("sys.platform", "darwin")
    told = {"hw.memsize": f"{36 * GIB}\n", "iogpu.wired_limit_mb": "0\n"}
    mac = this_machine(lambda command: told[command[-1]])
    assert (mac.source, mac.ram) == ("metal", 36 * GIB)
