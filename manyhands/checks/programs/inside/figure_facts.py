# mypy: disable-error-code="import-not-found,import-untyped,var-annotated,arg-type,unused-ignore"
"""Runs a plotting program and writes down what its figure really shows, with a PNG of it.

Reads figure_job.json {code, data, inline?}; writes figure_facts.json and figure.png. The program
shares this process: the extraction uses methods saved before it started and reports which of
them it replaced. A program that sets out to forge this file can; an honest fault cannot, and
the signs of such a program in its text keep it from being supported (`meddling`).
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import os
import sys
import traceback
import types
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.axes
import matplotlib.collections
import matplotlib.colors
import matplotlib.dates
import matplotlib.figure
import matplotlib.image
import matplotlib.lines
import matplotlib.patches
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

_MOST = 50_000  # values of one artist
#: What pcolormesh and pcolor make; older releases have no PolyQuadMesh.
_MESHES = tuple(
    getattr(matplotlib.collections, name)
    for name in ("QuadMesh", "PolyQuadMesh")
    if hasattr(matplotlib.collections, name)
)
_SAVED: dict[tuple[type, str], Any] = {}
for _kind, _names in (
    (matplotlib.axes.Axes, "get_title get_xlabel get_ylabel get_xlim get_ylim get_legend"),
    (matplotlib.axes.Axes, "get_xscale get_yscale"),
    (matplotlib.figure.Figure, "get_axes savefig"),
    (matplotlib.lines.Line2D, "get_xdata get_ydata get_color get_label get_visible get_linestyle"),
    (matplotlib.patches.Rectangle, "get_x get_y get_width get_height get_visible get_alpha"),
    (matplotlib.collections.PathCollection, "get_offsets get_facecolor get_visible get_alpha"),
    (matplotlib.image.AxesImage, "get_array get_extent get_visible"),
):  # fmt: skip
    for _name in _names.split():
        _SAVED[_kind, _name] = getattr(_kind, _name)


def _parts() -> dict[str, Any]:
    """Every method and property of the classes whose objects are looked at."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] != "matplotlib" or name.split(".")[1:2] == ["backends"]:
            continue
        for kind in list(vars(module).values()):
            if isinstance(kind, type) and kind.__module__ == name:
                found |= {f"{kind.__qualname__}.{key}": part for key, part in vars(kind).items()
                          if callable(part) or isinstance(part, property)}  # fmt: skip
    return found


def _replaced(before: dict[str, Any], figure: Any) -> list[str]:
    """Parts of matplotlib that are not what they were, and getters put on single artists."""
    now = _parts()
    names = [name for name, part in before.items() if now.get(name, part) is not part]
    for artist in figure.findobj() if figure is not None else ():
        own = [key for key in vars(artist) if key.startswith("get_") or key == "findobj"]
        foreign = type(artist).__module__ in ("__main__", "plot")
        names += [f"{type(artist).__name__}.{key}" for key in own]
        names += [f"the class {type(artist).__name__}"] if foreign else []
    return sorted(set(names))[:20]


def _number(value: Any) -> float | None:
    try:
        out = float(value)
    except (TypeError, ValueError):
        return None
    return out if math.isfinite(out) else None


def _values(items: Any, numeric: Any = None) -> dict[str, Any]:
    """Values as {"kind": number|date|text, "v": [...]}; dates are days since 1970.

    Texts have their places on the axis in `at`.
    """
    items = list(items)[:_MOST]
    first = next((i for i in items if i is not None), None)
    if isinstance(first, str):
        places = [] if numeric is None else [_number(v) for v in list(numeric)[:_MOST]]
        return {"kind": "text", "v": [str(i) for i in items], "at": places}
    if hasattr(first, "to_timestamp"):
        stamps = [i.to_timestamp() for i in items]
        return {"kind": "date", "v": [_number(v) for v in matplotlib.dates.date2num(stamps)]}
    if hasattr(first, "isoformat") or isinstance(first, np.datetime64):
        stamps = pd.to_datetime(pd.Series(items)).to_numpy()
        return {"kind": "date", "v": [_number(v) for v in matplotlib.dates.date2num(stamps)]}
    chosen = items if numeric is None else list(numeric)[:_MOST]
    return {"kind": "number", "v": [_number(v) for v in chosen]}


def _color(value: Any, alpha: Any = None) -> list[float]:
    try:
        rgba = matplotlib.colors.to_rgba(value)
    except (ValueError, TypeError):
        return [0.0, 0.0, 0.0, 0.0]
    opacity = rgba[3] if alpha is None or not np.isscalar(alpha) else float(alpha)
    return [round(float(c), 4) for c in (*rgba[:3], opacity)]


def _colors(value: Any, alpha: Any = None) -> list[float]:
    rows = np.atleast_2d(np.asarray(value, dtype=float))
    return _color(tuple(rows[0]), alpha) if rows.size else [0.0, 0.0, 0.0, 0.0]


def _line(line: Any) -> dict[str, Any]:
    marker = line.get_marker()
    return {
        "label": str(line.get_label()),
        "x": _values(line.get_xdata(orig=True), line.get_xdata(orig=False)),
        "y": _values(line.get_ydata(orig=True), line.get_ydata(orig=False)),
        "color": _color(line.get_color(), line.get_alpha()),
        "visible": bool(line.get_visible()),
        "joined": line.get_linestyle() not in ("None", "", " ", None) and line.get_linewidth() > 0,
        "steps": str(line.get_drawstyle()).startswith("steps"),
        "marker": marker not in ("None", "", " ", None) and line.get_markersize() > 0,
        "data": line.get_transform().contains_branch_seperately(line.axes.transData)
        == (True, True),
    }


def _bar(patch: Any) -> dict[str, Any]:
    return {
        "x": _number(patch.get_x()),
        "y": _number(patch.get_y()),
        "w": _number(patch.get_width()),
        "h": _number(patch.get_height()),
        "color": _color(patch.get_facecolor(), patch.get_alpha()),
        "edge": _color(patch.get_edgecolor()) if patch.get_linewidth() > 0 else [0, 0, 0, 0],
        "visible": bool(patch.get_visible()) and _is_plain(patch),
    }


def _is_plain(patch: Any) -> bool:
    """Whether a bar stands where its numbers say: nothing moves it, nothing but the axes clips."""
    axes, box = patch.axes, patch.get_clip_box()
    if getattr(axes, "name", "") == "rectilinear" and patch.get_clip_on():
        if patch.get_clip_path() is not None:
            return False
        if box is not None and not np.allclose(box.extents, axes.bbox.extents, atol=1.0):
            return False
    return bool(patch.get_data_transform() == axes.transData)


def _is_band(patch: Any) -> bool:
    """Whether a rectangle that one can see through spans the axes (`axhspan`): no bar."""
    moved = patch.get_data_transform() != patch.axes.transData
    return bool(moved) and _bar(patch)["color"][3] < 0.9


def _steps(patch: Any) -> dict[str, Any]:
    """What `stairs` draws, as the bars that it stands for."""
    values, edges, baseline = patch.get_data()
    floors = np.broadcast_to(0.0 if baseline is None else baseline, np.shape(values))
    line = patch.get_edgecolor() if patch.get_linewidth() > 0 else (0, 0, 0, 0)
    shared = {
        "color": _color(patch.get_facecolor() if patch.get_fill() else line, patch.get_alpha()),
        "edge": _color(line),
        "visible": bool(patch.get_visible()),
    }
    bars = [
        {"x": _number(left), "w": _number(right - left), "y": _number(floor),
         "h": _number(top - floor), **shared}
        for left, right, top, floor in zip(edges, edges[1:], values, floors, strict=False)
    ][:_MOST]  # fmt: skip
    return {"label": str(patch.get_label()), "vertical": True, "bars": bars}


def _points(group: Any) -> dict[str, Any]:
    offsets = np.ma.getdata(group.get_offsets())[:_MOST]
    masks = np.ma.getmaskarray(group.get_offsets())[:_MOST]
    keep = ~masks.any(axis=1) if len(masks) else []
    sizes = group.get_sizes()
    face, edge = group.get_facecolor(), group.get_edgecolor()
    return {
        "label": str(group.get_label()),
        "x": [_number(v) for v in offsets[keep, 0]] if len(offsets) else [],
        "y": [_number(v) for v in offsets[keep, 1]] if len(offsets) else [],
        "color": _colors(face if len(face) else edge, group.get_alpha()),
        "one_color": len(np.unique(np.atleast_2d(face), axis=0)) <= 1,
        "visible": bool(group.get_visible()) and (len(sizes) == 0 or float(np.max(sizes)) > 0),
    }


def _image(item: Any) -> dict[str, Any] | None:
    array = np.ma.filled(np.ma.asarray(item.get_array(), dtype=float), np.nan)
    if isinstance(item, matplotlib.image.AxesImage):
        left, right, bottom, top = (float(v) for v in item.get_extent())
        if array.ndim != 2:
            return None
        rows, columns = array.shape
        if item.origin == "upper":
            ys = [top + (r + 0.5) * (bottom - top) / rows for r in range(rows)]
        else:
            ys = [bottom + (r + 0.5) * (top - bottom) / rows for r in range(rows)]
        xs = [left + (c + 0.5) * (right - left) / columns for c in range(columns)]
    else:
        mesh = item.get_coordinates()
        rows, columns = mesh.shape[0] - 1, mesh.shape[1] - 1
        array = array.reshape(rows, columns)
        xs = [float((mesh[0, c, 0] + mesh[0, c + 1, 0]) / 2) for c in range(columns)]
        ys = [float((mesh[r, 0, 1] + mesh[r + 1, 0, 1]) / 2) for r in range(rows)]
    if array.size > _MOST:
        return None
    cells = [[_number(v) for v in row] for row in array.tolist()]
    bar = getattr(item, "colorbar", None)
    return {
        "xs": xs,
        "ys": ys,
        "cells": cells,
        "visible": bool(item.get_visible()),
        "colors": [_number(v) for v in item.get_clim()],
        "beyond": bar is not None and bar.extend != "neither",
    }


def _ticks(axis: Any) -> list[list[Any]]:
    mapping = getattr(axis.units, "_mapping", None)
    if mapping:
        return [[float(at), str(text)] for text, at in mapping.items()]
    found = []
    for at, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False):
        if label.get_text():
            found.append([float(at), label.get_text()])
    return found[:500]


def _on_page(axes: Any) -> bool:
    """Whether most of the axes lies on the figure."""
    left, bottom, width, height = axes.get_position().bounds
    across = min(left + width, 1.0) - max(left, 0.0)
    up = min(bottom + height, 1.0) - max(bottom, 0.0)
    return bool(across > 0.9 * width > 0 and up > 0.9 * height > 0)


def _legend(axes: Any, figure: Any) -> list[dict[str, Any]]:
    legend = axes.get_legend() or (figure.legends[0] if figure.legends else None)
    if legend is None or not legend.get_visible():
        return []
    out = []
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=False):
        color: list[float] = []
        for getter in ("get_facecolor", "get_color", "get_markerfacecolor"):
            if hasattr(handle, getter) and not color:
                with contextlib.suppress(Exception):
                    color = _colors(matplotlib.colors.to_rgba_array(getattr(handle, getter)()))
        out.append({"text": text.get_text(), "color": color})
    return out


def _axes(axes: Any, figure: Any) -> dict[str, Any]:
    rects, containers = {id(p): p for p in axes.patches}, []
    for container in axes.containers:
        if isinstance(container, mpl.container.BarContainer):
            bars = [rects.pop(id(p), p) for p in container.patches]
            containers.append(
                {
                    "label": str(container.get_label()),
                    "vertical": getattr(container, "orientation", "vertical") != "horizontal",
                    "bars": [_bar(p) for p in bars if isinstance(p, matplotlib.patches.Rectangle)],
                }
            )
    left = [
        p for p in rects.values() if isinstance(p, matplotlib.patches.Rectangle) and not _is_band(p)
    ]
    if left:
        containers.append({"label": "", "vertical": True, "bars": [_bar(p) for p in left]})
    steps = [p for p in rects.values() if isinstance(p, matplotlib.patches.StepPatch)]
    containers += [_steps(p) for p in steps if p.orientation == "vertical"]
    shapes = [p for p in rects.values() if isinstance(p, matplotlib.patches.Polygon)]
    wedges = [p for p in rects.values() if isinstance(p, matplotlib.patches.Wedge)]
    boxes = [p for p in rects.values() if isinstance(p, matplotlib.patches.PathPatch)]
    kinds = matplotlib.collections
    meshes = [c for c in axes.collections if isinstance(c, _MESHES)]
    images = [*axes.images, *meshes]
    areas = [c for c in axes.collections if isinstance(c, kinds.PolyCollection) and c not in meshes]
    get = _SAVED
    kind = matplotlib.axes.Axes
    return {
        "title": get[kind, "get_title"](axes) or axes.get_title("left") or axes.get_title("right"),
        "xlabel": get[kind, "get_xlabel"](axes),
        "ylabel": get[kind, "get_ylabel"](axes),
        "xlim": [_number(v) for v in get[kind, "get_xlim"](axes)],
        "ylim": [_number(v) for v in get[kind, "get_ylim"](axes)],
        "xscale": get[kind, "get_xscale"](axes),
        "yscale": get[kind, "get_yscale"](axes),
        "xticks": _ticks(axes.xaxis),
        "yticks": _ticks(axes.yaxis),
        "offsets": [a.get_offset_text().get_text() for a in (axes.xaxis, axes.yaxis)],
        "face": _color(axes.get_facecolor()),
        "visible": bool(axes.get_visible()) and _on_page(axes),
        "colorbar": hasattr(axes, "_colorbar"),
        "legend": _legend(axes, figure),
        "lines": [_line(line) for line in axes.lines],
        "bars": containers,
        "points": [_points(c) for c in axes.collections if isinstance(c, kinds.PathCollection)],
        "images": [image for image in map(_image, images) if image is not None],
        "areas": [
            {
                "label": str(a.get_label()),
                "color": _colors(a.get_facecolor(), a.get_alpha()),
                "visible": bool(a.get_visible()),
                "v": [[_number(c) for c in v] for p in a.get_paths() for v in p.vertices[:_MOST]],
            }
            for a in areas
        ],
        "outlines": [
            {
                "label": str(p.get_label()),
                "xy": [[_number(c) for c in v] for v in p.get_xy()[:_MOST]],
                "color": _color(p.get_facecolor() if p.get_fill() else p.get_edgecolor()),
                "visible": bool(p.get_visible()),
            }
            for p in shapes
        ],
        "wedges": [
            {
                "share": (p.theta2 - p.theta1) / 360,
                "label": str(p.get_label()),
                "color": _color(p.get_facecolor(), p.get_alpha()),
                "visible": bool(p.get_visible()),
            }
            for p in wedges
        ],
        "boxes": [[[_number(c) for c in v] for v in p.get_path().vertices[:10]] for p in boxes],
        "texts": [t.get_text() for t in axes.texts][:200],
    }


def extract(figure: Any) -> dict[str, Any]:
    """Everything that `figure` shows, as JSON."""
    figure.canvas.draw()  # limits and tick labels are final only now
    suptitle = getattr(figure, "_suptitle", None)
    return {
        "suptitle": suptitle.get_text() if suptitle is not None else "",
        "axes": [_axes(a, figure) for a in _SAVED[matplotlib.figure.Figure, "get_axes"](figure)],
    }


def main() -> None:
    """Run the program of the job, then look at the figure it made last."""
    with open("figure_job.json") as file:  # noqa: PTH123
        job = json.load(file)
    out: dict[str, Any] = {"error": "", "figures": 0, "replaced": []}
    closed: list[Any] = []

    def keep_open(which: Any = None) -> None:
        """Stands for `plt.close`: a closed figure is still looked at when no other is left."""
        numbers = plt.get_fignums() if which == "all" else []
        if which is None and plt.get_fignums():
            numbers = [plt.gcf().number]
        elif isinstance(which, int):
            numbers = [which]
        elif isinstance(which, matplotlib.figure.Figure):
            numbers = [n for n in plt.get_fignums() if plt.figure(n) is which]
            if not numbers:
                closed.append(which)
        closed.extend(plt.figure(n) for n in numbers if n in plt.get_fignums())
        for number in numbers:
            really_close(number)

    before = _parts()
    really_close, plt.close = plt.close, keep_open  # type: ignore[assignment]
    plt.show = lambda *_, **__: None
    module = types.ModuleType("__main__")
    module.__dict__.update(plt=plt, np=np, pd=pd, __builtins__=builtins)
    if job.get("data"):
        module.__dict__["df"] = pd.read_csv(job["data"])
        module.__dict__["data"] = job["inline"] if job.get("inline") is not None else job["data"]
    sys.modules["__main__"] = module
    try:
        exec(compile(job["code"], "plot.py", "exec"), module.__dict__)  # noqa: S102
    except SystemExit as error:
        if error.code not in (None, 0):
            out["error"] = f"SystemExit: {error.code}"
    except BaseException as error:
        trace = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "plot.py"]
        line = f" (line {trace[-1].lineno})" if trace else ""
        out["error"] = f"{type(error).__name__}: {error}{line}"[:1000]
    open_now = [plt.figure(n) for n in plt.get_fignums()]
    others = [v for v in module.__dict__.values() if isinstance(v, matplotlib.figure.Figure)]
    figures = [f for f in (open_now or closed or others) if f.get_axes()] or open_now or closed
    out["figures"] = len(figures)
    out["replaced"] = _replaced(before, figures[-1] if figures else None)
    if figures and not out["error"]:
        try:
            out["facts"] = extract(figures[-1])
            _SAVED[matplotlib.figure.Figure, "savefig"](figures[-1], "figure.png", dpi=100)
        except Exception as error:
            out["error"] = f"the figure cannot be drawn: {type(error).__name__}: {error}"[:1000]
    with open("figure_facts.json", "w") as file:  # noqa: PTH123
        json.dump(out, file)
    sys.stdout.flush()
    os._exit(0)  # nothing that the program registered runs after the facts


if __name__ == "__main__":
    main()
