"""Cases about tables and charts: claims and figures, each decided or refused for what it lacks."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_programs import check

from manyhands.checks.outcome import Verdict
from manyhands.errors import InputError

pytestmark = pytest.mark.anyio

TABLE = "day,shop,sales\n2024-01-01,A,3\n2024-01-02,B,5\n2024-01-03,A,4\n2024-01-04,B,\n"
HEAT = (
    "p = df.pivot_table(index='shop', columns='day', values='sales', aggfunc='sum', fill_value=0)\n"
)
BARS = (
    "import matplotlib.pyplot as plt\ns = df.groupby('shop')['sales'].sum()\n"
    "fig, ax = plt.subplots()\nax.bar(s.index, s.values)\nax.set_title('Sales by shop')\n"
)
ASKED = {"chart": "bar", "x": "shop", "y": "sales", "agg": "sum", "title": "Sales by shop"}


# --- table_claim ---------------------------------------------------------------------------


async def test_a_right_claim_is_supported_and_recomputed_from_its_text() -> None:
    told = await check(
        "table_claim",
        csv=TABLE,
        claim_code="def claim(df):\n    return df['sales'].sum() == 12\n",
        text="The sum of sales is 12.",
    )
    assert told.verdict is Verdict.SUPPORTED, told
    assert told.evidence["independent"] is True


async def test_a_claim_is_refuted_by_its_program_or_by_its_text() -> None:
    false = await check(
        "table_claim", csv=TABLE, claim_code="def claim(df):\n    return len(df) == 9\n"
    )
    text = await check(
        "table_claim",
        csv=TABLE,
        claim_code="def claim(df):\n    return len(df) == 4\n",
        text="There are 5 rows.",
    )
    assert (false.verdict, text.verdict) == (Verdict.REFUTED, Verdict.REFUTED)


@pytest.mark.parametrize(
    "code",
    [
        "def claim(df):\n    return True\n",
        "def claim(df):\n    return len(df) >= 0\n",
        "def claim(df):\n    return df['nothing'].sum() == 1\n",
        "def claim(df:\n",
        "",
        "import os\nopen('claim.json', 'w').write('{\"replies\": [{\"value\": true}]}')\n"
        "os._exit(0)\n",
        "def claim(df):\n    raise SystemExit(0)\n",
    ],
)
async def test_a_claim_program_that_says_nothing_leaves_it_undetermined(code: str) -> None:
    told = await check("table_claim", csv=TABLE, claim_code=code, text="Much was sold.")
    assert told.verdict is Verdict.UNDETERMINED, told


@pytest.mark.parametrize("case", [{"csv": TABLE}, {"claim_code": ""}, {"csv": 3, "claim_code": ""}])
async def test_a_table_claim_that_lacks_a_part_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        await check("table_claim", **case)


# --- figure --------------------------------------------------------------------------------


async def test_a_right_chart_is_supported() -> None:
    told = await check("figure", code=BARS, data=TABLE, expect=ASKED)
    assert told.verdict is Verdict.SUPPORTED, told


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (".sum()", ".mean()", "data"),
        ("'Sales by shop'", "'Profit'", "title"),
        ("ax.set_title", "ax.patches[0].set_alpha(0)\nax.set_title", "hidden"),
        ("ax.set_title", "ax.set_ylim(4, 9)\nax.set_title", "baseline"),
    ],
)
async def test_a_wrong_chart_is_refuted_with_what_is_wrong(old: str, new: str, kind: str) -> None:
    told = await check("figure", code=BARS.replace(old, new), data=TABLE, expect=ASKED)
    assert told.verdict is Verdict.REFUTED, told
    assert kind in {fault["kind"] for fault in told.evidence["faults"]}


@pytest.mark.parametrize("code", ["", "1 / 0\n"])
async def test_a_program_without_a_chart_is_refuted(code: str) -> None:
    told = await check("figure", code=code, data=TABLE, expect=ASKED)
    assert told.verdict is Verdict.REFUTED, told


@pytest.mark.parametrize(
    ("code", "expect"),
    [
        (BARS, {"chart": "bar", "x": "no such column", "y": "sales", "agg": "sum"}),
        (BARS + "import gc\n", ASKED),
    ],
)
async def test_a_chart_that_cannot_be_trusted_or_compared_is_undetermined(
    code: str, expect: dict[str, Any]
) -> None:
    told = await check("figure", code=code, data=TABLE, expect=expect)
    assert told.verdict is Verdict.UNDETERMINED, told


@pytest.mark.parametrize(
    "case",
    [
        {"code": BARS, "data": TABLE},
        {"code": BARS, "expect": ASKED},
        {"data": TABLE, "expect": ASKED},
    ],
)
async def test_a_figure_case_that_lacks_a_part_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        await check("figure", **case)


async def test_a_data_file_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="does not exist"):
        await check("figure", code=BARS, data="nowhere.csv", expect=ASKED)


# --- what people really send -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"chart": "Stacked bar chart", "x": "shop", "y": "sales", "agg": "sum", "hue": "day"},
         "df.pivot_table(index='shop', columns='day', values='sales', aggfunc='sum')"
         ".plot.bar(stacked=True)"),
        ({"chart": "bar", "x": "shop", "y": "sales", "agg": "average"},
         "df.groupby('shop')['sales'].mean().plot.bar()"),
        ({"chart": "bar", "x": "shop", "y": "count", "agg": "count"},
         "df['shop'].value_counts().plot.bar()"),
        ({"chart": "barh", "x": "sales", "y": "shop", "agg": "sum"},
         "df.groupby('shop')['sales'].sum().plot.barh()"),
        ({"chart": "hist", "x": "sales", "bins": 3, "density": True},
         "df['sales'].plot.hist(bins=3, density=True)"),
        ({"chart": "hist", "x": "sales", "bins": 3},
         "plt.hist(df['sales'].dropna(), bins=3, histtype='step')"),
        ({"chart": "hist", "x": "sales", "bins": 3},
         "plt.gca().stairs(*np.histogram(df['sales'].dropna(), bins=3), fill=True)"),
        ({"chart": "hist", "x": "sales", "bins": 3},
         "plt.hist(df['sales'].dropna(), bins=3, rwidth=0.8)"),
        (ASKED, BARS + "ax.yaxis.set_major_formatter(lambda v, _: str(v / 1000))\n"
         "ax.set_ylabel('Sales (thousands)')"),
        (ASKED, f"{BARS}ax.axhspan(2, 3, color='green', alpha=.2)"),
        ({"chart": "heatmap", "x": "day", "y": "shop", "value": "sales", "agg": "sum"},
         f"{HEAT}c = plt.pcolor(p)\nplt.xticks(np.arange(p.shape[1]) + .5, p.columns)\n"
         "plt.yticks(np.arange(p.shape[0]) + .5, p.index)\nplt.colorbar(c)"),
        ({"chart": "pie", "x": "shop", "y": "sales", "agg": "sum"},
         "s = df.groupby('shop')['sales'].sum()\n"
         "plt.pie(s, labels=[f'{i} ({v:g})' for i, v in s.items()])"),
    ],
)  # fmt: skip
async def test_charts_are_asked_for_in_many_words(expect: dict[str, Any], code: str) -> None:
    source = f"import matplotlib.pyplot as plt\n{code}\n"
    told = await check("figure", code=source, data=TABLE, expect=expect)
    assert told.verdict is Verdict.SUPPORTED, told


@pytest.mark.parametrize(
    ("expect", "code", "kind"),
    [
        ({"chart": "bar", "x": "shop", "y": "sales", "agg": "sum", "group": "day"},
         f"{HEAT}for day in p.columns:\n    plt.bar(p.index, p[day], bottom=1, label=day)\n"
         "plt.legend()", "baseline"),
        ({"chart": "bar", "x": "shop", "y": "sales", "agg": "sum", "group": "day"},
         f"{HEAT}for day in p.columns:\n    plt.bar(p.index, p[day], label=day)\nplt.legend()",
         "hidden"),
        ({"chart": "heatmap", "x": "day", "y": "shop", "value": "sales", "agg": "sum"},
         f"{HEAT}plt.imshow(p, vmax=p.min().min())\nplt.xticks(range(p.shape[1]), p.columns)\n"
         "plt.yticks(range(p.shape[0]), p.index)", "clipped"),
        ({"chart": "step", "x": "shop", "y": "sales", "agg": "sum"},
         "df.groupby('shop')['sales'].sum().plot()", "kind"),
        ({**ASKED}, f"{BARS}ax.set_yticks([0, 4, 8])\nax.set_yticklabels(['0', '40', '80'])",
         "names"),
        ({**ASKED}, f"{BARS}ax.set_position([2, 2, 1, 1])", "empty"),
        ({**ASKED}, f"{BARS}ax.patches[0].set_clip_path(ax.patches[1])", "hidden"),
        ({**ASKED}, f"{BARS}ax.patches[0].set_transform(ax.transAxes)", "hidden"),
    ],
)  # fmt: skip
async def test_a_chart_that_hides_or_bends_its_values_is_refuted(
    expect: dict[str, Any], code: str, kind: str
) -> None:
    source = f"import matplotlib.pyplot as plt\n{code}\n"
    told = await check("figure", code=source, data=TABLE, expect=expect)
    assert told.verdict is Verdict.REFUTED, told
    assert kind in {fault["kind"] for fault in told.evidence["faults"]}


async def test_a_kind_of_chart_without_a_check_decides_nothing() -> None:
    told = await check("figure", code=BARS, data=TABLE, expect={**ASKED, "chart": "sankey"})
    assert told.verdict is Verdict.UNDETERMINED


async def test_a_program_that_compares_with_another_number_than_the_text_is_refuted() -> None:
    code = "def claim(df):\n    return bool(df['sales'].sum() == 12)\n"
    right = await check("table_claim", csv=TABLE, claim_code=code, text="All sales together: 12.")
    wrong = await check("table_claim", csv=TABLE, claim_code=code, text="All sales together: 13.")
    assert (right.verdict, wrong.verdict) == (Verdict.SUPPORTED, Verdict.REFUTED), (right, wrong)
