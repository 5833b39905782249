"""The marks of each kind of chart against the data they have to show; pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from manyhands.checks.programs.figure_compare import (
    Fault,
    FaultKind,
    close,
    in_order,
    visible_color,
)

__all__ = ["areas", "bars", "boxes", "heat", "histogram", "lines", "pie", "scatter"]

Json = Mapping[str, Any]
Pair = tuple[Any, float]


def _same_key(drawn: Any, key: Json) -> bool:
    """Whether a drawn position or name stands for the x value `key`."""
    if isinstance(drawn, str):
        text = drawn.strip()
        if text in key["names"]:
            return True
        try:
            return key["n"] is not None and close(float(text), key["n"])
        except ValueError:
            return False
    return key["n"] is not None and close(drawn, key["n"], abs(key["n"]))


def _match(drawn: Sequence[Pair], series: Json, *, ordered: bool) -> Fault | None:
    """How drawn pairs differ from a series; None when they do not."""
    scale = max([abs(v) for v in series["y"] if v is not None] or [0.0])
    want = [(k, v) for k, v in zip(series["x"], series["y"], strict=True) if v is not None]

    def equal(pair: Pair, wanted: tuple[Json, float]) -> bool:
        return _same_key(pair[0], wanted[0]) and close(pair[1], wanted[1], scale)

    if len(drawn) == len(want) and all(map(equal, drawn, want)):
        return None
    left = list(want)
    extra = []
    for pair in drawn:
        found = next((w for w in left if equal(pair, w)), None)
        if found is None:
            extra.append(pair)
        else:
            left.remove(found)
    name = series["name"]
    if not extra and not left:
        numbers = [x for x, _ in drawn if not isinstance(x, str)]
        if not ordered or (len(numbers) == len(drawn) and in_order(numbers)):
            return None
        return Fault(FaultKind.ORDER, f"the points of {name!r} are joined in another order")
    swapped = sum(
        any(_same_key(y, k) and not isinstance(x, str) and close(x, v, scale) for k, v in want)
        for x, y in drawn
    )
    if drawn and swapped == len(drawn) and extra:
        return Fault(FaultKind.SWAPPED, f"x and y of {name!r} are exchanged")
    if not extra:
        return Fault(
            FaultKind.MISSING, f"{len(left)} of {len(want)} values of {name!r} are not drawn"
        )
    if not left:
        return Fault(FaultKind.EXTRA, f"{len(extra)} marks of {name!r} are not in the data")
    text = f"{name!r}: drawn {extra[0][0]}, {extra[0][1]:g}; the data give"
    return Fault(FaultKind.DATA, f"{text} {left[0][0]['names'][0]}, {left[0][1]:g}")


def _pairs(line: Json) -> list[Pair]:
    pairs = zip(line["x"]["v"], line["y"]["v"], strict=False)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _renamed(pairs: Sequence[Pair], axes: Json) -> list[Pair]:
    """The pairs with tick names in the place of positions, where every one has a name."""
    names = {round(at, 6): text for at, text in axes["xticks"]}
    if any(isinstance(x, str) or round(x, 6) not in names for x, _ in pairs):
        return list(pairs)
    return [(names[round(x, 6)], y) for x, y in pairs]


def _series_faults(
    drawn: list[tuple[str, Sequence[float], list[Pair]]],
    axes: Json,
    series: Sequence[Json],
    *,
    ordered: bool,
) -> list[Fault]:
    """Match drawn groups (label, colour, pairs) with the series, by legend, label, or content."""
    named = len(series) > 1
    faults: list[Fault] = []
    legend = {entry["text"].strip(): entry["color"] for entry in axes["legend"]}
    if named and not legend:
        faults.append(Fault(FaultKind.LEGEND, f"{len(series)} series, but no legend"))
    used: set[int] = set()
    for one in series:
        if named and legend:
            color = legend.get(one["name"])
            if color is None:
                text = f"the legend does not name {one['name']!r}"
                faults.append(Fault(FaultKind.LEGEND, text))
                continue
            options = [at for at, d in enumerate(drawn) if list(d[1][:3]) == list(color[:3])]
        else:
            options = [at for at in range(len(drawn)) if at not in used]
        best: Fault | None = Fault(FaultKind.MISSING, f"{one['name']!r} is not drawn")
        for at in options:
            pairs = drawn[at][2]
            found = _match(pairs, one, ordered=ordered)
            if found is not None:
                renamed = _match(_renamed(pairs, axes), one, ordered=ordered)
                found = found if renamed is not None else None
            if found is None:
                used.add(at)
                best = None
                break
            best = found
        if best is not None:
            others = [
                at for at, d in enumerate(drawn) if _match(d[2], one, ordered=ordered) is None
            ]
            if named and legend and others:
                text = f"the legend gives {one['name']!r} the mark of another series"
                best = Fault(FaultKind.LEGEND, text)
            faults.append(best)
    unused = [d for at, d in enumerate(drawn) if at not in used and len(d[2]) > 2]
    if not faults and unused:
        faults.append(Fault(FaultKind.EXTRA, f"{len(unused)} drawn series are not in the data"))
    return faults


def lines(axes: Json, wanted: Json, _: Json) -> list[Fault]:
    """A line for each series, in the order of x, joined."""
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
    drawn = [(line["label"], line["color"], _pairs(line)) for line in shown]
    faults = _series_faults(drawn, axes, wanted["series"], ordered=True)
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
            y for x, y in corners if _same_key(x, key) or _same_key(names.get(round(x, 6), ""), key)
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
            groups.append((line["label"], line["color"], line["visible"], _pairs(line), True))
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
        return _series_faults(drawn, axes, [whole], ordered=False)
    if len(series) == 1 and len(drawn) > 1:
        drawn = [("", drawn[0][1], [pair for d in drawn for pair in d[2]])]
    return _series_faults(drawn, axes, series, ordered=False)


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
        and any(not _same_key(t[0], k) for t, k in zip(ticks, series["x"], strict=True))
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
    if len(series) == 1 and len(groups) > 1:
        # One call of bar() for each bar.
        groups = [{**groups[0], "bars": [b for g in groups for b in g["bars"]]}]
    drawn = []
    for group in groups:
        pairs = _bar_pairs(group, vertical, axes, series[0])
        drawn.append((group["label"], group["bars"][0]["color"], pairs))
    swapless = {**axes, "xticks": []}
    if len(series) > 1 and not any(v == 0 for one in series for v in one["y"]):
        # A bar of height 0 stands for a combination that the data lack.
        drawn = [(n, c, [p for p in pairs if p[1] != 0]) for n, c, pairs in drawn]
    found = _series_faults(drawn, swapless, series, ordered=False)
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


def _bar_order(shown: Sequence[Pair], series: Json, expect: Json, vertical: bool) -> list[Fault]:
    order = expect.get("order")
    values = [v for _, v in shown]
    keys = [next((k for k in series["x"] if _same_key(x, k)), None) for x, _ in shown]
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
    if not groups:
        kind = FaultKind.EXPECT if axes["outlines"] else FaultKind.KIND
        return [Fault(kind, "there are no bars to count")]
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


def _one_histogram(
    drawn: Sequence[Json], values: Sequence[float], axes: Json, expect: Json
) -> list[Fault]:
    drawn = sorted(drawn, key=lambda b: b["x"])
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
        counts = [c / (sum(counts) or 1) / b["w"] for c, b in zip(counts, drawn, strict=True)]
    wrong = [i for i, (h, c) in enumerate(zip(heights, counts, strict=True)) if not close(h, c)]
    # A value on an edge may fall on either side of it by rounding.
    if wrong and not (_shifted_by_rounding(values, edges, heights) and not expect.get("density")):
        i = wrong[0]
        text = (
            f"the bin from {edges[i]:g} to {edges[i + 1]:g} shows {heights[i]:g}, not {counts[i]:g}"
        )
        faults.append(Fault(FaultKind.DATA, text))
    elif not expect.get("density") and round(sum(heights)) != total:
        text = f"{total - round(sum(heights))} of {total} values are in no bin"
        faults.append(Fault(FaultKind.MISSING, text))
    limits = [v for v in axes["ylim"] if v is not None]
    if limits and axes["yscale"] == "linear" and not min(limits) <= 0 <= max(limits):
        faults.append(Fault(FaultKind.BASELINE, f"the axis starts at {min(limits):g}, not at 0"))
    return faults


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
        pairs.append((name, wedge["share"]))
    # Angles are kept in single precision.
    rounded = [(name, min(shares["y"], key=lambda s: abs(s - v), default=v)) for name, v in pairs]
    if all(abs(a[1] - b[1]) < 1e-5 for a, b in zip(pairs, rounded, strict=True)):
        pairs = rounded
    found = _match(pairs, shares, ordered=False)
    return [found] if found else []


def heat(axes: Json, wanted: Json, expect: Json) -> list[Fault]:
    """Each cell under the names of its row and its column."""
    images = [i for i in axes["images"] if i["visible"]]
    if not images:
        kind = FaultKind.HIDDEN if axes["images"] else FaultKind.KIND
        return [Fault(kind, "there is no heat map that can be seen")]
    image, table = images[0], wanted["heat"]
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
            hit = [i for i, key in enumerate(keys) if _same_key(drawn, key)]
            if not hit:
                hit = [i for i, key in enumerate(keys) if _same_key(spot, key)]
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
    return _heat_order(sides, table, expect)


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
