"""Charts: run the program in the sandbox, read the facts off its figure, compare with the data."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.battery import start
from manyhands.checks.programs.figure_compare import FaultKind, chart_kind, compare_figure
from manyhands.checks.programs.link import INSIDE
from manyhands.checks.programs.meddling import meddling
from manyhands.checks.sandbox.contracts import (
    Isolation,
    RunStatus,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.png import png_size
from manyhands.checks.tables import Table
from manyhands.errors import InputError, fault_in

__all__ = [
    "FigureRun",
    "check_figure",
    "clean_png",
    "place_data",
    "run_figure",
    "within_pixels",
]

_DATA = "data.csv"
#: What Python or matplotlib would load by its name: no table is put there under such a one.
_LOADED = (".py", ".pyc", ".pyd", ".so", ".pth", "matplotlibrc")
Data = Path | str | Table | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class FigureRun:
    """What a plotting program made.

    Attributes:
        png: the figure, drawn by us and re-encoded; None when there is none.
        facts: `axes` (title, labels, limits, scales, legend, artists' data), `suptitle`.
        error: why there are no facts, in words; empty when there are.
        replaced: parts of matplotlib that the program exchanged; then the facts are not trusted.
    """

    png: bytes | None
    facts: dict[str, Any]
    result: SandboxResult
    error: str = ""
    replaced: tuple[str, ...] = ()


async def run_figure(
    code: str, inputs: Mapping[str, Path] | None = None, policy: SandboxPolicy | None = None
) -> FigureRun:
    """Run `code` with the files `inputs` (name inside -> file) and read the facts off its figure.

    When there is exactly one CSV file the program also finds it as `df`, its name as `data`.
    """
    tables = [name for name in inputs or {} if name.lower().endswith(".csv")]
    job = {"code": code, "data": tables[0] if len(tables) == 1 else ""}
    return await _run(job, dict(inputs or {}), {}, policy)


async def _run(
    job: dict[str, Any],
    inputs: dict[str, Path],
    files: dict[str, bytes],
    policy: SandboxPolicy | None,
) -> FigureRun:
    made = await start(
        SandboxRun(
            code=(INSIDE / "figure_facts.py").read_text(),
            inputs=inputs,
            files={**files, "figure_job.json": json.dumps(job).encode()},
            collect=("figure_facts.json", "figure.png"),
        ),
        policy,
    )
    try:
        said = json.loads(made.files["figure_facts.json"])
        facts = dict(said.get("facts") or {})
        error, replaced = str(said["error"]), tuple(str(name) for name in said["replaced"])
    except (KeyError, ValueError, TypeError, RecursionError):
        last = (made.stderr.strip().splitlines() or [""])[-1][:300]
        why = made.limit or last or made.status.value
        return FigureRun(None, {}, made, error=f"the program left no facts: {why}")
    if not error and not facts:
        error = "the program made no figure"
    png = made.files.get("figure.png")
    return FigureRun(await clean_png(png, policy) if png else None, facts, made, error, replaced)


async def clean_png(png: bytes, policy: SandboxPolicy | None = None) -> bytes | None:
    """Decode and encode a PNG again, in the sandbox; None when it is none."""
    return (await _trusted({"png": "in.png"}, {"in.png": png}, {}, policy)).files.get("clean.png")


async def within_pixels(png: bytes, most: int, policy: SandboxPolicy | None = None) -> bytes | None:
    """The picture with at most so many pixels: as it is, or made smaller in the sandbox.

    None when it is no PNG.
    """
    size = png_size(png)
    if size is None or size[0] * size[1] <= most:
        return png if size else None
    job = {"png": "in.png", "pixels": most}
    return (await _trusted(job, {"in.png": png}, {}, policy)).files.get("clean.png")


async def _trusted(
    job: dict[str, Any],
    files: dict[str, bytes],
    inputs: dict[str, Path],
    policy: SandboxPolicy | None,
) -> SandboxResult:
    return await start(
        SandboxRun(
            code=(INSIDE / "figure_expect.py").read_text(),
            inputs=inputs,
            files={**files, "expect_job.json": json.dumps(job).encode()},
            collect=("expect.json", "clean.png"),
        ),
        policy,
    )


async def check_figure(
    code: str,
    data: Data,
    expect: Mapping[str, Any],
    policy: SandboxPolicy | None = None,
) -> tuple[CheckOutcome, bytes | None, dict[str, Any]]:
    """Check the chart that `code` makes of `data` against `expect`.

    Args:
        data: a CSV file, CSV text, or rows. The program finds it as `data.csv`, under the file's
            own name (unless that is one of a module), as the table `df`, and as `data` (path, text
            or rows).
        expect: chart, x, y, agg, and optionally group, value, title, xlabel, ylabel, unit, log,
            bins, order.

    Returns the outcome, the PNG, the facts. Raises InputError for an unusable `data`.
    """
    started = time.monotonic()
    expect = _plain_words(expect)
    files, inputs, job = place_data(code, data)
    figure, again = await _both(files, inputs, job, expect, policy)
    evidence: dict[str, Any] = {
        "method": "facts of the drawn figure against the data recomputed in another sandbox",
        "isolation": figure.result.isolation.value,
        "expect": dict(expect),
    }

    def outcome(verdict: Verdict, summary: str) -> CheckOutcome:
        return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)

    try:
        wanted = json.loads(again.files["expect.json"])
        trouble = wanted.get("error", "")
    except (KeyError, ValueError):
        wanted, trouble = {}, again.stderr.strip()[-300:] or again.status.value
    if trouble:
        text = f"what the chart has to show cannot be computed: {trouble}"
        return outcome(Verdict.UNDETERMINED, text), figure.png, figure.facts
    if figure.error:
        ended = figure.result.status in (RunStatus.OK, RunStatus.ERROR)
        verdict = Verdict.REFUTED if ended else Verdict.UNDETERMINED
        return outcome(verdict, figure.error), figure.png, figure.facts
    if figure.replaced:
        evidence["replaced"] = list(figure.replaced)
        text = f"the program exchanged {figure.replaced[0]}: its facts are not trusted"
        return outcome(Verdict.REFUTED, text), figure.png, figure.facts
    faults = compare_figure(figure.facts, wanted, expect)
    evidence["faults"] = [{"kind": f.kind.value, "what": f.what} for f in faults]
    if faults and all(f.kind is FaultKind.EXPECT for f in faults):
        return outcome(Verdict.UNDETERMINED, faults[0].what), figure.png, figure.facts
    if faults:
        text = "; ".join(f.what for f in faults[:3])
        return outcome(Verdict.REFUTED, text), figure.png, figure.facts
    reached = meddling(code)
    if reached:
        text = f"the chart looks right, but the program reaches into Python: {reached[0]}"
        return outcome(Verdict.UNDETERMINED, text), figure.png, figure.facts
    if figure.result.isolation is Isolation.NONE:
        text = "the chart shows the data, but it was run without isolation"
        return outcome(Verdict.UNDETERMINED, text), figure.png, figure.facts
    return outcome(Verdict.SUPPORTED, "the chart shows the data"), figure.png, figure.facts


def _plain_words(expect: Mapping[str, Any]) -> dict[str, Any]:
    """The expectation with one word for each thing: kind of chart, and what splits the series."""
    plain = {**expect, "chart": chart_kind(expect.get("chart"))}
    if plain.get("group") is None:
        keys = ["hue", "series", "by", "split", "stack", "legend"]
        if plain["chart"] not in ("heatmap", "scatter"):
            keys += ["color", "colour"]
        found = (plain[key] for key in keys if isinstance(plain.get(key), str))
        plain["group"] = next(found, None)
    return plain


async def _both(
    files: dict[str, bytes],
    inputs: dict[str, Path],
    job: dict[str, Any],
    expect: Mapping[str, Any],
    policy: SandboxPolicy | None,
) -> tuple[FigureRun, SandboxResult]:
    """The program's figure, and what it has to show, each from a sandbox of its own."""
    source: dict[str, Path] = {_DATA: inputs[_DATA]} if _DATA in inputs else {}
    kept = {_DATA: files[_DATA]} if _DATA in files else {}
    found: list[SandboxResult] = []

    async def recompute() -> None:
        found.append(await _trusted({"data": _DATA, "expect": dict(expect)}, kept, source, policy))

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recompute)
            figure = await _run(job, inputs, files, policy)
    except BaseExceptionGroup as group:
        fault = fault_in(group)
        if fault is None:
            raise
        raise fault from None
    return figure, found[0]


def _by_name(code: str, table: Table) -> str:
    """The program with the table's name where it names the table's path, in quotes."""
    for quote in "'\"" if table.path.name else "":
        code = code.replace(f"{quote}{table.path}{quote}", f"{quote}{table.name}{quote}")
    return code


def place_data(code: str, data: Data) -> tuple[dict[str, bytes], dict[str, Path], dict[str, Any]]:
    """Files, inputs and job that put `data` where a program may look for it."""
    if isinstance(data, str) and "\n" not in data.strip():
        data = Path(data)
    if isinstance(data, Path):
        if not data.is_file():
            raise InputError(f"The data file {str(data)!r} does not exist.", hint="Check the path.")
        data = Table(data.name, data, "")
    if isinstance(data, Table):
        job: dict[str, Any] = {"code": _by_name(code, data), "data": _DATA}
        names = {_DATA} if data.name.lower().endswith(_LOADED) else {_DATA, data.name}
        if data.content is None:
            return {}, dict.fromkeys(names, data.path), job
        return dict.fromkeys(names, data.content), {}, job
    job = {"code": code, "data": _DATA}
    if isinstance(data, str):
        if "StringIO" in code:
            job["inline"] = data
        return {_DATA: data.encode()}, {}, job
    rows = [dict(row) for row in data]
    if not rows:
        raise InputError("The data has no rows.", hint="Give at least one row.")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(dict.fromkeys(k for r in rows for k in r)))
    writer.writeheader()
    writer.writerows(rows)
    job["inline"] = rows
    return {_DATA: buffer.getvalue().encode()}, {}, job
