"""Hostile programs stay inside on both tiers, and honest ones work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers_sandbox import TIERS, both_tiers

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
ARENA = Path(__file__).with_name("arena.py")
PROGRAMS = json.loads((CORPORA / "hostile/manifest.json").read_text())["programs"]
HOSTILE = [p["id"] for p in PROGRAMS]
# What aims at the server, its next program or its keeper, and ends soon by itself.
AIMED = {"warm", "judge", "crash", "inprocess", "syscall"}
POOLED = [
    p["id"]
    for p in PROGRAMS
    if p["cat"] in AIMED or (p["cat"] == "process" and "timeout" not in p["expect"])
]
BENIGN = json.loads((CORPORA / "benign/manifest.json").read_text())
# What needs shared memory of multiprocessing: only a private /dev/shm can give it.
SHARED_MEMORY = {"b08_mp_pool", "b28_shared_memory", "b29_mp_manager_queue"}

Record = dict[str, Any]

pytestmark = pytest.mark.slow


def play(stage: Any, kind: str, only: str = "") -> dict[tuple[str, str], Record]:
    """Both tiers at once, each under its own user where there are two."""
    records: dict[tuple[str, str], Record] = {}
    corpus = CORPORA / ("benign" if kind == "benign" else "hostile")
    rounds = [TIERS] if stage.users else [(tier,) for tier in TIERS]
    for tiers in rounds:
        started = [
            (tier, stage.start(ARENA, tier, kind, str(corpus), only, user=TIERS.index(tier)))
            for tier in tiers
        ]
        for tier, process in started:
            out, err = process.communicate(timeout=600)
            assert process.returncode == 0, err
            for line in out.splitlines():
                record = json.loads(line)
                records[tier, record["id"]] = record
    return records


@pytest.fixture(scope="module")
def hostile(stage: Any) -> dict[tuple[str, str], Record]:
    return play(stage, "hostile")


@pytest.fixture(scope="module")
def pooled(stage: Any) -> dict[tuple[str, str], Record]:
    return play(stage, "pool", ",".join(POOLED))


@pytest.fixture(scope="module")
def benign(stage: Any) -> dict[tuple[str, str], Record]:
    return play(stage, "benign")


@both_tiers
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_is_contained(
    hostile: dict[tuple[str, str], Record], tier: str, name: str
) -> None:
    record = hostile[tier, name]
    assert record["violations"] == [], record
    # How far a bomb gets depends on the machine: one whose every try was refused ends well.
    refused = record["stdout"].splitlines() or [""]
    held = all(line.startswith("blocked:") for line in refused)
    assert held or record["status"] in record["expect"], record


@both_tiers
@pytest.mark.parametrize("name", POOLED)
def test_after_a_hostile_program_the_same_fork_server_answers_right(
    pooled: dict[tuple[str, str], Record], tier: str, name: str
) -> None:
    assert pooled[tier, name]["violations"] == [], pooled[tier, name]


@both_tiers
@pytest.mark.parametrize("name", BENIGN)
def test_an_honest_program_works_or_is_told_why(
    benign: dict[tuple[str, str], Record], tier: str, name: str
) -> None:
    record = benign[tier, name]
    assert record["violations"] == [], record
    if tier == "landlock" and name in SHARED_MEMORY:
        assert record["status"] == "error", record
        assert "Install bubblewrap" in record["stderr"], record
    else:
        assert record["status"] == "ok", record
        assert record["stdout"].rstrip().endswith("OK"), record
