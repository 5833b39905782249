"""A chart given as a specification: refused when it could do harm, compared with the request."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.chart_specs import check_spec
from manyhands.checks.programs.plotly_traces import NotCompared, drawing_program
from manyhands.errors import InputError

pytestmark = pytest.mark.anyio

TABLE = "region,units\nNorth,3\nSouth,5\nNorth,4\n"
ROWS = [{"region": "North", "units": 3}, {"region": "South", "units": 5}, {"region": "North", "units": 4}]  # noqa: E501  # fmt: skip
SPEC: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "mark": "bar",
    "title": "Units",
    "encoding": {
        "x": {"field": "region", "type": "nominal"},
        "y": {"field": "units", "type": "quantitative", "aggregate": "sum", "title": "Units sold"},
    },
}
ASKED = {"chart": "bar", "x": "region", "y": "units", "agg": "sum", "title": "Units",
         "ylabel": "Units sold"}  # fmt: skip
PLOTLY = {"data": [{"type": "bar", "x": ["North", "South"], "y": [7, 5]}], "layout": {}}


def changed(**parts: Any) -> dict[str, Any]:
    """The specification with keys such as `encoding__y__aggregate` set."""
    spec = copy.deepcopy(SPEC)
    for path, value in parts.items():
        *way, last = path.split("__")
        place = spec
        for key in way:
            place = place.setdefault(key, {})
        place[last] = value
    return spec


async def judged(spec: Any) -> tuple[CheckOutcome, bytes | None]:
    return await check_spec(spec, TABLE, ASKED)


@pytest.mark.parametrize("spec", [SPEC, json.dumps(SPEC), changed(data={"values": ROWS})])
async def test_a_right_specification_is_supported_and_drawn(spec: Any) -> None:
    told, png = await judged(spec)
    assert told.verdict is Verdict.SUPPORTED, told
    assert png is not None
    assert png[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "spec",
    [
        changed(data={"url": "http://127.0.0.1/x.csv"}), changed(mark={"type": "image"}),
        changed(encoding__href={"field": "region"}), changed(title="<img src=x onerror=a()>"),
        changed(usermeta={"embedOptions": {}}),
        {**PLOTLY, "layout": {"images": [{"source": "http://x/y.png"}]}},
        {"data": [{"type": "bar", "x": ["<a href='http://x'>N</a>"], "y": [1]}]},
    ],
)  # fmt: skip
async def test_what_could_fetch_link_or_run_is_refused_before_anything_draws_it(spec: Any) -> None:
    told, png = await judged(spec)
    assert told.verdict is Verdict.REFUTED, told
    assert "may not be shown" in told.summary
    assert png is None


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (changed(mark="line"), "kind"), (changed(encoding__y__aggregate="mean"), "data"),
        (changed(encoding__y__field="region"), "data"), (changed(title="Sales"), "title"),
        (changed(encoding__y__title="Pieces"), "ylabel"),
        (changed(encoding__y__scale={"type": "log"}), "scale"),
        (changed(encoding__y__scale={"zero": False}), "baseline"),
        (changed(encoding__y__scale={"domain": [0, 5]}), "clipped"),
        (changed(mark={"type": "bar", "opacity": 0}), "hidden"),
        (changed(data={"values": ROWS[:2]}), "data"),
    ],
)  # fmt: skip
async def test_a_specification_of_another_chart_is_refuted(spec: Any, kind: str) -> None:
    told, _ = await judged(spec)
    assert told.verdict is Verdict.REFUTED, told
    assert kind in {fault["kind"] for fault in told.evidence["faults"]}


async def test_a_schema_is_kept_or_the_specification_is_refuted() -> None:
    for spec in (changed(mark="barr"), {"data": [{"type": "bar", "xx": [1]}]}):
        told, _ = await judged(spec)
        assert told.verdict is Verdict.REFUTED, told
        assert "schema" in told.summary


async def test_what_is_not_compared_is_not_supported() -> None:
    histogram = {"data": [{"type": "histogram", "x": [3, 5, 4]}], "layout": {}}
    for spec in (changed(transform=[{"filter": "datum.units > 3"}]), histogram):
        told, _ = await judged(spec)
        assert told.verdict is Verdict.UNDETERMINED, told


async def test_a_specification_that_is_no_object_is_told() -> None:
    with pytest.raises(InputError, match="spec"):
        await judged("[]")


DAYS = "day,region,units\n2024-01-01,North,3\n2024-01-02,South,5\n2024-01-03,North,4\n"
BAR: dict[str, Any] = {
    "type": "bar", "x": ["North", "South"], "y": {"dtype": "i1", "bdata": "BwU="},
    "marker": {"color": "#636efa", "pattern": {"shape": ""}}, "orientation": "v",
    "hovertemplate": "region=%{x}<extra></extra>", "textposition": "auto", "showlegend": False,
}  # fmt: skip
LINE: dict[str, Any] = {
    "type": "scatter", "mode": "lines", "x": ["2024-01-01", "2024-01-02", "2024-01-03"],
    "y": [3, 5, 4], "line": {"color": "#636efa", "dash": "solid"}, "xaxis": "x", "yaxis": "y",
}  # fmt: skip
NAMED = {"xaxis": {"title": {"text": "region"}}, "yaxis": {"title": {"text": "units"}}}
BARS = {"chart": "bar", "x": "region", "y": "units", "agg": "sum"}
BY_DAY = {"chart": "line", "x": "day", "y": "units"}


def plotly(*traces: dict[str, Any], **layout: Any) -> dict[str, Any]:
    return {"data": list(traces), "layout": {**NAMED, "margin": {"t": 60}, **layout}}


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        (plotly(BAR, barmode="relative", template="plotly_dark"), BARS),
        (plotly({**BAR, "orientation": "h", "x": [7, 5], "y": ["North", "South"]},
                xaxis=NAMED["yaxis"], yaxis=NAMED["xaxis"]), {**BARS, "chart": "barh"}),
        (plotly(LINE, xaxis={"title": {"text": "day"}}), BY_DAY),
        (plotly({**LINE, "x": LINE["x"][::2], "y": [3, 4], "mode": "markers", "name": "North"},
                {**LINE, "x": LINE["x"][1:2], "y": [5], "mode": "markers", "name": "South",
                 "line": {"color": "#EF553B"}}, xaxis={"title": {"text": "day"}}),
         {**BY_DAY, "chart": "scatter", "group": "region"}),
    ],
)  # fmt: skip
async def test_a_right_plotly_figure_of_bars_or_lines_is_supported(
    spec: dict[str, Any], expect: dict[str, Any]
) -> None:
    told, _ = await check_spec(spec, DAYS, expect)
    assert told.verdict is Verdict.SUPPORTED, told
    assert told.evidence["kind"] == "plotly"


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        (plotly({**BAR, "x": ["South", "North"]}), BARS),
        (plotly(LINE, yaxis={"type": "log", "title": "units"}), BY_DAY),
        (plotly(BAR, title={"text": "Profit"}), {**BARS, "title": "Units"}),
    ],
)  # fmt: skip
async def test_a_wrong_plotly_figure_is_refuted(
    spec: dict[str, Any], expect: dict[str, Any]
) -> None:
    told, _ = await check_spec(spec, DAYS, expect)
    assert told.verdict is Verdict.REFUTED, told


@pytest.mark.parametrize(
    "spec",
    [
        plotly({**BAR, "visible": "legendonly"}), plotly({**BAR, "opacity": 0}),
        plotly({**BAR, "base": 3}), plotly({**BAR, "width": 0.001}),
        plotly({**BAR, "marker": {"color": "rgba(0,0,0,0)"}}),
        plotly({**BAR, "marker": {"color": "#ffffff"}}), plotly({**BAR, "text": ["9", "9"]}),
        plotly(BAR, yaxis={"range": [4, 7]}), plotly(BAR, yaxis={"autorange": "reversed"}),
        plotly(BAR, xaxis={"domain": [0, 0.01]}), plotly(BAR, xaxis={"type": "multicategory"}),
        plotly(BAR, template={"data": {"bar": [{"visible": False}]}}),
        plotly(BAR, shapes=[{"type": "rect", "x0": 0, "x1": 1, "y0": 0, "y1": 9}]),
        plotly(BAR, width=20), plotly(BAR, margin={"t": 900}),
        plotly({**BAR, "x": ["1", "2"]}), plotly(BAR, BAR, barmode="stack"),
        plotly({**BAR, "x": ["North", "North"]}),
        plotly({**LINE, "line": {"width": 0.001}}), plotly({**LINE, "line": {"width": 900}}),
        plotly({**LINE, "mode": "markers", "marker": {"size": 0.001}}),
        plotly({**LINE, "mode": "markers", "marker": {"size": 900}}),
        plotly({**LINE, "mode": "markers", "marker": {"line": {"width": 900}}}),
    ],
)  # fmt: skip
async def test_a_plotly_figure_that_may_show_something_else_is_not_compared(
    spec: dict[str, Any],
) -> None:
    assert drawing_program(plotly(BAR), known_template=False)
    drawn = {**LINE, "line": {"width": 4}, "marker": {"size": 12}}
    assert drawing_program(plotly(drawn), known_template=False)
    with pytest.raises(NotCompared):
        drawing_program(spec, known_template=False)
