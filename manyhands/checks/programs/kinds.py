"""The kinds of cases this room checks, as the command line and the `verify` hand name them."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Mapping
from typing import Any, Protocol

from manyhands.checks.outcome import CheckOutcome
from manyhands.checks.programs.claims import check_claim
from manyhands.checks.programs.differential import differential
from manyhands.checks.programs.examples import examples_as_tests, examples_in
from manyhands.checks.programs.figures import check_figure
from manyhands.checks.programs.judge import judge_python
from manyhands.checks.programs.static import program_text
from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.errors import InputError

__all__ = ["HANDLERS"]


def _text(case: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = case.get(key)
    value = default if value is None else value
    if not isinstance(value, str):
        raise InputError(
            f"The case has no text {key!r}.", hint=f"Give {key!r} as a string; see docs/checks.md."
        )
    return value


async def _python(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """{prompt?, code, entry_point, tests?}; without tests the prompt's examples are the tests."""
    prompt, name = _text(case, "prompt", ""), _name(case)
    tests = case.get("tests")
    if isinstance(tests, list) and all(isinstance(one, str) for one in tests):
        tests = "\n".join(tests)
    tests = program_text(_text({"tests": tests or ""}, "tests"))
    if not tests.strip():
        tests = examples_as_tests(examples_in(prompt, name))
    code = program_text(_text(case, "code"))
    return await judge_python(code, name, tests, prompt=prompt, policy=policy)


def _name(case: Mapping[str, Any]) -> str:
    """The entry point; `Solution().f` and `Solution.f` name the method `f`."""
    return re.sub(r"^Solution(?:\(\))?\.", "", _text(case, "entry_point").strip())


async def _differential(
    case: Mapping[str, Any], policy: SandboxPolicy | None = None
) -> CheckOutcome:
    """{a, b, entry_point, inputs?, prompt?, seed?}: `a` is the reference, `b` the answer."""
    inputs = case.get("inputs")
    if isinstance(inputs, str):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            inputs = ast.literal_eval(inputs)
    if inputs is not None and not isinstance(inputs, list):
        raise InputError("'inputs' is no list.", hint="Give a list of argument lists.")
    return await differential(
        program_text(_text(case, "a")),
        program_text(_text(case, "b")),
        _name(case),
        inputs,
        prompt=_text(case, "prompt", ""),
        seed=int(case.get("seed", 0)),
        policy=policy,
    )


def _table(case: Mapping[str, Any], key: str) -> Any:
    table = case.get(key)
    if isinstance(table, dict) and table and all(isinstance(v, list) for v in table.values()):
        table = [dict(zip(table, row, strict=False)) for row in zip(*table.values(), strict=False)]
    rows = isinstance(table, list) and all(isinstance(row, dict) for row in table)
    if not isinstance(table, str) and not rows:
        raise InputError(
            f"The case has no table {key!r}.", hint="Give a CSV path, CSV text, or a list of rows."
        )
    return table


async def _figure(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """{code, data, expect}."""
    expect = case.get("expect")
    if not isinstance(expect, dict) or "chart" not in expect:
        raise InputError("'expect' states no chart.", hint="Give {chart, x, y, agg, …}.")
    found = await check_figure(
        program_text(_text(case, "code")), _table(case, "data"), expect, policy
    )
    return found[0]


async def _table_claim(
    case: Mapping[str, Any], policy: SandboxPolicy | None = None
) -> CheckOutcome:
    """{csv, claim_code, text?}."""
    return await check_claim(
        _table(case, "csv"),
        program_text(_text(case, "claim_code")),
        _text(case, "text", ""),
        policy=policy,
    )


class Handler(Protocol):
    """Checks one case under a policy (the usual one when none is given)."""

    async def __call__(
        self, case: Mapping[str, Any], policy: SandboxPolicy | None = None
    ) -> CheckOutcome: ...


#: Kind -> check. Each raises InputError for a case that lacks a part, NoIsolation without sandbox.
HANDLERS: dict[str, Handler] = {
    "python": _python,
    "differential": _differential,
    "figure": _figure,
    "table_claim": _table_claim,
}
