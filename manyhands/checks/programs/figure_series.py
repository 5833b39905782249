"""Drawn points against the series of values that they have to show; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyhands.checks.programs.figure_compare import (
    Fault,
    FaultKind,
    close,
    in_order,
)

__all__ = ["Json", "Pair", "drawn_pairs", "match_series", "same_key", "series_faults"]

Json = Mapping[str, Any]
Pair = tuple[Any, float]


def same_key(drawn: Any, key: Json) -> bool:
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


def match_series(drawn: Sequence[Pair], series: Json, *, ordered: bool) -> Fault | None:
    """How drawn pairs differ from a series; None when they do not."""
    scale = max([abs(v) for v in series["y"] if v is not None] or [0.0])
    want = [(k, v) for k, v in zip(series["x"], series["y"], strict=True) if v is not None]

    def equal(pair: Pair, wanted: tuple[Json, float]) -> bool:
        return same_key(pair[0], wanted[0]) and close(pair[1], wanted[1], scale)

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
        any(same_key(y, k) and not isinstance(x, str) and close(x, v, scale) for k, v in want)
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


def drawn_pairs(line: Json) -> list[Pair]:
    pairs = zip(line["x"]["v"], line["y"]["v"], strict=False)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def renamed(pairs: Sequence[Pair], axes: Json) -> list[Pair]:
    """The pairs with tick names in the place of positions, where every one has a name."""
    names = {round(at, 6): text for at, text in axes["xticks"]}
    if any(isinstance(x, str) or round(x, 6) not in names for x, _ in pairs):
        return list(pairs)
    return [(names[round(x, 6)], y) for x, y in pairs]


def series_faults(
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
            found = match_series(pairs, one, ordered=ordered)
            if found is not None:
                by_name = match_series(renamed(pairs, axes), one, ordered=ordered)
                found = found if by_name is not None else None
            if found is None:
                used.add(at)
                best = None
                break
            best = found
        if best is not None:
            others = [
                at for at, d in enumerate(drawn) if match_series(d[2], one, ordered=ordered) is None
            ]
            if named and legend and others:
                text = f"the legend gives {one['name']!r} the mark of another series"
                best = Fault(FaultKind.LEGEND, text)
            faults.append(best)
    unused = [d for at, d in enumerate(drawn) if at not in used and len(d[2]) > 2]
    if not faults and unused:
        faults.append(Fault(FaultKind.EXTRA, f"{len(unused)} drawn series are not in the data"))
    return faults
