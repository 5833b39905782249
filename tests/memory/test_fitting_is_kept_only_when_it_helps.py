"""`fit` learns from pairs, is judged on pairs it has not seen, and is kept only when better."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from helpers_memory import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.memory import Memory
from manyhands.memory.fitting import Lesson, fit_family, recalls
from manyhands.memory.profile import BUILT_IN, Profile, read_profile
from manyhands.memory.records import Family
from manyhands.memory.signal_names import SIGNALS, Signal

ON_BOTH = True
pytestmark = pytest.mark.anyio

THINGS = ["walrus", "glacier", "harbour", "lantern", "meadow", "orchard", "quarry", "rudder"]


async def _meeting(memory: Memory) -> list[tuple[str, list[str]]]:
    """A dialogue in which Ada's answers matter and Bob's echoes, just as wordy, do not."""
    rng = random.Random(2)
    items, pairs = [], []
    for number in range(160):
        thing, other = rng.sample(THINGS, 2)
        said = f"The {thing} and the {other} cost {number} crowns in total today"
        for speaker in ("Bob", "Ada"):
            items.append(
                {
                    "id": f"{speaker}{number}", "kind": "turn", "speaker": speaker,
                    "source": "meeting", "text": said + ("?" if speaker == "Bob" else "."),
                }
            )  # fmt: skip
        if number % 4 == 0:
            pairs.append((f"{thing} {other} {number} crowns", [f"Ada{number}"]))
    rng.shuffle(items)
    await memory.add(items)
    return pairs


async def test_a_fitted_profile_is_kept_and_used_from_then_on(file: Path) -> None:
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        pairs = await _meeting(memory)
        report = await memory.fit(pairs)
        (family,) = report.families
        assert (family.family, family.pairs, report.unused) == (Family.DIALOGUE, len(pairs), 0)
        assert family.kept
        assert family.after > family.before
        assert (await memory.recall(pairs[0][0]))[0].profile == "dialogue fitted-1"
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        assert (await memory.recall(pairs[0][0]))[0].profile == "dialogue fitted-1"


async def test_what_is_not_better_is_not_kept(file: Path) -> None:
    rng = random.Random(3)
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        names = [f"{a} {b}" for a in THINGS for b in THINGS if a <= b]
        await memory.add(
            [{"id": f"d{n}", "kind": "fact", "text": name} for n, name in enumerate(names)]
        )
        # Every question is answered perfectly already: nothing can be better.
        pairs = [(names[n], [f"d{n}"]) for n in rng.sample(range(36), 20)]
        (family,) = (await memory.fit(pairs)).families
        assert family.before == 1.0
        assert not family.kept
        assert (await memory.recall(names[3]))[0].profile == "text built-in-2"


async def test_too_few_pairs_and_unknown_ids_are_counted_as_unused(file: Path) -> None:
    async with await Memory.open(file) as memory:
        await memory.add({"id": "one", "kind": "fact", "text": "The walrus sleeps"})
        report = await memory.fit([("walrus", ["one"]), ("walrus", ["nobody"]), ("", ["one"])])
        assert (report.families, report.unused) == ((), 3)
        assert (await memory.recall("walrus"))[0].profile == "text built-in-2"


def test_chance_is_no_gain() -> None:
    kept = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        lessons = []
        for _ in range(30):
            relevant = np.zeros(25, bool)
            relevant[int(rng.integers(25))] = True
            lessons.append(Lesson(rng.random((25, len(SIGNALS))).astype(np.float32), relevant))
        kept += fit_family(lessons, BUILT_IN[Family.TEXT], vectors=True)[2]
    # A gain above its standard error comes by chance once in six.
    assert kept <= 4


def test_a_signal_that_tells_the_answer_is_learned() -> None:
    rng = np.random.default_rng(4)
    lessons = []
    for _ in range(40):
        signals = rng.random((50, len(SIGNALS))).astype(np.float32)
        relevant = np.zeros(50, bool)
        relevant[7] = True
        signals[7, SIGNALS.index(Signal.SPEAKER)] = 3.0
        lessons.append(Lesson(signals, relevant))
    before, after, better, weights = fit_family(lessons, BUILT_IN[Family.DIALOGUE], vectors=True)
    assert better
    assert after > 0.95 > before
    assert max(weights, key=lambda name: weights[name]) is Signal.SPEAKER


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(0, 2**16))
def test_recall_is_a_share(count: int, missed: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals = rng.random((count, len(SIGNALS))).astype(np.float32)
    lesson = Lesson(signals, rng.random(count) < 0.3, missed)
    weights = rng.standard_normal(len(SIGNALS)).astype(np.float32)
    (shares,) = recalls([lesson], weights)
    assert shares[0] >= 0
    assert (np.diff(shares) >= 0).all()
    assert shares[-1] <= 1
    if not missed and lesson.relevant.any() and count <= 10:
        assert shares[9] == 1


def test_a_profile_is_read_back_and_unknown_signals_are_left_out() -> None:
    built = BUILT_IN[Family.CODE]
    told = built.told().replace('"words":', '"moon phase": 1.0, "words":')
    read = read_profile(Family.CODE, "fitted-3", told)
    assert read == Profile(Family.CODE, "fitted-3", built.weights, built.words_only)
