# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
# ruff: noqa: PTH123
"""Validates a chart's specification against its schema and draws it, with nothing to fetch from.

Reads spec_job.json {kind: vega-lite|plotly, spec, data?}; writes spec.json {error, rows?,
template?} and, for Vega-Lite, chart.png. `rows` are the columns of the CSV file `data`, for the
caller to compare; `template` says whether Plotly's is one of its own.
"""

from __future__ import annotations

import json
from typing import Any


def _vega_lite(spec: dict[str, Any]) -> None:
    import altair as alt
    import vl_convert as vlc

    alt.Chart.from_dict(spec, validate=True)
    png = vlc.vegalite_to_png(json.dumps(spec), scale=2, allowed_base_urls=[])
    with open("chart.png", "wb") as file:
        file.write(png)


def _plotly(spec: dict[str, Any]) -> bool:
    """Whether its template, if it has one, is one that Plotly ships."""
    import plotly.graph_objects as go
    import plotly.io as pio

    figure = go.Figure(spec)  # its constructor validates every property
    template = figure.layout.template.to_plotly_json()
    return any(template == pio.templates[name].to_plotly_json() for name in pio.templates)


def main() -> None:
    """Do what the job asks."""
    with open("spec_job.json") as file:
        job = json.load(file)
    out: dict[str, Any] = {"error": ""}
    if job.get("data"):
        import pandas as pd

        table = pd.read_csv(job["data"])
        out["rows"] = json.loads(table.to_json(orient="records", date_format="iso"))
        if job["kind"] == "vega-lite" and "values" not in job["spec"].get("data", {}):
            job["spec"]["data"] = {"values": out["rows"]}
    try:
        if job["kind"] == "vega-lite":
            _vega_lite(job["spec"])
        else:
            out["template"] = _plotly(job["spec"])
    except Exception as error:
        out["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"[:500]
    with open("spec.json", "w") as file:
        json.dump(out, file)


if __name__ == "__main__":
    main()
