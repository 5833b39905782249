"""The scripted models of the demo: what each role says; everything that is run is real.

The coder's first program takes the row number for the time. The record lacks whole months, so its
rates are wrong, and the blind tests find that out by running it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands.rehearsal.script import ScriptedRequest

__all__ = ["DATA", "QUESTION", "say"]

QUESTION = "How fast does CO₂ rise at Mauna Loa, and is the rise accelerating?"
DATA = "mauna_loa_co2_monthly"

_TASK = (
    "Return a dict with three numbers. `first` and `last`: the slope, in ppm per year, of the "
    "least-squares line through the `CO2` values of the first ten and of the last ten years "
    "(rows less than ten years after the first row, and less than ten years before the last). "
    "`acceleration`: twice the coefficient of t squared in the least-squares parabola through all "
    "values, in ppm per year squared. Time t is in years: year + (month - 0.5) / 12. "
    "Months without data are absent rows."
)

_FRAME = {
    "goal": "The speed of the rise at the start and at the end of the record, and its change",
    "route": "plan",
    "givens": ["monthly CO2 at Mauna Loa in ppm"],
    "unknowns": ["yearly rise then and now", "whether the rise accelerates"],
    "checks": ["slopes agree with blind tests", "chart shows the data", "claims hold on the data"],
    "steps": [
        {
            "id": "rates",
            "hand": "code",
            "task": _TASK,
            "entry_point": "growth_rates",
            "data": [DATA],
        },
        {
            "id": "speed",
            "hand": "math",
            "task": "The speed of growth of the parabola C(t) = a + b t + c t².",
            "kind": "derivative",
            "given": {"f": "a + b*t + c*t**2", "var": "t"},
        },
        {
            "id": "chart",
            "hand": "visualize",
            "task": "The whole record over time, with units on the axes.",
            "data": [DATA],
            "chart": "line",
            "x": "Date",
            "y": "CO2",
            "agg": "none",
        },
        {
            "id": "faster",
            "hand": "verify",
            "task": "In the last ten years CO2 rose more than twice as fast as in the first ten.",
            "data": [DATA],
        },
        {
            "id": "steady",
            "hand": "verify",
            "task": "CO2 has risen at a steady speed: the speeds of the first and the last ten "
            "years differ by less than a tenth.",
            "data": [DATA],
        },
    ],
}

_TESTS = """
def _months(first, last, missing=()):
    for year in range(first, last + 1):
        for month in range(1, 13):
            if (year, month) not in missing:
                yield year, month, year + (month - 0.5) / 12


def _table(value, missing=()):
    rows = list(_months(1960, 1999, missing))
    return {
        "Date": [f"{year}-{month:02d}-01" for year, month, _ in rows],
        "CO2": [value(t) for _, _, t in rows],
    }


def check(candidate):
    straight = candidate(_table(lambda t: 300 + 1.5 * (t - 1960)))
    assert abs(straight["first"] - 1.5) < 1e-6, straight
    assert abs(straight["last"] - 1.5) < 1e-6, straight
    assert abs(straight["acceleration"]) < 1e-6, straight
    gaps = {(1962, month) for month in range(3, 12)} | {(1995, 6), (1995, 7)}
    gappy = candidate(_table(lambda t: 300 + 1.5 * (t - 1960), gaps))
    assert abs(gappy["first"] - 1.5) < 1e-6, gappy
    assert abs(gappy["last"] - 1.5) < 1e-6, gappy
    bent = candidate(_table(lambda t: 310 + 0.7 * (t - 1960) + 0.02 * (t - 1960) ** 2))
    assert abs(bent["acceleration"] - 0.04) < 1e-6, bent
    assert bent["last"] > bent["first"] > 0
"""

_WRONG = """
import numpy as np


def growth_rates(table):
    co2 = np.array(table["CO2"], dtype=float)
    t = np.arange(len(co2)) / 12
    first = np.polyfit(t[:120], co2[:120], 1)[0]
    last = np.polyfit(t[-120:], co2[-120:], 1)[0]
    return {
        "first": float(first),
        "last": float(last),
        "acceleration": float(2 * np.polyfit(t, co2, 2)[0]),
    }
"""

_RIGHT = """
import numpy as np


def growth_rates(table):
    co2 = np.array(table["CO2"], dtype=float)
    t = np.array([int(d[:4]) + (int(d[5:7]) - 0.5) / 12 for d in table["Date"]])
    early = t < t[0] + 10
    late = t > t[-1] - 10
    centred = t - t.mean()
    return {
        "first": float(np.polyfit(centred[early], co2[early], 1)[0]),
        "last": float(np.polyfit(centred[late], co2[late], 1)[0]),
        "acceleration": float(2 * np.polyfit(centred, co2, 2)[0]),
    }
"""

_CHART = f'''
import matplotlib.pyplot as plt
import pandas as pd

table = pd.read_csv("{DATA}.csv", parse_dates=["Date"])
fig, ax = plt.subplots(figsize=(8, 4.5))
ax.plot(table["Date"], table["CO2"], linewidth=0.9)
ax.set_title("CO2 at Mauna Loa")
ax.set_xlabel("Date")
ax.set_ylabel("CO2 (ppm)")
ax.grid(alpha=0.3)
fig.tight_layout()
plt.show()
'''

#: Two ways to the same quantity: a fitted line, and differences of yearly means.
_BY_SLOPE = """
import numpy as np
import pandas as pd


def claim(df):
    date = pd.to_datetime(df["Date"])
    t = date.dt.year + (date.dt.month - 0.5) / 12
    early = t < t.iloc[0] + 10
    late = t > t.iloc[-1] - 10
    first = np.polyfit(t[early] - t.mean(), df["CO2"][early], 1)[0]
    last = np.polyfit(t[late] - t.mean(), df["CO2"][late], 1)[0]
    return bool({test})
"""
_BY_MEANS = """
import pandas as pd


def claim(df):
    year = pd.to_datetime(df["Date"]).dt.year
    full = df.groupby(year)["CO2"].agg(["mean", "count"])
    means = full.loc[full["count"] == 12, "mean"]
    rise = means.diff() / means.index.to_series().diff()
    first, last = rise.head(10).mean(), rise.tail(10).mean()
    return bool({test})
"""
_OPINION = {
    "sees": "A line chart of CO₂ by date, which rises with a yearly wave.",
    "verdict": "ok",
    "problems": [],
}
_FASTER = "last > 2 * first"
_STEADY = "abs(last - first) < 0.1 * first"


def say(request: ScriptedRequest, roles: Mapping[str, str]) -> str:
    """What the demo's models answer.

    Args:
        roles: role name -> system prompt; tells who is spoken to.
    """
    system = next((m["content"] for m in request.messages if m["role"] == "system"), "")
    role = next((name for name, prompt in roles.items() if prompt == system), "")
    prompt = str(request.messages[-1]["content"])
    match role:
        case "framer":
            return json.dumps(_FRAME if QUESTION in prompt else _off_script())
        case "tester":
            return _block(_TESTS)
        case "coder":
            again = "what failed" in prompt
            return "The row number is not the time.\n\n" * again + _block(
                _RIGHT if again else _WRONG
            )
        case "mathematician":
            return "Differentiate term by term.\n" + _block("b + 2*c*t", "")
        case "illustrator":
            return _block(_CHART)
        case "reviewer":
            return json.dumps(_OPINION)
        case "verifier" | "skeptic":
            test = _STEADY if "steady speed" in prompt else _FASTER
            return _block((_BY_SLOPE if role == "verifier" else _BY_MEANS).format(test=test))
        case _:
            return _final(prompt)


def _block(text: str, language: str = "python") -> str:
    return f"```{language}\n{text.strip()}\n```\n"


def _off_script() -> dict[str, str]:
    return {
        "goal": "say what this is",
        "route": "direct",
        "answer": "I am a scripted model and know only the demo's question.",
    }


def _final(prompt: str) -> str:
    """The closing text, written from the numbers that the steps really found."""
    found = {
        name: float(value)
        for name, value in re.findall(
            r'"(first|last|acceleration)": (-?\d+\.?\d*(?:e-?\d+)?)', prompt
        )
    }
    if found.keys() < {"first", "last", "acceleration"}:
        return "The rates could not be worked out, so the question stays open."
    return (
        f"CO₂ at Mauna Loa rose by {found['first']:.2f} ppm per year in the first ten years of "
        f"the record and by {found['last']:.2f} ppm per year in the last ten.\n\n"
        f"The rise is accelerating: a parabola through all months has an acceleration of "
        f"{found['acceleration']:.4f} ppm per year squared; its speed is `b + 2*c*t`. "
        "That the speed more than doubled holds on the data; that it was steady is refuted."
    )
