"""Charts for the benchmark: right programs, and 21 kinds of faults to plant in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CHARTS", "FAULTS", "Chart", "make_data"]


def make_data(seed: int) -> str:
    """A sales table as CSV: 72 rows, 3 regions, 12 months, some gaps."""
    dice = random.Random(seed)
    lines = ["month,region,units,revenue,cost,rating"]
    for month in range(1, 13):
        for region in ("North", "South", "West"):
            for _ in range(2):
                units = dice.randint(3, 90)
                revenue = round(units * dice.uniform(8, 15), 2)
                cost = round(revenue * dice.uniform(0.3, 0.8) + dice.uniform(1, 9), 2)
                rating = "" if dice.random() < 0.1 else str(round(dice.uniform(1, 5), 1))
                lines.append(f"2024-{month:02d}-01,{region},{units},{revenue},{cost},{rating}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Chart:
    """A right program; `DRAW` marks where the values are made ready, `END` the end."""

    name: str
    code: str
    expect: dict[str, Any] = field(default_factory=dict)


_HEAD = (
    "import pandas as pd\nimport numpy as np\nimport matplotlib.pyplot as plt\n"
    "df = pd.read_csv('data.csv')\n"
)


def _labels(x: str, y: str, title: str) -> str:
    return f"ax.set_title({title!r})\nax.set_xlabel({x!r})\nax.set_ylabel({y!r})\n"


CHARTS = [
    Chart(
        "bar",
        _HEAD + "s = df.groupby('region')['revenue'].sum()\nfig, ax = plt.subplots()\n"
        "ax.bar(s.index, s.values)\n" + _labels("Region", "Revenue (EUR)", "Revenue by region"),
        {
            "chart": "bar",
            "x": "region",
            "y": "revenue",
            "agg": "sum",
            "title": "Revenue by region",
            "xlabel": "Region",
            "ylabel": "Revenue (EUR)",
        },
    ),
    Chart(
        "bar_ordered",
        _HEAD + "s = df.groupby('region')['units'].mean().sort_values(ascending=False)\n"
        "ax = s.plot.bar()\n" + _labels("Region", "Units", "Mean units"),
        {
            "chart": "bar",
            "x": "region",
            "y": "units",
            "agg": "mean",
            "title": "Mean units",
            "xlabel": "Region",
            "ylabel": "Units",
            "order": "desc",
        },
    ),
    Chart(
        "line",
        _HEAD
        + "df['month'] = pd.to_datetime(df['month'])\ns = df.groupby('month')['cost'].mean()\n"
        "fig, ax = plt.subplots()\nax.plot(s.index, s.values)\n"
        + _labels("Month", "Cost (EUR)", "Mean cost"),
        {
            "chart": "line",
            "x": "month",
            "y": "cost",
            "agg": "mean",
            "title": "Mean cost",
            "xlabel": "Month",
            "ylabel": "Cost (EUR)",
        },
    ),
    Chart(
        "lines",
        _HEAD
        + "s = df.pivot_table(index='month', columns='region', values='revenue', aggfunc='sum')\n"
        "fig, ax = plt.subplots()\n"
        "for name in s.columns:\n    ax.plot(s.index, s[name], label=name)\n"
        "ax.legend()\n" + _labels("Month", "Revenue (EUR)", "Revenue"),
        {
            "chart": "line",
            "x": "month",
            "y": "revenue",
            "agg": "sum",
            "group": "region",
            "title": "Revenue",
            "xlabel": "Month",
            "ylabel": "Revenue (EUR)",
        },
    ),
    Chart(
        "scatter",
        _HEAD
        + "fig, ax = plt.subplots()\nax.scatter(df['units'], df['revenue'])\n"
        + _labels("Units", "Revenue (EUR)", "Units and revenue"),
        {
            "chart": "scatter",
            "x": "units",
            "y": "revenue",
            "agg": "none",
            "title": "Units and revenue",
            "xlabel": "Units",
            "ylabel": "Revenue (EUR)",
        },
    ),
    Chart(
        "scatter_log",
        _HEAD
        + "fig, ax = plt.subplots()\nax.scatter(df['units'], df['cost'])\nax.set_yscale('log')\n"
        + _labels("Units", "Cost (EUR)", "Units and cost"),
        {
            "chart": "scatter",
            "x": "units",
            "y": "cost",
            "agg": "none",
            "log": "y",
            "title": "Units and cost",
            "xlabel": "Units",
            "ylabel": "Cost (EUR)",
        },
    ),
    Chart(
        "hist",
        _HEAD
        + "fig, ax = plt.subplots()\nax.hist(df['revenue'], bins=12)\n"
        + _labels("Revenue (EUR)", "Rows", "Revenue"),
        {
            "chart": "hist",
            "x": "revenue",
            "bins": 12,
            "title": "Revenue",
            "xlabel": "Revenue (EUR)",
            "ylabel": "Rows",
        },
    ),
    Chart(
        "hist_gaps",
        _HEAD
        + "fig, ax = plt.subplots()\nax.hist(df['rating'].dropna(), bins=8)\n"
        + _labels("Rating", "Rows", "Ratings"),
        {
            "chart": "hist",
            "x": "rating",
            "bins": 8,
            "title": "Ratings",
            "xlabel": "Rating",
            "ylabel": "Rows",
        },
    ),
    Chart(
        "heat",
        _HEAD
        + "s = df.pivot_table(index='region', columns='month', values='units', aggfunc='sum')\n"
        "fig, ax = plt.subplots()\nimage = ax.imshow(s.values, aspect='auto')\n"
        "ax.set_xticks(range(len(s.columns)), s.columns)\n"
        "ax.set_yticks(range(len(s.index)), s.index)\n"
        "fig.colorbar(image)\n" + _labels("Month", "Region", "Units"),
        {
            "chart": "heatmap",
            "x": "month",
            "y": "region",
            "value": "units",
            "agg": "sum",
            "title": "Units",
            "xlabel": "Month",
            "ylabel": "Region",
        },
    ),
    Chart(
        "pie",
        _HEAD + "s = df.groupby('region')['units'].sum()\nfig, ax = plt.subplots()\n"
        "ax.pie(s.values, labels=s.index)\nax.set_title('Units')\n",
        {"chart": "pie", "x": "region", "y": "units", "agg": "sum", "title": "Units"},
    ),
    Chart(
        "barh",
        _HEAD + "s = df.groupby('region')['cost'].median()\nfig, ax = plt.subplots()\n"
        "ax.barh(s.index, s.values)\n" + _labels("Cost (EUR)", "Region", "Median cost"),
        {
            "chart": "barh",
            "x": "region",
            "y": "cost",
            "agg": "median",
            "title": "Median cost",
            "xlabel": "Cost (EUR)",
            "ylabel": "Region",
        },
    ),
    Chart(
        "box",
        _HEAD + "groups = list(df.groupby('region')['units'])\nfig, ax = plt.subplots()\n"
        "ax.boxplot([g.values for _, g in groups], tick_labels=[n for n, _ in groups])\n"
        + _labels("Region", "Units", "Units by region"),
        {
            "chart": "box",
            "x": "region",
            "y": "units",
            "title": "Units by region",
            "xlabel": "Region",
            "ylabel": "Units",
        },
    ),
]

_Plant = Callable[[str, random.Random], str]


def _swap(old: str, new: str) -> _Plant:
    return lambda code, _: code.replace(old, new)


def _after(text: str, *, needs: str = "ax") -> _Plant:
    return lambda code, _: code + text if needs in code else code


def _read(text: str) -> _Plant:
    head = "df = pd.read_csv('data.csv')\n"
    return lambda code, _: code.replace(head, head + text)


def _pick(*plants: _Plant) -> _Plant:
    """The first of `plants`, in seeded order, that changes the program."""

    def apply(code: str, dice: random.Random) -> str:
        order = list(plants)
        dice.shuffle(order)
        return next((new for plant in order if (new := plant(code, dice)) != code), code)

    return apply


def _wrong_column(code: str, dice: random.Random) -> str:
    for column in ("'revenue'", "'cost'", "'units'", "'rating'"):
        if column in code:
            other = dice.choice([c for c in ("'revenue'", "'cost'", "'units'") if c != column])
            if other not in code:
                return code.replace(column, other)
    return code


def _wrong_aggregate(code: str, dice: random.Random) -> str:
    for name in ("sum", "mean", "median"):
        for form in (f".{name}()", f"aggfunc='{name}'"):
            if form in code:
                other = dice.choice([n for n in ("sum", "mean", "median", "max") if n != name])
                if other == "mean" and "pivot" in code:
                    other = "max"
                return code.replace(form, form.replace(name, other))
    return code


_BARS = "for c in ax.containers:\n    for b in c.patches[:1]:\n        "

#: 21 kinds of fault. A plant that finds nothing to change leaves the program as it is.
FAULTS: dict[str, _Plant] = {
    "wrong column": _wrong_column,
    "wrong aggregation": _wrong_aggregate,
    "swapped axes": _pick(
        _swap("ax.scatter(df['units'], df['revenue'])", "ax.scatter(df['revenue'], df['units'])"),
        _swap("ax.scatter(df['units'], df['cost'])", "ax.scatter(df['cost'], df['units'])"),
        _swap("ax.plot(s.index, s.values)", "ax.plot(s.values, s.index)"),
        _swap("ax.bar(s.index", "ax.barh(s.index"),
        _swap("imshow(s.values,", "imshow(s.values.T,"),
    ),
    "missing title": lambda code, _: code + "ax.set_title('')\n",
    "wrong title": lambda code, _: code + "ax.set_title('Profit by customer')\n",
    "missing x label": _after("ax.set_xlabel('')\n", needs="ax.set_xlabel"),
    "missing y label": _after("ax.set_ylabel('')\n", needs="ax.set_ylabel"),
    "wrong unit": _swap("(EUR)", "(thousand EUR)"),
    "log scale": _pick(
        _swap("ax.set_yscale('log')\n", ""),
        lambda code, _: code
        if "imshow" in code or ".pie" in code or "barh" in code
        else code + "ax.set_yscale('log')\n",
        lambda code, _: code + "ax.set_xscale('log')\n" if "barh" in code else code,
    ),
    "wrong bins": lambda code, dice: code.replace("bins=12", f"bins={dice.choice((6, 10, 20))}")
    .replace("bins=8", f"bins={dice.choice((5, 10, 16))}"),
    "stale data": _read("df = df.iloc[:-6]\n"),
    "empty axes": _pick(
        _swap("ax.bar(s.index, s.values)\n", ""),
        _swap("ax.barh(s.index, s.values)\n", ""),
        _swap("ax.plot(s.index, s.values)\n", ""),
        _swap("ax.scatter(df['units'], df['revenue'])\n", ""),
        _swap("ax.scatter(df['units'], df['cost'])\n", ""),
        _swap("ax.hist(df['revenue'], bins=12)\n", ""),
        _swap("ax.pie(s.values, labels=s.index)\n", ""),
    ),
    "clipped": _pick(
        _after("low, high = ax.get_ylim()\nax.set_ylim(low, high * 0.6)\n", needs="ax.bar("),
        _after("low, high = ax.get_xlim()\nax.set_xlim(low, high * 0.6)\n", needs="ax.barh("),
        _after("low, high = ax.get_ylim()\nax.set_ylim(low, high * 0.6)\n", needs="scatter"),
        _after("low, high = ax.get_ylim()\nax.set_ylim(low, high * 0.6)\n", needs="ax.hist"),
        _after("low, high = ax.get_xlim()\nax.set_xlim(low, (low + high) / 2)\n", needs="ax.plot"),
        _after("ax.set_xlim(-0.5, 5.5)\n", needs="imshow"),
    ),
    "hidden marks": _pick(
        _after(_BARS + "b.set_visible(False)\n", needs="bar"),
        _after(_BARS + "b.set_alpha(0)\n", needs="bar"),
        _after(_BARS + "b.set_facecolor('white')\n", needs="bar"),
        _after(_BARS + "b.set_width(0)\n", needs="ax.hist"),
        _after("ax.lines[0].set_visible(False)\n", needs="ax.plot"),
        _after("ax.lines[0].set_alpha(0)\n", needs="ax.plot"),
        _after("ax.collections[0].set_alpha(0)\n", needs="scatter"),
        _after("ax.images[0].set_visible(False)\n", needs="imshow"),
        _after("ax.patches[0].set_visible(False)\n", needs="ax.pie"),
    ),
    "wrong order": _pick(
        _swap("ascending=False", "ascending=True"),
        _swap(
            "ax.plot(s.index, s.values)",
            "s = s.sample(frac=1, random_state=1)\nax.plot(s.index, s.values)",
        ),
        _swap("ax.bar(s.index, s.values)", "ax.bar(s.index, s.values[::-1])"),
        _swap("ax.barh(s.index, s.values)", "ax.barh(s.index[::-1], s.values)"),
        _swap("labels=s.index)", "labels=s.index[::-1])"),
        _swap("[n for n, _ in groups]", "[n for n, _ in groups][::-1]"),
    ),
    "truncated axis": _pick(
        _after("ax.set_ylim(s.min() * 0.9, s.max() * 1.05)\n", needs="ax.bar("),
        _after("ax.set_ylim(s.min() * 0.9, s.max() * 1.05)\n", needs="plot.bar"),
        _after("ax.set_xlim(s.min() * 0.9, s.max() * 1.05)\n", needs="ax.barh("),
        _after("ax.set_ylim(1, None)\n", needs="ax.hist"),
    ),
    "duplicated rows": _read("df = pd.concat([df, df.sample(9, random_state=3)])\n"),
    "rows dropped": _read("df = df.dropna().head(60)\n"),
    "heat map order": _pick(
        _swap("imshow(s.values,", "imshow(s.values[::-1],"),
        _swap("imshow(s.values,", "imshow(s.values[:, ::-1],"),
        _swap("range(len(s.index)), s.index)", "range(len(s.index)), s.index[::-1])"),
    ),
    "legend swapped": _pick(
        _swap("ax.legend()", "ax.legend(list(s.columns)[::-1])"),
        _swap("ax.legend()\n", ""),
        _swap("label=name)", "label=s.columns[(list(s.columns).index(name) + 1) % 3])"),
    ),
    "inverted axis": _pick(
        _after("ax.invert_yaxis()\n", needs="ax.bar("),
        _after("ax.invert_xaxis()\n", needs="ax.plot"),
        _after("ax.invert_yaxis()\n", needs="scatter"),
        _after("ax.invert_xaxis()\n", needs="ax.hist"),
        _after("ax.invert_yaxis()\n", needs="boxplot"),
    ),
}  # fmt: skip
