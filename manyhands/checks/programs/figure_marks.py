"""Lines, areas, points, wedges, cells and boxes against the data they have to show; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from manyhands.checks.programs.figure_compare import (
    Fault,
    FaultKind,
    close,
    visible_color,
)
from manyhands.checks.programs.figure_series import (
    Json,
    Pair,
    drawn_pairs,
    match_series,
    same_key,
    series_faults,
)

__all__ = ["areas", "boxes", "heat", "lines", "pie", "scatter"]


def lines(axes: Json, wanted: Json, expect: Json) -> list[Fault]:
    """A line for each series, in the order of x, joined, in steps where these are asked for."""
    real = [line for line in axes["lines"] if line["data"]]
    shown = [
        line
        for line in real
        if line["visible"] and line["joined"] and visible_color(line["color"], axes["face"])
    ]
    if not shown:
        if real and any(not line["joined"] and line["marker"] for line in real):
            return [Fault(FaultKind.KIND, "points, not a line")]
        if real:
            return [Fault(FaultKind.HIDDEN, "the line cannot be seen")]
        return [Fault(FaultKind.KIND, "there is no line")]
    if expect["chart"] == "step" and not any(line["steps"] for line in shown):
        return [Fault(FaultKind.KIND, "a line without steps")]
    drawn = [(line["label"], line["color"], drawn_pairs(line)) for line in shown]
    faults = series_faults(drawn, axes, wanted["series"], ordered=True)
    if faults and len(shown) < len(real):
        hidden = len(real) - len(shown)
        faults.insert(0, Fault(FaultKind.HIDDEN, f"{hidden} lines cannot be seen"))
    return faults


def areas(axes: Json, wanted: Json, _: Json) -> list[Fault]:
    """The upper edge of each filled area holds the series."""
    shown = [a for a in axes["areas"] if a["visible"] and visible_color(a["color"], axes["face"])]
    if not shown:
        kind = FaultKind.HIDDEN if axes["areas"] else FaultKind.KIND
        return [Fault(kind, "there is no filled area that can be seen")]
    faults = []
    corners = [(x, y) for a in shown for x, y in a["v"] if x is not None and y is not None]
    if len(wanted["series"]) > 1:
        return [Fault(FaultKind.EXPECT, "areas of several series are not checked")]
    one = wanted["series"][0]
    names = {round(at, 6): text for at, text in axes["xticks"]}
    scale = max([abs(v) for v in one["y"] if v is not None] or [0.0])
    for key, value in zip(one["x"], one["y"], strict=True):
        at = [
            y for x, y in corners if same_key(x, key) or same_key(names.get(round(x, 6), ""), key)
        ]
        if value is not None and not any(close(y, value, scale) for y in at):
            text = f"no edge of the area at {key['names'][0]}, {value:g}"
            faults.append(Fault(FaultKind.DATA, text))
            break
    tops = [y for _, y in corners if y not in (0, 0.0)]
    values = [v for v in one["y"] if v is not None]
    if any(not any(close(y, v, scale) for v in values) for y in tops):
        faults.append(Fault(FaultKind.EXTRA, "the area has corners that are not in the data"))
    return faults


def scatter(axes: Json, wanted: Json, _: Json) -> list[Fault]:
    """One mark for each row; order does not matter."""
    groups = [(p["label"], p["color"], p["visible"], list(zip(p["x"], p["y"], strict=True)), p["one_color"]) for p in axes["points"]]  # noqa: E501  # fmt: skip
    for line in axes["lines"]:
        if line["data"] and line["marker"] and not line["joined"]:
            groups.append((line["label"], line["color"], line["visible"], drawn_pairs(line), True))
    if not groups:
        return [Fault(FaultKind.KIND, "there are no points")]
    shown = [g for g in groups if g[2] and visible_color(g[1], axes["face"])]
    if len(shown) < len(groups):
        return [Fault(FaultKind.HIDDEN, "points that cannot be seen")]
    drawn = [
        (g[0], g[1], [(x, y) for x, y in g[3] if x is not None and y is not None]) for g in shown
    ]
    series = wanted["series"]
    if len(series) > 1 and len(drawn) == 1 and not shown[0][4]:
        # One collection, coloured by group: its points are compared as a whole.
        whole = {"name": "all", "x": [k for s in series for k in s["x"]], "y": [v for s in series for v in s["y"]]}  # noqa: E501  # fmt: skip
        return series_faults(drawn, axes, [whole], ordered=False)
    if len(series) == 1 and len(drawn) > 1:
        drawn = [("", drawn[0][1], [pair for d in drawn for pair in d[2]])]
    return series_faults(drawn, axes, series, ordered=False)


def pie(axes: Json, wanted: Json, _: Json) -> list[Fault]:
    """A wedge for each value, its share of the whole, under its name."""
    if not axes["wedges"]:
        return [Fault(FaultKind.KIND, "there are no wedges")]
    if any(not w["visible"] or not visible_color(w["color"], (1, 1, 1, 1)) for w in axes["wedges"]):
        return [Fault(FaultKind.HIDDEN, "a wedge cannot be seen")]
    one = wanted["series"][0]
    values = [v for v in one["y"] if v is not None]
    shares = {**one, "y": [v / sum(values) for v in values]}
    legend = {tuple(e["color"][:3]): e["text"].strip() for e in axes["legend"]}
    pairs: list[Pair] = []
    for at, wedge in enumerate(axes["wedges"]):
        name = legend.get(tuple(wedge["color"][:3])) or wedge["label"]
        if name.startswith("_") and at < len(axes["texts"]):
            name = axes["texts"][at]
        pairs.append((_without_figures(name, one), wedge["share"]))
    # Angles are kept in single precision.
    rounded = [(name, min(shares["y"], key=lambda s: abs(s - v), default=v)) for name, v in pairs]
    if all(abs(a[1] - b[1]) < 1e-5 for a, b in zip(pairs, rounded, strict=True)):
        pairs = rounded
    found = match_series(pairs, shares, ordered=False)
    return [found] if found else []


def _without_figures(label: str, series: Json) -> str:
    """The name of a label such as `North (41 %)`; the label itself when it starts with none."""
    names = [str(name) for key in series["x"] for name in key["names"]]
    for name in sorted(names, key=len, reverse=True):
        rest = label.strip()[len(name) :]
        if label.strip().startswith(name) and re.fullmatch(r"[\s:,;()\[\]%.\d=-]*", rest):
            return name
    return label


def heat(axes: Json, wanted: Json, expect: Json) -> list[Fault]:
    """Each cell under the names of its row and its column; `wanted` may leave the column open."""
    images = [i for i in axes["images"] if i["visible"]]
    if not images:
        kind = FaultKind.HIDDEN if axes["images"] else FaultKind.KIND
        return [Fault(kind, "there is no heat map that can be seen")]
    tries = [_one_heat(axes, images[0], table, expect) for table in wanted["heats"]]
    return min(tries, key=len)


def _one_heat(axes: Json, image: Json, table: Json, expect: Json) -> list[Fault]:
    sides = []
    for name, spots, keys in (
        ("x", image["xs"], table["columns"]),
        ("y", image["ys"], table["rows"]),
    ):
        if len(spots) != len(keys):
            text = f"{len(spots)} cells along {name}, the data have {len(keys)}"
            return [Fault(FaultKind.MISSING, text)]
        places = []
        for spot in spots:
            near = min(axes[f"{name}ticks"], key=lambda t: abs(t[0] - spot), default=None)
            drawn: Any = near[1] if near is not None and abs(near[0] - spot) < 0.3 else spot
            hit = [i for i, key in enumerate(keys) if same_key(drawn, key)]
            if not hit:
                hit = [i for i, key in enumerate(keys) if same_key(spot, key)]
            places.append(hit[0] if hit else -1)
        if -1 in places or len(set(places)) != len(places):
            return [Fault(FaultKind.NAMES, f"the {name} ticks do not name the cells")]
        sides.append(places)
    scale = max([abs(v) for row in table["cells"] for v in row if v is not None] or [0.0])
    wrong = 0
    for r, row in enumerate(image["cells"]):
        for c, value in enumerate(row):
            want = table["cells"][sides[1][r]][sides[0][c]]
            blank = want is None and value in (None, 0, 0.0)
            wrong += not blank and not close(value, want, scale)
    if wrong:
        shown = sorted(v for row in image["cells"] for v in row if v is not None)
        right = sorted(v for row in table["cells"] for v in row if v is not None)
        same = len(shown) == len(right) and all(map(lambda a, b: close(a, b, scale), shown, right))
        kind = FaultKind.ORDER if same else FaultKind.DATA
        return [Fault(kind, f"{wrong} cells do not hold the value of their row and column")]
    return _saturated(image) + _heat_order(sides, table, expect)


def _saturated(image: Json) -> list[Fault]:
    """Values beyond the ends of the colour scale look alike, unless the colour bar says so."""
    low, high = image["colors"]
    values = [v for row in image["cells"] for v in row if v is not None]
    if None in (low, high) or not values or image["beyond"]:
        return []
    slack = 0.01 * (max(values) - min(values))
    cut = [v for v in values if not low - slack <= v <= high + slack]
    if not cut:
        return []
    text = f"{len(cut)} cells lie beyond the colour scale, {low:g} to {high:g}"
    return [Fault(FaultKind.CLIPPED, text)]


def _heat_order(sides: Sequence[Sequence[int]], table: Json, expect: Json) -> list[Fault]:
    order = expect.get("order")
    if not isinstance(order, (list, tuple)):
        return []
    want = [str(o) for o in order]
    for places, keys in zip(sides, (table["columns"], table["rows"]), strict=True):
        names = [next((o for o in want if o in keys[i]["names"]), "") for i in places]
        if all(names) and names not in (want, want[::-1]):
            return [Fault(FaultKind.ORDER, "rows or columns are in another order")]
    return []


def boxes(axes: Json, wanted: Json, _: Json) -> list[Fault]:
    """Quartiles of every group are among the drawn edges."""
    flat = [
        line["y"]["v"]
        for line in axes["lines"]
        if line["visible"] and visible_color(line["color"], axes["face"])
    ]
    ys = [v for values in flat for v in values if isinstance(v, float)]
    ys += [corner[1] for box in axes["boxes"] for corner in box if corner[1] is not None]
    if not ys:
        return [Fault(FaultKind.KIND, "there are no boxes that can be seen")]
    medians = [v[0] for v in flat if len(v) == 2 and isinstance(v[0], float) and v[0] == v[1]]
    names = [text for _, text in sorted(axes["xticks"])]
    groups = wanted["boxes"]
    for group in groups:
        for value in group["quartiles"]:
            if not any(close(v, value, abs(value)) for v in ys):
                text = f"the box of {group['name']!r} has no edge at {value:g}"
                return [Fault(FaultKind.DATA, text)]
    drawn = len(axes["boxes"]) or len([v for v in flat if len(v) == 5])
    if drawn > len(groups):
        return [Fault(FaultKind.EXTRA, f"{drawn} boxes for {len(groups)} groups")]
    if len(groups) > 1:
        if sorted(names) != sorted(g["name"] for g in groups):
            return [Fault(FaultKind.NAMES, "the ticks do not name the boxes")]
        wanted_medians = {g["name"]: g["quartiles"][1] for g in groups}
        order = [wanted_medians[n] for n in names]
        found = [m for m in medians if any(close(m, w, abs(w)) for w in order)]
        if len(found) == len(order) and not all(map(close, found, order)):
            return [Fault(FaultKind.NAMES, "the boxes stand under each other's names")]
    return []
