"""The kinds of cases this room checks, as the command line and the `verify` hand name them."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.chart_specs import check_spec
from manyhands.checks.programs.claims import check_claim
from manyhands.checks.programs.differential import differential
from manyhands.checks.programs.examples import examples_as_tests, examples_in
from manyhands.checks.programs.figures import check_figure
from manyhands.checks.programs.inputs import generate, parameters, words_of
from manyhands.checks.programs.judge import judge_python
from manyhands.checks.programs.properties import ANY_ARGUMENTS, Property, property_tests
from manyhands.checks.programs.static import full_source, program_text
from manyhands.checks.programs.whole import runs, sound
from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.checks.tables import table_in
from manyhands.errors import InputError

__all__ = ["HANDLERS"]

_SYMBOLIC_S = 3.0
_PROPERTY_INPUTS = 60


def _text(case: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = case.get(key)
    value = default if value is None else value
    if not isinstance(value, str):
        raise InputError(
            f"The case has no text {key!r}.", hint=f"Give {key!r} as a string; see docs/checks.md."
        )
    return value


async def _python(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """{prompt?, code, entry_point, tests?, properties?, seed?}; without tests the prompt's examples
    are the tests."""
    prompt, name = _text(case, "prompt", ""), _name(case)
    tests = case.get("tests")
    if isinstance(tests, list) and all(isinstance(one, str) for one in tests):
        tests = "\n".join(tests)
    tests = program_text(_text({"tests": tests or ""}, "tests"))
    code, declared = program_text(_text(case, "code")), _properties(case)
    examples = examples_in(prompt, name)
    if not tests.strip() and not (declared and not examples):
        tests = examples_as_tests(examples)
    if not tests.strip():
        return await _hold(declared, case, code, name, policy)
    told = await judge_python(code, name, tests, prompt=prompt, policy=policy)
    if not declared or told.verdict is not Verdict.SUPPORTED:
        return told
    held = await _hold(declared, case, code, name, policy)
    seconds, evidence = told.seconds + held.seconds, {**told.evidence, "properties": held.evidence}
    if held.verdict is not Verdict.SUPPORTED:
        return CheckOutcome(held.verdict, held.summary, seconds, evidence)
    return CheckOutcome(told.verdict, f"{told.summary}; {held.summary}", seconds, evidence)


def _properties(case: Mapping[str, Any]) -> list[Property]:
    given = case.get("properties") or []
    try:
        return [Property(one) for one in ([given] if isinstance(given, str) else given)]
    except (ValueError, TypeError):
        known = ", ".join(Property)
        raise InputError(f"'properties' is {given!r}.", hint=f"Give a list of: {known}.") from None


async def _hold(
    declared: list[Property],
    case: Mapping[str, Any],
    code: str,
    name: str,
    policy: SandboxPolicy | None,
) -> CheckOutcome:
    """Metamorphic properties on inputs made from the signature."""
    prompt, seed = _text(case, "prompt", ""), int(case.get("seed") or 0)
    source = full_source(prompt, code, name)
    shapes = parameters(source, name)
    if not shapes or (len(shapes) > 1 and not ANY_ARGUMENTS.issuperset(declared)):
        raise InputError(
            f"{name!r} has {len(shapes)} parameters.", hint="These properties need one of one."
        )
    examples = [e.args for e in examples_in(f"{prompt}\n{source}", name)]
    rows = generate(shapes, examples, _PROPERTY_INPUTS, seed, words_of(source))
    kept = [tuple(row) for row in rows if _is_literal(row)]
    told = await judge_python(
        code, name, property_tests(declared, kept), prompt=prompt, policy=policy
    )
    names = ", ".join(declared)
    evidence = {**told.evidence, "properties": list(declared), "inputs": len(kept), "seed": seed}
    summary = f"{names} on {len(kept)} inputs"
    if told.verdict is not Verdict.SUPPORTED:
        summary = f"{names}: {told.summary}"
    return CheckOutcome(told.verdict, summary, told.seconds, evidence)


def _is_literal(value: Any) -> bool:
    """Whether the text of a value is the value again."""
    with contextlib.suppress(ValueError, SyntaxError, TypeError, RecursionError):
        return bool(ast.literal_eval(repr(value)) == value)
    return False


def _name(case: Mapping[str, Any]) -> str:
    """The entry point; `Solution().f` and `Solution.f` name the method `f`."""
    return re.sub(r"^Solution(?:\(\))?\.", "", _text(case, "entry_point").strip())


async def _differential(
    case: Mapping[str, Any], policy: SandboxPolicy | None = None
) -> CheckOutcome:
    """{a, b, entry_point, inputs?, prompt?, seed?, symbolic_s?, values_only?}: `a` is the
    reference, `b` the answer. Without inputs, small typed functions are searched by symbolic
    execution, too."""
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
        seed=int(case.get("seed") or 0),
        symbolic_s=_seconds(case, 0.0 if inputs is not None else _SYMBOLIC_S),
        values_only=case.get("values_only") is True,
        policy=policy,
    )


def _seconds(case: Mapping[str, Any], default: float) -> float:
    given = case.get("symbolic_s", default)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 60:
        raise InputError(
            f"'symbolic_s' is {given!r}.", hint="Give seconds from 0 (no search) to 60."
        )
    return float(given)


def _table(case: Mapping[str, Any], key: str) -> Any:
    table = case.get(key)
    if (known := table_in(table)) is not None:
        return known.unchanged()
    if isinstance(table, dict) and table and all(isinstance(v, list) for v in table.values()):
        table = [dict(zip(table, row, strict=False)) for row in zip(*table.values(), strict=False)]
    rows = isinstance(table, list) and all(isinstance(row, dict) for row in table)
    if not isinstance(table, str) and not rows:
        raise InputError(
            f"The case has no table {key!r}.", hint="Give a CSV path, CSV text, or a list of rows."
        )
    return table


async def _figure(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """{code, data, expect}, or {spec, data, expect} with a Vega-Lite or Plotly specification."""
    expect = case.get("expect")
    if not isinstance(expect, dict) or "chart" not in expect:
        raise InputError("'expect' states no chart.", hint="Give {chart, x, y, agg, …}.")
    if case.get("spec") is not None:
        found, png = await check_spec(case["spec"], _table(case, "data"), expect, policy)
    else:
        code = program_text(_text(case, "code"))
        found, png, _ = await check_figure(code, _table(case, "data"), expect, policy)
    return replace(found, picture=png)


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


async def _program(case: Mapping[str, Any], policy: SandboxPolicy | None = None) -> CheckOutcome:
    """{code, data?, run?}: the text is looked through, then run unless `run` is false."""
    code = program_text(_text(case, "code"))
    told = sound(code)
    if told.verdict is not Verdict.SUPPORTED or case.get("run") is False:
        return told
    return await runs(code, _table(case, "data") if case.get("data") else None, policy)


class Handler(Protocol):
    """Checks one case under a policy (the usual one when none is given)."""

    async def __call__(
        self, case: Mapping[str, Any], policy: SandboxPolicy | None = None
    ) -> CheckOutcome: ...


#: Kind -> check. Each raises InputError for a case that lacks a part, NoIsolation without sandbox.
HANDLERS: dict[str, Handler] = {
    "python": _python,
    "program": _program,
    "differential": _differential,
    "figure": _figure,
    "table_claim": _table_claim,
}
