"""Calculus and algebra with planted errors: what the mathematical checks catch, and how fast.

    python benchmarks/planted_errors.py --seed 1 --cases 1000

*Caught* means refuted. *Refused* means a right case that is not supported. `undetermined` is also
shown by itself. The wrong cases are shown to be wrong without the checker (`planted_maths.py`).
Charts, table claims and programs with planted errors: `planted_programs.py`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent))

from maths_sets import HOSTILE, NEAR, TRUE
from planted_maths import Case, make_cases

from manyhands.checks.maths.checker import MathChecker
from manyhands.checks.outcome import CheckOutcome, Verdict


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.2f} %)"


async def judged(cases: list[Case], checker: MathChecker) -> list[tuple[Case, CheckOutcome]]:
    return [(case, await checker.check(case.body)) for case in cases]


async def planted(args: argparse.Namespace, checker: MathChecker) -> None:
    found = await judged(make_cases(args.seed, args.cases), checker)
    wrong = [(case, one) for case, one in found if not case.right]
    right = [(case, one) for case, one in found if case.right]
    missed = [pair for pair in wrong if pair[1].verdict is not Verdict.REFUTED]
    accepted = [pair for pair in wrong if pair[1].verdict is Verdict.SUPPORTED]
    refused = [pair for pair in right if pair[1].verdict is not Verdict.SUPPORTED]
    open_ones = [pair for pair in found if pair[1].verdict is Verdict.UNDETERMINED]
    for label, pairs in (("missed", missed), ("refused", refused)):
        for case, one in pairs[: args.show]:
            print(f"  {label} ({case.error or 'right'}): {case.body}")
            print(f"    {one.verdict}: {one.summary}")
    print(f"calculus and algebra, {len(wrong)} wrong and {len(right)} right cases")
    print(f"  caught           {share(len(wrong) - len(missed), len(wrong))}")
    print(f"  wrong accepted   {share(len(accepted), len(wrong))}")
    print(f"  right refused    {share(len(refused), len(right))}")
    print(f"  undetermined     {share(len(open_ones), len(found))}")
    times = sorted(one.seconds * 1000 for _, one in found)
    print(
        f"  milliseconds     median {statistics.median(times):.1f}, "
        f"p95 {times[int(0.95 * len(times))]:.1f}, largest {times[-1]:.0f}"
    )
    for kind in sorted({str(case.body["kind"]) for case, _ in found}):
        some = [(c, one) for c, one in found if c.body["kind"] == kind]
        bad = sum(
            one.verdict is not (Verdict.SUPPORTED if c.right else Verdict.REFUTED)
            for c, one in some
        )
        middle = statistics.median(one.seconds * 1000 for _, one in some)
        print(f"    {kind:18} {len(some):5} cases, {bad} not as they should be, {middle:.1f} ms")
    planted_kinds = Counter(case.error.split(" by ")[0] for case, _ in wrong)
    print(
        "  planted          " + ", ".join(f"{n} {kind}" for kind, n in planted_kinds.most_common())
    )


async def fixed(checker: MathChecker) -> None:
    near = [(body, await checker.check(body)) for body in NEAR]
    true = [(body, await checker.check(body)) for body in TRUE]
    for body, one in near:
        if one.verdict is Verdict.SUPPORTED:
            print(f"  accepted: {body}: {one.summary}")
    for body, one in true:
        if one.verdict is not Verdict.SUPPORTED:
            print(f"  refused: {body}: {one.verdict} {one.summary}")
    refused = sum(one.verdict is not Verdict.SUPPORTED for _, one in near)
    refuted = sum(one.verdict is Verdict.REFUTED for _, one in near)
    accepted = sum(one.verdict is Verdict.SUPPORTED for _, one in true)
    print(f"near-identities    refused {share(refused, len(near))}, {refuted} of them refuted")
    print(f"true ones          accepted {share(accepted, len(true))}")


async def hostile(checker: MathChecker) -> None:
    """Each attack, and after it a plain case, which must still be answered right."""
    plain = {"kind": "identity", "lhs": "sin(2*x)", "rhs": "2*sin(x)*cos(x)"}
    slowest, hung, broken, accepted = 0.0, 0, 0, 0
    for body in HOSTILE:
        one = await checker.check(body)
        slowest = max(slowest, one.seconds)
        if one.seconds > 1.0 + 0.1:  # the worker is ended at 1 s; noticing it takes a moment
            hung += 1
            print(f"  slow {one.seconds:.2f} s: {str(body)[:100]}")
        if one.verdict is Verdict.SUPPORTED:
            accepted += 1
            print(f"  supported: {str(body)[:120]}: {one.summary}")
        broken += (await checker.check(plain)).verdict is not Verdict.SUPPORTED
    print(
        f"hostile            {len(HOSTILE)} cases: {hung} over a second, {accepted} supported, "
        f"slowest {slowest:.2f} s; {broken} plain cases after them not answered right"
    )


async def main(args: argparse.Namespace) -> None:
    started = time.monotonic()
    async with MathChecker() as checker:
        await checker.check({"kind": "identity", "lhs": "x", "rhs": "x"})  # starts the worker
        if args.only in ("", "planted"):
            await planted(args, checker)
        if args.only in ("", "fixed"):
            await fixed(checker)
        if args.only in ("", "hostile"):
            await hostile(checker)
    print(f"seed {args.seed}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cases", type=int, default=1000, help="wrong cases, and as many right ones"
    )
    parser.add_argument("--only", default="", choices=["", "planted", "fixed", "hostile"])
    parser.add_argument(
        "--show", type=int, default=10, help="how many failures to print of each sort"
    )
    anyio.run(main, parser.parse_args())
