"""Bars and histograms against the data that they have to show; pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from manyhands.checks.programs.figure_compare import (
    Fault,
    FaultKind,
    close,
    in_order,
    visible_color,
)
from manyhands.checks.programs.figure_series import (
    Json,
    Pair,
    match_series,
    same_key,
    series_faults,
)

__all__ = ["bars", "histogram"]


def _bar_pairs(group: Json, vertical: bool, axes: Json, series: Json) -> list[Pair]:
    """Each bar as (name or number, value)."""
    at, long, thick = ("x", "h", "w") if vertical else ("y", "w", "h")
    ticks = axes["xticks" if vertical else "yticks"]
    spots = [(b[at] + b[thick] / 2, b[at], b[long]) for b in group["bars"] if b[long] is not None]
    numbers = [k["n"] for k in series["x"] if k["n"] is not None]
    if numbers and spots:
        for which in (0, 1):
            hits = sum(any(close(s[which], n, abs(n)) for n in numbers) for s in spots)
            if hits == len(spots) and not _named_by_ticks(ticks, series):
                return [(s[which], s[2]) for s in spots]
    pairs: list[Pair] = []
    for center, _, length in spots:
        near = min(ticks, key=lambda t: abs(t[0] - center), default=None)
        name = near[1] if near is not None and abs(near[0] - center) < 0.51 else center
        pairs.append((name, length))
    return pairs


def _named_by_ticks(ticks: Sequence[Any], series: Json) -> bool:
    """Whether the ticks sit at 0, 1, 2 … and carry names: then positions mean nothing."""
    counted = [round(t[0], 6) for t in ticks] == list(range(len(ticks)))
    return (
        counted
        and len(ticks) == len(series["x"])
        and any(not same_key(t[0], k) for t, k in zip(ticks, series["x"], strict=True))
    )


def bars(axes: Json, wanted: Json, expect: Json) -> list[Fault]:
    """A bar for each value, from zero, under its name, in the asked order."""
    groups = [g for g in axes["bars"] if g["bars"]]
    if not groups:
        return [Fault(FaultKind.KIND, "there are no bars")]
    vertical = expect["chart"] != "barh"
    thick, base = ("w", "y") if vertical else ("h", "x")
    faults: list[Fault] = []
    for group in groups:
        if group["vertical"] is not vertical:
            return [
                Fault(FaultKind.KIND, f"the bars are {'horizontal' if vertical else 'vertical'}")
            ]
        for bar in group["bars"]:
            seen = visible_color(bar["color"], axes["face"]) or visible_color(
                bar["edge"], axes["face"]
            )
            if not bar["visible"] or not seen or not bar[thick]:
                faults.append(Fault(FaultKind.HIDDEN, "a bar cannot be seen"))
                break
    limits = [v for v in axes["ylim" if vertical else "xlim"] if v is not None]
    scale = axes["yscale" if vertical else "xscale"]
    if limits and scale == "linear" and not min(limits) <= 0 <= max(limits):
        text = f"the bars' axis starts at {min(limits):g}, not at 0"
        faults.append(Fault(FaultKind.BASELINE, text))
    series = wanted["series"]
    stacked = any(abs(b[base] or 0) > 1e-12 for g in groups for b in g["bars"])
    if stacked and len(groups) == 1:
        faults.append(Fault(FaultKind.BASELINE, "bars that do not start at 0"))
    if len(groups) > 1 and len(series) > 1:
        faults += _stack_faults([b for g in groups for b in g["bars"]], vertical)
    if len(series) == 1 and len(groups) > 1:
        # One call of bar() for each bar.
        groups = [{**groups[0], "bars": [b for g in groups for b in g["bars"]]}]
    drawn = []
    for group in groups:
        pairs = _bar_pairs(group, vertical, axes, series[0])
        drawn.append((group["label"], group["bars"][0]["color"], pairs))
    swapless = {**axes, "xticks": []}
    if len(series) > 1:
        drawn = [(label, color, _without_blanks(pairs, series)) for label, color, pairs in drawn]
    found = series_faults(drawn, swapless, series, ordered=False)
    if found and all(isinstance(x, float) for _, _, pairs in drawn for x, _ in pairs):
        values = Counter(round(v, 9) for _, _, pairs in drawn for _, v in pairs)
        right = Counter(round(v, 9) for one in series for v in one["y"] if v is not None)
        if values == right and not all(k["n"] is not None for one in series for k in one["x"]):
            found = [Fault(FaultKind.NAMES, "the ticks do not name the bars")]
    faults += found
    if not found and len(series) == 1:
        at, thick = ("x", "w") if vertical else ("y", "h")
        placed = sorted(
            zip([b[at] + b[thick] / 2 for b in groups[0]["bars"]], drawn[0][2], strict=False),
            key=lambda item: item[0],
        )
        faults += _bar_order([pair for _, pair in placed], series[0], expect, vertical)
    return faults


def _stack_faults(drawn: Sequence[Json], vertical: bool) -> list[Fault]:
    """Bars at one place stand on each other: none floats, and none covers another."""
    at, thick, base, long = ("x", "w", "y", "h") if vertical else ("y", "h", "x", "w")
    solid = [
        b for b in drawn if b[long] and None not in (b[base], b[at], b[thick]) and b["visible"]
    ]
    for bar in solid:
        start, end = sorted((bar[base], bar[base] + bar[long]))
        here = [
            other
            for other in solid
            if other is not bar and abs(other[at] - bar[at]) < 0.5 * bar[thick]
            and close(other[thick], bar[thick])
        ]  # fmt: skip
        ends = [0.0, *(other[base] + other[long] for other in here)]
        if not any(close(bar[base], stop, end) for stop in ends):
            return [Fault(FaultKind.BASELINE, "a bar neither starts at 0 nor on another bar")]
        slack = 1e-6 * max(abs(start), abs(end))
        for other in here:
            low, high = sorted((other[base], other[base] + other[long]))
            covers = min(end, high) - max(start, low) > slack
            if covers and bar["color"][3] >= 0.99 and other["color"][3] >= 0.99:
                return [Fault(FaultKind.HIDDEN, "a bar is drawn over another")]
    return []


def _without_blanks(pairs: list[Pair], series: Sequence[Json]) -> list[Pair]:
    """The pairs without bars of height 0 that stand for combinations which the data lack."""
    for one in series:
        zero = [k for k, v in zip(one["x"], one["y"], strict=True) if v == 0]
        kept = [p for p in pairs if p[1] != 0 or any(same_key(p[0], k) for k in zero)]
        if match_series(kept, one, ordered=False) is None:
            return kept
    return pairs


def _bar_order(shown: Sequence[Pair], series: Json, expect: Json, vertical: bool) -> list[Fault]:
    order = expect.get("order")
    values = [v for _, v in shown]
    keys = [next((k for k in series["x"] if same_key(x, k)), None) for x, _ in shown]
    right = True
    if isinstance(order, (list, tuple)):
        want = [str(o) for o in order]
        have = [next((o for o in want if k and o in k["names"]), None) for k in keys]
        named = [name for name in have if name is not None]
        kept = [o for o in want if o in named]
        right = named == kept or (not vertical and named == kept[::-1])
    elif isinstance(order, str):
        word = order.lower()
        if word.startswith("desc") or word in ("-y", "value_desc"):
            right = in_order([-v for v in values]) or (not vertical and in_order(values))
        elif word.startswith("asc") or word in ("y", "value", "value_asc"):
            right = in_order(values) or (not vertical and in_order([-v for v in values]))
        else:
            names = [k["names"][0] for k in keys if k]
            ranks = [k["n"] for k in keys if k and k["n"] is not None]
            sortable = ranks if len(ranks) == len(names) else [float(sorted(names).index(n)) for n in names]  # noqa: E501  # fmt: skip
            right = in_order(sortable) or (not vertical and in_order([-v for v in sortable]))
    elif all(k and k["n"] is not None for k in keys):
        ranks = [k["n"] for k in keys if k]
        right = in_order(ranks) or (not vertical and in_order([-v for v in ranks]))
        # Sorting by value is a choice of the author's.
        right = right or in_order(values) or in_order([-v for v in values])
    return [] if right else [Fault(FaultKind.ORDER, "the bars are in another order")]


def histogram(axes: Json, wanted: Json, expect: Json) -> list[Fault]:
    """Counts of the drawn bins recomputed from the data."""
    groups = [g["bars"] for g in axes["bars"] if g["bars"]]
    groups = groups or [bars for o in axes["outlines"] if (bars := _steps(o))]
    if not groups:
        return [Fault(FaultKind.KIND, "there are no bars to count")]
    samples = wanted["hist"]
    if len(samples) != len(groups):
        text = f"{len(groups)} histograms for {len(samples)} samples"
        return [Fault(FaultKind.MISSING, text)]
    faults: list[Fault] = []
    names = [entry["text"].strip() for entry in axes["legend"]]
    if len(samples) > 1 and sorted(names) != sorted(s["name"] for s in samples):
        faults.append(Fault(FaultKind.LEGEND, "the legend does not name the samples"))
    colors = {e["text"].strip(): list(e["color"][:3]) for e in axes["legend"]}
    for at, sample in enumerate(samples):
        bars_ = groups[at]
        if len(samples) > 1 and sample["name"] in colors:
            mine = [g for g in groups if list(g[0]["color"][:3]) == colors[sample["name"]]]
            bars_ = mine[0] if mine else bars_
        faults += _one_histogram(bars_, sample["values"], axes, expect)
    return faults


def _steps(outline: Json) -> list[Json]:
    """The bars that the outline of a stepped histogram stands for."""
    corners = [(x, y) for x, y in outline["xy"] if x is not None and y is not None]
    return [
        {"x": x, "y": 0.0, "w": right - x, "h": y, "color": outline["color"],
         "edge": outline["color"], "visible": outline["visible"]}
        for (x, y), (right, level) in itertools.pairwise(corners)
        if y == level and right > x
    ]  # fmt: skip


def _one_histogram(
    drawn: Sequence[Json], values: Sequence[float], axes: Json, expect: Json
) -> list[Fault]:
    drawn = _without_gaps(sorted(drawn, key=lambda b: b["x"]), values)
    edges = [b["x"] for b in drawn] + [drawn[-1]["x"] + drawn[-1]["w"]]
    scale = max(abs(edges[0]), abs(edges[-1]))
    faults = []
    for bar in drawn:
        seen = visible_color(bar["color"], axes["face"]) or visible_color(bar["edge"], axes["face"])
        if not bar["visible"] or not seen or not bar["w"]:
            faults.append(Fault(FaultKind.HIDDEN, "a bar cannot be seen"))
            break
    if any(not close(a["x"] + a["w"], b["x"], scale) for a, b in itertools.pairwise(drawn)):
        faults.append(Fault(FaultKind.BINS, "the bars do not touch: they are no bins"))
    bins = expect.get("bins")
    if isinstance(bins, int) and len(drawn) != bins:
        faults.append(Fault(FaultKind.BINS, f"{len(drawn)} bins, not {bins}"))
    elif isinstance(bins, int) and values and expect.get("group") is None:
        low, high = min(values), max(values)
        if low == high:
            low, high = low - 0.5, high + 0.5
        want = [low + (high - low) * i / bins for i in range(bins + 1)]
        if axes["xscale"] == "linear" and not all(
            close(a, b, 100 * scale) for a, b in zip(edges, want, strict=True)
        ):
            faults.append(Fault(FaultKind.BINS, "the bins do not divide the range of the data"))
    elif isinstance(bins, (list, tuple)) and (
        len(bins) != len(edges)
        or not all(close(a, float(b), scale) for a, b in zip(edges, bins, strict=True))
    ):
        faults.append(Fault(FaultKind.BINS, "the edges of the bins are not the asked ones"))
    counts = _count(values, edges)
    heights = [b["h"] for b in drawn]
    total = len(values)
    if expect.get("density"):
        heights = [h * b["w"] * total for h, b in zip(heights, drawn, strict=True)]
    wrong = [i for i, (h, c) in enumerate(zip(heights, counts, strict=True)) if not close(h, c)]
    # A value on an edge may fall on either side of it by rounding.
    if wrong and not _shifted_by_rounding(values, edges, heights):
        i = wrong[0]
        text = (
            f"the bin from {edges[i]:g} to {edges[i + 1]:g} shows {heights[i]:g}, not {counts[i]:g}"
        )
        faults.append(Fault(FaultKind.DATA, text))
    elif round(sum(heights)) != total:
        text = f"{total - round(sum(heights))} of {total} values are in no bin"
        faults.append(Fault(FaultKind.MISSING, text))
    limits = [v for v in axes["ylim"] if v is not None]
    if limits and axes["yscale"] == "linear" and not min(limits) <= 0 <= max(limits):
        faults.append(Fault(FaultKind.BASELINE, f"the axis starts at {min(limits):g}, not at 0"))
    return faults


def _without_gaps(drawn: Sequence[Json], values: Sequence[float]) -> Sequence[Json]:
    """Bars drawn narrower than their bins (`rwidth=0.9`) at the width of these.

    They stand in the middle of the bin, or at its left edge: as the counts say.
    """
    if len(drawn) < 2:
        return drawn
    step, thick = drawn[1]["x"] - drawn[0]["x"], drawn[0]["w"]
    even = all(close(b["x"] - a["x"], step, step) for a, b in itertools.pairwise(drawn))
    if not even or not step / 2 <= thick < 0.999 * step:
        return drawn
    if not all(close(b["w"], thick, step) for b in drawn):
        return drawn
    centred, left = (
        [{**b, "x": b["x"] - shift, "w": step} for b in drawn] for shift in ((step - thick) / 2, 0)
    )
    counts = _count(values, [b["x"] for b in left] + [left[-1]["x"] + step])
    whole = sum(b["h"] for b in left) or 1.0
    fits = all(
        close(b["h"] / whole, c / (len(values) or 1)) for b, c in zip(left, counts, strict=True)
    )
    return left if fits else centred


def _count(values: Sequence[float], edges: Sequence[float]) -> list[float]:
    counts = [0.0] * (len(edges) - 1)
    for value in values:
        for i in range(len(counts)):
            last = i == len(counts) - 1
            if edges[i] <= value and (value < edges[i + 1] or (last and value <= edges[i + 1])):
                counts[i] += 1
                break
    return counts


def _shifted_by_rounding(
    values: Sequence[float], edges: Sequence[float], heights: Sequence[float]
) -> bool:
    """Whether the heights fit when values within rounding of an edge may go to either bin."""
    width = abs(edges[-1] - edges[0])
    near = [v for v in values if any(abs(v - e) <= 1e-9 * width for e in edges)]
    if not near or round(sum(heights)) != len(values):
        return False
    sure = _count([v for v in values if v not in set(near)], edges)
    return all(h - c >= -1e-9 and h - c <= len(near) for h, c in zip(heights, sure, strict=True))
