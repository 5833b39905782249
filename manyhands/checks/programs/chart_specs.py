"""Charts given as a specification: looked through, validated and drawn in the sandbox, compared.

A Vega-Lite specification says itself what is computed from which column, so it is compared with
the request without a drawing; its inline data are compared with the source. A Plotly figure holds
what it shows, so it is drawn again by a plain program whose marks are compared.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.battery import start
from manyhands.checks.programs.figure_compare import Fault, FaultKind, chart_kind
from manyhands.checks.programs.figures import Data, check_figure, clean_png, place_data
from manyhands.checks.programs.link import INSIDE
from manyhands.checks.programs.plotly_traces import NotCompared, drawing_program
from manyhands.checks.sandbox.contracts import Isolation, RunStatus, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.specs import check_plotly, check_vega_lite
from manyhands.errors import InputError

__all__ = ["check_spec", "compare_spec"]

_MARKS = {
    "bar": "bar", "line": "line", "trail": "line", "point": "scatter", "circle": "scatter",
    "square": "scatter", "area": "area", "arc": "pie", "rect": "heatmap", "boxplot": "box",
}  # fmt: skip
_AGGREGATES = {"average": "mean", "avg": "mean", "total": "sum", "raw": "none", "": "none"}
#: What is not a plain chart of one table; it is drawn and validated, not compared.
_BEYOND = (
    "transform",
    "layer",
    "hconcat",
    "vconcat",
    "concat",
    "repeat",
    "facet",
    "spec",
    "params",
)


async def check_spec(
    spec: Any,
    data: Data,
    expect: Mapping[str, Any],
    policy: SandboxPolicy | None = None,
) -> tuple[CheckOutcome, bytes | None]:
    """Check a Vega-Lite or Plotly specification of `data` against `expect`.

    *refuted*: it may not be shown (remote data, images, links, markup), breaks its schema, or
    states another chart. Of Plotly, bars and lines are compared; else *undetermined*.

    Args:
        spec: a mapping, or its JSON text.

    Returns the outcome and a PNG (of Vega-Lite). Raises InputError for unusable `data` or `spec`.
    """
    started = time.monotonic()
    spec = _object(spec)
    vega = "data" not in spec or not isinstance(spec.get("data"), list)
    found = check_vega_lite(spec) if vega else check_plotly(spec)
    evidence: dict[str, Any] = {
        "method": "the specification looked through, validated and drawn in the sandbox",
        "kind": "vega-lite" if vega else "plotly",
        "refused": [{"fault": fault.value, "at": at} for fault, at in found],
    }

    def outcome(verdict: Verdict, summary: str) -> CheckOutcome:
        return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)

    if found:
        fault, at = found[0]
        return outcome(Verdict.REFUTED, f"it may not be shown: {fault} at {at or 'the top'}"), None
    files, inputs, job = place_data("", data)
    order = {"kind": evidence["kind"], "spec": spec, "data": job["data"]}
    source: dict[str, Path] = {k: v for k, v in inputs.items() if k == job["data"]}
    made = await start(
        SandboxRun(
            code=(INSIDE / "render_spec.py").read_text(),
            inputs=source,
            files={**files, "spec_job.json": json.dumps(order).encode()},
            collect=("spec.json", "chart.png"),
        ),
        policy,
    )
    evidence["isolation"] = made.isolation.value
    try:
        said = json.loads(made.files["spec.json"])
    except (KeyError, ValueError):
        why = made.limit or made.status.value
        verdict = Verdict.REFUTED if made.status is RunStatus.ERROR else Verdict.UNDETERMINED
        return outcome(verdict, f"it could not be drawn: {why}"), None
    raw = made.files.get("chart.png")
    png = await clean_png(raw, policy) if raw else None
    if said["error"]:
        return outcome(Verdict.REFUTED, f"it breaks its schema: {said['error']}"), png
    if not vega:
        return await _plotly(spec, data, expect, policy, said.get("template") is True, outcome), png
    beyond = next((key for key in _BEYOND if key in spec), None)
    if beyond:
        return outcome(Verdict.UNDETERMINED, f"sound, but {beyond!r} is not compared"), png
    faults = compare_spec(spec, said.get("rows", []), expect)
    evidence["faults"] = [{"kind": f.kind.value, "what": f.what} for f in faults]
    if faults:
        return outcome(Verdict.REFUTED, "; ".join(f.what for f in faults[:3])), png
    if made.isolation is Isolation.NONE:
        return outcome(Verdict.UNDETERMINED, "it shows the data, but without isolation"), png
    return outcome(Verdict.SUPPORTED, "the specification shows the data"), png


async def _plotly(
    spec: dict[str, Any],
    data: Data,
    expect: Mapping[str, Any],
    policy: SandboxPolicy | None,
    known_template: bool,
    outcome: Callable[[Verdict, str], CheckOutcome],
) -> CheckOutcome:
    """A sound figure's marks, drawn again by a plain program, against the data."""
    try:
        program = drawing_program(spec, known_template=known_template)
    except NotCompared as reason:
        return outcome(Verdict.UNDETERMINED, f"a sound Plotly figure; not compared: {reason}")
    found, _, _ = await check_figure(program, data, expect, policy)
    made = outcome(found.verdict, found.summary)
    return replace(made, evidence={**found.evidence, **made.evidence})


def _object(spec: Any) -> dict[str, Any]:
    if isinstance(spec, str):
        try:
            spec = json.loads(spec)
        except (ValueError, RecursionError):
            spec = None
    if not isinstance(spec, dict):
        raise InputError("'spec' is no JSON object.", hint="Give a Vega-Lite or Plotly object.")
    return spec


def compare_spec(
    spec: Mapping[str, Any], rows: list[dict[str, Any]], expect: Mapping[str, Any]
) -> list[Fault]:
    """Faults of a single-view Vega-Lite specification against the source's rows and the request."""
    mark = spec.get("mark")
    mark = mark.get("type") if isinstance(mark, Mapping) else mark
    encoding = spec.get("encoding") if isinstance(spec.get("encoding"), Mapping) else {}
    assert isinstance(encoding, Mapping)
    channels = {k: v for k, v in encoding.items() if isinstance(v, Mapping)}
    kind = _kind(str(mark), channels)
    want = chart_kind(expect.get("chart"))
    if kind != want:
        return [Fault(FaultKind.KIND, f"it is a chart of kind {kind!r}, not {want!r}")]
    faults = _columns(kind, channels, expect)
    faults += _data(spec, channels, rows)
    faults += _words(spec, channels, expect)
    for name in ("x", "y"):
        scale = channels.get(name, {}).get("scale") or {}
        log = expect.get("log") in (name, "both", "xy") or (
            expect.get("log") is True and name == ("x" if kind == "barh" else "y")
        )
        if (scale.get("type") in ("log", "symlog")) is not bool(log):
            text = f"the {name} scale is {scale.get('type', 'linear')}"
            faults.append(Fault(FaultKind.SCALE, text))
        if kind in ("bar", "barh", "hist") and scale.get("zero") is False and not log:
            faults.append(Fault(FaultKind.BASELINE, f"the {name} axis does not start at 0"))
        if scale.get("reverse"):
            faults.append(Fault(FaultKind.INVERTED, f"the {name} axis runs backwards"))
        if "domain" in scale:
            faults.append(Fault(FaultKind.CLIPPED, f"the {name} scale has a domain of its own"))
    if any(_unseen(part) for part in (spec.get("mark"), encoding.get("opacity"))):
        faults.append(Fault(FaultKind.HIDDEN, "the marks cannot be seen"))
    return faults


def _unseen(part: Any) -> bool:
    return isinstance(part, Mapping) and 0 in (
        part.get("opacity"),
        part.get("size"),
        part.get("value"),
    )


def _kind(mark: str, channels: Mapping[str, Mapping[str, Any]]) -> str:
    kind = _MARKS.get(mark, mark)
    x, y = channels.get("x", {}), channels.get("y", {})
    if kind == "bar" and x.get("bin"):
        return "hist"
    measured = ("quantitative",)
    if kind == "bar" and x.get("type") in measured and y.get("type") not in measured:
        return "barh"
    return kind


def _columns(
    kind: str, channels: Mapping[str, Mapping[str, Any]], expect: Mapping[str, Any]
) -> list[Fault]:
    agg = str(expect.get("agg") or "none").lower()
    agg = _AGGREGATES.get(agg, agg)
    x, y, value = expect.get("x"), expect.get("y"), expect.get("value")
    kinds: dict[str, dict[str, tuple[Any, str | None]]] = {
        "barh": {"y": (x, None), "x": (y, agg)},
        "hist": {"x": (x or y, None), "y": (None, "count")},
        "pie": {"color": (x, None), "theta": (y, agg)},
        "heatmap": {"x": (x, None), "y": (y, None), "color": (value, agg)},
        "box": {"x": (x, None), "y": (y, None)},
    }  # fmt: skip
    stated = kinds.get(kind, {"x": (x, None), "y": (y, agg)})
    faults = []
    for name, (field, aggregate) in stated.items():
        part = channels.get(name, {})
        count = aggregate == "count"
        if field is not None and part.get("field") != field and not count:
            text = f"the {name} channel shows {part.get('field')!r}, not {field!r}"
            faults.append(Fault(FaultKind.DATA, text))
        has = _AGGREGATES.get(str(part.get("aggregate") or "none"), part.get("aggregate") or "none")
        if has != (aggregate or "none"):
            faults.append(Fault(FaultKind.DATA, f"the {name} channel takes {has}, not {aggregate}"))
    group = expect.get("group")
    color = channels.get("color", {}).get("field")
    if kind not in ("pie", "heatmap") and group is not None and color != group:
        faults.append(Fault(FaultKind.LEGEND, f"the colour shows {color!r}, not {group!r}"))
    bins = expect.get("bins")
    made = channels.get("x", {}).get("bin")
    most = made.get("maxbins") if isinstance(made, Mapping) else None
    if kind == "hist" and isinstance(bins, int) and most != bins:
        faults.append(Fault(FaultKind.BINS, f"at most {most} bins, not {bins}"))
    order = str(expect.get("order") or "").lower()
    sort = channels.get("y" if kind == "barh" else "x", {}).get("sort")
    other = "x" if kind == "barh" else "y"
    if order[:4] in ("desc", "asc") or order[:3] == "asc":
        right = (f"-{other}", "descending") if order.startswith("desc") else (other, "ascending")
        if sort not in right[:1]:
            faults.append(Fault(FaultKind.ORDER, f"sorted by {sort!r}, not {right[0]!r}"))
    return faults


def _data(
    spec: Mapping[str, Any],
    channels: Mapping[str, Mapping[str, Any]],
    rows: list[dict[str, Any]],
) -> list[Fault]:
    given = spec.get("data")
    values = given.get("values") if isinstance(given, Mapping) else None
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(row, Mapping) for row in values):
        return [Fault(FaultKind.DATA, "the data are no list of rows")]
    used = sorted({str(part["field"]) for part in channels.values() if part.get("field")})

    def seen(table: list[Any]) -> Counter[str]:
        return Counter(json.dumps([_plain(row.get(name)) for name in used]) for row in table)

    mine, right = seen(values), seen(rows)
    if mine == right:
        return []
    lost, more = sum((right - mine).values()), sum((mine - right).values())
    return [Fault(FaultKind.DATA, f"{lost} rows of the source are missing, {more} are not in it")]


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _words(
    spec: Mapping[str, Any],
    channels: Mapping[str, Mapping[str, Any]],
    expect: Mapping[str, Any],
) -> list[Fault]:
    title = spec.get("title")
    title = title.get("text") if isinstance(title, Mapping) else title
    faults = []
    if expect.get("title") and title != expect["title"]:
        faults.append(Fault(FaultKind.TITLE, f"the title is {title!r}, not {expect['title']!r}"))
    for key, kind in (("xlabel", FaultKind.XLABEL), ("ylabel", FaultKind.YLABEL)):
        part = channels.get(key[0], {})
        axis = part.get("axis")
        own = axis.get("title") if isinstance(axis, Mapping) else None
        shown = own or part.get("title") or part.get("field")
        if expect.get(key) and shown != expect[key]:
            faults.append(Fault(kind, f"the {key} is {shown!r}, not {expect[key]!r}"))
        if axis is None and "axis" in part:
            faults.append(Fault(kind, f"the {key[0]} axis is switched off"))
    return faults
