"""The `code` hand grades its blind tests and compares a second program; no difference is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_mind import Seen, ask, plan

from manyhands.configuration.sections import SandboxBackend, SandboxSettings
from manyhands.hands.contracts import Evidence, Status
from manyhands.journal.events import Note
from manyhands.settings import Settings

RIGHT = "def top(values: list[int]) -> int:\n    return max(values)\n"
PLAIN = (
    "def top(values: list[int]) -> int:\n    best = values[0]\n"
    "    for value in values:\n        if value > best:\n            best = value\n"
    "    return best\n"
)
FIRST = "def top(values: list[int]) -> int:\n    return sorted(values)[-1] if values else 0\n"
LAST = "def top(values: list[int]) -> int:\n    return values[-1]\n"
TESTS = "def check(candidate):\n    assert candidate([1, 5]) == 5\n    assert candidate([2]) == 2\n"
THOROUGH = TESTS + "    assert candidate([9, 3, 4]) == 9\n    assert candidate([-4, -2]) == -2\n"
STEP = {"id": "c", "hand": "code", "task": "the largest of a list", "entry_point": "top"}


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


def fenced(code: str) -> str:
    return f"```python\n{code}```"


async def work(
    settings: Settings,
    *answers: str,
    tests: str = THOROUGH,
    second: str = PLAIN,
    task: str = STEP["task"],
    data: Path | None = None,
) -> Seen:
    """One code step; the coder gives `answers` one after the other, the last one again."""
    said: Iterator[str] = iter(answers)
    last = [answers[-1]]

    def says(role: str, prompt: str) -> str:
        if role == "coder":
            last[0] = next(said, last[0])
            return fenced(last[0])
        if role == "framer":
            return plan({**STEP, "task": task, "data": ["d"] if data else []})
        texts = {"tester": fenced(tests), "skeptic": fenced(second) if second else "CANNOT: no"}
        return texts.get(role, "Done.")

    return await ask(settings, says, data={"d": data} if data else {})


def step_of(seen: Seen) -> Any:
    assert seen.answer is not None
    return seen.answer.steps[0].result


def check_of(seen: Seen, name: str) -> Evidence | None:
    return next((one for one in step_of(seen).evidence if one.name == name), None)


@pytest.mark.anyio
async def test_a_second_program_that_agrees_is_evidence_with_its_rerun(settings: Settings) -> None:
    seen = await work(settings, RIGHT)
    compared, graded = check_of(seen, "second_program"), check_of(seen, "blind_tests")
    assert step_of(seen).status is Status.VERIFIED
    assert compared is not None
    assert compared.passed
    assert compared.independent
    assert str(compared.detail["rerun"]).startswith("sha256:")
    assert graded is not None
    assert "wrong versions" in graded.evidence
    prompts = [prompt for role, prompt in seen.prompts if role == "skeptic"]
    assert len(prompts) == 1
    assert "max(values)" not in prompts[0]


@pytest.mark.anyio
async def test_a_difference_goes_back_with_its_input_and_the_mended_answer_is_verified(
    settings: Settings,
) -> None:
    seen = await work(settings, LAST, RIGHT, tests=TESTS)
    result = step_of(seen)
    assert result.status is Status.VERIFIED
    assert result.accepted == 2
    again = [prompt for role, prompt in seen.prompts if role == "coder"][1]
    assert "for the arguments" in again
    assert "may be wrong" in again


@pytest.mark.anyio
async def test_a_difference_that_stays_is_neither_accepted_nor_refuted(settings: Settings) -> None:
    seen = await work(settings, LAST, tests=TESTS)
    result = step_of(seen)
    assert result.status is Status.UNVERIFIED
    compared = check_of(seen, "second_program")
    assert compared is not None
    assert compared.passed is None
    assert any("for the arguments" in point for point in result.open_points)


@pytest.mark.anyio
async def test_a_second_program_that_fails_the_tests_itself_says_nothing(
    settings: Settings,
) -> None:
    seen = await work(settings, RIGHT, second=LAST)
    assert step_of(seen).status is Status.VERIFIED
    assert step_of(seen).accepted == 1
    assert check_of(seen, "second_program") is None
    assert any("fails the blind tests itself" in note.text for note in seen.kinds(Note))


@pytest.mark.anyio
async def test_what_the_task_leaves_open_is_no_difference(settings: Settings) -> None:
    refusing = RIGHT.replace(
        "    return", "    if not values:\n        raise ValueError('empty')\n    return"
    )
    seen = await work(settings, refusing, second=FIRST)
    assert step_of(seen).status is Status.VERIFIED
    assert step_of(seen).accepted == 1


@pytest.mark.anyio
@pytest.mark.parametrize(("second", "status"), [("", "unverified"), (PLAIN, "verified")])
async def test_weak_tests_are_called_weak_and_prove_nothing_alone(
    settings: Settings, second: str, status: str
) -> None:
    weak = "def check(candidate):\n    assert candidate([7, 7]) == 7\n"
    seen = await work(settings, PLAIN, tests=weak, second=second)
    graded = check_of(seen, "blind_tests")
    assert graded is not None
    assert "weak: they notice" in graded.evidence
    assert str(step_of(seen).status) == status


@pytest.mark.anyio
async def test_two_programs_that_say_one_thing_prove_nothing(settings: Settings) -> None:
    same = "def top(values: list[int]) -> int:\n    return 7\n"
    weak = "def check(candidate):\n    assert candidate([7, 7]) == 7\n"
    seen = await work(settings, same, tests=weak, second=same)
    assert step_of(seen).status is not Status.VERIFIED


@pytest.mark.anyio
async def test_an_answer_that_changes_its_argument_goes_back(settings: Settings) -> None:
    sorting = "def top(values: list[int]) -> int:\n    values.sort()\n    return values[-1]\n"
    seen = await work(settings, sorting, RIGHT, second="")
    assert step_of(seen).accepted == 2
    assert "argument_kept" in [p for role, p in seen.prompts if role == "coder"][1]


@pytest.mark.anyio
async def test_the_examples_of_the_task_count_before_anything_else(settings: Settings) -> None:
    seen = await work(settings, LAST, RIGHT, tests=TESTS, second="", task="top([3, 1]) == 3")
    assert step_of(seen).accepted == 2
    stated = check_of(seen, "task_examples")
    assert stated is not None
    assert stated.passed


@pytest.mark.anyio
async def test_no_second_program_is_asked_for_where_it_is_switched_off_or_the_budget_is_short(
    settings: Settings,
) -> None:
    off = settings.hands.model_copy(update={"second_program": False})
    short = settings.budgets.model_copy(update={"loads": 2})
    for changed in (
        settings.model_copy(update={"hands": off}),
        settings.model_copy(update={"budgets": short}),
    ):
        seen = await work(changed, RIGHT)
        assert not [role for role, _ in seen.prompts if role == "skeptic"]


@pytest.mark.anyio
@pytest.mark.parametrize(("column", "status"), [("b", "verified"), ("a", "unverified")])
async def test_on_data_both_programs_are_run_on_the_table_and_on_its_halves(
    settings: Settings, tmp_path: Path, column: str, status: str
) -> None:
    table = tmp_path / "d.csv"
    table.write_text("a,b\n1,5\n2,9\n3,\n4,7\n")
    code = "def top(d):\n    return max(v for v in d[{!r}] if v is not None)\n"
    tests = "def check(candidate):\n    assert candidate({'a': [1, 2], 'b': [1, 2]}) == 2\n"
    seen = await work(
        settings, code.format(column), tests=tests, second=code.format("b"), data=table
    )
    assert str(step_of(seen).status) == status
    compared = check_of(seen, "second_program")
    assert compared is not None
    assert compared.passed is (True if status == "verified" else None)


@pytest.mark.anyio
async def test_what_passes_in_monty_alone_stays_unverified(
    settings: Settings,
) -> None:
    pytest.importorskip("pydantic_monty", reason="the extra `monty` is not installed")
    sandbox = SandboxSettings(backend=SandboxBackend.MONTY)
    seen = await work(settings.model_copy(update={"sandbox": sandbox}), RIGHT)
    checks = [check_of(seen, "second_program"), check_of(seen, "blind_tests")]
    assert [(one.passed, one.isolation) for one in checks if one] == [(True, "monty")] * 2
    assert step_of(seen).status is Status.UNVERIFIED  # another interpreter than Python's
    lazy = "def top(values: list[int]) -> int:\n    yield max(values)\n"
    seen = await work(settings.model_copy(update={"sandbox": sandbox}), lazy)
    tested = check_of(seen, "blind_tests")
    assert tested is not None
    assert tested.passed is None
    assert "lacks yield expressions" in tested.evidence
