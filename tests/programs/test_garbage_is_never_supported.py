"""Whatever a garbage model writes, as program, tests, claim or chart: it is never supported."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyhands.checks.outcome import Verdict
from manyhands.checks.programs.differential import compare
from manyhands.checks.programs.examples import examples_in
from manyhands.checks.programs.inside.literals import NotPlain, decode, encode
from manyhands.checks.programs.kinds import HANDLERS
from manyhands.checks.programs.static import study
from manyhands.errors import InputError

RIGHT = "def f(xs: list[int]) -> int:\n    return sum(x * x for x in xs if x % 3)\n"
TESTS = (
    "def check(candidate):\n    assert candidate([1, 2, 3]) == 5\n    assert candidate([]) == 0\n"
    "    assert candidate([-4]) == 16\n"
)
TABLE = "day,shop,sales\n2024-01-01,A,3\n2024-01-02,B,5\n2024-01-03,A,4\n"
ASKED = {"chart": "bar", "x": "shop", "y": "sales", "agg": "sum"}
PIECES = (
    "return", "xs", "0", "1", "None", "[]", "''", "sum(xs)", "len(xs)", "max(xs)", "x", "+", "*",
    "-", "for x in xs", "if xs", "else", "(", ")", "True", "print(xs)", "raise ValueError",
    "assert candidate", "==", "df", ".sum()", "['sales']", "plt.plot(xs)", ":", "\n    ", "\n",
    "pass", "while True", "import os", "yield", "lambda: 1", "🙂", "\x00", '"""', "{", "}",
)  # fmt: skip


def garbage(seed: int, head: str) -> str:
    """Pieces of programs in random order below a line that looks right."""
    dice = random.Random(seed)
    body = " ".join(dice.choice(PIECES) for _ in range(dice.randint(1, 12)))
    return f"{head}\n    {body}\n"


def plausible(seed: int, argument: str) -> str:
    """A program that runs, and says something that has nothing to do with the task."""
    dice = random.Random(seed)
    values = ("0", "1", "[]", "None", "'ok'", "True", f"len({argument})", argument, "float('nan')")
    return f"    for _ in {argument}:\n        pass\n    return {dice.choice(values)}\n"


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(6))
async def test_garbage_programs_are_not_supported(seed: int) -> None:
    head = "def f(xs):"
    for code in (garbage(seed, head), f"{head}\n{plausible(seed, 'xs')}"):
        judged = await HANDLERS["python"]({"code": code, "entry_point": "f", "tests": TESTS})
        assert judged.verdict is not Verdict.SUPPORTED, (code, judged)
        compared = await HANDLERS["differential"]({"a": RIGHT, "b": code, "entry_point": "f"})
        assert compared.verdict is not Verdict.SUPPORTED, (code, compared)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(6))
async def test_garbage_tests_support_nothing(seed: int) -> None:
    head = "def check(candidate):"
    for tests in (garbage(seed, head), f"{head}\n    xs = [1, 2]\n{plausible(seed, 'xs')}"):
        told = await HANDLERS["python"]({"code": RIGHT, "entry_point": "f", "tests": tests})
        assert told.verdict is not Verdict.SUPPORTED, (tests, told)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(8))
async def test_garbage_claims_are_not_supported(seed: int) -> None:
    head = "def claim(df):"
    for code in (garbage(seed, head), f"{head}\n{plausible(seed, 'df')}"):
        told = await HANDLERS["table_claim"](
            {"csv": TABLE, "claim_code": code, "text": "So it is."}
        )
        assert told.verdict is not Verdict.SUPPORTED, (code, told)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(4))
async def test_garbage_charts_are_not_supported(seed: int) -> None:
    dice = random.Random(seed)
    kind, values = dice.choice(("plot", "bar", "scatter")), [dice.randint(0, 9) for _ in range(2)]
    drawn = f"import matplotlib.pyplot as plt\nplt.{kind}(['A', 'B'], {values})\n"
    for code in (garbage(seed, "if df is not None:"), drawn):
        told = await HANDLERS["figure"]({"code": code, "data": TABLE, "expect": ASKED})
        assert told.verdict is not Verdict.SUPPORTED, (code, told)


# --- the parts that read what an untrusted process or a model wrote --------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
_TAGS = st.sampled_from(["l", "t", "s", "f", "d", "i", "F", "c", "b", "g", "D", "Q", "dt", "zz"])
_WIRE = st.recursive(
    _JSON, lambda inner: st.tuples(_TAGS, inner, inner).map(list) | st.lists(inner, max_size=3)
)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.binary(max_size=6)
    | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False, allow_infinity=False)
    | st.dates() | st.fractions(),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(_WIRE)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_on_the_wire_is_plain_data_or_refused(wire: object) -> None:
    try:
        value = decode(wire)
    except NotPlain:
        return
    assert type(value).__module__ in (
        "builtins", "decimal", "fractions", "datetime",
    )  # fmt: skip


@given(_PLAIN)
@settings(max_examples=80, deadline=None)
def test_a_plain_value_crosses_with_its_type(value: object) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@given(_JSON)
@settings(max_examples=100, deadline=None)
def test_a_reply_equals_only_itself(wire: object) -> None:
    want = {"value": encode(1234.5)}
    reply = {"value": wire} if not isinstance(wire, dict) else wire
    if wire != 1234.5:
        assert compare(want, reply)


@given(st.text(max_size=120))
@settings(max_examples=80, deadline=None)
def test_any_text_can_be_studied_and_searched_for_examples(text: str) -> None:
    examples_in(text, "f")
    study(text, "f", prompt=text)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", sorted(HANDLERS))
@pytest.mark.parametrize("junk", [None, 3, [], {}, {"a": 1}, float("nan")])
async def test_junk_in_place_of_a_case_s_parts_is_refused(kind: str, junk: object) -> None:
    names = (
        "code",
        "entry_point",
        "tests",
        "prompt",
        "a",
        "b",
        "csv",
        "claim_code",
        "data",
        "expect",
    )
    with pytest.raises(InputError):
        await HANDLERS[kind](dict.fromkeys(names, junk))
