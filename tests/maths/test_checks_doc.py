"""The examples of docs/checks.md are run as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyhands.checks.kinds import KINDS
from manyhands.checks.maths.checker import KINDS as MATHS_KINDS
from manyhands.checks.outcome import CheckOutcome, Verdict

_DOC = Path(__file__).parents[2] / "docs" / "checks.md"


def _examples() -> list[tuple[Verdict, dict[str, Any]]]:
    found = re.findall(r"(Refuted:\s+)?```json\n(.*?)\n```", _DOC.read_text(), re.DOTALL)
    return [
        (Verdict.REFUTED if refuted else Verdict.SUPPORTED, json.loads(text))
        for refuted, text in found
    ]


def test_each_kind_has_an_example_of_both_verdicts() -> None:
    shown = {(case["kind"], verdict) for verdict, case in _examples()}
    assert shown == {
        (kind, verdict) for kind in KINDS for verdict in (Verdict.SUPPORTED, Verdict.REFUTED)
    }


@pytest.mark.parametrize(
    ("verdict", "case"), _examples(), ids=lambda v: v["kind"] if isinstance(v, dict) else str(v)
)
def test_example_is_judged_as_documented(
    ask: Callable[..., CheckOutcome], verdict: Verdict, case: dict[str, Any]
) -> None:
    outcome = ask(case)
    assert outcome.verdict is verdict, outcome.summary
    assert outcome.summary


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_that_lacks_its_parts_is_undetermined_with_the_reason(
    ask: Callable[..., CheckOutcome], kind: str
) -> None:
    outcome = ask({"kind": kind})
    assert outcome.verdict is Verdict.UNDETERMINED
    assert "lacks" in outcome.summary or "no" in outcome.summary


@pytest.mark.parametrize("kind", MATHS_KINDS)
def test_fields_of_a_wrong_type_support_nothing(
    ask: Callable[..., CheckOutcome], kind: str
) -> None:
    example = next(case for _, case in _examples() if case["kind"] == kind)
    for key in example.keys() - {"kind", "assume", "var"}:
        for wrong in (None, {"a": [1]}, True):
            outcome = ask({**example, key: wrong})
            assert outcome.verdict is not Verdict.SUPPORTED, (key, wrong, outcome.summary)
