"""The tier that begins a step follows what the checks said, within bounds, and can be explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.hands.contracts import (
    Attempt,
    Evidence,
    HandName,
    HandResult,
    MathRequest,
    Status,
)
from manyhands.learning.outcomes import Outcome, Outcomes
from manyhands.learning.routing import EXPLORE_EVERY, Record, choose, expected_costs
from manyhands.mind.routes import Routes, ladder_of, outcomes_of, task_of
from manyhands.settings import RoutingSettings, Settings

TIERS = ["mind", "expert", "heavy"]
records = st.dictionaries(
    st.sampled_from(TIERS),
    st.builds(
        lambda tried, share, each: Record(tried, round(tried * share), tried * each),
        st.integers(0, 500),
        st.floats(0, 1),
        st.floats(0.1, 300),
    ),
)


@given(seen=records)
def test_the_choice_is_one_of_the_tiers_and_its_cost_is_told(seen: dict[str, Record]) -> None:
    choice = choose(TIERS, seen)
    assert choice.tier in TIERS
    assert choice.why
    assert set(choice.costs) == set(TIERS)
    assert choice.costs[choice.tier] <= 2.5 * min(choice.costs.values())


@given(seen=records, tier=st.sampled_from(TIERS))
def test_a_success_never_makes_a_tier_dearer(seen: dict[str, Record], tier: str) -> None:
    old = seen.get(tier, Record())
    each = old.seconds / old.tried if old.tried else 15.0
    better = {**seen, tier: Record(old.tried + 1, old.succeeded + 1, old.seconds + min(each, 15.0))}
    assert expected_costs(TIERS, better)[tier] <= expected_costs(TIERS, seen)[tier] + 1e-9


def test_a_small_model_that_passes_is_chosen_and_one_that_fails_is_left() -> None:
    good = {"mind": Record(40, 38, 400.0), "heavy": Record(40, 39, 8000.0)}
    assert choose(TIERS, good).tier == "mind"
    bad = {"mind": Record(40, 1, 400.0), "expert": Record(40, 38, 2000.0)}
    assert choose(TIERS, bad).tier == "expert"


def test_exploring_is_bounded() -> None:
    rng = Random(4)
    truth = {"mind": 0.9, "expert": 0.92, "heavy": 0.95}
    seen = {tier: Record() for tier in TIERS}
    picked = dict.fromkeys(TIERS, 0)
    for _ in range(400):
        tier = choose(TIERS, seen).tier
        picked[tier] += 1
        old = seen[tier]
        passed = rng.random() < truth[tier]
        seen[tier] = Record(old.tried + 1, old.succeeded + passed, old.seconds + 10.0)
    assert picked["mind"] >= 400 * (1 - 1 / EXPLORE_EVERY) - 20


def outcome(number: int, *, passed: bool, model: str = "m", run: str = "r") -> Outcome:
    return Outcome(0.0, run, "s", number, "code", "coder", "heavy", model, passed, 2.0, 10)


def test_an_outcome_is_written_once_and_forgotten_when_told(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    with Outcomes.open(path) as outcomes:
        outcomes.add([outcome(1, passed=False), outcome(2, passed=True)])
        outcomes.add([outcome(2, passed=True)])
    with Outcomes.open(path) as outcomes:
        assert outcomes.records("code", {"heavy": "m"})["heavy"] == Record(2, 1, 4.0, 20)
        assert outcomes.records("code", {"heavy": "another"})["heavy"] == Record()
        outcomes.forget_run("r")
        assert outcomes.table() == []


def attempt(number: int, *checks: Evidence, fault: str = "") -> Attempt:
    return Attempt(
        number=number, role="coder", tier="heavy", model="m", checks=checks, fault=fault, seconds=1
    )


def test_only_what_a_check_decided_teaches() -> None:
    good = Evidence(name="tests", passed=True, evidence="", independent=True)
    weak = Evidence(name="parses", passed=True, evidence="")
    bad = Evidence(name="tests", passed=False, evidence="", independent=True)
    result = HandResult(
        hand=HandName.CODE,
        status=Status.VERIFIED,
        summary="",
        attempts=(attempt(1, bad), attempt(2, weak), attempt(3, good), attempt(4, fault="empty")),
    )
    found = outcomes_of(result, at=0.0, run_id="r", step="s", task="code")
    assert [(one.number, one.passed) for one in found] == [(1, False), (3, True), (4, False)]


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


REQUEST = MathRequest(task="t", kind="derivative", given={"f": "x", "var": "x"})


def test_a_persons_setting_wins(settings: Settings) -> None:
    routes = Routes(settings, "run")
    assert routes.begin(HandName.MATH, REQUEST, "expert").tier == "expert"


def test_learned_routing_reads_the_outcomes_of_the_same_kind_of_task(settings: Settings) -> None:
    learned = settings.model_copy(
        update={"routing": RoutingSettings(mode="learned", path=settings.routing.path)}
    )
    models = ladder_of(learned)
    assert list(models) == TIERS
    task = task_of(HandName.MATH, REQUEST)
    assert task == "math:derivative"
    with Outcomes.open(learned.routing.path) as outcomes:
        outcomes.add(
            Outcome(0.0, "r", "s", n, task, "mathematician", "mind", models["mind"], True, 5.0, 9)
            for n in range(20)
        )
    begin = Routes(learned, "run").begin(HandName.MATH, REQUEST, "expert")
    assert begin.tier == "mind"
    assert "20 of 20 passed" in begin.why
