"""A chart given as a specification: refused when it could do harm, compared with the request."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.chart_specs import check_spec
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
    for spec in (changed(transform=[{"filter": "datum.units > 3"}]), PLOTLY):
        told, _ = await judged(spec)
        assert told.verdict is Verdict.UNDETERMINED, told


async def test_a_specification_that_is_no_object_is_told() -> None:
    with pytest.raises(InputError, match="spec"):
        await judged("[]")
