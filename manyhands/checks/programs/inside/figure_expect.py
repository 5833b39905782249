# mypy: disable-error-code="import-not-found,import-untyped,var-annotated,arg-type,unused-ignore"
"""Recomputes from the source data what a chart has to show, and re-encodes a PNG.

Reads expect_job.json {data?, expect?, png?, pixels?}; writes expect.json and clean.png. It runs
in a sandbox of its own: no line of the plotting program is there.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from typing import Any

_AGGREGATES = {"mean", "sum", "count", "median", "min", "max", "std", "nunique", "first", "last"}
_AGGREGATE_NAMES = {
    "avg": "mean", "average": "mean", "total": "sum", "size": "count", "n": "count",
    "counts": "count", "frequency": "count", "maximum": "max", "minimum": "min", "med": "median",
    "stdev": "std", "unique": "nunique", "raw": "none", "identity": "none", "false": "none",
    "all": "none", "null": "none", "": "none",
}  # fmt: skip
_DATE_FORMS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m", "%Y", "%b", "%B", "%b %Y", "%B %Y", "%d %b",
    "%b %d", "%m-%d", "%d.%m.", "%d", "%m", "%b %y", "%b-%Y", "%Y/%m/%d", "%m/%d", "%a", "%A",
    "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S", "%d %b %Y", "%b %d, %Y", "%Y-%m-%dT%H:%M:%S.000000000",
)  # fmt: skip


_COLOUR_KEYS = ("value", "values", "z", "color", "colour", "c", "fill")
_MOST_HEATS = 8


class BadExpectation(ValueError):
    """The expectation does not fit the data."""


def _number(value: Any) -> float | None:
    try:
        out = float(value)
    except (TypeError, ValueError):
        return None
    return out if math.isfinite(out) else None


def _keys(values: Any) -> tuple[str, list[dict[str, Any]]]:
    """Kind of the x values, and for each its number (days since 1970 for dates) and its names."""
    import pandas as pd

    series = pd.Series(list(values))
    if pd.api.types.is_bool_dtype(series):
        return "text", [{"n": float(v), "names": [str(v)]} for v in series]
    if pd.api.types.is_numeric_dtype(series):
        rows = []
        for v in series:
            names = [str(v)] + ([str(int(v))] if float(v).is_integer() else [f"{v:g}"])
            rows.append({"n": _number(v), "names": names})
        return "number", rows
    texts = [str(v) for v in series]
    if texts and all(len(t) >= 7 and t[:4].isdigit() and t[4] in "-/" for t in texts):
        with contextlib.suppress(ValueError, TypeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stamps = pd.to_datetime(series)
            rows = []
            for text, stamp in zip(texts, stamps, strict=True):
                number = (stamp - pd.Timestamp(0, tz=stamp.tz)) / pd.Timedelta(days=1)
                names = [text, *(stamp.strftime(form) for form in _DATE_FORMS)]
                rows.append({"n": number, "names": names})
            return "date", rows
    return "text", [{"n": None, "names": [t]} for t in texts]


def _column(frame: Any, name: Any) -> Any:
    if name not in frame.columns:
        raise BadExpectation(f"the data has no column {name!r}")
    return frame[name]


def _series(frame: Any, name: str, x: Any, y: Any, agg: str) -> dict[str, Any]:
    import pandas as pd

    if agg == "none":
        table = pd.DataFrame({"x": _column(frame, x), "y": _column(frame, y)}).dropna()
        keys, values = table["x"], table["y"]
    else:
        if agg not in _AGGREGATES:
            raise BadExpectation(f"unknown aggregate {agg!r}")
        groups = frame.groupby(x, sort=True)
        done = groups.size() if y is None else groups[y].agg(agg)
        done = done.dropna()
        keys, values = done.index, done
    kind, rows = _keys(keys)
    return {"name": name, "kind": kind, "x": rows, "y": [_number(v) for v in values]}


def _heats(frame: Any, expect: dict[str, Any], agg: str) -> list[dict[str, Any]]:
    """The tables that a heat map may show: one for each column that may give the colour."""
    if agg == "corr":
        return [_cells(frame.select_dtypes("number").corr())]
    both = frame.groupby([expect["y"], expect["x"]])
    if agg == "count":
        return [_cells(both.size().unstack())]
    values = [expect[key] for key in _COLOUR_KEYS if isinstance(expect.get(key), str)]
    if not values:
        used = {expect["x"], expect["y"]}
        values = [c for c in frame.select_dtypes("number").columns if c not in used]
    if not values:
        raise BadExpectation("a heat map needs `value`: the column that gives the colour")
    how = "mean" if agg == "none" else agg
    if how not in _AGGREGATES:
        raise BadExpectation(f"unknown aggregate {agg!r}")
    return [_cells(both[_known(frame, value)].agg(how).unstack()) for value in values[:_MOST_HEATS]]


def _known(frame: Any, name: str) -> str:
    _column(frame, name)
    return name


def _cells(table: Any) -> dict[str, Any]:
    _, columns = _keys(table.columns)
    _, rows = _keys(table.index)
    cells = [[_number(v) for v in row] for row in table.to_numpy().tolist()]
    return {"columns": columns, "rows": rows, "cells": cells}


def _is_sideways(frame: Any, x: Any, y: Any) -> bool:
    """Whether x is the measured column and y the named one: the axes as they are drawn."""
    import pandas as pd

    if not (isinstance(x, str) and isinstance(y, str) and {x, y} <= set(frame.columns)):
        return False
    numeric = pd.api.types.is_numeric_dtype
    return bool(numeric(frame[x]) and not numeric(frame[y]))


def recompute(frame: Any, expect: dict[str, Any]) -> dict[str, Any]:
    """The data that the chart of `expect` has to show."""
    chart, x, y = expect["chart"], expect.get("x"), expect.get("y")
    agg = str(expect.get("agg") or "none").strip().lower()
    agg = _AGGREGATE_NAMES.get(agg, agg)
    if agg == "count" and isinstance(y, str) and y not in frame.columns:
        y = None  # the axis is named, no column
    sideways = chart == "barh" and _is_sideways(frame, x, y)
    if sideways:
        x, y = y, x
    ys = y if isinstance(y, list) else [y]
    columns = [str(c) for c in frame.columns]
    out: dict[str, Any] = {"columns": columns, "series": [], "sideways": sideways}
    group = expect.get("group")
    parts = [(None, frame)] if group is None else list(frame.groupby(group, sort=True))
    if chart == "heatmap":
        out["heats"] = _heats(frame, expect, agg)
    elif chart == "hist":
        column = x if x is not None else y
        out["hist"] = []
        for key, part in parts:
            numbers = [v for v in map(_number, _column(part, column)) if v is not None]
            out["hist"].append({"name": str(key), "values": sorted(numbers)})
    elif chart == "box":
        value = ys[0] if ys[0] is not None else x
        by = x if x is not None and ys[0] is not None else None
        groups = [("", frame)] if by is None else list(frame.groupby(by, sort=True))
        out["boxes"] = []
        for key, part in groups:
            column = _column(part, value).dropna()
            quarts = [float(column.quantile(q)) for q in (0.25, 0.5, 0.75)]
            out["boxes"].append({"name": str(key), "quartiles": quarts})
    else:
        if agg == "none" and chart in ("bar", "barh", "pie") and x is not None and ys == [None]:
            agg = "count"
        for key, part in parts:
            for column in ys:
                name = str(key) if group is not None else str(column)
                out["series"].append(_series(part, name, x, column, agg))
    return out


def main() -> None:
    """Do what the job asks."""
    with open("expect_job.json") as file:  # noqa: PTH123
        job = json.load(file)
    out: dict[str, Any] = {}
    if job.get("expect") is not None:
        import pandas as pd

        try:
            out = recompute(pd.read_csv(job["data"]), job["expect"])
        except (BadExpectation, KeyError, TypeError, ValueError) as error:
            out = {"error": f"{type(error).__name__}: {error}"}
    if job.get("png"):
        from PIL import Image

        with contextlib.suppress(Exception), Image.open(job["png"], formats=["PNG"]) as image:
            # Pixels only: text chunks, profiles and whatever follows the image stay behind.
            copy = Image.new("RGBA", image.size)
            copy.paste(image.convert("RGBA"))
            if job.get("pixels"):
                shrink = math.sqrt(job["pixels"] / (copy.width * copy.height))
                width, height = (max(1, int(side * shrink)) for side in copy.size)
                copy = copy.resize((width, height), Image.Resampling.LANCZOS)
            copy.save("clean.png")
    with open("expect.json", "w") as file:  # noqa: PTH123
        json.dump(out, file)


if __name__ == "__main__":
    main()
