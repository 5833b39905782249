"""Planted faults in programs, charts and table claims: how many the checks catch.

Usage: python benchmarks/planted_programs.py [--seed N] [--only functions|tests|charts|claims]
       [--mutants 8] [--functions 30]

A mutant counts when it differs from the original on 300 typical inputs of the function; the check
does not see these inputs. Caught: refuted. Refused: a right case that is not supported.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parent))

from planted_charts import CHARTS, FAULTS, make_data
from planted_claims import make_claims
from planted_functions import FUNCTIONS, Function

from manyhands.checks.outcome import Verdict
from manyhands.checks.programs.battery import battery
from manyhands.checks.programs.claims import check_claim
from manyhands.checks.programs.differential import differential
from manyhands.checks.programs.figures import check_figure
from manyhands.checks.programs.judge import judge_python
from manyhands.checks.programs.mutants import mutants

AT_ONCE = 2


def rate(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / whole:.1f} %)" if whole else "0/0"


async def gather(work: list[Callable[[], Awaitable[Any]]]) -> list[Any]:
    out: list[Any] = [None] * len(work)
    gate = anyio.CapacityLimiter(AT_ONCE)

    async def one(at: int) -> None:
        async with gate:
            out[at] = await work[at]()

    async with anyio.create_task_group() as tasks:
        for at in range(len(work)):
            tasks.start_soon(one, at)
    return out


def typical(function: Function, seed: int, count: int = 300) -> list[list[Any]]:
    dice = random.Random(f"{seed} typical {function.name}")
    return [eval(function.inputs, {"r": dice}) for _ in range(count)]


async def real_mutants(seed: int, each: int, some: list[Function]) -> list[tuple[Function, str]]:
    """Mutants that differ on typical inputs."""
    pairs = [(f, m.source) for f in some for m in mutants(f.source, f.name, seed=seed, limit=each)]
    told = await gather(
        [lambda f=f, m=m: differential(f.source, m, f.name, typical(f, seed)) for f, m in pairs]
    )
    return [p for p, t in zip(pairs, told, strict=True) if t.verdict is Verdict.REFUTED]


async def functions(seed: int, each: int, some: list[Function], *, blind: bool) -> None:
    real = await real_mutants(seed, each, some)
    if blind:
        told = await gather([lambda f=f, m=m: judge_python(m, f.name, f.tests) for f, m in real])
        caught = sum(t.verdict is Verdict.REFUTED for t in told)
        right = await gather([lambda f=f: judge_python(f.other, f.name, f.tests) for f in some])
        refused = [f.name for f, t in zip(some, right, strict=True) if t.verdict != "supported"]
        print(f"blind tests        caught {rate(caught, len(real))}, right refused {refused or 0}")
        return
    told = await gather(
        [lambda f=f, m=m: differential(f.source, m, f.name, seed=seed) for f, m in real]
    )
    caught = sum(t.verdict is Verdict.REFUTED for t in told)
    for (f, m), t in zip(real, told, strict=True):
        if t.verdict is not Verdict.REFUTED:
            print(f"  missed {f.name}: {t.verdict} {t.summary}\n{m}")
    rights = [(f, seed * 10 + k) for f in some for k in range(3)]
    right = await gather(
        [lambda f=f, s=s: differential(f.source, f.other, f.name, seed=s) for f, s in rights]
    )
    refused = [(f.name, t.summary) for (f, _), t in zip(rights, right, strict=True) if t.verdict != "supported"]  # noqa: E501  # fmt: skip
    print(
        f"differential       caught {rate(caught, len(real))}, "
        f"right refused {rate(len(refused), len(rights))} {refused or ''}"
    )


def _shares(facts: dict[str, Any]) -> list[Any]:
    """What a pie shows, single precision aside."""
    drawn = [(w["label"], round(w["share"], 5), w["color"], w["visible"], a["title"])
             for a in facts.get("axes", []) for w in a["wedges"]]  # fmt: skip
    return [*drawn, *(a["texts"] for a in facts.get("axes", []))] if drawn else []


async def charts(seed: int) -> None:
    data = make_data(seed)
    dice = random.Random(seed)
    planted = [
        (chart, fault, code)
        for chart in CHARTS
        for fault, plant in FAULTS.items()
        if (code := plant(chart.code, dice)) != chart.code
    ]
    told = await gather(
        [lambda c=c, code=code: check_figure(code, data, c.expect) for c, _, code in planted]
    )
    sound = await gather([lambda c=c: check_figure(c.code, data, c.expect) for c in CHARTS])
    facts = {c.name: found for c, (_, _, found) in zip(CHARTS, sound, strict=True)}
    # A plant that leaves the drawn figure as it was is no fault: dropping rows that have gaps
    # before a histogram of what has none, the mean in the place of the sum of equal groups.
    same = [
        found == facts[c.name] or _shares(found) == _shares(facts[c.name]) != []
        for (c, _, _), (_, _, found) in zip(planted, told, strict=True)
    ]
    planted = [one for one, no in zip(planted, same, strict=True) if not no]
    told = [one for one, no in zip(told, same, strict=True) if not no]
    caught = 0
    for (chart, fault, _), (outcome, _, _) in zip(planted, told, strict=True):
        caught += outcome.verdict is Verdict.REFUTED
        if outcome.verdict is not Verdict.REFUTED:
            print(f"  missed {fault!r} in {chart.name}: {outcome.verdict} {outcome.summary}")
    print(f"  {sum(same)} plants changed nothing that is drawn")
    kinds = len({fault for _, fault, _ in planted})
    right = await gather(
        [
            lambda c=c, k=k: check_figure(c.code, make_data(seed * 10 + k), c.expect)
            for c in CHARTS
            for k in range(2)
        ]
    )
    alarms = [o.summary for o, _, _ in right if o.verdict is not Verdict.SUPPORTED]
    print(
        f"charts, {kinds} kinds   caught {rate(caught, len(planted))}, "
        f"false alarms {rate(len(alarms), len(right))} {alarms or ''}"
    )


async def claims(seed: int) -> None:
    cases = make_claims(seed)
    told = await gather([lambda c=c: check_claim(c.csv, c.code, c.text) for c in cases])
    wrong = [(c, t) for c, t in zip(cases, told, strict=True) if not c.right]
    right = [(c, t) for c, t in zip(cases, told, strict=True) if c.right]
    caught = sum(t.verdict is Verdict.REFUTED for _, t in wrong)
    refused = sum(t.verdict is not Verdict.SUPPORTED for _, t in right)
    for c, t in wrong:
        if t.verdict is not Verdict.REFUTED:
            print(f"  missed {c.name}: {t.verdict} {t.summary}")
    for c, t in right:
        if t.verdict is not Verdict.SUPPORTED:
            print(f"  refused {c.name}: {t.verdict} {t.summary}")
    print(
        f"table claims       caught {rate(caught, len(wrong))}, "
        f"right refused {rate(refused, len(right))}"
    )


async def main(args: argparse.Namespace) -> None:
    started = time.monotonic()
    some = FUNCTIONS[: args.functions]
    async with battery():
        await families(args, some)
    print(f"seed {args.seed}, {time.monotonic() - started:.0f} s")


async def families(args: argparse.Namespace, some: list[Function]) -> None:
    if args.only in ("", "functions"):
        await functions(args.seed, args.mutants, some, blind=False)
    if args.only in ("", "tests"):
        await functions(args.seed, args.mutants, some, blind=True)
    if args.only in ("", "charts"):
        await charts(args.seed)
    if args.only in ("", "claims"):
        await claims(args.seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", default="", choices=["", "functions", "tests", "charts", "claims"]
    )
    parser.add_argument("--mutants", type=int, default=8, help="mutants of each function")
    parser.add_argument("--functions", type=int, default=len(FUNCTIONS))
    anyio.run(main, parser.parse_args())
