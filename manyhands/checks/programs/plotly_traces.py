"""A Plotly figure of bars or lines as a plain drawing program, so that what it shows is compared.

Only properties that are known not to change what the traces say are passed over. With any other the
figure is not compared: an allow-list can say too little, never too much.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["NotCompared", "drawing_program"]

#: Of a trace: what names it, what a pointer sees, and what is looked at below.
_PASSED_OVER = {
    "alignmentgroup", "customdata", "hoverinfo", "hoverlabel", "hovertemplate", "hovertext", "ids",
    "legendgroup", "legendrank", "meta", "textposition", "uid",
}  # fmt: skip
_TRACE = _PASSED_OVER | {
    "line", "marker", "mode", "name", "offsetgroup", "opacity", "orientation", "showlegend", "type",
    "visible", "x", "xaxis", "y", "yaxis",
}  # fmt: skip
_LAYOUT = {
    "autosize", "barmode", "height", "hovermode", "legend", "margin", "showlegend", "template",
    "title", "width", "xaxis", "yaxis",
}  # fmt: skip
_AXIS = {"anchor", "automargin", "domain", "showgrid", "tickangle", "title", "type", "zeroline"}
_DTYPES = {"i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"}
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?")
_NUMBER = re.compile(r"\s*[-+]?(\d|\.\d)[\d.,eE+-]*\s*%?\s*|\s*")
#: In pixels: what leaves a figure readable.
_LEAST_SIDE, _MOST_MARGIN = 300, 150
#: In pixels, the least and the most: what shows the values without covering others.
_LINE_WIDTH, _MARKER_SIZE, _OUTLINE = (1, 10), (3, 30), (0, 10)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")

_PROGRAM = """
import json
import matplotlib.pyplot as plt
import pandas as pd

job = json.loads({job!r})
fig, ax = plt.subplots()
traces = job["traces"]
for at, one in enumerate(traces):
    x, y = one["x"], [float("nan") if value is None else value for value in one["y"]]
    look = {{"label": one["name"], **one["look"]}}
    if job["dates"]:
        x = pd.to_datetime(pd.Series(x), format="ISO8601")
    if not one["bar"]:
        ax.plot(x, y, **look)
    elif job["places"]:
        wide = 0.8 / len(traces)
        spots = [job["places"].index(value) + (at - (len(traces) - 1) / 2) * wide for value in x]
        (ax.barh if job["flat"] else ax.bar)(spots, y, wide, **look)
    else:
        (ax.barh if job["flat"] else ax.bar)(x, y, **look)
if job["places"] and traces[0]["bar"]:
    (ax.set_yticks if job["flat"] else ax.set_xticks)(range(len(job["places"])), job["places"])
ax.set_title(job["title"])
ax.set_xlabel(job["xlabel"])
ax.set_ylabel(job["ylabel"])
for name in job["log"]:
    (ax.set_xscale if name == "xaxis" else ax.set_yscale)("log")
if job["legend"]:
    ax.legend()
"""


class NotCompared(Exception):
    """Why a figure's data are not compared."""


def drawing_program(figure: Mapping[str, Any], *, known_template: bool) -> str:
    """The program that draws the same marks. Raises NotCompared with the reason.

    Args:
        known_template: its template is one that Plotly ships, which changes looks only.
    """
    layout = _object(figure.get("layout") or {}, "layout")
    _only(figure, {"data", "layout", "frames"}, "the figure")
    _only(layout, _LAYOUT, "layout")
    if figure.get("frames"):
        raise NotCompared("frames")
    if layout.get("template") and not known_template:
        raise NotCompared("a template of its own")
    _only(_object(layout.get("legend") or {}, "legend"), {"title", "tracegroupgap"}, "legend")
    margin = _object(layout.get("margin") or {}, "margin")
    if not all(_is_number(side) and side <= _MOST_MARGIN for side in margin.values()):
        raise NotCompared("wide margins")
    for side in (layout.get("width"), layout.get("height")):
        if side is not None and not (_is_number(side) and side >= _LEAST_SIDE):
            raise NotCompared("a small figure")
    traces = [_object(one, "trace") for one in figure.get("data") or []]
    if not traces:
        raise NotCompared("a figure without traces")
    bar = traces[0].get("type") == "bar"
    flat = bar and traces[0].get("orientation") == "h"
    drawn = [_trace(one, at, bar=bar, flat=flat) for at, one in enumerate(traces)]
    if bar and len(drawn) > 1 and layout.get("barmode", "group") != "group":
        raise NotCompared(f"bars that are laid out by {layout['barmode']!r}")
    groups = [one.get("offsetgroup") for one in traces]
    if any(groups) and len({str(one) for one in groups}) < len(groups):
        raise NotCompared("bars that share a place")
    kind = _kind_of([value for one in drawn for value in one["x"]])
    if bar and len(drawn) > 1 and kind != "category":
        raise NotCompared("groups of bars at numbers or dates")
    along, across = ("yaxis", "xaxis") if flat else ("xaxis", "yaxis")
    log = [name for name, of in ((along, kind), (across, "linear")) if _is_log(layout, name, of)]
    legend = layout.get("showlegend")
    shown = len(drawn) > 1 or any(one.get("showlegend") is True for one in traces)
    job = {
        "traces": drawn,
        "dates": kind == "date",
        "places": list(dict.fromkeys(v for one in drawn for v in one["x"]))
        if kind == "category"
        else [],
        "flat": flat,
        "title": _title(layout.get("title")),
        "xlabel": _title(_object(layout.get("xaxis") or {}, "xaxis").get("title")),
        "ylabel": _title(_object(layout.get("yaxis") or {}, "yaxis").get("title")),
        "log": log,
        "legend": shown if legend is None else legend is True,
    }
    return _PROGRAM.format(job=json.dumps(job))


def _trace(trace: Mapping[str, Any], at: int, *, bar: bool, flat: bool) -> dict[str, Any]:
    _only(trace, _TRACE, f"trace {at}")
    kind = trace.get("type", "scatter")
    if kind not in ({"bar"} if bar else {"scatter", "scattergl"}):
        raise NotCompared(f"a trace of type {kind!r}")
    if trace.get("visible", True) is not True or trace.get("opacity", 1) != 1:
        raise NotCompared("a trace that is not wholly seen")
    if (trace.get("xaxis", "x"), trace.get("yaxis", "y")) != ("x", "y"):
        raise NotCompared("more than one pair of axes")
    if (trace.get("orientation") or "v") != ("h" if flat else "v"):
        raise NotCompared("bars of both orientations, or a line with one")
    x, y = _values(trace.get("x"), "x"), _values(trace.get("y"), "y")
    if flat:
        x, y = y, x
    if not x or len(x) != len(y) or any(value is None for value in x):
        raise NotCompared("places that are missing, or another number of them than of values")
    if not all(value is None or _is_number(value) for value in y):
        raise NotCompared("values that are no numbers")
    if bar and len(set(x)) < len(x):
        raise NotCompared("several bars at one place")
    seen = trace.get("showlegend", True) is not False
    look: dict[str, Any] = {}
    marker, line = (_object(trace.get(key) or {}, key) for key in ("marker", "line"))
    _only(marker, {"color", "size", "symbol", "pattern", "line"}, "marker")
    _only(line, {"color", "dash", "width", "shape"}, "line")
    _only(_object(marker.get("pattern") or {}, "pattern"), {"shape"}, "pattern")
    outline = _object(marker.get("line") or {}, "marker.line")
    _only(outline, {"color", "width"}, "marker.line")
    if line.get("shape", "linear") != "linear":
        raise NotCompared(f"lines of shape {line['shape']!r}")
    for width, (least, most) in (
        (line.get("width", 2), _LINE_WIDTH),
        (marker.get("size", 6), _MARKER_SIZE),
        (outline.get("width", 0), _OUTLINE),
    ):
        if not _is_number(width) or not least <= width <= most:
            raise NotCompared("lines or markers too small or large to read, or of several sizes")
    colours = [one["color"] for one in (marker, line) if "color" in one]
    if not all(isinstance(one, str) and _COLOUR.fullmatch(one) for one in colours):
        raise NotCompared("colours other than #rrggbb")
    if any(_is_pale_or_black(one) for one in colours):
        raise NotCompared("colours that may not be told from the ground")
    if colours:
        look["color"] = colours[-1]
    if not bar:
        mode = trace.get("mode") or ("lines+markers" if len(x) < 20 else "lines")
        looks = {
            "lines": {},
            "markers": {"linestyle": "none", "marker": "o"},
            "lines+markers": {"marker": "o"},
        }
        if mode not in looks:
            raise NotCompared(f"the mode {mode!r}")
        look |= looks[mode]
    name = trace.get("name") or f"trace {at}"
    return {"x": x, "y": y, "bar": bar, "name": str(name) if seen else "_nolegend_", "look": look}


def _is_pale_or_black(colour: str) -> bool:
    parts = bytes.fromhex(colour[1:])
    return min(parts) > 0xD8 or max(parts) < 0x20


def _values(given: Any, name: str) -> list[Any]:
    if isinstance(given, Mapping):  # as Plotly writes arrays: base64 of little-endian numbers
        if set(given) != {"dtype", "bdata"} or given["dtype"] not in _DTYPES:
            raise NotCompared(f"{name} as an array of another kind")
        try:
            raw = base64.b64decode(str(given["bdata"]), validate=True)
            found = np.frombuffer(raw, dtype=f"<{given['dtype']}").tolist()
        except ValueError:
            raise NotCompared(f"{name} as an array that cannot be read") from None
        return [None if isinstance(one, float) and not math.isfinite(one) else one for one in found]
    plain = isinstance(given, Sequence) and not isinstance(given, str)
    if not plain or not all(
        one is None or isinstance(one, str) or _is_number(one) for one in given
    ):
        raise NotCompared(f"{name} other than a list of numbers and texts")
    return list(given)


def _kind_of(values: Sequence[Any]) -> str:
    """What Plotly takes places for: `linear`, `date` or `category`."""
    if all(map(_is_number, values)):
        return "linear"
    if not all(isinstance(value, str) for value in values):
        raise NotCompared("numbers and texts side by side")
    if all(map(_DATE.fullmatch, values)):
        return "date"
    if any(_NUMBER.fullmatch(value) or _DATE.match(value) for value in values):
        raise NotCompared("texts that Plotly may take for numbers or dates")
    return "category"


def _is_log(layout: Mapping[str, Any], name: str, kind: str) -> bool:
    """Whether an axis is logarithmic; one that is laid out in another way is not compared."""
    axis = _object(layout.get(name) or {}, name)
    _only(axis, _AXIS, name)
    if list(axis.get("domain") or (0, 1)) != [0, 1]:
        raise NotCompared(f"an {name} on a part of the figure")
    stated = axis.get("type") or "-"
    if stated not in ("-", kind) and (stated, kind) != ("log", "linear"):
        raise NotCompared(f"an {name} of type {stated!r}")
    return stated == "log"


def _title(given: Any) -> str:
    if isinstance(given, Mapping):
        _only(given, {"text", "standoff"}, "title")
        given = given.get("text")
    return str(given) if given else ""


def _object(given: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise NotCompared(f"{name} that is no object")
    return given


def _only(given: Mapping[str, Any], known: set[str], name: str) -> None:
    other = sorted(key for key, value in given.items() if key not in known and value is not None)
    if other:
        raise NotCompared(f"{other[0]!r} of {name}")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
