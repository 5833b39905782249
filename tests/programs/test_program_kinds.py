"""Cases about programs: supported, refuted, undetermined, and refused when a part is missing."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_programs import check

from manyhands.checks.outcome import Verdict
from manyhands.errors import InputError

pytestmark = pytest.mark.anyio

PROMPT = (
    "from math import gcd\n\n"
    "def helper(a):\n    return a * a\n\n"
    'def lcm(a: int, b: int) -> int:\n    """Least common multiple.\n\n'
    '    >>> lcm(4, 6)\n    12\n    """\n'
)
BODY = "    return a * b // gcd(a, b) if a and b else 0\n"
TESTS = (
    "def check(candidate):\n    assert candidate(4, 6) == 12\n    assert candidate(0, 3) == 0\n"
    "    assert lcm(5, 1) == helper(2) + 1\n"
)
SLOW = (
    "def lcm(a: int, b: int) -> int:\n    if not a or not b:\n        return 0\n    n = abs(a)\n"
    "    while n % b:\n        n += abs(a)\n    return n * (1 if a * b > 0 else -1)\n"
)


# --- python --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [BODY, PROMPT + BODY, f"def lcm(a, b):\n{BODY}"])
async def test_a_right_program_is_supported_as_a_body_or_a_whole(code: str) -> None:
    told = await check("python", prompt=PROMPT, code=code, entry_point="lcm", tests=TESTS)
    assert told.verdict is Verdict.SUPPORTED, told
    assert told.evidence["calls"] == 3


async def test_the_examples_of_the_task_are_the_tests_when_none_are_given() -> None:
    right = await check("python", prompt=PROMPT, code=BODY, entry_point="lcm")
    wrong = await check("python", prompt=PROMPT, code="    return a * b\n", entry_point="lcm")
    assert (right.verdict, wrong.verdict) == (Verdict.SUPPORTED, Verdict.REFUTED)


async def test_a_wrong_program_is_refuted_with_its_counterexample() -> None:
    told = await check(
        "python", prompt=PROMPT, code="    return a * b\n", entry_point="lcm", tests=TESTS
    )
    assert told.verdict is Verdict.REFUTED
    assert told.evidence["counterexample"]["args"] == ["4", "6"]
    assert told.evidence["counterexample"]["returned"] == "24"
    assert told.evidence["assertion"] == "assert candidate(4, 6) == 12"


@pytest.mark.parametrize(
    "code",
    [
        "def lcm(a, b:\n",
        "def other(a, b):\n    return 1\n",
        "    return unknown_name\n",
        "import no_such",
    ],
)
async def test_a_program_that_cannot_run_is_refuted(code: str) -> None:
    told = await check("python", prompt=PROMPT, code=code, entry_point="lcm", tests=TESTS)
    assert told.verdict is Verdict.REFUTED, told


@pytest.mark.parametrize(
    "tests",
    [
        "def check(candidate):\n    pass\n",
        "def check(candidate):\n    candidate(4, 6)\n",
        "def check(candidate):\n    candidate(4, 6)\n    assert True\n",
        "def check(candidate):\n    assert isinstance(candidate(4, 6), int)\n",
        "def check(candidate):\n    try:\n        assert candidate(4, 6) == 7\n"
        "    except AssertionError:\n        pass\n",
        "def check(candidate:\n",
        "def check(candidate):\n    assert undefined == candidate\n",
        "import os\ndef check(candidate):\n    os._exit(0)\n",
        "raise SystemExit(0)\n",
    ],
)
async def test_tests_that_look_at_nothing_or_break_leave_it_undetermined(tests: str) -> None:
    told = await check("python", prompt=PROMPT, code=BODY, entry_point="lcm", tests=tests)
    assert told.verdict is Verdict.UNDETERMINED, told


async def test_changes_in_place_come_back_to_the_tests() -> None:
    tests = (
        "def check(candidate):\n    xs = [3, 1, 2]\n    candidate(xs)\n    assert xs == [1, 2, 3]\n"
    )
    good = await check("python", code="def f(xs):\n    xs.sort()\n", entry_point="f", tests=tests)
    bad = await check("python", code="def f(xs):\n    sorted(xs)\n", entry_point="f", tests=tests)
    assert (good.verdict, bad.verdict) == (Verdict.SUPPORTED, Verdict.REFUTED)


async def test_an_exception_that_the_tests_expect_is_right() -> None:
    tests = (
        "def check(candidate):\n    try:\n        candidate(-1)\n"
        "    except ValueError:\n        return\n"
        "    assert False\n"
    )
    raising = "def f(n):\n    if n < 0:\n        raise ValueError('n')\n    return n\n"
    good = await check("python", code=raising, entry_point="f", tests=tests)
    bad = await check("python", code="def f(n):\n    return n\n", entry_point="f", tests=tests)
    assert (good.verdict, bad.verdict) == (Verdict.SUPPORTED, Verdict.REFUTED)


@pytest.mark.parametrize("case", [{}, {"code": BODY}, {"code": 3, "entry_point": "f"}])
async def test_a_python_case_that_lacks_a_part_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        await check("python", **case)


@pytest.mark.parametrize(
    "code",
    [
        "double = lambda n: 2 * n\n",
        "from functools import partial\nimport operator\ndouble = partial(operator.mul, 2)\n",
        "class Times:\n    def __call__(self, n):\n        return 2 * n\ndouble = Times()\n",
    ],
)
async def test_a_function_that_is_bound_and_not_defined_is_the_answer(code: str) -> None:
    tests = "def check(candidate):\n    assert candidate(2) == 4\n"
    told = await check(
        "python", prompt="def double(n):\n", code=code, entry_point="double", tests=tests
    )
    assert told.verdict is Verdict.SUPPORTED, told


async def test_a_body_that_uses_the_name_of_its_function_is_a_body() -> None:
    tests = "def check(candidate):\n    assert candidate(2) == 4\n"
    code = "double = 2 * n\nreturn double\n"
    told = await check(
        "python", prompt="def double(n):\n", code=code, entry_point="double", tests=tests
    )
    assert told.verdict is Verdict.SUPPORTED, told


# --- differential --------------------------------------------------------------------------


async def test_an_equal_program_is_supported_with_its_seed_and_number_of_inputs() -> None:
    told = await check("differential", a=SLOW, b=PROMPT + BODY, entry_point="lcm", seed=7)
    assert told.verdict is Verdict.SUPPORTED, told
    assert told.evidence["seed"] == 7
    assert told.evidence["usable_inputs"] >= 100


async def test_a_difference_at_a_border_is_found_and_shown() -> None:
    wrong = SLOW.replace("not a or not b", "not a")
    told = await check("differential", a=SLOW, b=wrong, entry_point="lcm")
    assert told.verdict is Verdict.REFUTED
    assert told.evidence["counterexample"]["args"][1] == "0"


async def test_given_inputs_are_the_only_ones() -> None:
    a, b = "def f(n):\n    return n\n", "def f(n):\n    return abs(n)\n"
    same = await check("differential", a=a, b=b, entry_point="f", inputs=[[1], [2]])
    other = await check("differential", a=a, b=b, entry_point="f", inputs=[[1], [-2]])
    assert same.verdict is Verdict.SUPPORTED
    assert other.evidence["counterexample"] == {"args": ["-2"]}


async def test_an_answer_that_never_ends_is_refuted() -> None:
    wrong = "def f(n):\n    while n > 2:\n        pass\n    return n\n"
    told = await check(
        "differential", a="def f(n):\n    return n\n", b=wrong, entry_point="f", inputs=[[1], [3]]
    )
    assert told.verdict is Verdict.REFUTED
    assert "longer than" in told.summary


async def test_inputs_outside_of_the_reference_s_domain_count_for_nothing() -> None:
    a = "def f(n: int) -> int:\n    return 100 // n\n"
    b = "def f(n: int) -> int:\n    return 100 // n if n else 5\n"
    assert (await check("differential", a=a, b=b, entry_point="f")).verdict is Verdict.SUPPORTED
    stated = "def f(n: int) -> int:\n    if not n:\n        raise ValueError\n    return 100 // n\n"
    told = await check("differential", a=stated, b=b, entry_point="f")
    assert told.verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "reference",
    ["def f(n:\n", "raise OSError\n", "def f(n: int):\n    return object()\n", "f = 3\n"],
)
async def test_a_reference_that_cannot_be_used_leaves_it_undetermined(reference: str) -> None:
    told = await check(
        "differential", a=reference, b="def f(n: int):\n    return n\n", entry_point="f"
    )
    assert told.verdict is Verdict.UNDETERMINED, told


async def test_a_type_that_only_the_reference_happens_to_take_refutes_nothing() -> None:
    reference = (
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\n"
    )
    answer = "def f(xs):\n    return xs.copy()\n"  # texts and sets of guesses have no copy()
    told = await check("differential", a=reference, b=answer, entry_point="f")
    assert told.verdict is Verdict.UNDETERMINED, told
    assert "(str)" in told.evidence["not_taken"]
    wrong = await check(
        "differential", a=reference, b="def f(xs):\n    return 1 + 'a'\n", entry_point="f"
    )
    assert wrong.verdict is Verdict.REFUTED, wrong


@pytest.mark.parametrize(
    "case", [{"a": "x"}, {"a": SLOW, "b": SLOW, "entry_point": "f", "inputs": 3}]
)
async def test_a_differential_case_that_lacks_a_part_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        await check("differential", **case)


# --- what people really send -----------------------------------------------------------------

SQUARE = "def f(x):\n    return x * x\n"
SQUARES = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        (f"```python\n{SQUARE}```", SQUARES),
        (f"It squares:\n```python\n{SQUARE}```\nDone.", f"```python\n{SQUARES}```"),
        ("class Solution:\n    def f(self, x):\n        return x * x\n", SQUARES),
        (SQUARE, ["assert f(2) == 4", "assert f(3) == 9"]),
        (SQUARE, "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
                 "        self.assertEqual(f(2), 4)\n        self.assertEqual(f(3), 9)\n"),
        (SQUARE, "import pytest\n@pytest.mark.parametrize('a, b', [(2, 4), (3, 9)])\n"
                 "def test_it(a, b):\n    assert f(a) == b\n"),
    ],
)  # fmt: skip
async def test_fences_classes_and_other_kinds_of_tests_are_understood(
    code: str, tests: Any
) -> None:
    right = await check("python", code=code, tests=tests, entry_point="f")
    assert right.verdict is Verdict.SUPPORTED, right
    wrong = await check("python", code=code.replace("x * x", "x + x"), tests=tests, entry_point="f")
    assert wrong.verdict is Verdict.REFUTED, wrong


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("return df.groupby('a')['b'].sum()",
         "pd.testing.assert_series_equal(candidate(df), df.groupby('a')['b'].sum())"),
        ("return df.set_index(['a', 'b'])",
         "pd.testing.assert_frame_equal(candidate(df), df.set_index(['a', 'b']))"),
        ("df['c'] = df['b'] + 1\n    return df", "assert list(candidate(df)['c']) == [2, 3, 4]"),
        ("return datetime.timedelta(days=1)", "assert candidate(df) == datetime.timedelta(days=1)"),
        ("return range(3)", "assert candidate(df) == range(3)"),
        ("return collections.deque([1, 2])", "assert candidate(df) == collections.deque([1, 2])"),
        ("return df", "a = [1]\n    assert candidate(a) is a\n    assert candidate([2]) == [2]"),
    ],
)  # fmt: skip
async def test_tables_and_rarer_values_cross_as_they_are(code: str, tests: str) -> None:
    imports = "import collections, datetime\nimport pandas as pd\n"
    told = await check(
        "python",
        code=f"{imports}def f(df):\n    {code}\n",
        tests=f"{imports}def check(candidate):\n"
        "    df = pd.DataFrame({'a': ['x', 'x', 'y'], 'b': [1, 2, 3]})\n    " + tests + "\n",
        entry_point="f",
    )
    assert told.verdict is Verdict.SUPPORTED, told


async def test_dictionaries_are_equal_in_any_order_and_a_reference_may_have_its_own_name() -> None:
    told = await check(
        "differential",
        a="def slow(x):\n    return {'a': x, 'b': 2}\n",
        b="def f(x):\n    return {'b': 2, 'a': x}\n",
        entry_point="f",
        inputs="[[1], [2]]",
    )
    assert told.verdict is Verdict.SUPPORTED, told


# --- symbolic execution and properties -------------------------------------------------------

TWICE = "def f(x: int) -> int:\n    return x * 2\n"
RARELY_WRONG = "def f(x: int) -> int:\n    return x + x if 3 * x + 7 != 290143 else 0\n"


async def test_symbolic_execution_finds_what_no_typical_input_shows() -> None:
    plain = await check("differential", a=TWICE, b=RARELY_WRONG, entry_point="f", symbolic_s=0)
    assert plain.verdict is Verdict.SUPPORTED, plain
    found = await check("differential", a=TWICE, b=RARELY_WRONG, entry_point="f")
    assert found.verdict is Verdict.REFUTED, found
    assert found.evidence["symbolic_execution"]["proposed_inputs"] > 0


@pytest.mark.parametrize(
    ("body", "properties", "verdict"),
    [
        ("return sorted(xs)", ["sorted", "same_items", "idempotent", "argument_kept"], "supported"),
        ("return sorted(set(xs))", ["sorted", "same_items"], "refuted"),
        ("return xs[::-1]", ["involution", "same_length"], "supported"),
        ("xs.sort()\n    return xs", ["argument_kept"], "refuted"),
    ],
)
async def test_declared_properties_hold_on_inputs_made_from_the_signature(
    body: str, properties: list[str], verdict: str
) -> None:
    code = f"def f(xs: list[int]) -> list[int]:\n    {body}\n"
    told = await check("python", code=code, entry_point="f", properties=properties)
    assert told.verdict == verdict, told


async def test_an_unknown_property_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="same_items"):
        await check("python", code=TWICE, entry_point="f", properties=["nice"])
