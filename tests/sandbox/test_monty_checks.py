"""Checks where only monty works: pure Python is judged in two processes, the rest undetermined."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from manyhands.checks.kinds import KINDS, Checker
from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.sandbox.contracts import Limits, SandboxPolicy
from manyhands.hands.bench import Bench

pytest.importorskip("pydantic_monty", reason="the extra `monty` is not installed")

pytestmark = pytest.mark.anyio

MONTY = SandboxPolicy(backend="monty", limits=Limits(wall_s=60))
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "checks.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(\{\"kind\".*?)\n```", PAGE)]
#: Kinds whose programs may be pure Python.
PURE = {"python", "differential", "program"}
TESTS = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == -6\n"
RIGHT = "def double(n):\n    return 2 * n\n"


async def check(kind: str, **case: Any) -> CheckOutcome:
    async with Checker(MONTY) as checker:
        return await checker.check({"kind": kind, **case})


async def judged(code: str, tests: str = TESTS, name: str = "double") -> CheckOutcome:
    return await check("python", code=code, tests=tests, entry_point=name)


async def compared(a: str, b: str, **case: Any) -> CheckOutcome:
    return await check("differential", a=a, b=b, entry_point="f", **case)


async def test_every_kind_that_needs_libraries_is_undetermined_with_that_reason() -> None:
    seen: set[str] = set()
    async with Checker(MONTY) as checker:
        for case in EXAMPLES:
            if case["kind"] in PURE | seen:
                continue
            told = await checker.check(case)
            seen.add(case["kind"])
            assert told.verdict is Verdict.UNDETERMINED, (case, told)
            assert "needs a real interpreter, not monty" in told.summary, (case, told)
    assert seen == {*KINDS} - PURE


async def test_a_right_answer_is_supported_and_a_wrong_one_refuted_with_its_call() -> None:
    right = await judged(RIGHT)
    assert right.verdict is Verdict.SUPPORTED, right
    assert (right.evidence["isolation"], right.evidence["calls"]) == ("monty", 2)
    wrong = await judged("def double(n):\n    return n * n\n")
    assert wrong.verdict is Verdict.REFUTED
    assert wrong.evidence["assertion"] == "assert candidate(-3) == -6"
    assert wrong.evidence["counterexample"] == {"args": ["-3"], "returned": "9"}


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("def f(a):\n    a.sort()\n    return a", "    x = [2, 1]\n    y = c(x)\n    assert x == [1, 2]\n    assert y is x"),  # noqa: E501
        ("def f(a):\n    a['k'] = {1}", "    x = {}\n    c(a=x)\n    assert x == {'k': {1}}"),
        ("def f(a):\n    return (a, {1: [2.5]}, 10**30, float('inf'), 'ü', None)",
         "    assert c(0) == (0, {1: [2.5]}, 10**30, float('inf'), 'ü', None)"),
        ("class Solution:\n    def f(self, a):\n        return a + 1", "    assert c(1) == 2"),
        ("def f(a):\n    raise KeyError('k')",
         "    try:\n        c(1)\n    except KeyError as e:\n        assert c\n    else:\n        assert False"),  # noqa: E501
    ],
)  # fmt: skip
async def test_values_changes_and_exceptions_cross(code: str, tests: str) -> None:
    told = await judged(code, f"def check(c):\n{tests}\n", "f")
    assert told.verdict is Verdict.SUPPORTED, told


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def double(n):\n    raise NotImplementedError('not yet')", Verdict.REFUTED),
        ("def double(n):\n    return None + n", Verdict.REFUTED),
        ("def double(n):\n    yield 2 * n", Verdict.UNDETERMINED),
        ("import numpy\ndef double(n):\n    return 2 * n", Verdict.UNDETERMINED),
        ("def double(n):\n    return next(m for m in [2 * n])", Verdict.UNDETERMINED),
        ("def double(n):\n    double.calls = 1\n    return 2 * n", Verdict.UNDETERMINED),
        ("class Yes:\n    def __eq__(self, other):\n        return True\ndef double(n):\n    return Yes()", Verdict.UNDETERMINED),  # noqa: E501
    ],
)  # fmt: skip
async def test_what_monty_lacks_is_never_held_against_an_answer(
    code: str, verdict: Verdict
) -> None:
    told = await judged(code)
    assert told.verdict is verdict, told


@pytest.mark.parametrize(
    "code",
    [
        "def double(n):\n    g = (2 * n for _ in [1])\n    return sum(g) + sum(g)",
        "def double(n):\n    m = map(int, [2 * n])\n    return list(m)[0] if list(m) else 0",
        "def double(n):\n    return len(zip([n], [n])) * 2 * n",
        "def double(n):\n    return 2 * n if n is int(str(n)) else 0",
        "def double(n):\n    return pow(n, 1, 10 ** 9) * 2",
        "class N:\n    def __len__(self):\n        return 0\n"
        "def double(n):\n    return 2 * n if N() else 0",
        "import re\ndef double(n):\n    return 0 if re.match('^a$', 'a\\n') else 2 * n",
        "def double(n):\n    global _mh_try\n    _mh_try = None\n    return 2 * n",
    ],
)
async def test_what_monty_runs_otherwise_than_python_is_not_judged(code: str) -> None:
    told = await judged(code)
    assert told.verdict is Verdict.UNDETERMINED, told
    assert "otherwise than CPython" in told.summary + str(told.evidence)
    beside = await check("differential", a=code, b=RIGHT, entry_point="double", inputs=[[1]])
    assert beside.verdict is Verdict.UNDETERMINED, beside


async def test_an_exception_that_wants_more_than_a_message_is_the_answers() -> None:
    told = await judged("def double(n):\n    return b'\\xff'.decode()")
    assert told.verdict is Verdict.REFUTED, told


@pytest.mark.parametrize(
    "tests",
    [
        "def check(candidate):\n    pass",
        "def check(candidate):\n    candidate(2)",
        "import pytest\ndef test_it():\n    assert double(2) == 4",
        "def check(candidate):\n    assert candidate(print) == 4",
        "def check(candidate):\n    assert sorted(nothing)",
    ],
)
async def test_tests_that_show_nothing_or_cannot_run_support_nothing(tests: str) -> None:
    told = await judged(RIGHT, tests)
    assert told.verdict is Verdict.UNDETERMINED, told


async def test_an_answer_sees_no_test_and_changes_none() -> None:
    for code in (
        "def double(n):\n    return _mh_ask([], {})[0]",
        "def check(c): pass\ndef double(n):\n    return SECRET",
        "def double(n):\n    global _mh_try\n    _mh_try = lambda value: ['value', ['t', 4]]\n",
        "def double(n):\n    global _mh_same\n    _mh_same = lambda value, args: 0\n",
    ):
        told = await judged(code, f"SECRET = 4\n{TESTS}")
        assert told.verdict is not Verdict.SUPPORTED, (code, told)


async def test_time_that_runs_out_says_nothing_about_the_answer() -> None:
    short = SandboxPolicy(backend="monty", limits=Limits(wall_s=0.5))
    async with Checker(short) as checker:
        slow = f"import time\ndef check(candidate):\n    time.sleep(99)\n    assert {RIGHT!r}"
        case = {"kind": "python", "code": RIGHT, "tests": slow, "entry_point": "double"}
        told = await checker.check(case)
    assert (told.verdict, told.evidence["ending"]) == (Verdict.UNDETERMINED, "tests_died"), told


async def test_two_programs_are_compared() -> None:
    one = "def f(x: int):\n    return x + 1"
    for inputs in (None, [[1], [60]]):
        same = await compared(one, "def f(x: int):\n    return 1 + x", inputs=inputs)
        assert same.verdict is not Verdict.REFUTED, same
        assert same.evidence["isolation"] == "monty"
    assert same.verdict is Verdict.SUPPORTED, same
    wrong = "def f(x: int):\n    return x + (x < 50)"
    other = await compared(one, wrong, inputs=[[1], [60]])
    assert other.verdict is Verdict.REFUTED
    assert other.evidence["counterexample"]
    slow = await compared(
        "def f(x):\n    return x", "def f(x):\n    while x: pass\n    return x", inputs=[[0], [1]]
    )
    assert (slow.verdict, slow.evidence["counterexample"]["args"]) == (Verdict.REFUTED, ["1"])
    for a, b in (("yield x", "return x"), ("return x", "yield x")):
        told = await compared(f"def f(x):\n    {a}", f"def f(x):\n    {b}", inputs=[[1]])
        assert told.verdict is Verdict.UNDETERMINED, told
        assert "lacks yield expressions" in told.summary


async def test_the_hands_bench_leaves_open_what_monty_cannot_check() -> None:
    async with Bench(MONTY) as bench:
        maths = await bench.maths({"kind": "derivative", "f": "x**2", "df": "2*x", "var": "x"})
        table = await bench.program("table_claim", EXAMPLES_BY_KIND["table_claim"])
        for told in (maths, table):
            assert told.verdict is Verdict.UNDETERMINED
            assert "not monty" in told.summary
        assert "not monty" in await bench.needs_python("Drawing a figure")


EXAMPLES_BY_KIND = {case["kind"]: case for case in EXAMPLES}
