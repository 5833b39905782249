"""Comparing the facts of a drawn figure with what its data say it has to show; pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "Fault",
    "FaultKind",
    "chart_kind",
    "close",
    "compare_figure",
    "in_order",
    "visible_color",
]

Json = Mapping[str, Any]
_REL = 1e-6
_OTHER_UNIT = re.compile(
    r"thousand|million|billion|percent|per cent|hundred|dozen|%|\b(?:k|m|mn|bn|kilo|mega|log)\b"
    r"|10\s*(?:\^|\*\*)|1e\d|\d{3}s\b|000",
    re.IGNORECASE,
)
_FAINT = 0.03  # opacity or distance to the background below which nothing is seen


class FaultKind(StrEnum):
    """What is wrong with a chart."""

    EMPTY = "empty"
    KIND = "kind"  # another kind of chart
    DATA = "data"  # values that the source does not give
    MISSING = "missing"  # some of the data are not drawn
    EXTRA = "extra"  # more is drawn than the data
    SWAPPED = "swapped"
    ORDER = "order"
    NAMES = "names"  # values under the wrong name, or under none
    BINS = "bins"
    HIDDEN = "hidden"
    CLIPPED = "clipped"
    BASELINE = "baseline"  # bars on an axis that does not start at zero
    INVERTED = "inverted"
    SCALE = "scale"
    TITLE = "title"
    XLABEL = "xlabel"
    YLABEL = "ylabel"
    UNIT = "unit"
    LEGEND = "legend"
    EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, in words."""

    kind: FaultKind
    what: str


def close(a: float | None, b: float | None, scale: float = 0.0) -> bool:
    """Whether two drawn numbers are the same: 1e-6 relative, or of `scale`."""
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_REL, abs_tol=_REL * scale + 1e-12)


def visible_color(color: Sequence[float], background: Sequence[float]) -> bool:
    """Whether a colour can be told from the background."""
    if len(color) < 4 or color[3] < _FAINT:
        return False
    back = background if len(background) == 4 and background[3] > _FAINT else (1, 1, 1, 1)
    distance = max(abs(c - b) for c, b in zip(color[:3], back[:3], strict=True))
    return distance * color[3] >= _FAINT


def in_order(numbers: Sequence[float]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(numbers))


_KINDS = {
    "column": "bar", "stackedbar": "bar", "groupedbar": "bar", "clusteredbar": "bar",
    "barstacked": "bar", "bargrouped": "bar", "horizontalbar": "barh", "hbar": "barh",
    "barhorizontal": "barh", "histogram": "hist", "heat": "heatmap", "boxplot": "box",
    "lines": "line", "multiline": "line", "timeseries": "line", "points": "scatter",
    "bars": "bar", "boxandwhisker": "box", "boxes": "box", "filledarea": "area",
    "imshow": "heatmap",
}  # fmt: skip


def chart_kind(name: Any) -> str:
    """The kind of chart that a request names: `Stacked bar chart` is `bar`."""
    plain = re.sub(r"[^a-z]", "", re.sub(r"chart|graph|diagram", "", str(name).lower()))
    plain = re.sub(r"(?<=.)plot$", "", plain)
    return _KINDS.get(plain, plain)


def compare_figure(facts: Json, wanted: Json, expect: Json) -> list[Fault]:
    """Every fault of the figure against `wanted` (recomputed data) and `expect` (the request)."""
    # Imported here: these modules need the words of this one.
    from manyhands.checks.programs import figure_bars as bars
    from manyhands.checks.programs import figure_marks as marks

    checkers: dict[str, Callable[[Json, Json, Json], list[Fault]]] = {
        "line": marks.lines, "step": marks.lines, "area": marks.areas, "scatter": marks.scatter,
        "bar": bars.bars, "barh": bars.bars, "hist": bars.histogram, "pie": marks.pie,
        "heatmap": marks.heat, "box": marks.boxes,
    }  # fmt: skip
    chart = str(expect.get("chart", ""))
    if chart not in checkers:
        return [Fault(FaultKind.EXPECT, f"no check for charts of kind {chart!r}")]
    panels = [a for a in facts["axes"] if a["visible"] and not a["colorbar"]]
    if not panels or not any(_has_marks(a) for a in panels):
        return [Fault(FaultKind.EMPTY, "the axes show nothing")]
    attempts = []
    for panel in panels:
        if not _has_marks(panel):
            continue
        attempts.append(
            [
                *checkers[chart](panel, wanted, expect),
                *_words(panel, facts, wanted, expect, chart),
                *_scales(panel, expect, chart),
                *_told_numbers(panel, chart),
                *_clipped(panel, chart),
            ]
        )
    faults = min(attempts, key=len)
    if any(not _has_marks(a) for a in panels):
        faults = [*faults, Fault(FaultKind.EMPTY, "one of the axes shows nothing")]
    return faults


def _has_marks(axes: Json) -> bool:
    kinds = ("lines", "bars", "points", "images", "areas", "wedges", "boxes", "outlines")
    return any(axes[kind] for kind in kinds)


def _plain(text: Any) -> str:
    return " ".join(str(text).replace("$", "").split()).casefold()


def _words(axes: Json, facts: Json, wanted: Json, expect: Json, chart: str) -> list[Fault]:
    faults = []
    if expect.get("title"):
        titles = {_plain(axes["title"]), _plain(facts["suptitle"])}
        if _plain(expect["title"]) not in titles:
            text = f"the title is {axes['title'] or facts['suptitle']!r}, not {expect['title']!r}"
            faults.append(Fault(FaultKind.TITLE, text))
    columns = {_plain(c): c for c in wanted.get("columns", ())}
    for key, kind in (("xlabel", FaultKind.XLABEL), ("ylabel", FaultKind.YLABEL)):
        shown = axes[key]
        if expect.get(key):
            if _plain(shown) != _plain(expect[key]):
                text = f"the {key} is {shown!r}, not {expect[key]!r}"
                faults.append(Fault(kind, text))
            continue
        about = expect.get(key[0])
        other = _plain(expect.get("y" if key == "xlabel" else "x"))
        horizontal = chart == "barh" and not wanted.get("sideways")
        if horizontal:
            about, other = expect.get("y" if key == "xlabel" else "x"), _plain(about)
        named = columns.get(_plain(shown))
        mine = {_plain(a) for a in (about if isinstance(about, list) else [about])}
        free = chart in ("hist", "pie", "heatmap", "box")
        if named is not None and _plain(named) not in mine and not free and about is not None:
            text = f"the {key} names the column {named!r}, the axis shows {about!r}"
            faults.append(Fault(kind, text + (" (swapped)" if _plain(named) == other else "")))
    unit = expect.get("unit")
    if unit:
        said = f"{axes['xlabel']} {axes['ylabel']} {axes['title']} {facts['suptitle']}"
        if _plain(unit) not in _plain(said):
            faults.append(Fault(FaultKind.UNIT, f"the unit {unit!r} is not stated"))
    return faults


def _scales(axes: Json, expect: Json, chart: str) -> list[Fault]:
    if chart == "pie":
        return []
    faults = []
    log = expect.get("log")
    value_axis = "x" if chart == "barh" else "y"
    logs = {
        True: {value_axis}, "x": {"x"}, "y": {"y"}, "both": {"x", "y"}, "xy": {"x", "y"},
        "loglog": {"x", "y"},
    }.get(log, set())  # fmt: skip
    if chart == "hist" and log is True and axes["xscale"] == "log":
        logs = {"x"}
    if chart == "scatter" and log is True and axes["xscale"] == axes["yscale"] == "log":
        logs = {"x", "y"}
    for name in ("x", "y"):
        scale = axes[f"{name}scale"]
        right = ("log", "symlog") if name in logs else ("linear",)
        if scale not in right:
            faults.append(Fault(FaultKind.SCALE, f"the {name} axis is {scale}, not {right[0]}"))
        low, high = axes[f"{name}lim"]
        free = chart == "heatmap" or (chart == "barh" and name == "y")
        if not free and low is not None and high is not None and low > high:
            faults.append(Fault(FaultKind.INVERTED, f"the {name} axis runs backwards"))
    return faults


def _told_numbers(axes: Json, chart: str) -> list[Fault]:
    """Numbers at the ticks of the value axis that are not where the ticks stand.

    Another unit (thousands, percent) may be told in the label of the axis or beside the numbers.
    """
    if chart in ("pie", "heatmap", "box"):
        return []
    name = "x" if chart == "barh" else "y"
    if axes["offsets"]["xy".index(name)] or _OTHER_UNIT.search(axes[f"{name}label"]):
        return []
    for at, text in axes[f"{name}ticks"]:
        plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "").strip()
        if not re.fullmatch(r"-?\d+(?:\.\d+)?", plain):
            continue
        step = 10.0 ** -len(plain.partition(".")[2])
        if abs(float(plain) - at) > step * (1 + 1e-6):
            said = f"a tick of the {name} axis says {text} at {at:g}"
            return [Fault(FaultKind.NAMES, said)]
    return []


def _clipped(axes: Json, chart: str) -> list[Fault]:
    if chart == "pie":
        return []
    xs: list[float | None] = []
    ys: list[float | None] = []
    for line in axes["lines"]:
        if line["data"] and line["visible"]:
            xs += line["x"].get("at", line["x"]["v"])
            ys += line["y"].get("at", line["y"]["v"])
    for points in axes["points"]:
        xs += points["x"]
        ys += points["y"]
    edges = [bar for group in axes["bars"] for bar in group["bars"]]
    for bar in edges:
        if None not in (bar["x"], bar["w"], bar["y"], bar["h"]):
            # The far end of a bar; its near end is the baseline.
            xs += [bar["x"] + bar["w"] / 2, bar["x"] + bar["w"]]
            ys += [bar["y"] + bar["h"]]
    for image in axes["images"]:
        xs += image["xs"]
        ys += image["ys"]
    for name, values in (("x", xs), ("y", ys)):
        limits = axes[f"{name}lim"]
        if None in limits:
            continue
        low, high = min(limits), max(limits)
        slack = 1e-6 * (high - low)
        out = [v for v in values if v is not None and not low - slack <= v <= high + slack]
        if axes[f"{name}scale"] == "log" and edges:
            out = [v for v in out if v > 0]
        if out:
            text = f"{len(out)} marks lie outside of the {name} axis, the first at {out[0]:g}"
            return [Fault(FaultKind.CLIPPED, text)]
    return []
