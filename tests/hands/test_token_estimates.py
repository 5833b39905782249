"""Tokens are estimated within a few per cent once the server has counted a few prompts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.hands.tokens import Meter, expect_tokens
from manyhands.learning.outcomes import Outcomes
from manyhands.mind.mind import Mind
from manyhands.rehearsal.answering import count_tokens
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
WORDS = ["rise", "fall", "model", "value", "trend", "mean", "slope", "sample", "the", "of", "is"]
TEMPLATE = 7


def word_pieces(text: str) -> int:
    """A toy tokenizer: words in pieces of six letters, digits one by one, marks in pairs."""
    parts = re.findall(r"[A-Za-z]{1,6}|\d|[^\sA-Za-z\d]{1,2}|\n+", text)
    return len(parts)


TOKENIZERS: dict[str, Callable[[str], int]] = {
    "rehearsal": count_tokens,
    "bytes": lambda text: int(len(text.encode()) / 2.5) + 1,
    "word-pieces": word_pieces,
}


def line(kind: str, rng: random.Random, n: int) -> str:
    if kind == "log":
        return f"2026-03-{n % 28 + 1:02d} INFO step {n} loss {rng.random():.4f}"
    if kind == "table":
        return ",".join(f"{rng.gauss(300, 20):.2f}" for _ in range(6))
    if kind == "json":
        return json.dumps({"id": n, "x": round(rng.random(), 4), "tag": rng.choice(WORDS)})
    return " ".join(rng.choice(WORDS) for _ in range(12)).capitalize() + "."


def notes(kind: str, rng: random.Random) -> Iterator[str]:
    while True:
        yield "\n".join(line(kind, rng, n) for n in range(rng.randint(15, 40)))


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("kind", ["log", "table", "json", "prose"])
def test_the_second_note_on_is_estimated_within_a_few_per_cent(tokenizer: str, kind: str) -> None:
    """A run's calls in their order: a frame, then the note is read, then the answer is written."""
    count, rng, meter = TOKENIZERS[tokenizer], random.Random(5), Meter()
    made = notes(kind, rng)

    def called(role: str, prompt: str) -> None:
        texts = [ROLES[role].prompt, prompt]
        meter.learn("m", texts, sum(count(text) + TEMPLATE for text in texts))

    errors = []
    for n in range(4):
        called("framer", f"Choose a route. Put steps in `steps`.\n\nQuestion {n}: what is it?")
        note = next(made)
        errors.append(meter.tokens(note, "m") / count(note) - 1)
        called("editor", f"Results:\n{note}\nList in `reads` the places that you must see.")
        called("editor", f"Results:\n{note}\nGoal: g. Answer from these results alone.")
    assert all(abs(error) < 0.13 for error in errors[1:]), errors
    assert all(abs(error) < 0.08 for error in errors[2:]), errors


@settings(deadline=None)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=6), st.integers(1, 5000))
def test_whatever_a_server_counts_estimates_stay_sane(texts: list[str], counted: int) -> None:
    meter = Meter()
    for _ in range(3):
        meter.learn("m", texts, counted)
    for text in texts:
        first = expect_tokens(text)
        assert 0 <= meter.tokens(text, "m") <= 6.5 * first + 1


def test_what_was_learned_is_restored_and_damage_is_left_alone() -> None:
    meter, again = Meter(), Meter()
    text = "a table 12.5, 13.5 of numbers " * 20
    meter.learn("m", [text], 400)
    again.restore("m", meter.state("m"))
    assert again.tokens(text, "m") == meter.tokens(text, "m") != Meter().tokens(text, "m")
    for damaged in ("", "[]", "[[1], [[1]], [], 1]", '{"weights": 1}', "[null, null, null, 0]"):
        fresh = Meter()
        fresh.restore("m", damaged)
        assert not fresh.knows("m")


@pytest.mark.anyio
@pytest.mark.parametrize("simulated", [False, True])
async def test_a_run_begins_with_what_earlier_runs_learned(
    tmp_path: Path,
    settings_in: Callable[[Path], Settings],
    simulated: bool,
) -> None:
    def reply(request: ScriptedRequest) -> str:
        return json.dumps({"goal": "g", "route": "direct", "answer": "Yes."})

    settings = settings_in(tmp_path)
    settings = settings.model_copy(
        update={"memory": settings.memory.model_copy(update={"enabled": False})}
    )
    with scripted_tiers(settings, reply) as rehearsed:
        await Mind(rehearsed, roles=ROLES, simulated=simulated).ask("Is it so?")
    if simulated:
        assert not settings.routing.path.exists(), "scripted counts say nothing of real models"
        return
    with Outcomes.open(settings.routing.path) as outcomes:
        known = dict(outcomes.measures())
        assert list(known) == [settings.tiers["mind"].model]
        outcomes.forget()
        assert outcomes.measures() == []
